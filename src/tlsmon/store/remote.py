"""
Bookmark documents in an object store, through fsspec: the same names and promises as in a directory.

An object is there whole or not at all, and what is written can be read at once by everybody (S3 promises both).
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tlsmon.store.documents import digest, document_name
from tlsmon.store.faults import StoreError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

INSTALL: Final = "Install what object stores need: pip install 'tlsmon[cluster]'"


class RemoteDocuments:
    """The documents of one store in an object store."""

    def __init__(self, folder: str) -> None:
        """``folder``: their URI. Raises StoreError where the library for it is not installed."""
        self._files, self._folder = _file_system(folder)

    def write(self, log: str, offset: int, document: bytes) -> int:
        """Write a document so that it is whole or not there; return its digest."""
        number = digest(document)
        with _as_system_errors():
            self._files.pipe_file(self._path(log, offset, number), document)
        return number

    def read(self, log: str, offset: int, number: int) -> bytes | None:
        """Return a document; None where it is gone or is not what was written."""
        with _as_system_errors():
            try:
                document: bytes = self._files.cat_file(self._path(log, offset, number))
            except FileNotFoundError:
                return None
        return document if digest(document) == number else None

    def remove_older(self, log: str, offset: int) -> None:
        """Remove the documents of earlier offsets. Those of later ones may be of a commit under way."""
        for name in self._names(f"{self._folder}/{log}"):
            if name.endswith(".json") and int(name.partition("-")[0]) < offset:
                self._remove(f"{self._folder}/{log}/{name}")

    def remove(self, log: str, offset: int, number: int) -> None:
        """Remove a document that another of the same offset has replaced."""
        self._remove(self._path(log, offset, number))

    def log_named(self, start: str) -> str | None:
        """Return the log whose name begins so; None where there is none."""
        return next((name for name in self._names(self._folder) if name.startswith(start)), None)

    def logs(self) -> list[str]:
        """Return the identities of all logs."""
        return self._names(self._folder)

    def _names(self, folder: str) -> list[str]:
        with _as_system_errors():
            try:
                paths = self._files.ls(folder, detail=False)
            except FileNotFoundError:
                return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def _remove(self, path: str) -> None:
        with _as_system_errors(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)

    def _path(self, log: str, offset: int, number: int) -> str:
        return f"{self._folder}/{log}/{document_name(offset, number)}"


def _file_system(folder: str) -> tuple["AbstractFileSystem", str]:
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415, an extra

        # What other processes write must be seen at once.
        files, path = url_to_fs(folder, use_listings_cache=False)
    except ImportError as error:
        raise StoreError(f"{folder}: object stores are not installed ({error}).", hint=INSTALL) from error
    return files, path.rstrip("/")


@contextlib.contextmanager
def _as_system_errors() -> Iterator[None]:
    """Make OSErrors of what the libraries below fsspec raise; each provider's has errors of its own."""
    try:
        yield
    except (OSError, StoreError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
