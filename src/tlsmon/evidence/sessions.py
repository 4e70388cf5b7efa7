"""
Sessions with an address, in numbers: which of them had a connection, and which are one.

A row of the store says how many there were, and when the first and the last of them was.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

SECOND = 1_000_000
HOUR = 3_600 * SECOND
MANY = 2_000
"""From here on the hour is exact enough, and the time that is saved matters."""


class Sessions(NamedTuple):
    """Equal sessions within an hour or so; times in microseconds since 1970, UTC."""

    good: bool
    number: int
    """0: mail that went over the connections of others."""
    first: int
    last: int


def with_connections(sessions: Iterable[Sessions]) -> list[Sessions]:
    """
    Return the sessions without those that had no connection; of a kind of which none had, there was one at the end.

    Of a single one that stands for a while it is not known when it began: a good one early, a bad one late.
    """
    every = list(sessions)
    found = [item for item in every if item.number]
    for kind in {item.good for item in every} - {item.good for item in found}:
        latest = max((item for item in every if item.good is kind), key=lambda item: item.last)
        found.append(Sessions(kind, 1, latest.last, latest.last))
    return [_single(item) if item.number == 1 and item.first != item.last else item for item in found]


def _single(item: Sessions) -> Sessions:
    time = item.first if item.good else item.last
    return item._replace(first=time, last=time)


def moments_of(sessions: Sequence[Sessions]) -> list[Sessions]:
    """Return the sessions with those of one second as one; where there are very many, by the hour."""
    instants: set[tuple[bool, int]] = set()
    spans = []
    for good, number, first, last in sessions:
        seconds = last // SECOND - first // SECOND
        if seconds:
            spans.append(Sessions(good, min(number, seconds + 1), first, last))
        else:
            instants.add((good, first // SECOND * SECOND))
    found = [*spans, *(Sessions(good, 1, time, time) for good, time in instants)]
    return found if len(found) <= MANY else _by_hour(found)


def _by_hour(sessions: Iterable[Sessions]) -> list[Sessions]:
    """Return those that began in the same hour and ended in the same hour as one, of which less is known."""
    hours: dict[tuple[bool, int, int], Sessions] = {}
    for item in sessions:
        key = item.good, item.first // HOUR, item.last // HOUR
        known = hours.get(key)
        hours[key] = item if known is None else _together(known, item)
    return list(hours.values())


def _together(one: Sessions, other: Sessions) -> Sessions:
    first, last = min(one.first, other.first), max(one.last, other.last)
    return Sessions(one.good, one.number + other.number, first, last)


def number_of(sessions: Iterable[Sessions], *, good: bool) -> int:
    """Return how many good ones, or bad ones, there are."""
    return sum(item.number for item in sessions if item.good is good)
