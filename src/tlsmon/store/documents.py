"""
Bookmark documents beside the table: ``_carry/LOG/OFFSET-DIGEST.json`` in the store.

A document is written before the commit that refers to it, under a name made from its content. So a document is never
changed, two writers cannot spoil each other's, and one that no commit refers to is only left over.

Here in a directory; :mod:`tlsmon.store.remote` does the same in an object store.
"""

import contextlib
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

DIGEST_DIGITS: Final = 15
"""Hexadecimal digits: 60 bits, so that a digest fits the version of a Delta transaction (64 bits, signed)."""


def digest(document: bytes) -> int:
    """Return the number that stands for the content."""
    return int(sha256(document).hexdigest()[:DIGEST_DIGITS], 16)


def document_name(offset: int, number: int) -> str:
    """Return the name of a document in the folder of its log."""
    return f"{offset}-{number:0{DIGEST_DIGITS}x}.json"


class Documents(Protocol):
    """The documents of one store. Everything raises OSError where the storage fails."""

    def write(self, log: str, offset: int, document: bytes) -> int:
        """Write a document so that it is whole or not there; return its digest."""

    def read(self, log: str, offset: int, number: int) -> bytes | None:
        """Return a document; None where it is gone or is not what was written."""

    def remove_older(self, log: str, offset: int) -> None:
        """Remove the documents of earlier offsets. Those of later ones may be of a commit under way."""

    def remove(self, log: str, offset: int, number: int) -> None:
        """Remove a document that another of the same offset has replaced."""

    def log_named(self, start: str) -> str | None:
        """Return the log whose name begins so; None where there is none."""

    def logs(self) -> list[str]:
        """Return the identities of all logs."""


class LocalDocuments:
    """The documents of one store in a directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, log: str, offset: int, document: bytes) -> int:
        """Write a document so that it is whole or not there, even after a power cut; return its digest."""
        number = digest(document)
        path = self._path(log, offset, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)
        return number

    def read(self, log: str, offset: int, number: int) -> bytes | None:
        """Return a document; None where it is gone or is not what was written."""
        try:
            document = self._path(log, offset, number).read_bytes()
        except FileNotFoundError:
            return None
        return document if digest(document) == number else None

    def remove_older(self, log: str, offset: int) -> None:
        """Remove the documents of earlier offsets. Those of later ones may be of a commit under way."""
        for path in (self._folder / log).glob("*.json"):
            if int(path.name.partition("-")[0]) < offset:
                path.unlink(missing_ok=True)

    def remove(self, log: str, offset: int, number: int) -> None:
        """Remove a document that another of the same offset has replaced."""
        self._path(log, offset, number).unlink(missing_ok=True)

    def log_named(self, start: str) -> str | None:
        """Return the log whose name begins so; None where there is none."""
        return next((path.name for path in self._folder.glob(f"{start}*")), None)

    def logs(self) -> list[str]:
        """Return the identities of all logs."""
        return [path.name for path in self._folder.glob("*")]

    def _path(self, log: str, offset: int, number: int) -> Path:
        return self._folder / log / document_name(offset, number)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder last. Not all file systems can, and then they need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
