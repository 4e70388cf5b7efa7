"""What goes wrong with the store, in words for people."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from deltalake.exceptions import DeltaError, TableNotFoundError

from tlsmon.errors import TlsmonError
from tlsmon.store.place import is_remote

# What the Delta kernel and DataFusion say of a file that is not what was written, and of one that is gone.
_DAMAGED = re.compile(
    r"Json error|Expected contiguous commit files|No table metadata or protocol|Parquet (?:argument )?error"
)
_NETWORK = re.compile(r"Generic (?:S3|GCS|HTTP|MicrosoftAzure) error")
_BACKTRACE = re.compile(r"\s+0: .*", re.DOTALL)
_NOT_IN_A_PATH = re.compile(r"[][^|%\\\x00-\x1f\x7f\ud800-\udfff]")
_WORDS_MAX = 400


class StoreError(TlsmonError):
    """The store cannot be read or written."""


@contextlib.contextmanager
def explained(location: str) -> Iterator[None]:
    """Turn what deltalake, the system or an object store says into a StoreError."""
    _check_path(location)
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
    except Exception as error:
        if not isinstance(error, DeltaError | OSError) and not _is_of_arrow(error):
            raise
        said = _one_line(error)
        if _DAMAGED.search(said) and not _NETWORK.search(said):
            raise _damaged(location, said) from error
        raise StoreError(
            f"{location}: the store cannot be used ({said}).",
            hint="Check free space and permissions; what was committed before is safe.",
        ) from error


def _check_path(location: str) -> None:
    """Raise StoreError where deltalake, which makes a URL of a path, would fail or go to another directory."""
    path = os.path.realpath(location)
    if not is_remote(location) and (found := _NOT_IN_A_PATH.search(path)):
        raise StoreError(
            f"{location}: a store cannot be in a directory with {found[0]!r} in its path.",
            hint="Name another place with --store.",
        )


def _is_of_arrow(error: Exception) -> bool:
    """Tell errors of DataFusion, which are bare exceptions, and of pyarrow, which need not be there to be told."""
    return type(error) is Exception or any(one.__name__ == "ArrowException" for one in type(error).__mro__)


def check_commits(location: str) -> None:
    """
    Raise StoreError where a commit of a store in a directory is an empty file, as a power cut may leave one.

    deltalake takes it for a commit that changes nothing, so that the rows of it would be missing without a word.
    """
    for path in sorted(Path(location, "_delta_log").glob("*.json")):
        if path.stat().st_size == 0:
            raise _damaged(location, f"{path.name} is empty")


def _damaged(location: str, said: str) -> StoreError:
    return StoreError(
        f"{location}: the store is damaged ({said}).",
        hint="Restore it from a backup, or move it away and read the logs again with `tlsmon ingest LOG`.",
    )


def _one_line(error: Exception) -> str:
    text = " ".join(_BACKTRACE.sub("", str(error)).split())
    text = text if len(text) <= _WORDS_MAX else f"{text[:_WORDS_MAX]}..."
    return "".join(char if char.isprintable() else "?" for char in text)
