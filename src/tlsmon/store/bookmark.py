"""
How far a log has been read, and what has to be known to go on from there.

A log is known by its content, so a bookmark holds marks: fingerprints of short stretches of text at growing offsets.
They tell a log that goes on from another log that merely begins with the same line, and from a shorter copy.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from tlsmon.errors import TlsmonError
from tlsmon.rollup.model import Key, Row, Span

FORMAT: Final = 1
"""Of the bookmark documents; another one is refused."""

WINDOW: Final = 1024
"""Bytes of text under a mark, fewer at the beginning of the log."""


class Mark(NamedTuple):
    """The fingerprint of the up to ``WINDOW`` bytes before ``end``."""

    end: int
    fingerprint: str

    @classmethod
    def of(cls, end: int, text: bytes) -> "Mark":
        """Return the mark of ``text``, which ends at the offset ``end``."""
        return cls(end, sha256(text).hexdigest()[:32])

    @property
    def start(self) -> int:
        """Where the text under the mark begins."""
        return max(0, self.end - WINDOW)


class Totals(NamedTuple):
    """What was counted in a log so far. Times are microseconds since 1970, UTC."""

    lines: int = 0
    unread_lines: int = 0
    deliveries: int = 0
    """Including those that are provisional."""
    first: int | None = None
    last: int | None = None


NOTHING: Final = Totals()


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The state of reading one log at one offset."""

    offset: int
    """Bytes of text that are done with."""
    marks: tuple[Mark, ...] = ()
    """Ascending; the last one ends at ``offset``."""
    totals: Totals = NOTHING
    carry: Any = None
    """JSON: the state of the reader; None where a later log took it over."""
    held: tuple[Row, ...] = ()
    """The provisional rows that are in the table for this log."""

    def handed_over(self) -> "Bookmark":
        """Return the bookmark of a log whose state a later log went on with."""
        return Bookmark(self.offset, self.marks, self.totals)

    def to_bytes(self) -> bytes:
        """Return the document: the same bookmark, the same bytes."""
        document = {
            "format": FORMAT,
            "offset": self.offset,
            "marks": self.marks,
            "totals": self.totals,
            "carry": self.carry,
            "held": self.held,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, document: bytes) -> "Bookmark":
        """Return the bookmark that :meth:`to_bytes` wrote. Raises TlsmonError for anything else."""
        try:
            return _bookmark(json.loads(document))
        except (KeyError, TypeError, ValueError) as error:
            raise TlsmonError(
                "The store holds a reading position that this version of tlsmon cannot read.",
                hint="Use the version that wrote the store, or a newer one.",
            ) from error


def _bookmark(document: Any) -> Bookmark:
    if document["format"] != FORMAT:
        raise ValueError(document["format"])
    return Bookmark(
        int(document["offset"]),
        tuple(Mark(*mark) for mark in document["marks"]),
        Totals(*document["totals"]),
        document["carry"],
        tuple(Row(Key(*key), _span(*span)) for key, span in document["held"]),
    )


def _span(deliveries: int, first: int, last: int, connections: int | None = None) -> Span:
    # Older versions did not count connections, and what is null in their rows counts as one for each delivery.
    return Span(deliveries, first, last, deliveries if connections is None else connections)
