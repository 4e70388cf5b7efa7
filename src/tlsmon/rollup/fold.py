"""
Deliveries to rows.

Some deliveries are decided later than they stand in the log. Their rows are *provisional*: judged as if the log ended
here, and taken back by rows with a negative count once more is known. So the sum of ``count`` by key is right at any
moment, and ``first`` and ``last`` are right after :func:`settled`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from maillog.model import Delivery
from tlsmon.rollup.model import MICROSECONDS_PER_HOUR, Key, Row, Span, withdrawn

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Return an aware time as microseconds since 1970, UTC, without rounding."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Rollup:
    """
    Adds deliveries up.

    While adding, the shared parts of a delivery are the key: they are flattened to columns once for each group.
    """

    def __init__(self, *, provisional: bool = False) -> None:
        self._provisional = provisional
        self._groups: dict[tuple[object, ...], tuple[int, Delivery, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries, in any order."""
        groups = self._groups
        for delivery in deliveries:
            time, source, _, direction, domain, relay, tls, result, level, sender = delivery
            at = microseconds(time)
            hour = at // MICROSECONDS_PER_HOUR
            key = (hour, domain, relay, tls, result, source, direction, level, sender)
            group = groups.get(key)
            if group is None:
                groups[key] = (hour, delivery, [1, at, at])
                continue
            span = group[2]
            span[0] += 1
            if at < span[1]:
                span[1] = at
            elif at > span[2]:
                span[2] = at

    def rows(self) -> list[Row]:
        """Return the rows of everything added so far, each key once."""
        keyed = (
            Row(_key(hour, delivery, provisional=self._provisional), Span(*span))
            for hour, delivery, span in self._groups.values()
        )
        return merged(keyed)


def _key(hour: int, delivery: Delivery, *, provisional: bool) -> Key:
    mta, host, instance = delivery.source
    security, authentication, evidence, protocol, cipher = delivery.tls
    outcome, _, cause = delivery.result
    return Key(
        hour * MICROSECONDS_PER_HOUR,
        mta,
        host,
        instance,
        delivery.direction,
        delivery.recipient_domain,
        *delivery.relay,
        security,
        authentication,
        evidence,
        protocol,
        cipher,
        outcome,
        cause,
        delivery.level,
        provisional,
        delivery.sender_domain,
    )


def merged(rows: Iterable[Row]) -> list[Row]:
    """Add up the rows of the same key. Two groups of deliveries may share a row: the DSN is no column."""
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
    counts: dict[tuple[Key, int, int], int] = {}
    for key, (count, first, last) in rows:
        identity = (key, first, last)
        counts[identity] = counts.get(identity, 0) + count
    return [Row(key, Span(count, first, last)) for (key, first, last), count in counts.items() if count]
