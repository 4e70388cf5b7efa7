"""Logs of few lines for the lane, and ways to read them."""

from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from itertools import accumulate
from typing import NamedTuple

import pytest
from tests.maillog import ways

from maillog import ReadSettings

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


told = partial(ways.told, settings=SETTINGS)
counted = partial(ways.counted, settings=SETTINGS)


def told_slowly(text: bytes) -> ways.Told:
    """Read a log without the lane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.reader.head_of", lambda _text: None)
        return told(text, [])
