"""
The store's second table: what probes found, one row for each look at one domain.

It lies in the folder ``_probes`` of the store. What verdicts ask for stands in columns; ``document`` holds all of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from tlsmon.store.table import NAME, Layout, Table

FOLDER: Final = "_probes"
"""Begins with ``_``, so that readers of the table of deliveries do not look into it and vacuum leaves it alone."""
VERSION: Final = 1
"""Raised whenever older programs would misread the table."""

ANSWERS: Final = ("encrypt", "verify", "secure", "dane_only", "mta_sts")
"""Columns of the domain and of each address: ``yes``, ``no``, ``some``, ``unknown``."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_ADDRESS: Final = pa.struct(
    [
        pa.field("host", pa.string(), nullable=False),
        pa.field("preference", pa.int64(), nullable=False),
        pa.field("ip", pa.string()),
        pa.field("port", pa.int64()),
        pa.field("ending", pa.string()),
        pa.field("why", pa.string()),
        pa.field("protocol", pa.string()),
        pa.field("cipher", pa.string()),
        pa.field("trust", pa.string()),
        pa.field("not_after", _TIME),
        *(pa.field(name, pa.string(), nullable=False) for name in ANSWERS),
    ]
)
ADDRESS: Final = tuple(field.name for field in _ADDRESS)
COLUMNS: Final = pa.schema(
    [
        pa.field("time", _TIME, nullable=False),
        pa.field("vantage", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("route", pa.string(), nullable=False),
        pa.field("hosts_left_out", pa.int64(), nullable=False),
        pa.field("resolver_validates", pa.bool_()),
        *(pa.field(name, pa.string(), nullable=False) for name in ANSWERS),
        pa.field("addresses", pa.list_(_ADDRESS), nullable=False),
        pa.field("document", pa.string(), nullable=False),
    ]
)
_LAYOUT: Final = Layout(
    lambda: COLUMNS,
    "tlsmon probes",
    "What tlsmon's probes found of recipient domains; docs/store.md explains the columns.",
    "tlsmon.probesVersion",
    VERSION,
)


class Probes:
    """The results of probes in one store."""

    def __init__(self, store: str) -> None:
        self._location = f"{store.rstrip('/')}/{FOLDER}"

    def create(self) -> None:
        """Make the table where there is none. Raises StoreError."""
        Table.open_or_create(self._location, _LAYOUT)

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add looks; make the table where there is none. Raises StoreError."""
        if rows:
            table = Table.open_or_create(self._location, _LAYOUT)
            table.append_table(pa.Table.from_pylist(list(rows), schema=COLUMNS), {})
            table.compact()

    def documents(self, since: datetime, until: datetime) -> dict[str, str]:
        """Return the latest document for each domain from ``since`` to ``until`` (aware). Raises StoreError."""
        found = self._query("domain, document", since, until)
        return {row["domain"]: row["document"] for row in found.to_pylist()} if found else {}

    def between(self, since: datetime, until: datetime | None = None) -> Iterator[dict[str, Any]]:
        """
        Yield the looks from ``since`` up to and with ``until`` (aware; None: now) without documents, the oldest first.

        ``addresses`` are tuples in the order of :data:`ADDRESS`. Raises StoreError.
        """
        found = self._query(", ".join(COLUMNS.names[:-1]), since, until)
        for batch in found.to_batches() if found else ():
            nested = batch.column("addresses")
            values = [batch.column(name).to_pylist() for name in batch.schema.names if name != "addresses"]
            names = [name for name in batch.schema.names if name != "addresses"]
            for row, addresses in zip(zip(*values, strict=True), _tuples(nested), strict=True):
                yield dict(zip(names, row, strict=True)) | {"addresses": addresses}

    def _query(self, columns: str, since: datetime, until: datetime | None) -> pa.Table | None:
        if not Table.exists(self._location):
            return None
        when = f"time >= {_moment(since)}" + (f" AND time <= {_moment(until)}" if until else "")
        sql = f"SELECT {columns} FROM {NAME} WHERE {when} ORDER BY time, domain"  # noqa: S608, own names and times only
        return Table.open(self._location, _LAYOUT).query(sql)


def _tuples(column: pa.Array) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the structs of each list as tuples: whole columns at a time, as there may be many."""
    flat = column.flatten()
    rows = list(zip(*(flat.field(name).to_pylist() for name in ADDRESS), strict=True))
    start = 0
    for length in column.value_lengths().to_pylist():
        yield rows[start : start + length]
        start += length


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.isoformat()}'"
