"""What goes wrong with the store, in words for people."""

import contextlib
from collections.abc import Iterator

from deltalake.exceptions import DeltaError, TableNotFoundError

from tlsmon.errors import TlsmonError


class StoreError(TlsmonError):
    """The store cannot be read or written."""


@contextlib.contextmanager
def explained(location: str) -> Iterator[None]:
    """Turn what deltalake, the system or an object store says into a StoreError."""
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
