"""
What a level would have done to mail of which the time after is known, too.

Unlike :mod:`tlsmon.verdict.fates`, which foretells, this looks back: each mail is judged by its own session, by what
the other addresses did on that day, and by what all of them did while it would have waited in the queue.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from math import prod
from typing import Final, NamedTuple

from tlsmon.evidence.model import Address, Standing
from tlsmon.verdict.fates import (
    ADDRESS_LIMIT,
    REROUTED_AT,
    Seen,
    bounces_at_once,
    is_mail,
    lost_share,
    out_of_reach,
    passed_over,
)
from tlsmon.verdict.known import POOLED_LEVELS
from tlsmon.verdict.model import Fate, Fates
from tlsmon.verdict.own_side import ProviderOf, by_day, day_of, own_days

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR


class Aftermath(NamedTuple):
    """What became of one domain's mail. Values add."""

    fates: Fates = Fates()
    own_side: int = 0
    """Mails that the sender's own side would have held up, on days when many providers failed together. Apart."""


class _Hour(NamedTuple):
    good: int = 0
    bad: int = 0


class Later(NamedTuple):
    """The days that are looked at."""

    days: Sequence[Sequence[Seen]]
    """Day by day; those after the horizon tell whether waiting mail still got through."""
    horizon: int
    """How many of the days' mails are judged."""
    level: str
    queue_days: float


def aftermath(later: Later, in_order: frozenset[str], provider_of: ProviderOf) -> dict[str, Aftermath]:
    """
    Return what became of the mail of each domain.

    ``in_order``: the providers that were in order before; where many of them fail on one day, it is our own side.
    """
    known = _Known(later)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day in later.days[: later.horizon]:
        wrong = own_days(by_day(day, provider_of), in_order)
        for item in day:
            if is_mail(item):
                at_home = item.standing is Standing.BAD and day_of(item) in wrong
                name = "own_side" if at_home else known.fate(item)
                found[item.observation.domain][name] += item.observation.attempts
    return {
        domain: Aftermath(Fates(*(counts[fate] for fate in Fate)), counts["own_side"])
        for domain, counts in found.items()
    }


class _Known:
    """What is known of the addresses, hour by hour."""

    def __init__(self, later: Later) -> None:
        self._level = later.level
        self._queue = later.queue_days
        self._pooled = later.level in POOLED_LEVELS
        self._used: dict[str, set[Address]] = defaultdict(set)
        self._hours: dict[Hashable, dict[int, _Hour]] = defaultdict(dict)
        by_domain: dict[str, list[Seen]] = defaultdict(list)
        for day in later.days:
            for item in day:
                self._note(item)
                by_domain[item.observation.domain].append(item)
        self._passed_over = {domain: passed_over(items) for domain, items in by_domain.items()}

    def fate(self, item: Seen) -> Fate:
        """Return what the level would have done to the mails of one observation."""
        if item.standing is not Standing.BAD:
            return Fate.DELIVERED if item.standing is Standing.GOOD else Fate.UNKNOWN
        if bounces_at_once(item.observation, self._level):
            return Fate.LOST
        others = self._used[item.observation.domain] - {item.observation.address}
        others -= out_of_reach(item.observation, others, self._passed_over[item.observation.domain])
        same_day = self._failing(item, others, item.observation.last - DAY, item.observation.first + DAY)
        if same_day is not None and same_day <= REROUTED_AT and len(others) < ADDRESS_LIMIT:
            return Fate.REROUTED
        waited = item.observation.last + int(self._queue * DAY)
        failing = self._failing(item, self._used[item.observation.domain], item.observation.last, waited)
        return Fate.LOST if lost_share(failing, self._queue) >= 0.5 else Fate.DELAYED  # noqa: PLR2004

    def _note(self, item: Seen) -> None:
        observation = item.observation
        if item.standing not in (Standing.GOOD, Standing.BAD):
            return
        self._used[observation.domain].add(observation.address)
        hours = self._hours[self._key(observation.domain, observation.address)]
        old = hours.get(hour := observation.last // HOUR, _Hour())
        good = item.standing is Standing.GOOD
        hours[hour] = _Hour(old.good + observation.attempts * good, old.bad + observation.attempts * (not good))

    def _key(self, domain: str, address: Address) -> Hashable:
        return address if self._pooled else (domain, address)

    def _failing(self, item: Seen, addresses: Iterable[Address], after: int, until: int) -> float | None:
        """Return the share of attempts between two moments that fail at all addresses; None without evidence."""
        shares = []
        for address in addresses:
            hours = self._hours[self._key(item.observation.domain, address)]
            good = sum(known.good for hour, known in hours.items() if after // HOUR < hour <= until // HOUR)
            bad = sum(known.bad for hour, known in hours.items() if after // HOUR <= hour <= until // HOUR)
            if good + bad:
                shares.append(bad / (good + bad))
        return prod(shares) if shares else None
