"""Logs of few lines for the lane, and ways to read them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import accumulate, pairwise
from typing import NamedTuple

import pytest

from maillog import Delivery, LogReader, ReadSettings, UnreadLine
from maillog.counts import Counts
from maillog.model import JsonValue

SETTINGS = ReadSettings(latest=datetime(2026, 12, 1, tzinfo=UTC), internet=(ip_network("10.0.0.0/8"),))


class Line(NamedTuple):
    """A line of a log, without its newline."""

    ahead: int
    host: str
    text: str


def log_of(some: list[Line], *, iso: bool) -> bytes:
    """Return the text of a log that begins shortly before an hour's end."""
    times = accumulate((line.ahead for line in some), initial=1_795_168_700)
    next(times)
    stamps = (datetime.fromtimestamp(time, UTC) for time in times)
    shown = (
        f"{stamp:%Y-%m-%dT%H:%M:%S}.000000+00:00" if iso else f"{stamp:%b} {stamp.day:2} {stamp:%H:%M:%S}"
        for stamp in stamps
    )
    return "".join(f"{at} {line.host} {line.text}\n" for at, line in zip(shown, some, strict=True)).encode()


class Told(NamedTuple):
    """What a log gave."""

    found: list[Delivery]
    unread: list[UnreadLine]
    carry: JsonValue


def pieces_of(text: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield the text in pieces."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return (text[begin:end] for begin, end in pairwise(places))


def told(text: bytes, cuts: list[int]) -> Told:
    """Read a log in pieces, with a carry-over in between."""
    found, unread, carry, rest = [], [], None, b""
    for piece in pieces_of(text, cuts):
        reader = LogReader(SETTINGS, carry)
        reading = reader.read(rest + piece)
        found += reading.deliveries
        unread += reading.unread
        rest = (rest + piece)[reading.consumed :]
        carry = reader.carry()
    return Told(found, unread, carry)


def counted(text: bytes, cuts: list[int]) -> tuple[Counts, list[UnreadLine], JsonValue]:
    """Count a log piece by piece."""
    reader, unread, rest = LogReader(SETTINGS), [], b""
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


def told_slowly(text: bytes) -> Told:
    """Read a log without the lane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.reader.head_of", lambda _text: None)
        return told(text, [])
