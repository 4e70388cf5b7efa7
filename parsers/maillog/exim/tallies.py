"""Deliveries that are alike but for their time and message, counted hour by hour without a value for each."""

from maillog.counts import MICROSECONDS_PER_HOUR, Counts, Group
from maillog.model import Delivery


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
        _, source, _, direction, domain, relay, tls, result, level, sender = tally.alike
        group = Group(tally.hour, domain, relay, tls, result, source, direction, level, sender)
        self._counts.count(group, tally.number, tally.first, tally.last)
