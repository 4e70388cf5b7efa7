"""
The Delta table: open, append with transactions, query. The only module that knows deltalake.

A transaction is a name with a number that is committed together with rows, or not at all (Delta protocol, "Transaction
Identifiers"). deltalake refuses a commit if another one with a transaction of the same name came in between, whatever
its number; commits without a common name go through one after the other.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    QueryBuilder,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError
from deltalake.schema import PrimitiveType

from maillog.counts import Counts
from tlsmon.rollup.model import Row
from tlsmon.store import schema
from tlsmon.store.faults import StoreError, check_commits, explained
from tlsmon.store.place import is_remote, table_options

if TYPE_CHECKING:  # pyarrow takes a quarter of the time of an ingest that finds nothing new, which needs none of it
    import pyarrow as pa

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

_COMPACTION = "tlsmon.compactionBegan"
"""Table property: seconds since 1970."""

_COMPACTION_SECONDS = 600
"""Within which a compaction is left to whoever began one. No correctness depends on it, nor on the machines' clocks."""

_SQL_TYPES = {"string": "VARCHAR", "long": "BIGINT"}

_DESCRIPTION = "Deliveries and their TLS outcome by hour, written by tlsmon; docs/store.md explains the columns."


class Layout(NamedTuple):
    """What a table of tlsmon is like: its columns, how it presents itself, and which versions of it are understood."""

    columns: "Callable[[], pa.Schema]"
    name: str
    description: str
    version_property: str
    version: int
    added: Mapping[str, str] = MappingProxyType({})
    """Columns that tables of older versions lack, with their types; they are null in the rows of then."""


def _columns() -> "pa.Schema":
    from tlsmon.store.arrow import SCHEMA  # noqa: PLC0415

    return SCHEMA


ROWS = Layout(_columns, "tlsmon", _DESCRIPTION, schema.VERSION_PROPERTY, schema.VERSION, schema.ADDED)


class ConflictError(Exception):
    """Another process committed one of the transactions first. Read the position again and start from there."""


class Table:
    """The table of one store, as of a moment; :meth:`refresh` moves on to now."""

    def __init__(self, location: str, table: DeltaTable, layout: Layout = ROWS) -> None:
        self.location = location
        self._table = table
        self._layout = layout

    @classmethod
    def open(cls, location: str, layout: Layout = ROWS) -> "Table":
        """Open an existing table. Raises StoreError where there is none, or one that this version cannot read."""
        with explained(location):
            table = DeltaTable(location, storage_options=table_options(location))
            if not is_remote(location):
                check_commits(location)
        _check_version(location, table, layout)
        return cls(location, table, layout)

    @classmethod
    def open_or_create(cls, location: str, layout: Layout = ROWS) -> "Table":
        """
        Open the table for writing; make an empty one where there is none. Raises StoreError.

        One of an older version gets the columns that it lacks, in place; its rows stay as they are.
        """
        if not cls.exists(location):
            with explained(location):
                _create(location, layout)
        table = cls.open(location, layout)
        table.bring_up_to_date()
        return table

    @classmethod
    def exists(cls, location: str) -> bool:
        """Tell whether there is a table. Raises StoreError."""
        with explained(location):
            return DeltaTable.is_deltatable(location, table_options(location))

    def refresh(self) -> None:
        """Move on to the newest version. Raises StoreError."""
        with explained(self.location):
            self._table.update_incremental()

    def transaction(self, name: str) -> int | None:
        """Return the number last committed under a name; None where there is none."""
        return self._table.transaction_version(name)

    def newest(self) -> datetime | None:
        """Return an hour that no row is later than, without reading rows; None where the table does not tell."""
        import pyarrow as pa  # noqa: PLC0415

        from tlsmon.store.values import moment, values  # noqa: PLC0415

        # pa.table() would import pandas.
        files = pa.RecordBatchReader.from_stream(self._table.get_add_actions(flatten=True)).read_all()
        told = files.column("max.hour") if "max.hour" in files.column_names else None
        return moment(max(values(told))) if told and not told.null_count else None

    def append(self, rows: Sequence[Row], transactions: Mapping[str, int], counts: Counts | None = None) -> None:
        """
        Commit rows, counted deliveries and transactions together, and move on to that version.

        Raises ConflictError where one of the names was committed since this version, StoreError for all else. In
        both cases nothing was committed.
        """
        from tlsmon.store.arrow import table_of  # noqa: PLC0415

        self.append_table(table_of(rows, counts), transactions)

    def append_table(self, rows: "pa.Table", transactions: Mapping[str, int]) -> None:
        """Commit rows that are a table with the layout's columns already, as :meth:`append` does."""
        properties = CommitProperties(
            max_commit_retries=_COMMIT_RETRIES,
            app_transactions=[Transaction(*item) for item in transactions.items()],
        )
        before = {name: self.transaction(name) for name in transactions}
        with explained(self.location):
            for _ in range(_COMMIT_RETRIES):
                try:
                    write_deltalake(
                        self._table, rows, mode="append", writer_properties=WRITER, commit_properties=properties
                    )
                except CommitFailedError as error:
                    # It may be that only the table's properties were changed; all else is a competitor.
                    self._table.update_incremental()
                    if before != {name: self.transaction(name) for name in transactions}:
                        raise ConflictError(str(error)) from error
                else:
                    return
            raise ConflictError("other processes change the properties of the table all the time")

    def query(self, sql: str) -> "pa.Table":
        """Return what a SQL statement (DataFusion) about the table ``rows`` gives. Raises StoreError."""
        missing = self._missing()
        name = f"written_{NAME}" if missing else NAME
        nothing = ", ".join(f"CAST(NULL AS {_SQL_TYPES[kind]}) AS {column}" for column, kind in missing.items())
        whole = f"WITH {NAME} AS (SELECT *, {nothing} FROM {name}) {sql}" if missing else sql  # noqa: S608, own names
        with explained(self.location):
            answer = QueryBuilder().register(name, self._table).execute(whole)
            import pyarrow as pa  # noqa: PLC0415

            return pa.RecordBatchReader.from_stream(answer).read_all()  # pa.table() would import pandas

    def _missing(self) -> dict[str, str]:
        """Return the columns that the table lacks because it is of an older version, with their types."""
        there = {field.name for field in self._table.schema().fields}
        return {column: kind for column, kind in self._layout.added.items() if column not in there}

    def bring_up_to_date(self) -> None:
        """Give a table of an older version the columns that it lacks. Raises StoreError."""
        with explained(self.location):
            for _ in range(_COMMIT_RETRIES):
                try:
                    self._alter()
                except CommitFailedError:  # another process does the same, or commits rows
                    self._table.update_incremental()
                else:
                    break
            self._table.update_incremental()

    def _alter(self) -> None:
        missing = self._missing()
        if missing:
            # Nobody is kept from reading: the new column is null in all rows that there are.
            fields = [Field(column, PrimitiveType(kind), nullable=True) for column, kind in missing.items()]
            self._table.alter.add_columns(fields)
        if _version(self._table, self._layout) != self._layout.version:
            properties = {self._layout.version_property: str(self._layout.version)}
            self._table.alter.set_table_properties(properties, raise_if_not_exists=False)

    def compact(self) -> bool:
        """
        Put many small files together, and remove those that nobody can be reading; tell whether it was its turn.

        Rows and transactions stay as they are. Where another process changes the table meanwhile, it is left for
        the next time. Raises StoreError.
        """
        sizes = self._table.get_add_actions(flatten=True)["size_bytes"].to_pylist()
        if sum(size < _LARGE_FILE for size in sizes) < _SMALL_FILES or self._is_compacted_by_another():
            return False
        with explained(self.location), contextlib.suppress(CommitFailedError):
            self._announce_compaction()
            self._table.optimize.compact(writer_properties=WRITER)
            self._table.vacuum(dry_run=False)  # the table's own retention: a week
        return True

    def _is_compacted_by_another(self) -> bool:
        began = self._table.metadata().configuration.get(_COMPACTION)
        return began is not None and abs(time.time() - float(began)) < _COMPACTION_SECONDS

    def _announce_compaction(self) -> None:
        """
        Make all other compactions that are under way fail; raises CommitFailedError where another one was faster.

        deltalake (1.6) would not notice that files that it replaces were replaced by another compaction meanwhile, and
        their rows would be there twice. But it commits nothing over a change of the table's properties.
        """
        self._table.alter.set_table_properties({_COMPACTION: str(time.time())}, raise_if_not_exists=False)
        self._table.update_incremental()


def _create(location: str, layout: Layout) -> None:
    if not is_remote(location):
        Path(location).mkdir(parents=True, exist_ok=True)
    # Another process may create it at the same time: then there is one, which is all that is wanted. Tried again, a
    # second beginning would be put on top of it, and whoever has the table open then could not commit any more.
    with contextlib.suppress(CommitFailedError):
        DeltaTable.create(
            location,
            layout.columns(),
            mode="ignore",
            name=layout.name,
            description=layout.description,
            configuration={layout.version_property: str(layout.version)},
            storage_options=table_options(location),
            commit_properties=CommitProperties(max_commit_retries=0),
            raise_if_key_not_exists=False,
        )


def _version(table: DeltaTable, layout: Layout) -> int | None:
    written = table.metadata().configuration.get(layout.version_property, "")
    return int(written) if written.isdecimal() else None


def _check_version(location: str, table: DeltaTable, layout: Layout) -> None:
    version = _version(table, layout)
    if version is None or version < 1:
        raise StoreError(
            f"{location}: this Delta table was not made by tlsmon.", hint="Name another place with --store."
        )
    if version > layout.version:
        raise StoreError(
            f"{location}: the store was written by a newer tlsmon (schema {version}; this version reads "
            f"{layout.version}).",
            hint="Update tlsmon on this machine.",
        )


__all__ = ["NAME", "ConflictError", "StoreError", "Table"]
