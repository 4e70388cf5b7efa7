"""
How an address behaved over time, and how it behaves now.

A host that changed is judged by what it does since. The change is found by the likelihood of two rates against one,
over all points in time at which the observations can be parted; the search is repeated on what follows the change.
"""

from collections.abc import Iterable, Sequence
from math import log
from typing import TYPE_CHECKING, NamedTuple

from tlsmon.evidence.sessions import Sessions, moments_of, number_of, with_connections

if TYPE_CHECKING:  # numpy
    from tlsmon.evidence.change import Change

CHANGE_LIKELIHOOD = 4.0
"""Least gain in log likelihood for a change to be believed; five good sessions and then two bad ones give 4.2."""
RELAPSES = 2
"""A host that changed for the worse so often and came back each time is not taken to be in order for good."""


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


def behaviour(sessions: Iterable[Sessions]) -> Behaviour:
    """
    Return how the address behaves now, from its sessions in any order.

    One that fails by the clock, each night or each Sunday, is in order now and will fail again: all of its sessions
    count, as with one that never changed.
    """
    every = with_connections(sessions)
    now, change = _present(every)
    good, bad = number_of(every, good=True), number_of(every, good=False)
    if change is None or (change.better and _relapses(every, change) >= RELAPSES):
        return Behaviour(good, bad, None)
    good_now, bad_now = number_of(now, good=True), number_of(now, good=False)
    return Behaviour(good_now, bad_now, change.time, good - good_now, bad - bad_now)


def _present(sessions: list[Sessions]) -> "tuple[list[Sessions], Change | None]":
    """Return the sessions since the last change, and that one; all and None where there was none."""
    last = None
    while (change := _change(sessions)) is not None:
        sessions = [rest for item in sessions if (rest := _since(item, change)).number]
        last = change
    return sessions, last


def _relapses(sessions: list[Sessions], change: "Change | None") -> int:
    """Return how often the rate changed for the worse before a change, counted no further than RELAPSES."""
    found = 0
    while change is not None and found < RELAPSES:
        sessions = [rest for item in sessions if (rest := _until(item, change)).number]
        _, change = _present(sessions)
        found += change is not None and not change.better
    return found


def _change(sessions: Sequence[Sessions]) -> "Change | None":
    """
    Return when the rate most likely changed, and to what; None where it did not.

    Of equal sessions only the first and the last have a time. The others may all have been just after the first or
    just before the last, so a change for the better is believed only if it is likely wherever they were; for one for
    the worse it is enough that it is likely where they were evenly spread. Sessions of one second are one here: the
    recipients of a mail share a session, and so its luck.
    """
    if len({item.good for item in sessions}) < 2:  # noqa: PLR2004, good ones and bad ones
        return None
    moments = moments_of(sessions)
    good, bad = number_of(moments, good=True), number_of(moments, good=False)
    enough = max(CHANGE_LIKELIHOOD, 2 + log(good + bad))
    if good * log((good + bad) / good) + bad * log((good + bad) / bad) <= enough:
        return None  # whatever lies before a change and after it: two rates cannot be that much more likely
    from tlsmon.evidence.change import likeliest  # noqa: PLC0415

    change = likeliest(moments)
    return change if change.gain > enough else None


def _since(item: Sessions, change: "Change") -> Sessions:
    """
    Return what is left of equal sessions from a change on.

    Of those around a change for the better only what cannot have been before it counts as good, and all that may have
    been after it as bad. Around one for the worse they count as evenly spread.
    """
    if item.first >= change.time:
        return item
    if item.last < change.time:
        return item._replace(number=0)
    number = item.number - 1
    if change.better and item.good:
        number = 1
    elif not change.better:
        number = 1 + round((item.number - 2) * (item.last - change.time) / (item.last - item.first))
    return Sessions(item.good, number, change.time if number > 1 else item.last, item.last)


def _until(item: Sessions, change: "Change") -> Sessions:
    """Return what is left of equal sessions before a change, so that with :func:`_since` each counts once."""
    if item.first >= change.time:
        return item._replace(number=0)
    number = item.number - _since(item, change).number
    return item._replace(number=number, last=min(item.last, change.time - 1) if number > 1 else item.first)
