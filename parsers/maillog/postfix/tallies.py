"""Mails that are alike, counted within an hour: each further one costs an addition, not a value."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from maillog.counts import Counts, group_of
from maillog.model import Delivery

_LIMIT = 10_000


class Tally:
    """How many mails of an hour are like one, and when the first and the last of them were."""

    __slots__ = ("first", "last", "like", "number")

    def __init__(self, like: Delivery) -> None:
        self.like = like
        self.number = self.first = self.last = 0


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Kind = TypeVar("Kind", bound=Tally)


def bounded(memory: dict[Key, Value]) -> dict[Key, Value]:
    """Return a memory for a further entry; it begins anew when it is full."""
    if len(memory) >= _LIMIT:
        memory.clear()
    return memory


class Tallies(Generic[Key, Kind]):
    """The tallies by what tells mails apart."""

    def __init__(self) -> None:
        self.known: dict[Key, Kind] = {}
        self._open: list[Kind] = []

    def __len__(self) -> int:
        """Return how many of them have counted something in this hour."""
        return len(self._open)

    def remember(self, key: Key, tally: Kind) -> Kind:
        """Keep a new tally for further mails."""
        bounded(self.known)[key] = tally
        return tally

    def count(self, tally: Kind, at: int) -> None:
        """Count a mail of this hour."""
        if not tally.number:
            self._open.append(tally)
            tally.first = tally.last = at
        elif at > tally.last:
            tally.last = at
        elif at < tally.first:
            tally.first = at
        tally.number += 1

    def close(self, hour: int, counts: Counts) -> None:
        """Give what was counted in the hour that ends."""
        for tally in self._open:
            counts.count(group_of(tally.like, hour), tally.number, tally.first, tally.last)
            tally.number = 0
        self._open.clear()
