"""Rows of the store -> observations of a window."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tlsmon.evidence.columns import Columns, columns
from tlsmon.evidence.model import Observation
from tlsmon.rollup.model import Direction
from tlsmon.store.schema import CONNECTIONS
from tlsmon.store.table import NAME, Table
from tlsmon.store.values import moment, values

_TEXTS: Final = (
    *("recipient_domain", "sender_domain", "mx_host", "mx_ip", "mta", "host", "instance"),
    *("security", "authentication", "protocol", "cipher", "outcome", "cause", "level", "earlier"),
)
_KEYS: Final = ", ".join((*_TEXTS, "mx_port"))
# A text view keeps alive all that it was read with; a dictionary holds each text once.
_CODED: Final = ", ".join(f"arrow_cast({name}, 'Dictionary(Int32, Utf8)') AS {name}" for name in _TEXTS)
_TRAFFIC: Final = {
    # Where no host was reached the scope is null; such rows tell of DANE and policy failures.
    Direction.OUTBOUND: "direction = 'outbound' AND (scope = 'internet' OR scope IS NULL) "
    "AND recipient_domain IS NOT NULL",
    Direction.INBOUND: "direction = 'inbound' AND scope = 'internet' AND sender_domain IS NOT NULL",
}

_RECENT: Final = timedelta(days=31)
"""Before the newest row of any kind: outbound traffic is nearly always found here, without reading a long past."""


def observations(
    table: Table, since: datetime, until: datetime, direction: Direction = Direction.OUTBOUND
) -> list[Observation]:
    """Return what :func:`observed` does, as values. Raises StoreError."""
    return observed(table, since, until, direction).observations()


def observed(table: Table, since: datetime, until: datetime, direction: Direction = Direction.OUTBOUND) -> Columns:
    """
    Return the attempts towards the internet, or inbound from it, from ``since`` to ``until`` (aware), by day.

    What was counted provisionally and taken back is gone. Raises StoreError.
    """
    where = f"{_TRAFFIC[direction]} AND hour >= {_moment(since)} AND hour < {_moment(until)}"
    found = table.query(
        f"""
        SELECT {_CODED}, mx_port, hour, count, connections, "first", "last" FROM (
            SELECT {_KEYS}, hour, count, {CONNECTIONS} AS connections, "first", "last" FROM {NAME}
            WHERE NOT provisional AND {where}
            UNION ALL
            SELECT {_KEYS}, hour, CAST(SUM(count) AS BIGINT), CAST(SUM({CONNECTIONS}) AS BIGINT), "first", "last"
            FROM {NAME} WHERE provisional AND {where}
            GROUP BY {_KEYS}, hour, "first", "last" HAVING SUM(count) <> 0
        )
        """  # noqa: S608, own names and times only
    )
    return columns(found, direction)


def end(table: Table, direction: Direction = Direction.OUTBOUND) -> datetime:
    """Return the end of the last hour of traffic; now where there is none. Raises StoreError."""
    newest = table.newest()
    where = _TRAFFIC[direction]
    last = _last(table, f"{where} AND hour >= {_moment(newest - _RECENT)}") if newest else None
    last = last or _last(table, where)
    return last + timedelta(hours=1) if last else datetime.now(tz=UTC)


def _last(table: Table, where: str) -> datetime | None:
    (last,) = values(table.query(f"SELECT MAX(hour) AS hour FROM {NAME} WHERE {where}")["hour"])  # noqa: S608, own names
    return None if last is None else moment(last)


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.isoformat()}'"
