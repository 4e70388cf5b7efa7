"""
Which log is this, and where does what is new in it begin?

A log is known by its content: its first line names it, marks (see :mod:`tlsmon.store.bookmark`) confirm it. So a copy,
a new name, compression or a second run change nothing. Where the first line is known and the text is another one, it
is another log, a further *generation*.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from hashlib import sha256
from itertools import chain, count
from typing import Final, NamedTuple

from maillog.sources import Log, first_line
from tlsmon.errors import TlsmonError
from tlsmon.store.bookmark import WINDOW, Bookmark, Mark
from tlsmon.store.positions import Positions

_FIRST_POWER: Final = 64


class Place(NamedTuple):
    """A log as the store knows it, and the text that is new."""

    name: str
    """What the log is called now."""
    log: str
    """The identity: 32 hexadecimal digits."""
    bookmark: Bookmark | None
    """None for a log that was never read."""
    pieces: Iterator[bytes]
    """From the bookmark's offset on; nothing for an older, shorter copy."""
    window: bytes = b""
    """The text under the bookmark's last mark."""
    check: Callable[[], None] = lambda: None
    """Raises DamagedSourceError where the text is not what was once compressed."""


class Predecessor(NamedTuple):
    """The log that another one follows after rotation."""

    log: str
    bookmark: Bookmark
    directly: bool = True
    """Nothing was written between them, as far as is known."""


class _Comparison(Enum):
    SAME = auto()
    SHORTER = auto()
    OTHER = auto()


def place_of(log: Log, positions: Positions, host: str | None) -> Place | None:
    """
    Return the place of a log in the store; None where it has no complete line yet.

    ``host`` tells apart logs that name no host themselves. Raises UnreadableSourceError for a log that breaks before
    the place is found, StoreError, and TlsmonError for a pipe that changed its text.
    """
    line = first_line(log)
    if line is None:
        return None
    for generation in count():
        known_as = identity(line, host, generation)
        bookmark = positions.bookmark(known_as)
        if bookmark is None:
            return Place(log.name, known_as, None, log.pieces(), check=log.check)
        comparison, window, pieces = _compare(log, bookmark.marks)
        if comparison is not _Comparison.OTHER:
            return Place(log.name, known_as, bookmark, pieces, window, log.check)
        if log.size is None:
            raise TlsmonError(
                f"{log.name}: begins like a log that was read before, and goes on in another way.",
                hint="A pipe cannot be read twice: save it to a file and ingest that.",
            )
    raise AssertionError


def identity(line: bytes, host: str | None, generation: int) -> str:
    """Return the name of the log with this first line; generations count from 0."""
    return sha256(b"\0".join((line, (host or "").encode(), str(generation).encode()))).hexdigest()[:32]


def _compare(log: Log, marks: Iterable[Mark]) -> tuple[_Comparison, bytes, Iterator[bytes]]:
    """Compare a log with the marks of one that was read; also return the text under and after the last mark."""
    comparison = _Comparison.SAME
    for mark in reversed(tuple(marks)):
        window, pieces = _take(log.pieces(mark.start), mark.end - mark.start)
        if len(window) == mark.end - mark.start:
            same = Mark.of(mark.end, window) == mark
            more = pieces if comparison is _Comparison.SAME else iter(())
            return (comparison if same else _Comparison.OTHER), window, more
        comparison = _Comparison.SHORTER
        if log.size is None:
            break  # a pipe cannot go back to an earlier mark
    return comparison, b"", iter(())


def _take(pieces: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Return the first ``size`` bytes, fewer at the end, and what follows."""
    taken = b""
    while len(taken) < size and (piece := next(pieces, b"")):
        taken += piece
    rest = taken[size:]
    return taken[:size], chain((rest,), pieces) if rest else pieces


class Trail:
    """Sets the marks while a log is read: at powers of two, and at the end."""

    def __init__(self, bookmark: Bookmark | None, window: bytes = b"") -> None:
        """Begin at the bookmark; ``window`` is the text under its last mark."""
        self._powers = [mark for mark in bookmark.marks if _is_power(mark.end)] if bookmark else []
        self._tail = window
        self.end = bookmark.offset if bookmark else 0

    def extend(self, text: bytes) -> None:
        """Take the text that follows."""
        begin = self.end - len(self._tail)
        joined = self._tail + text
        power = max(_FIRST_POWER, 1 << self.end.bit_length())
        self.end += len(text)
        while power <= self.end:
            window = joined[max(0, power - WINDOW) - begin : power - begin]
            self._powers.append(Mark.of(power, window))
            power *= 2
        self._tail = joined[-WINDOW:]

    def marks(self) -> tuple[Mark, ...]:
        """Return the marks up to here."""
        last = Mark.of(self.end, self._tail)
        return (*self._powers, last) if last not in self._powers else tuple(self._powers)


def _is_power(end: int) -> bool:
    return end >= _FIRST_POWER and end & (end - 1) == 0
