"""Ending in good order on SIGINT and SIGTERM."""

import contextlib
from collections.abc import Iterator


class StoppedError(Exception):
    """A wait was ended by a request to stop."""


class Stop:
    """A request to stop: noticed between two pieces of a log, and at once while waiting for something to happen."""

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False

    def request(self) -> None:
        """Ask to stop; may be called from a signal handler. Raises StoppedError inside :meth:`waiting`."""
        self.requested = True
        if self._waiting:
            raise StoppedError

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark a stretch in which nothing is lost by being interrupted."""
        self._waiting = True
        try:
            if self.requested:
                raise StoppedError
            yield
        finally:
            self._waiting = False
