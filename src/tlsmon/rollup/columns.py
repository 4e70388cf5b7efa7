"""
Counted deliveries to the table's columns.

What a relay, a TLS session or a result has in common with others is taken apart once for each distinct one, not once
for each row: a commit of ten thousand rows has a few hundred of them.
"""

from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from maillog.counts import MICROSECONDS_PER_HOUR, Counts


class Column(NamedTuple):
    """A column of the table."""

    values: Sequence[Any]
    """Of each row, or if there are ``numbers`` each distinct one once."""
    numbers: "array[int] | None" = None
    """For each row, which of the values it has."""

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Column":
        """Return a column of which each distinct value stands once."""
        number = {value: place for place, value in enumerate(dict.fromkeys(values))}
        return cls(list(number), array("q", map(number.__getitem__, values)))


_PARTS: Final = {
    "recipient_domain": ("recipient_domain",),
    "relay": ("mx_host", "mx_ip", "mx_port", "scope"),
    "tls": ("security", "authentication", "evidence", "protocol", "cipher"),
    "result": ("outcome", None, "cause", "earlier"),
    "source": ("mta", "host", "instance"),
    "direction": ("direction",),
    "level": ("level",),
    "sender_domain": ("sender_domain",),
}
"""Field of a group -> the columns that its parts are; None: no column."""


def columns_of(counts: Counts) -> dict[str, Column]:
    """Return the columns of what :func:`tlsmon.rollup.fold.rows_of` gives by row, by their names; there are some."""
    hours, *fields = zip(*counts.groups, strict=True)
    columns = {"hour": Column.of([hour * MICROSECONDS_PER_HOUR for hour in hours])}
    for names, field in zip(_PARTS.values(), fields, strict=True):
        values, numbers = Column.of(field)
        parts = zip(*values, strict=True) if len(names) > 1 else [values]
        columns.update((name, Column(part, numbers)) for name, part in zip(names, parts, strict=True) if name)
    columns["provisional"] = Column.of([False] * len(hours))
    spans = zip(*counts.groups.values(), strict=True)
    names = "count", "first", "last", "connections"
    columns.update((name, Column(part)) for name, part in zip(names, spans, strict=True))
    return columns
