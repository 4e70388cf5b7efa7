"""A row of the table: what equal deliveries of one hour have in common, how many they are, and from when to when."""

from enum import StrEnum
from typing import NamedTuple

MICROSECONDS_PER_HOUR = 3_600_000_000


class Direction(StrEnum):
    """The words of the column ``direction``, seen from the host that writes the log."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Key(NamedTuple):
    """What the deliveries of a row have in common. Every column's meaning stands in :mod:`tlsmon.store.schema`."""

    hour: int
    mta: str
    host: str | None
    instance: str | None
    direction: str
    recipient_domain: str | None
    mx_host: str | None
    mx_ip: str | None
    mx_port: int | None
    scope: str | None
    security: str
    authentication: str | None
    evidence: str
    protocol: str | None
    cipher: str | None
    outcome: str
    cause: str | None
    level: str | None
    provisional: bool
    sender_domain: str | None = None
    """Rows that were written down before there was inbound mail have none."""
    earlier: str | None = None


class Span(NamedTuple):
    """
    How many deliveries, when the first and the last of them were, and over how many connections they went.

    Times are microseconds since 1970, UTC. Spans add: the sum is associative and commutative.
    """

    deliveries: int
    """The column ``count``."""
    first: int
    last: int
    connections: int
    """Deliveries that went over a connection of one before have none of their own."""

    def __add__(self, other: object) -> "Span":
        if not isinstance(other, Span):
            return NotImplemented
        return Span(
            self.deliveries + other.deliveries,
            min(self.first, other.first),
            max(self.last, other.last),
            self.connections + other.connections,
        )


class Row(NamedTuple):
    """One row of the table."""

    key: Key
    span: Span


def withdrawn(row: Row) -> Row:
    """Return the row that takes back a provisional row: the same key, first and last, the numbers negated."""
    span = row.span
    return row._replace(span=span._replace(deliveries=-span.deliveries, connections=-span.connections))
