"""Who is told what while logs are read, and who may end it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from maillog.reading import UnreadLine
from tlsmon.ingest.report import NoProgress, Progress
from tlsmon.ingest.stop import Stop


def _ignore(_name: str, _line: UnreadLine) -> None:
    """Count only."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what while logs are read, and who may end it."""

    progress: Progress = field(default_factory=NoProgress)
    unread: Callable[[str, UnreadLine], None] = _ignore
    """Gets the name of the log and a line that could not be read."""
    stop: Stop = field(default_factory=Stop)
