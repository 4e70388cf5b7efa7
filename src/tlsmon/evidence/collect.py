"""Rows of the store -> observations of a window."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tlsmon.evidence.model import Address, Observation, Sender
from tlsmon.store.table import NAME, Table

_KEYS: Final = (
    "recipient_domain, mx_host, mx_ip, mx_port, mta, host, instance, "
    "security, authentication, protocol, cipher, outcome, cause, level, earlier"
)
# Where no host was reached the scope is null; such rows tell of DANE and policy failures.
_TRAFFIC: Final = "direction = 'outbound' AND (scope = 'internet' OR scope IS NULL) AND recipient_domain IS NOT NULL"


def observations(table: Table, since: datetime, until: datetime) -> list[Observation]:
    """
    Return the outbound attempts towards the internet from ``since`` to ``until`` (aware), by day.

    What was counted provisionally and taken back is gone. Raises StoreError.
    """
    where = f"{_TRAFFIC} AND hour >= {_moment(since)} AND hour < {_moment(until)}"
    found = table.query(
        f"""
        SELECT {_KEYS}, CAST(SUM(count) AS BIGINT) AS attempts,
            CAST(MIN("first") AS BIGINT) AS "first", CAST(MAX("last") AS BIGINT) AS "last"
        FROM (
            SELECT {_KEYS}, hour, count, "first", "last" FROM {NAME} WHERE NOT provisional AND {where}
            UNION ALL
            SELECT {_KEYS}, hour, SUM(count) AS count, "first", "last" FROM {NAME} WHERE provisional AND {where}
            GROUP BY {_KEYS}, hour, "first", "last" HAVING SUM(count) <> 0
        )
        GROUP BY {_KEYS}, date_trunc('day', hour)
        """  # noqa: S608, own names and times only
    )
    return [_observation(row) for batch in found.to_batches() for row in batch.to_pylist()]


def end(table: Table) -> datetime:
    """Return the end of the last hour of outbound traffic; now where there is none. Raises StoreError."""
    (row,) = table.query(f"SELECT MAX(hour) AS hour FROM {NAME} WHERE {_TRAFFIC}").to_pylist()  # noqa: S608
    last: datetime | None = row["hour"]
    return last + timedelta(hours=1) if last else datetime.now(tz=UTC)


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.isoformat()}'"


def _observation(row: dict[str, Any]) -> Observation:
    return Observation(
        row["recipient_domain"],
        Address(row["mx_host"] or "", row["mx_ip"], row["mx_port"]),
        Sender(row["mta"], row["host"], row["instance"]),
        row["security"],
        row["authentication"],
        row["protocol"],
        row["cipher"],
        row["outcome"],
        row["cause"],
        row["level"],
        row["attempts"],
        row["first"],
        row["last"],
        frozenset(row["earlier"].split(",")) if row["earlier"] else frozenset(),
    )
