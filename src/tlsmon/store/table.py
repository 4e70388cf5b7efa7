"""
The Delta table: open, append with transactions, query. The only module that knows deltalake.

A transaction is a name with a number that is committed together with rows, or not at all (Delta protocol, "Transaction
Identifiers"). deltalake refuses a commit if another one with a transaction of the same name came in between, whatever
its number; commits without a common name go through one after the other.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from tlsmon.errors import TlsmonError
from tlsmon.rollup.model import Row
from tlsmon.store import schema
from tlsmon.store.arrow import SCHEMA, table_of

NAME = "rows"
"""What the table is called in SQL."""

_SMALL_FILES = 64
"""So many files are compacted into few."""

_DESCRIPTION = "Deliveries and their TLS outcome by hour, written by tlsmon; docs/store.md explains the columns."


class Layout(NamedTuple):
    """What a table of tlsmon is like: its columns, how it presents itself, and which versions of it are understood."""

    columns: pa.Schema
    name: str
    description: str
    version_property: str
    version: int


ROWS = Layout(SCHEMA, "tlsmon", _DESCRIPTION, schema.VERSION_PROPERTY, schema.VERSION)


class StoreError(TlsmonError):
    """The store cannot be read or written."""


class ConflictError(Exception):
    """Another process committed one of the transactions first. Read the position again and start from there."""


class Table:
    """The table of one store, as of a moment; :meth:`refresh` moves on to now."""

    def __init__(self, location: str, table: DeltaTable) -> None:
        self.location = location
        self._table = table

    @classmethod
    def open(cls, location: str, layout: Layout = ROWS) -> "Table":
        """Open an existing table. Raises StoreError where there is none, or one that this version cannot read."""
        with _explained(location):
            table = DeltaTable(location)
        _check_version(location, table, layout)
        return cls(location, table)

    @classmethod
    def open_or_create(cls, location: str, layout: Layout = ROWS) -> "Table":
        """Open the table; make an empty one where there is none. Raises StoreError."""
        if not cls.exists(location):
            with _explained(location):
                _create(location, layout)
        return cls.open(location, layout)

    @classmethod
    def exists(cls, location: str) -> bool:
        """Tell whether there is a table. Raises StoreError."""
        with _explained(location):
            return DeltaTable.is_deltatable(location)

    def refresh(self) -> None:
        """Move on to the newest version. Raises StoreError."""
        with _explained(self.location):
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
        self.append_table(table_of(rows), transactions)

    def append_table(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """Commit rows that are a table with the layout's columns already, as :meth:`append` does."""
        properties = CommitProperties(app_transactions=[Transaction(*item) for item in transactions.items()])
        with _explained(self.location):
            try:
                write_deltalake(self._table, rows, mode="append", commit_properties=properties)
            except CommitFailedError as error:
                raise ConflictError(str(error)) from error

    def query(self, sql: str) -> pa.Table:
        """Return what a SQL statement (DataFusion) about the table ``rows`` gives. Raises StoreError."""
        with _explained(self.location):
            return pa.table(QueryBuilder().register(NAME, self._table).execute(sql).read_all())

    def compact(self) -> bool:
        """
        Put many small files together, and remove those that nobody can be reading; tell whether it was necessary.

        Rows and transactions stay as they are. Where another process changes the table meanwhile, it is left for
        the next time. Raises StoreError.
        """
        if len(self._table.file_uris()) < _SMALL_FILES:
            return False
        with _explained(self.location), contextlib.suppress(CommitFailedError):
            self._table.optimize.compact()
            self._table.vacuum(dry_run=False)  # the table's own retention: a week
        return True


def _create(location: str, layout: Layout) -> None:
    if "://" not in location:
        Path(location).mkdir(parents=True, exist_ok=True)
    # Another process may create it at the same time: then there is one, which is all that is wanted.
    with contextlib.suppress(CommitFailedError):
        DeltaTable.create(
            location,
            layout.columns,
            mode="ignore",
            name=layout.name,
            description=layout.description,
            configuration={layout.version_property: str(layout.version)},
            raise_if_key_not_exists=False,
        )


def _check_version(location: str, table: DeltaTable, layout: Layout) -> None:
    written = table.metadata().configuration.get(layout.version_property, "")
    if written == str(layout.version):
        return
    if written.isdecimal() and int(written) > layout.version:
        raise StoreError(
            f"{location}: the store was written by a newer tlsmon (schema {written}; this version reads "
            f"{layout.version}).",
            hint="Update tlsmon on this machine.",
        )
    raise StoreError(f"{location}: this Delta table was not made by tlsmon.", hint="Name another place with --store.")


@contextlib.contextmanager
def _explained(location: str) -> Iterator[None]:
    """Turn what deltalake says into an error for people."""
    try:
        yield
    except TableNotFoundError as error:
        raise StoreError(
            f"{location}: there is no store yet.", hint="Make one with `tlsmon ingest LOG`, or name it with --store."
        ) from error
    except PermissionError as error:
        raise StoreError(
            f"{location}: no permission for the store.",
            hint="Run as the user who owns it, or name another place with --store.",
        ) from error
    except (DeltaError, OSError) as error:
        raise StoreError(
            f"{location}: the store cannot be used ({_one_line(error)}).",
            hint="Check free space and permissions; what was committed before is safe.",
        ) from error


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "".join(char if char.isprintable() else "?" for char in text)
