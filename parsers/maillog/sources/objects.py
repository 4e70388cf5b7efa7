"""
Logs in object stores (``s3://bucket/name``), through fsspec and whatever package it has for the scheme.

Credentials and endpoint come from the environment, as for all tools of that store.
"""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from maillog.errors import UnreadableSourceError
from maillog.sources.decompress import HEAD, Read

_BLOCK: Final = 1 << 23
"""Bytes that one request brings."""


def is_object(name: str) -> bool:
    """Tell whether a name is the address of an object."""
    return "://" in name


class StoredObject:
    """An object: any number of readers, each from its own offset, that all see the object that was opened."""

    def __init__(self, name: str) -> None:
        """Raise OSError or UnreadableSourceError where it cannot be opened."""
        with _as_system_errors(name):
            self._files, self._path = _place(name)
            details = self._files.info(self._path)
            if details["type"] != "file":
                raise IsADirectoryError(name)
            self.size: int = details["size"]
            self.changed: datetime = self._files.modified(self._path)
        self._name = name

    def head(self) -> bytes:
        """Return the first bytes."""
        return self.reader()(HEAD)

    def reader(self, start: int = 0) -> Read:
        """Return a function that reads on from ``start``; it raises OSError where the object changed meanwhile."""
        with _as_system_errors(self._name):
            file = self._files.open(self._path, "rb", block_size=_BLOCK, cache_type="readahead")
            file.seek(start)

        def read(count: int) -> bytes:
            with _as_system_errors(self._name):
                data: bytes = file.read(count)
            return data

        return read

    def close(self) -> None:
        """Nothing is kept open between two reads."""


def matching(pattern: str) -> list[str]:
    """Return the addresses that match a pattern, sorted. Raises UnreadableSourceError."""
    return _listed(pattern, lambda files, path: files.glob(path))


def in_folder_of(name: str) -> list[str]:
    """Return the addresses of all objects beside one, itself included. Raises UnreadableSourceError."""
    return _listed(name, lambda files, path: files.ls(path.rpartition("/")[0], detail=False))


def _listed(name: str, listing: Any) -> list[str]:
    try:
        with _as_system_errors(name):
            files, path = _place(name)
            return sorted(files.unstrip_protocol(found) for found in listing(files, path))
    except OSError as error:
        shown = name if name.isprintable() else ascii(name)
        raise UnreadableSourceError(f"{shown}: cannot be listed ({error}). Check the name and the access.") from error


def _place(name: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415, an extra
    except ImportError as error:
        raise _not_installed(name, error) from error
    try:
        files, path = url_to_fs(name, use_listings_cache=False)
    except ImportError as error:
        raise _not_installed(name, error) from error
    return files, path


def _not_installed(name: str, error: ImportError) -> UnreadableSourceError:
    return UnreadableSourceError(
        f"{name}: object stores are not installed ({error}). Install what they need: pip install 'tlsmon[cluster]'"
    )


@contextlib.contextmanager
def _as_system_errors(name: str) -> Iterator[None]:
    """Make OSErrors of what the libraries below fsspec raise; each provider's has errors of its own."""
    try:
        yield
    except (OSError, UnreadableSourceError):
        raise
    except Exception as error:
        raise OSError(f"{name}: {type(error).__name__}: {error}") from error
