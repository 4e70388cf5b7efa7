"""What stored probes found of recipient domains, as verdicts use it. The words are those of the store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple


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

    def not_offering(self) -> frozenset[str]:
        """Return the addresses (IP) at which the last look was told of no STARTTLS."""
        endings: dict[str | None, str | None] = {}
        for look in sorted((look for looks in self.by_domain.values() for look in looks), key=lambda look: look.time):
            endings.update((address.ip, address.ending) for address in look.addresses)
        return frozenset(ip for ip, ending in endings.items() if ip and ending == "not_offered")


def gathered(looks: Iterable[Look], moment: datetime) -> Looks:
    """Return looks for use as of a moment."""
    by_domain: dict[str, list[Look]] = defaultdict(list)
    by_host: dict[str, list[Look]] = defaultdict(list)
    for look in sorted(looks, key=lambda look: (look.time, look.domain)):
        by_domain[look.domain].append(look)
        for host in look.hosts():
            by_host[host].append(look)
    return Looks(moment, dict(by_domain), dict(by_host))
