"""
How far each log has been read: committed with its rows, in the same Delta commit.

Three transactions (see :mod:`tlsmon.store.table`) hold it:
- ``log/LOG``: the byte offset up to which the rows of this log are in the table;
- ``log/LOG/carry``: the digest of the bookmark document for that offset, which was written before;
- ``family/FAMILY``: the log that was last written under a name, as the first digits of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from maillog.counts import Counts
from tlsmon.rollup.model import Row
from tlsmon.store.bookmark import Bookmark
from tlsmon.store.documents import DIGEST_DIGITS, Documents, LocalDocuments, digest
from tlsmon.store.faults import StoreError, explained
from tlsmon.store.place import is_remote
from tlsmon.store.table import ConflictError, Table

FOLDER: Final = "_carry"
"""Begins with ``_``, so that readers of the table do not look into it and vacuum leaves it alone."""


class Step(NamedTuple):
    """A log on its way from one bookmark to the next; the same one twice only asks that nobody else moves it."""

    log: str
    """The log's identity: hexadecimal digits."""
    before: Bookmark | None
    after: Bookmark


class Positions:
    """The reading positions in one store."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._documents = _documents(table.location)
        self._seen: dict[str, tuple[int, int]] = {}
        """The position of each log that was given or committed last."""

    def bookmark(self, log: str) -> Bookmark | None:
        """Return how far a log was read; None where it never was. Raises StoreError."""
        while (position := self._position(log)) is not None:
            with explained(self._table.location):
                document = self._documents.read(log, *position)
            if document is not None:
                self._seen[log] = position
                return Bookmark.from_bytes(document)
            # Another process may have moved on since this version of the table and removed the document.
            self._table.refresh()
            if self._position(log) == position:
                raise StoreError(
                    f"{self._table.location}: the reading position {FOLDER}/{log} is missing or damaged.",
                    hint=f"Restore the folder {FOLDER} of the store from a backup that is as old as its table.",
                )
        return None

    def latest_of(self, family: str) -> str | None:
        """Return the log that was last written under a family's name; None where none is known."""
        number = self._table.transaction(f"family/{family}")
        if number is None:
            return None
        with explained(self._table.location):
            return self._documents.log_named(f"{number:0{DIGEST_DIGITS}x}")

    def logs(self) -> list[str]:
        """Return the identities of all logs that were ever read, sorted. Raises StoreError."""
        with explained(self._table.location):
            return sorted(self._documents.logs())

    def commit(
        self, rows: Sequence[Row], steps: Sequence[Step], family: str | None = None, counts: Counts | None = None
    ) -> None:
        """
        Commit rows and counted deliveries together with the steps that they belong to.

        The log of the first step is now the latest of ``family``.

        Raises ConflictError where another process moved one of the logs, StoreError where the store fails. In both
        cases nothing has changed.
        """
        transactions, seen = {}, {}
        for log, before, after in steps:
            if self._has_moved(log, before):
                raise ConflictError(f"log {log} was read by another process")
            seen[log] = after.offset, self._write(log, after)
            transactions[f"log/{log}"], transactions[f"log/{log}/carry"] = seen[log]
        if family is not None:
            transactions[f"family/{family}"] = int(steps[0].log[:DIGEST_DIGITS], 16)
        self._table.append(rows, transactions, counts)
        self._seen |= seen
        with explained(self._table.location):
            for step in steps:
                self._clear(step)

    def _has_moved(self, log: str, before: Bookmark | None) -> bool:
        """
        Tell whether another process moved a log before this version of the table, which no transaction would tell.

        The table moves on with each commit, and to look for another log. The offset of one that was handed over stays.
        """
        position = self._position(log)
        if (position and position[0]) != (before and before.offset):
            return True
        return position != self._seen.get(log, position)

    def _position(self, log: str) -> tuple[int, int] | None:
        offset, number = self._table.transaction(f"log/{log}"), self._table.transaction(f"log/{log}/carry")
        return None if offset is None or number is None else (offset, number)

    def _write(self, log: str, bookmark: Bookmark) -> int:
        with explained(self._table.location):
            return self._documents.write(log, bookmark.offset, bookmark.to_bytes())

    def _clear(self, step: Step) -> None:
        log, before, after = step
        self._documents.remove_older(log, after.offset)
        if before is not None and before.offset == after.offset and before != after:
            self._documents.remove(log, before.offset, digest(before.to_bytes()))


def _documents(location: str) -> Documents:
    if not is_remote(location):
        return LocalDocuments(Path(location) / FOLDER)
    from tlsmon.store.remote import RemoteDocuments  # noqa: PLC0415, needs an extra

    return RemoteDocuments(f"{location.rstrip('/')}/{FOLDER}")


__all__ = ["FOLDER", "ConflictError", "Positions", "Step"]
