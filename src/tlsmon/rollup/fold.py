"""
Deliveries to rows.

Some deliveries are decided later than they stand in the log. Their rows are *provisional*: judged as if the log ended
here, and taken back by rows with a negative count once more is known. So the sum of ``count`` by key is right at any
moment, and ``first`` and ``last`` are right after :func:`settled`.
"""

from collections.abc import Iterable

from maillog.counts import MICROSECONDS_PER_HOUR, Counts, Group, microseconds
from maillog.model import Delivery
from tlsmon.rollup.model import Key, Row, Span, withdrawn

__all__ = ["Rollup", "merged", "microseconds", "provisional_change", "rows_of", "settled"]


class Rollup:
    """Turns deliveries into rows."""

    def __init__(self, *, provisional: bool = False) -> None:
        self._provisional = provisional
        self._counts = Counts()

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries, in any order."""
        self._counts.add(deliveries)

    def rows(self) -> list[Row]:
        """Return the rows of everything added so far, each key once."""
        return rows_of(self._counts, provisional=self._provisional)


def rows_of(counts: Counts, *, provisional: bool = False) -> list[Row]:
    """Return the rows of deliveries that are counted already; :mod:`tlsmon.rollup.columns` gives the same by column."""
    return [Row(_key(group, provisional=provisional), Span(*span)) for group, span in counts.groups.items()]


def _key(group: Group, *, provisional: bool) -> Key:
    mta, host, instance = group.source
    security, authentication, evidence, protocol, cipher = group.tls
    outcome, _, cause, earlier = group.result
    return Key(
        group.hour * MICROSECONDS_PER_HOUR,
        mta,
        host,
        instance,
        group.direction,
        group.recipient_domain,
        *group.relay,
        security,
        authentication,
        evidence,
        protocol,
        cipher,
        outcome,
        cause,
        group.level,
        provisional,
        group.sender_domain,
        earlier,
    )


def merged(rows: Iterable[Row]) -> list[Row]:
    """Add up the rows of the same key."""
    sums: dict[Key, Span] = {}
    for key, span in rows:
        before = sums.get(key)
        sums[key] = span if before is None else before + span
    return [Row(key, span) for key, span in sums.items()]


def provisional_change(before: Iterable[Row], after: Iterable[Row]) -> list[Row]:
    """Return the rows that turn the provisional rows ``before`` into those ``after``; what stays is not touched."""
    return _cancelled([*map(withdrawn, before), *after])


def settled(rows: Iterable[Row]) -> list[Row]:
    """
    Return the rows as they are to be read: each key once, none of them provisional.

    Provisional rows that were taken back disappear; the others count like all rows.
    """
    rows = list(rows)
    final = [row for row in rows if not row.key.provisional]
    open_ones = _cancelled(row for row in rows if row.key.provisional)
    return merged([*final, *(Row(key._replace(provisional=False), span) for key, span in open_ones)])


def _cancelled(rows: Iterable[Row]) -> list[Row]:
    """Add up provisional rows with the same key, first and last; drop what adds up to nothing."""
    sums: dict[tuple[Key, int, int], tuple[int, int]] = {}
    for key, (number, first, last, connections) in rows:
        before = sums.get((key, first, last), (0, 0))
        sums[key, first, last] = before[0] + number, before[1] + connections
    return [
        Row(key, Span(number, first, last, connections))
        for (key, first, last), (number, connections) in sums.items()
        if number or connections
    ]
