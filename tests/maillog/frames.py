"""Lines in a frame, for tests."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from maillog.framing import Framer, FrameSettings
from maillog.model import Record

BERLIN = ZoneInfo("Europe/Berlin")
LATEST = datetime(2026, 11, 30, tzinfo=UTC)
TEXT = "7D959244159: to=<u@good.test>"


def framer(zone: tzinfo = UTC, latest: datetime = LATEST, host: str | None = None) -> Framer:
    """Return a framer without any state."""
    return Framer(FrameSettings(host, zone, latest))


def framed(line: str | bytes, zone: tzinfo = UTC, host: str | None = None) -> Record:
    """Return the record of a single line."""
    record = framer(zone, host=host).frame(line if isinstance(line, bytes) else line.encode())
    assert isinstance(record, Record)
    return record


def times(*stamps: str, zone: tzinfo = UTC, latest: datetime = LATEST) -> list[str]:
    """Return the times of RFC 3164 lines with these stamps, in ISO 8601."""
    reader = framer(zone, latest)
    records = [reader.frame(f"{stamp} mail postfix/smtp[1]: x".encode()) for stamp in stamps]
    return [record.time.isoformat() if isinstance(record, Record) else record.name for record in records]
