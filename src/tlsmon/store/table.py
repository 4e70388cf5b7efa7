"""
The Delta table: open, append with transactions, query. The only module that knows deltalake.

A transaction is a name with a number that is committed together with rows, or not at all (Delta protocol, "Transaction
Identifiers"). deltalake refuses a commit if another one with a transaction of the same name came in between, whatever
its number; commits without a common name go through one after the other.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from tlsmon.rollup.model import Row
from tlsmon.store import schema
from tlsmon.store.arrow import SCHEMA, table_of
from tlsmon.store.faults import StoreError, explained
from tlsmon.store.place import is_remote, table_options

NAME = "rows"
"""What the table is called in SQL."""

_SMALL_FILES = 64
"""So many files are compacted into few."""

_LARGE_FILE = 50_000_000
"""Bytes from which a file stays as it is."""

WRITER = WriterProperties(compression="ZSTD", max_row_group_size=1 << 17)
"""Some days of a busy server in a row group: a question about a month passes over the others by their hours."""

_COMMIT_RETRIES = 100
"""Each costs a look at what the faster one committed; to give up costs reading the log again."""

_DESCRIPTION = "Deliveries and their TLS outcome by hour, written by tlsmon; docs/store.md explains the columns."


class ConflictError(Exception):
    """Another process committed one of the transactions first. Read the position again and start from there."""


class Table:
    """The table of one store, as of a moment; :meth:`refresh` moves on to now."""

    def __init__(self, location: str, table: DeltaTable) -> None:
        self.location = location
        self._table = table

    @classmethod
    def open(cls, location: str) -> "Table":
        """Open an existing table. Raises StoreError where there is none, or one that this version cannot read."""
        with explained(location):
            table = DeltaTable(location, storage_options=table_options(location))
        _check_version(location, table)
        return cls(location, table)

    @classmethod
    def open_or_create(cls, location: str) -> "Table":
        """Open the table; make an empty one where there is none. Raises StoreError."""
        with explained(location):
            if not DeltaTable.is_deltatable(location, table_options(location)):
                _create(location)
        return cls.open(location)

    def refresh(self) -> None:
        """Move on to the newest version. Raises StoreError."""
        with explained(self.location):
            self._table.update_incremental()

    def transaction(self, name: str) -> int | None:
        """Return the number last committed under a name; None where there is none."""
        return self._table.transaction_version(name)

    def append(self, rows: Sequence[Row], transactions: Mapping[str, int]) -> None:
        """
        Commit rows and transactions together, and move on to that version.

        Raises ConflictError where one of the names was committed since this version, StoreError for all else. In
        both cases nothing was committed.
        """
        properties = CommitProperties(
            max_commit_retries=_COMMIT_RETRIES,
            app_transactions=[Transaction(*item) for item in transactions.items()],
        )
        with explained(self.location):
            try:
                write_deltalake(
                    self._table, table_of(rows), mode="append", writer_properties=WRITER, commit_properties=properties
                )
            except CommitFailedError as error:
                raise ConflictError(str(error)) from error

    def query(self, sql: str) -> pa.Table:
        """Return what a SQL statement (DataFusion) about the table ``rows`` gives. Raises StoreError."""
        with explained(self.location):
            return pa.table(QueryBuilder().register(NAME, self._table).execute(sql).read_all())

    def compact(self) -> bool:
        """
        Put many small files together, and remove those that nobody can be reading; tell whether it was necessary.

        Rows and transactions stay as they are. Where another process changes the table meanwhile, it is left for
        the next time. Raises StoreError.
        """
        sizes = pa.table(self._table.get_add_actions(flatten=True))["size_bytes"].to_pylist()
        if sum(size < _LARGE_FILE for size in sizes) < _SMALL_FILES:
            return False
        with explained(self.location), contextlib.suppress(CommitFailedError):
            self._table.optimize.compact(writer_properties=WRITER)
            self._table.vacuum(dry_run=False)  # the table's own retention: a week
        return True


def _create(location: str) -> None:
    if not is_remote(location):
        Path(location).mkdir(parents=True, exist_ok=True)
    # Another process may create it at the same time: then there is one, which is all that is wanted.
    with contextlib.suppress(CommitFailedError):
        DeltaTable.create(
            location,
            SCHEMA,
            mode="ignore",
            name="tlsmon",
            description=_DESCRIPTION,
            configuration={schema.VERSION_PROPERTY: str(schema.VERSION)},
            storage_options=table_options(location),
            raise_if_key_not_exists=False,
        )


def _check_version(location: str, table: DeltaTable) -> None:
    written = table.metadata().configuration.get(schema.VERSION_PROPERTY, "")
    if written == str(schema.VERSION):
        return
    if written.isdecimal() and int(written) > schema.VERSION:
        raise StoreError(
            f"{location}: the store was written by a newer tlsmon (schema {written}; this version reads "
            f"{schema.VERSION}).",
            hint="Update tlsmon on this machine.",
        )
    raise StoreError(f"{location}: this Delta table was not made by tlsmon.", hint="Name another place with --store.")


__all__ = ["NAME", "ConflictError", "StoreError", "Table"]
