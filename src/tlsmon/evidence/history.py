"""
How an address behaved over time, and how it behaves now.

A host that changed is judged by what it does since. The change is found by the likelihood of two rates against one,
over all points in time at which the observations can be parted; the search is repeated on what follows the change.
"""

from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

CHANGE_LIKELIHOOD = 4.0
"""Least gain in log likelihood for a change to be believed; five good sessions and then two bad ones give 4.2."""


class Sessions(NamedTuple):
    """Equal sessions within an hour or so; times in microseconds since 1970, UTC."""

    good: bool
    number: int
    first: int
    last: int


class Behaviour(NamedTuple):
    """How an address behaves now."""

    good: int
    bad: int
    since: int | None
    """When it changed; None where it did not within the window."""
    good_before: int = 0
    bad_before: int = 0

    @property
    def share_bad(self) -> float:
        """Return the share of bad sessions, 0 to 1; 1 where there is none at all."""
        return self.bad / (self.good + self.bad) if self.good + self.bad else 1.0


class _Point(NamedTuple):
    time: int
    good: int
    bad: int


def behaviour(sessions: Iterable[Sessions]) -> Behaviour:
    """Return how the address behaves now, from its sessions in any order."""
    every = list(sessions)
    good = sum(item.number for item in every if item.good)
    bad = sum(item.number for item in every if not item.good)
    if not good or not bad:
        return Behaviour(good, bad, None)
    now, before = _points(every), _Point(0, 0, 0)
    since = None
    while (split := _change(now)) is not None:
        before = _Point(0, before.good + _good(now[:split]), before.bad + _bad(now[:split]))
        now = now[split:]
        since = now[0].time
    return Behaviour(_good(now), _bad(now), since, before.good, before.bad)


def _points(sessions: Iterable[Sessions]) -> list[_Point]:
    """Put the counts where they are known to have been: half of them at the first time, half at the last."""
    points: dict[int, list[int]] = {}
    for good, number, first, last in sessions:
        points.setdefault(first, [0, 0])[not good] += number - number // 2
        points.setdefault(last, [0, 0])[not good] += number // 2
    return [_Point(time, *points[time]) for time in sorted(points) if any(points[time])]


def _change(points: Sequence[_Point]) -> int | None:
    """Return the index at which the rate most likely changed, or None."""
    good, bad = _good(points), _bad(points)
    if not good or not bad:
        return None
    needed = max(CHANGE_LIKELIHOOD, 2 + log(good + bad)) + _likelihood(good, bad)
    best, found = needed, None
    before_good = before_bad = 0
    for index, point in enumerate(points[:-1], 1):
        before_good += point.good
        before_bad += point.bad
        parted = _likelihood(before_good, before_bad) + _likelihood(good - before_good, bad - before_bad)
        if parted > best:
            best, found = parted, index
    return found


def _likelihood(good: int, bad: int) -> float:
    """Return the log likelihood of the counts under their own rate."""
    total = good + bad
    return sum(count * log(count / total) for count in (good, bad) if count)


def _good(points: Sequence[_Point]) -> int:
    return sum(point.good for point in points)


def _bad(points: Sequence[_Point]) -> int:
    return sum(point.bad for point in points)
