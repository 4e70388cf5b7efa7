"""The days of a store, for those who walk over them."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from tlsmon.evidence import collect
from tlsmon.store.table import Table
from tlsmon.traffic import shares
from tlsmon.traffic.model import Period
from tlsmon.verdict.backtest import Day


def days(table: Table) -> Iterator[Day]:
    """Yield all days (UTC) from the first mail that was sent to the last, also those without any. Raises StoreError."""
    first, end = shares.traffic(table, Period.MONTH).first, collect.end(table)
    if first is None:
        return
    start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while start < end:
        following = start + timedelta(days=1)
        yield Day(start, collect.observations(table, start, following))
        start = following
