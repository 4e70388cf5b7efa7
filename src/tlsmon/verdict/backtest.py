"""
Would past recommendations have held? The store is walked forward, and each verdict is compared with what came after.

As of every ``horizon``-th day the domains are judged by the window before it, and their mail of the ``horizon`` days
after it by :mod:`tlsmon.verdict.aftermath`. Nothing of what came after reaches the verdict.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from tlsmon.evidence.model import Observation
from tlsmon.evidence.standing import with_level_in_force
from tlsmon.verdict.aftermath import Aftermath, Later, aftermath
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.model import Judgement, Thresholds, Verdict
from tlsmon.verdict.own_side import by_day, in_order
from tlsmon.verdict.recommend import Recommendation, Window, at_level, recommend


class Day(NamedTuple):
    """What was observed on one day."""

    start: datetime
    """Midnight, aware."""
    observations: Sequence[Observation]


class Walk(NamedTuple):
    """How to walk."""

    level: str
    thresholds: Thresholds = Thresholds()
    days: int = 30
    """Length of the window that a verdict is made from."""
    horizon: int = 7
    """Days after the verdict whose mail is judged; the next verdict is made at their end."""


class Tally(NamedTuple):
    """How verdicts and what came after agree. Tallies add; shares are derived."""

    domains: int = 0
    """Domains called safe that received mail afterwards."""
    domains_failed: int = 0
    """Of these, how many had mail that would have been delayed or lost."""
    mails: int = 0
    """Their mails of which the fate is known."""
    delayed: int = 0
    lost: int = 0
    unknown: int = 0
    """Their mails of which the log does not tell; they count neither way."""
    own_side: int = 0
    """Their mails on days when many providers failed at once, the sender's own side; they count neither way."""
    all_mails: int = 0
    """Mails to all domains."""
    safe_mails: int = 0
    """Mails to the domains called safe."""
    bounds: int = 0
    """Domains with a stated bound, of any verdict, with mails afterwards of which the fate is known."""
    bounds_held: int = 0
    """Of these, how many stayed within the bound."""

    def __add__(self, other: object) -> "Tally":
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def precision(self) -> float | None:
        """Return the share of the mails to safe domains that would have arrived in time; None without mails."""
        return 1 - (self.delayed + self.lost) / self.mails if self.mails else None

    @property
    def domain_precision(self) -> float | None:
        """Return the share of the safe domains whose mail would all have arrived in time; None without domains."""
        return 1 - self.domains_failed / self.domains if self.domains else None

    @property
    def coverage(self) -> float | None:
        """Return the share of all mail that went to domains called safe; None without mail."""
        return self.safe_mails / self.all_mails if self.all_mails else None

    @property
    def calibration(self) -> float | None:
        """Return the share of bounds that held, to be compared with the confidence; None without bounds."""
        return self.bounds_held / self.bounds if self.bounds else None


class Failure(NamedTuple):
    """A domain that was called safe, and would have had mail delayed or lost."""

    domain: str
    mails: int
    delayed: int
    lost: int


class Week(NamedTuple):
    """One step of the walk."""

    as_of: datetime
    until: datetime
    """End of the days that were judged, exclusive."""
    tally: Tally
    held: str | None
    """Why nothing was called safe; None in ordinary times."""
    failures: tuple[Failure, ...]
    """The worst first."""


class Backtest(NamedTuple):
    """The whole walk."""

    walk: Walk
    weeks: tuple[Week, ...]

    @property
    def total(self) -> Tally:
        """Return the sum of all weeks."""
        return sum((week.tally for week in self.weeks), Tally())


def backtest(days: Iterable[Day], walk: Walk, provider: Callable[[str], str | None]) -> Backtest:
    """
    Walk over consecutive days (also those without mail) and return what became of each week's verdicts.

    The first verdict is made after ``walk.days`` days; a last step shorter than the horizon is left out. The days that
    follow the horizon, up to the queue lifetime, are used as far as there are any.
    """
    return Backtest(walk, tuple(_week(past, later, walk, provider) for past, later in _steps(days, walk)))


def document(found: Backtest) -> dict[str, Any]:
    """Return the walk as JSON: ISO 8601 times, shares from 0 to 1, null where there is nothing to divide by."""
    return {
        "level": found.walk.level,
        "days": found.walk.days,
        "horizon": found.walk.horizon,
        "confidence": found.walk.thresholds.confidence,
        "max_share": found.walk.thresholds.max_share,
        "weeks": [
            {
                "as_of": week.as_of.isoformat(),
                "until": week.until.isoformat(),
                "held": week.held,
                **numbers(week.tally),
                "failures": [failure._asdict() for failure in week.failures],
            }
            for week in found.weeks
        ],
        "total": numbers(found.total),
    }


def numbers(tally: Tally) -> dict[str, int | float | None]:
    """Return a tally with its shares by name: a row of a table."""
    return {
        **tally._asdict(),
        "precision": tally.precision,
        "domain_precision": tally.domain_precision,
        "coverage": tally.coverage,
        "calibration": tally.calibration,
    }


def _steps(days: Iterable[Day], walk: Walk) -> Iterator[tuple[Sequence[Day], Sequence[Day]]]:
    """Yield the days before each verdict and those after it; no more days are kept than that takes."""
    ahead = walk.horizon + ceil(walk.thresholds.queue_days)
    kept: list[Day] = []
    for day in days:
        kept.append(day)
        if len(kept) == walk.days + ahead:
            yield kept[: walk.days], kept[walk.days :]
            del kept[: walk.horizon]
    while len(kept) >= walk.days + walk.horizon:
        yield kept[: walk.days], kept[walk.days :]
        del kept[: walk.horizon]


def _week(past: Sequence[Day], later: Sequence[Day], walk: Walk, provider: Callable[[str], str | None]) -> Week:
    def provider_of(host: str) -> str:
        return provider(host) or host

    before = [item for day in past for item in day.observations]
    found = recommend(before, walk.level, Window(past[0].start, later[0].start), walk.thresholds, provider)
    seen = _at_level(before, later, walk)
    followed = Later(seen[1:], walk.horizon, walk.level, walk.thresholds.queue_days)
    after = aftermath(followed, in_order(by_day(seen[0], provider_of)), provider_of)
    until = later[0].start + timedelta(days=walk.horizon)
    return Week(later[0].start, until, _tally(found, after), found.held, _failures(found, after))


def _at_level(before: Sequence[Observation], later: Sequence[Day], walk: Walk) -> list[list[Seen]]:
    """Return what is said at the level by the window and by each day after it, all by the same settings."""
    every = [*before, *(item for day in later for item in day.observations)]
    every = list(with_level_in_force(every, walk.thresholds.in_force))
    seen = iter(at_level(every, walk.level, walk.thresholds.oldest_protocol))
    return [[next(seen) for _ in part] for part in (before, *(day.observations for day in later))]


def _tally(found: Recommendation, after: dict[str, Aftermath]) -> Tally:
    every = sum(sum(domain.fates) + domain.own_side for domain in after.values())
    parts = (_domain_tally(item, after[item.domain]) for item in found.judgements if item.domain in after)
    return sum(parts, Tally(all_mails=every))


def _domain_tally(judged: Judgement, after: Aftermath) -> Tally:
    known = sum(after.fates) - after.fates.unknown
    upper = judged.affected_upper_bound
    bounds = int(upper is not None and known > 0)
    tally = Tally(bounds=bounds, bounds_held=bounds and int(after.fates.affected <= (upper or 0) * known))
    if judged.verdict is not Verdict.SAFE:
        return tally
    return tally._replace(
        domains=1,
        domains_failed=int(after.fates.affected > 0),
        mails=known,
        delayed=after.fates.delayed,
        lost=after.fates.lost,
        unknown=after.fates.unknown,
        own_side=after.own_side,
        safe_mails=sum(after.fates) + after.own_side,
    )


def _failures(found: Recommendation, after: dict[str, Aftermath]) -> tuple[Failure, ...]:
    failures = [
        Failure(item.domain, sum(fates) - fates.unknown, fates.delayed, fates.lost)
        for item in found.verdicts(Verdict.SAFE)
        if item.domain in after and (fates := after[item.domain].fates).affected
    ]
    return tuple(sorted(failures, key=lambda failure: (-failure.lost, -failure.delayed, failure.domain)))
