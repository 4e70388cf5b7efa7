"""
Which logs belong together, and in which order they were written.

Files with the same name before rotation and compression are a *family*. A name only says what to look for; the order
is that of the time stamps in the logs.
"""

import platform
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from maillog.errors import UnreadableSourceError
from maillog.framing import Framer, FrameSettings
from maillog.model import Record
from maillog.reading import ReadSettings
from maillog.sources import Log, family, first_line, open_log
from tlsmon.rollup.fold import microseconds
from tlsmon.store.bookmark import Bookmark

_STANDARD_INPUT: Final = "-"
_PEEK: Final = 1 << 16
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_DISORDER: Final = timedelta(hours=1)
"""Lines of a log may stand in another order than their times: several hosts, Exim."""
_SILENCE: Final = timedelta(hours=6)
"""Servers are silent for long, too, but then little is under way that could be misread."""


class Candidate(NamedTuple):
    """A log that is to be read."""

    name: str
    family: str | None
    """None for what is not a file."""
    first: datetime | None
    """The time of its first line that has one; None where there is none near its beginning."""
    begun: bool = False
    """It has a complete line."""

    def before(self, other: "Candidate") -> bool:
        """Tell whether this log was begun before another one; one without times is taken for the newest."""
        return (self.first or _LAST) < (other.first or _LAST)

    def older_than(self, other: Bookmark) -> bool:
        """Tell whether this log was written before another one ended."""
        if self.first is None or other.totals.last is None:
            return False
        return microseconds(self.first + _DISORDER) < other.totals.last

    def long_after(self, other: Bookmark) -> bool:
        """Tell whether it was begun so long after another one ended that a log may be missing between."""
        if self.first is None or other.totals.last is None:
            return False
        return microseconds(self.first - _SILENCE) > other.totals.last


def candidate(name: str, settings: ReadSettings) -> Candidate:
    """Look into the beginning of a log. What cannot be read now is told when it is read."""
    if name == _STANDARD_INPUT:
        return Candidate(name, None, None)
    try:
        with open_log(name) as log:
            if log.size is not None:
                begun = first_line(log) is not None
                return Candidate(name, _family_key(name), _first_time(log, settings), begun)
    except UnreadableSourceError:
        pass
    return Candidate(name, None, None)


def grouped(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return the families, each with its oldest log first; a log without family stands alone."""
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.family or f"alone {one.name}", []).append(one)
    return [oldest_first(group) for group in groups.values()]


def oldest_first(group: Iterable[Candidate]) -> list[Candidate]:
    """Return logs in the order in which they were begun; those without times last, as they were given."""
    return sorted(group, key=lambda one: one.first or _LAST)


def _family_key(name: str) -> str:
    if "://" in name:
        return sha256(family(name).encode()).hexdigest()[:32]
    # The node's name keeps apart machines that share a store and call their logs the same.
    return sha256(f"{platform.node()}\0{family(name)}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _first_time(log: Log, settings: ReadSettings) -> datetime | None:
    framer = Framer(FrameSettings(settings.host, settings.zone, log.latest))
    framed = map(framer.frame, next(log.pieces(0, _PEEK), b"").splitlines())
    return next((record.time for record in framed if isinstance(record, Record)), None)
