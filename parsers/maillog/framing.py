"""
A line of a log -> a record: time, host, instance, program, process and text.

Recognised by content: RFC 3164 (also as postlogd and busybox write it), RFC 3339 stamps of rsyslog, syslog-ng and
``journalctl -o short-iso``, RFC 5424 with ``<PRI>``, the JSON of journald, and Exim's own main log, with and without
process number, milliseconds and zone, by itself or inside any of these, in parts.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import Enum, auto
from typing import NamedTuple

from maillog.model import JsonValue, Record

EXIM = "exim"
# Exim cuts its entries into parts of less than 1000 bytes, and an entry has at most 8 KiB (log.c, LOG_BUFFER_SIZE).
PARTS_LIMIT = 500
PARTS_MAX = 64
PART_BYTES = 2_000

_STAMP = re.compile(
    rb"(?P<bsd>[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d)"
    rb"|(?P<iso>\d{4}-\d\d-\d\dT[\d:.,]{8,19}(?:Z|[+-]\d\d:?\d\d)?)"
)
_HEAD = re.compile(
    rb"(?:<\d{1,3}>)?(?:" + _STAMP.pattern + rb")"
    rb" (?P<host>[^\s\[\]]+) (?:[a-z0-9]{1,10}\.[a-z]{1,7} )?(?P<tag>[^\s\[\]:]{1,128})(?:\[(?P<pid>\d{1,10})\])?: "
)
_RFC5424 = re.compile(
    rb"<\d{1,3}>1 (?P<iso>\S{1,40}) (?P<host>\S{1,255}) (?P<tag>\S{1,128}) (?P<pid>\S{1,128}) \S{1,32} "
    rb"(?:-|(?:\[[^\]]*\])+) ?(?:\xef\xbb\xbf)?"
)
_EXIM_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ([+-]\d{4}))? (?:\[(\d{1,10})\] )?")
_EXIM_LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[ .]")
_PART = re.compile(r"\[(\d{1,3})([/\\])(\d{1,3})\] ")
_SOLARIS = re.compile(r"\[ID \d{1,10} \S{1,40}\] ")
_REPEATED = re.compile(r"message repeated \d{1,9} times: \[ ?(.*?)\]?$", re.DOTALL)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
# Lines may stand a little out of order; more than this back is the second run through a repeated hour.
_OUT_OF_ORDER = timedelta(minutes=5)
_DAY = timedelta(days=1)
_LAST_SECOND = 59
_HALF_YEAR = timedelta(days=183)
# Years within which there is a 29th of February.
_LEAP = 8


class FrameSettings(NamedTuple):
    """What a log does not say about itself."""

    host: str | None
    """The reporting host of lines that name none (an Exim main log)."""
    zone: tzinfo
    """The zone of stamps without one."""
    latest: datetime
    """No line is later than a day after this; it gives the year to stamps without one."""


class Unframed(Enum):
    """Why a line gives no record."""

    NO_FRAME = auto()
    """No frame that is known."""
    PART = auto()
    """A part of an entry that is not complete yet, or of one whose other parts were lost."""


class _Frame(NamedTuple):
    time: datetime
    host: str | None
    tag: str
    pid: int | None
    text: str


class Framer:
    """
    Frames the lines of one log, in order.

    The state is the year of RFC 3164 stamps, and the parts of Exim entries that syslog broke up.
    """

    def __init__(self, settings: FrameSettings) -> None:
        self._settings = settings
        self._last: datetime | None = None
        self._parts: dict[str, list[str | None]] = {}
        self._stamp = b""
        self._exim_stamp = ""
        self._exim_stamp_time: datetime | None = None
        self._minute = b""
        self._minute_time = datetime.min.replace(tzinfo=UTC)
        self._stamp_time = datetime.min.replace(tzinfo=UTC)

    def frame(self, line: bytes) -> Record | Unframed:
        """Return the record of a line, given without its newline, or why there is none."""
        frame = self._split(line)
        if frame is None:
            return Unframed.NO_FRAME
        instance, slash, program = frame.tag.rpartition("/")
        if not slash and (frame.tag.startswith(EXIM) or _EXIM_STAMP.match(frame.text)):
            return self._exim(frame)
        return Record(frame.time, frame.host, instance if slash else None, program, frame.pid, message_of(frame.text))

    # --- the frames -------------------------------------------------------------------------------------------------
    def _split(self, line: bytes) -> _Frame | None:
        if line.startswith(b"{"):
            return _journal(line)
        if _EXIM_LINE.match(line):
            return _Frame(self._stamp_time, self._settings.host, EXIM, None, line.decode("utf-8", "replace"))
        head = _HEAD.match(line) or _RFC5424.match(line)
        return self._syslog(line, head) if head else None

    def _syslog(self, line: bytes, head: re.Match[bytes]) -> _Frame | None:
        bsd = head["bsd"] if head.re is _HEAD else None
        if self._time(bsd or head["iso"], bsd=bsd is not None) is None:
            return None
        pid = head["pid"]
        return _Frame(
            self._stamp_time,
            head["host"].decode("utf-8", "replace"),
            head["tag"].decode("utf-8", "replace"),
            int(pid) if pid and pid.isdigit() else None,
            line[head.end() :].decode("utf-8", "replace"),
        )

    def time_of(self, stamp: bytes) -> datetime | None:
        """Return the time of a stamp that stands at the beginning of a line; None where it is none."""
        found = _STAMP.fullmatch(stamp)
        return self._time(stamp, bsd=found["bsd"] is not None) if found else None

    def _time(self, stamp: bytes, *, bsd: bool) -> datetime | None:
        if stamp != self._stamp:
            time = self._bsd_time(stamp) if bsd else self._iso_time(stamp)
            if time is None:
                return None
            self._stamp, self._stamp_time = stamp, time
        return self._stamp_time

    def _exim(self, frame: _Frame) -> Record | Unframed:
        """Take Exim's own frame off (``log.c:log_vwrite``); join what syslog broke up (``log.c:write_syslog``)."""
        text = message_of(frame.text)
        part = _PART.match(text)
        if part:
            joined = self._join(f"{frame.host} {frame.pid}", part, text[part.end() :])
            if joined is None:
                return Unframed.PART
            text = joined
        instance = None if frame.tag == EXIM else frame.tag
        stamp = _EXIM_STAMP.match(text)
        if not stamp:
            return Record(frame.time, frame.host, instance, EXIM, frame.pid, text)
        time = self._exim_time(stamp[1], stamp[2])
        if time is None:
            return Unframed.NO_FRAME
        pid = int(stamp[3]) if stamp[3] else frame.pid
        return Record(time, frame.host, instance, EXIM, pid, text[stamp.end() :])

    def _join(self, writer: str, part: re.Match[str], text: str) -> str | None:
        """
        Keep a part; return the whole entry with its last part.

        A part is never an entry by itself: it may begin with any text of others. Of more parts than a delivery can have
        are only rejected messages, with their headers (``log.c:log_vwrite``, LOG_REJECT).
        """
        number, total = int(part[1]), int(part[3])
        if not 1 <= number <= total <= PARTS_MAX or len(text) > PART_BYTES:
            return None
        if number == 1 or writer not in self._parts:
            self._parts.pop(writer, None)
            self._parts[writer] = [None] * total
        parts = self._parts[writer]
        if len(self._parts) > PARTS_LIMIT:
            del self._parts[next(iter(self._parts))]
        if number > len(parts):
            return None
        # "[n\m]" marks a break at a newline of the entry, "[n/m]" one for length only.
        parts[number - 1] = ("\n" if part[2] == "\\" and number > 1 else "") + text
        if number < len(parts):
            return None
        del self._parts[writer]
        # A part that was lost leaves an entry that says less than it did; it must not be read.
        return None if None in parts else "".join(piece for piece in parts if piece is not None)

    # --- time -------------------------------------------------------------------------------------------------------
    def _bsd_time(self, stamp: bytes) -> datetime | None:
        """Return the time of ``Nov  3 10:00:00``: local, of the year that brings it nearest to the line before."""
        minute, seconds, last = stamp[:-2], int(stamp[-2:]), self._last
        if minute == self._minute and seconds <= _LAST_SECOND and last and abs(last - self._minute_time) < _DAY:
            time: datetime | None = self._minute_time + timedelta(seconds=seconds)
        else:
            time = self._calendar_time(stamp)
            # Where the clock is changed, each second is asked for.
            if time is not None and isinstance(time.tzinfo, timezone):
                self._minute, self._minute_time = minute, time.replace(second=0)
        if time is not None:
            self._last = time if last is None else max(last, time)
        return time

    def _calendar_time(self, stamp: bytes) -> datetime | None:
        name, day, clock = stamp.decode("ascii").split()
        month = _MONTHS.get(name)
        if month is None:
            return None
        text = f"-{month:02}-{int(day):02}T{clock}"
        last = self._last
        if last is None:
            latest = self._settings.latest
            times = self._in_years(text, range(latest.year + 1, latest.year - _LEAP, -1))
            time = next((time for time in times if time <= latest + _DAY), None)
        else:
            time = self._nearest(text, last)
        return time

    def _nearest(self, text: str, last: datetime) -> datetime | None:
        for time in self._in_years(text, (last.year, last.year - 1, last.year + 1)):
            if abs(time - last) <= _HALF_YEAR:
                return time
        times = self._in_years(text, range(last.year - _LEAP, last.year + _LEAP + 1))
        return min(times, key=lambda time: abs(time - last), default=None)

    def _in_years(self, text: str, years: Iterable[int]) -> Iterator[datetime]:
        for year in years:
            time = self._local(f"{year:04}{text}")
            if time is not None:
                yield time

    def _exim_time(self, text: str, offset: str | None) -> datetime | None:
        """Return the time of Exim's stamp (``tod.c:tod_stamp``), which is local unless log_timezone adds an offset."""
        if offset:
            return _iso(text + offset)
        if text == self._exim_stamp:
            return self._exim_stamp_time
        time = self._local(text)
        self._exim_stamp, self._exim_stamp_time = text, time
        self._last = time if self._last is None else max(self._last, time or self._last)
        return time

    def _iso_time(self, stamp: bytes) -> datetime | None:
        text = stamp.decode("ascii", "replace").replace(",", ".")
        return _iso(text) or self._local(text)

    def _local(self, text: str) -> datetime | None:
        """Return a local time with its offset. Of the two in an hour that comes twice, the one that goes on in time."""
        zone = self._settings.zone
        try:
            time = datetime.fromisoformat(text).replace(tzinfo=zone)
            if isinstance(zone, timezone):
                return time  # never an hour twice
            first, second = _fixed(time), _fixed(time.replace(fold=1))
        except (ValueError, OverflowError):
            return None
        if first != second and self._last and self._last - first > _OUT_OF_ORDER:
            return second
        return first

    # --- over a cut -------------------------------------------------------------------------------------------------
    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {"last": self._last and self._last.isoformat(), "parts": self._parts}

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._last = datetime.fromisoformat(state["last"]) if state["last"] else None
        self._parts = {str(writer): list(parts) for writer, parts in state["parts"].items()}


def message_of(text: str) -> str:
    """Take off what a logger put around the program's own text."""
    if text.startswith("[ID "):
        text = _SOLARIS.sub("", text, count=1)
    if text.startswith("message repeated "):
        repeated = _REPEATED.match(text)
        text = repeated[1] if repeated else text
    return text


def _fixed(time: datetime) -> datetime:
    """Give a time its offset alone: times that share a zone object are subtracted by the clock on the wall."""
    return time.replace(tzinfo=timezone(time.utcoffset() or timedelta()), fold=0)


def _iso(text: str) -> datetime | None:
    """Return the time of an ISO 8601 stamp with an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _journal(line: bytes) -> _Frame | None:
    """Read an entry of ``journalctl -o json`` (systemd.journal-fields)."""
    try:
        entry = json.loads(line)
        micros = int(entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry["__REALTIME_TIMESTAMP"])
        time = datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=micros)
        pid = entry.get("SYSLOG_PID") or entry.get("_PID")
        tag, host = entry.get("SYSLOG_IDENTIFIER"), entry.get("_HOSTNAME")
        text = entry["MESSAGE"]
        # journald gives bytes that are not UTF-8 as a list of numbers.
        text = bytes(text).decode("utf-8", "replace") if isinstance(text, list) else text
        if not isinstance(tag, str) or not isinstance(text, str) or not isinstance(host, str | None):
            return None
        return _Frame(time, host, tag, int(pid) if pid else None, text)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError):
        return None
