"""Waiting for logs to change: new lines, rotation, truncation."""

import os
import time
from collections.abc import Callable, Sequence

from maillog.errors import UnreadableSourceError
from maillog.sources import expand
from tlsmon.ingest.stop import Stop, StoppedError


def follow(names: Sequence[str], ingest: Callable[[], object], stop: Stop, seconds: float) -> None:
    """
    Call ``ingest`` now and after each change of a file, until ``stop``; look every ``seconds``.

    The state of the files is taken before each call, so what is written during it is seen the next time. That a file
    was replaced or cut to nothing is for ``ingest`` to find out: it knows logs by their content.
    """
    seen: object = None
    while not stop.requested:
        now = _state(names)
        if now != seen:
            seen = now
            ingest()
            continue
        try:
            with stop.waiting():
                time.sleep(seconds)
        except StoppedError:
            return


def _state(names: Sequence[str]) -> list[tuple[str, int, int, int]]:
    return [status for name in names for path in _expanded(name) for status in _status(path)]


def _expanded(name: str) -> list[str]:
    try:
        return expand([name])
    except UnreadableSourceError:
        return []  # nothing matches, for now


def _status(path: str) -> list[tuple[str, int, int, int]]:
    try:
        status = os.stat(path)  # noqa: PTH116, "-" and pipes are no paths of ours
    except (OSError, ValueError):
        return []
    return [(path, status.st_ino, status.st_size, status.st_mtime_ns)]
