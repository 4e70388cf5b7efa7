"""A log read in pieces, listed or counted: what the tests of the fast lanes hold against each other."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from maillog import Delivery, LogReader, ReadSettings, UnreadLine
from maillog.counts import Counts
from maillog.model import JsonValue


class Told(NamedTuple):
    """What a log gave."""

    found: list[Delivery]
    unread: list[UnreadLine]
    carry: JsonValue


def pieces_of(text: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield the text in pieces."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return (text[begin:end] for begin, end in pairwise(places))


def told(text: bytes, cuts: list[int], settings: ReadSettings) -> Told:
    """Read a log in pieces, with a carry-over in between."""
    found, unread, carry, rest = [], [], None, b""
    for piece in pieces_of(text, cuts):
        reader = LogReader(settings, carry)
        reading = reader.read(rest + piece)
        found += reading.deliveries
        unread += reading.unread
        rest = (rest + piece)[reading.consumed :]
        carry = reader.carry()
    return Told(found, unread, carry)


def counted(text: bytes, cuts: list[int], settings: ReadSettings) -> tuple[Counts, list[UnreadLine], JsonValue]:
    """Count a log piece by piece."""
    reader, unread, rest = LogReader(settings), [], b""
    counts = Counts()
    for piece in pieces_of(text, cuts):
        reading = reader.count(rest + piece)
        assert not reading.deliveries
        unread += reading.unread
        rest = (rest + piece)[reading.consumed :]
        if len(piece) % 2:
            counts.merge(reader.take())
    counts.merge(reader.take())
    return counts, unread, reader.carry()
