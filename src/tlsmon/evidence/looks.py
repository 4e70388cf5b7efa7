"""What stored probes found of recipient domains, as verdicts use it. The words are those of the store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

# The store is imported where it is read: all commands import this module, and --help needs no store.


class LookedAt(NamedTuple):
    """One address of an MX host, as one look found it."""

    host: str
    preference: int
    ip: str | None
    """None: further addresses that were not looked at."""
    port: int | None
    ending: str | None
    trust: str | None
    not_after: datetime | None
    answers: Mapping[str, str]
    """By level: ``yes``, ``no``, ``unknown``."""


class Look(NamedTuple):
    """One look at one domain: a single observation, from one place and with the authorities known there."""

    domain: str
    time: datetime
    vantage: str
    route: str
    hosts_left_out: int
    answers: Mapping[str, str]
    """By level, of the domain: ``yes``, ``no``, ``some``, ``unknown``."""
    addresses: tuple[LookedAt, ...]

    def hosts(self) -> dict[str, list[LookedAt]]:
        """Return the addresses by MX host, in the order of the route."""
        found: dict[str, list[LookedAt]] = defaultdict(list)
        for address in self.addresses:
            found[address.host].append(address)
        return found


class Looks(NamedTuple):
    """The looks that are recent enough to count."""

    moment: datetime
    """As of when; aware."""
    by_domain: Mapping[str, Sequence[Look]]
    """The oldest first."""
    by_host: Mapping[str, Sequence[Look]]

    def latest(self, domain: str) -> Look | None:
        """Return the last look at a domain whose MX hosts could be told."""
        return next((look for look in reversed(self.by_domain.get(domain, ())) if look.route != "untold"), None)


def of(looks: Iterable[Look], moment: datetime) -> Looks:
    """Return looks for use as of a moment."""
    by_domain: dict[str, list[Look]] = defaultdict(list)
    by_host: dict[str, list[Look]] = defaultdict(list)
    for look in sorted(looks, key=lambda look: (look.time, look.domain)):
        by_domain[look.domain].append(look)
        for host in look.hosts():
            by_host[host].append(look)
    return Looks(moment, dict(by_domain), dict(by_host))


def collect(store: str, days: float, end: datetime, *, fixed: bool) -> Looks | None:
    """
    Return the looks of the ``days`` before ``end`` (aware) in a store; None where there are none, and for 0 days.

    Unless ``fixed``, the end is moved to the last look where that is later: logs are often read a day after. Raises
    StoreError.
    """
    if not days:
        return None
    age = timedelta(days=days)
    from tlsmon.store.probes import Probes  # noqa: PLC0415

    found = [_look(row) for row in Probes(store).between(end - age, end if fixed else None)]
    moment = max([end, *(look.time for look in found)])
    return of([look for look in found if look.time >= moment - age], moment) if found else None


def _look(row: Mapping[str, Any]) -> Look:
    return Look(
        row["domain"],
        row["time"],
        row["vantage"],
        row["route"],
        row["hosts_left_out"],
        _answers(row),
        tuple(_address(each) for each in row["addresses"]),
    )


def _address(row: Mapping[str, Any]) -> LookedAt:
    return LookedAt(
        row["host"],
        row["preference"],
        row["ip"],
        row["port"],
        row["ending"],
        row["trust"],
        row["not_after"],
        _answers(row),
    )


def _answers(row: Mapping[str, Any]) -> dict[str, str]:
    from tlsmon.store.probes import ANSWERS  # noqa: PLC0415

    return {name.replace("_", "-"): row[name] for name in ANSWERS}
