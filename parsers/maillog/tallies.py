"""Deliveries that are alike but for their time and message, counted hour by hour without a value for each."""

from collections.abc import Hashable
from typing import TypeVar

from maillog.counts import MICROSECONDS_PER_HOUR, Counts, group_of
from maillog.model import Delivery

_LIMIT = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Tally:
    """How many there were in the hour that is being counted; made of one of them."""

    __slots__ = ("alike", "first", "hour", "last", "number")

    def __init__(self, alike: Delivery) -> None:
        self.alike = alike
        self.number = self.hour = self.first = self.last = 0


class Tallies:
    """Counts, for whoever knows which tally a delivery belongs to."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._open: list[Tally] = []

    def __len__(self) -> int:
        """Return how many groups there are, at most."""
        return len(self._counts) + len(self._open)

    def add(self, tally: Tally, at: int) -> None:
        """Count one more, at so many microseconds since 1970."""
        hour = at // MICROSECONDS_PER_HOUR
        if tally.number and hour == tally.hour:
            tally.number += 1
            if at > tally.last:
                tally.last = at
            elif at < tally.first:
                tally.first = at
            return
        if tally.number:
            self._close(tally)
        else:
            self._open.append(tally)
        tally.number, tally.hour, tally.first, tally.last = 1, hour, at, at

    def take(self) -> Counts:
        """Return what was counted, and begin anew."""
        for tally in self._open:
            self._close(tally)
            tally.number = 0
        self._open.clear()
        counts, self._counts = self._counts, Counts()
        return counts

    def _close(self, tally: Tally) -> None:
        connections = 0 if tally.alike.reused else tally.number
        self._counts.count(group_of(tally.alike, tally.hour), tally.number, tally.first, tally.last, connections)


def bounded(memory: dict[Key, Value]) -> dict[Key, Value]:
    """Return a memory for a further entry, such as a tally of mails that are alike; full, it begins anew."""
    if len(memory) >= _LIMIT:
        memory.clear()
    return memory
