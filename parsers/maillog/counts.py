"""
Equal deliveries of one hour, counted: what is left of a log where only numbers are wanted.

A reader that counts need not make a value for each delivery, only one for each group of equal ones.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from maillog.model import Delivery, Direction, Level, Relay, Result, Source, Tls

MICROSECONDS_PER_HOUR = 3_600_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def microseconds(time: datetime) -> int:
    """Return an aware time as microseconds since 1970, UTC, without rounding."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Group(NamedTuple):
    """What the deliveries of a group have in common."""

    hour: int
    """Full hours since 1970, UTC."""
    recipient_domain: str | None
    relay: Relay
    tls: Tls
    result: Result
    """Without the DSN, of which there are too many for what they tell."""
    source: Source
    direction: Direction
    level: Level | None
    sender_domain: str | None = None


def group_of(delivery: Delivery, hour: int) -> Group:
    """Return the group that a delivery of an hour belongs to."""
    _, source, _, direction, domain, relay, tls, result, level, sender, _ = delivery
    return Group(hour, domain, relay, tls, _without_dsn(result), source, direction, level, sender)


@lru_cache(maxsize=4_096)
def _without_dsn(result: Result) -> Result:
    return result._replace(dsn=None)


class Counts:
    """Adds deliveries up."""

    def __init__(self) -> None:
        self.groups: dict[Group, list[int]] = {}
        """How many, the first and the last (microseconds since 1970, UTC), how many with a connection of their own."""

    def __len__(self) -> int:
        return len(self.groups)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries, in any order."""
        for delivery in deliveries:
            at = microseconds(delivery.time)
            self.count(group_of(delivery, at // MICROSECONDS_PER_HOUR), 1, at, at, 0 if delivery.reused else 1)

    def count(self, group: Group, number: int, first: int, last: int, connections: int) -> None:
        """Add some deliveries of a group."""
        span = self.groups.get(group)
        if span is None:
            self.groups[group] = [number, first, last, connections]
            return
        span[0] += number
        span[1] = min(span[1], first)
        span[2] = max(span[2], last)
        span[3] += connections

    def merge(self, other: "Counts") -> None:
        """Add what was counted elsewhere, and is not needed there any more."""
        if not self.groups:
            self.groups = other.groups
            return
        for group, span in other.groups.items():
            self.count(group, *span)
