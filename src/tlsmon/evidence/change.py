"""Where the share of good sessions most likely changed: all points in time at which they can be parted, at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tlsmon.evidence.sessions import Sessions

_Numbers: TypeAlias = npt.NDArray[np.int64]
_Counts: TypeAlias = npt.NDArray[np.float64]


class Change(NamedTuple):
    """A point in time at which a rate may have changed."""

    time: int
    better: bool
    gain: float
    """In log likelihood, of two rates against one."""


def likeliest(sessions: Sequence[Sessions]) -> Change:
    """
    Return the change that gains most, of good and bad sessions that are not all of one moment.

    For the better: however those are spread of which only the first and the last have a time. For the worse: if they
    are evenly spread.
    """
    moments = np.array(sessions, np.int64)
    times = np.unique(moments[:, 2:])[1:]
    good, bad = (moments[moments[:, 0] == kind, 1:] for kind in (True, False))
    good_after, bad_after = _to_come(good, times), _to_come(bad, times)
    whole = good[:, 0].sum(), bad[:, 0].sum()
    better = _gain((good_after.least, bad_after.most), whole, better=True)
    worse = _gain((good_after.evenly, bad_after.evenly), whole, better=False)
    gains = np.stack((better, worse), axis=1).ravel()
    best = int(gains.argmax())
    return Change(int(times[best // 2]), best % 2 == 0, float(gains[best]))


def _gain(after: tuple[_Counts, _Counts], whole: tuple[np.int64, np.int64], *, better: bool) -> _Counts:
    """Return how much more likely two rates are than one, by time; nothing where the rate moved the other way."""
    good, bad = whole
    parted = _likelihood(good - after[0], bad - after[1]) + _likelihood(*after)
    moved = (after[0] * bad > after[1] * good) == better
    return np.where(moved, parted - _likelihood(good, bad), 0.0)


class _ToCome(NamedTuple):
    """How many sessions of one kind there are from a moment on, by time."""

    least: _Counts
    """Of equal ones the last."""
    most: _Counts
    """Of equal ones all but the first."""
    evenly: _Counts
    """Where those that have no time of their own are evenly spread."""


def _to_come(items: _Numbers, times: _Numbers) -> _ToCome:
    """Return how many there are, of equal sessions as number, first and last."""
    number, first, last = items.T
    still = number.sum() - _before(times, first, number)
    number, first, last = items[first < last].T

    def within(what: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a sum over equal sessions that have begun and not ended."""
        sums: npt.NDArray[Any] = _before(times, first, what) - _before(times, last, what)
        return sums

    groups = within(np.ones_like(number))
    least, most = still + groups, still + within(number) - groups
    slope = (number - 2) / (last - first)
    origin = times[:1]
    evenly = least + within(slope * (last - origin)) - within(slope) * (times - origin)
    return _ToCome(least, most, np.clip(evenly, least, most))


def _before(times: _Numbers, at: _Numbers, what: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum of what was before each time."""
    order = np.argsort(at, kind="stable")
    sums: npt.NDArray[Any] = np.concatenate(([0], np.cumsum(what[order])))
    return sums[np.searchsorted(at[order], times)]


def _likelihood(good: Any, bad: Any) -> _Counts:
    """Return the log likelihood of the counts under their own rate."""

    def times_log(number: Any) -> _Counts:
        return np.asarray(number * np.log(np.maximum(number, 1e-300)), np.float64)

    return times_log(good) + times_log(bad) - times_log(good + bad)
