"""
A line of a log -> a record: time, host, instance, program, process and text.

Recognised by content: RFC 3164 (also as postlogd and busybox write it), RFC 3339 stamps of rsyslog, syslog-ng and
``journalctl`` (short, short-precise, short-iso, short-full, short-unix, json), RFC 5424 with ``<PRI>``, severities for
the host, and Exim's own main log, with and without process number, milliseconds and zone, by itself or inside any of
these, in parts. Around all of them may be what a container runtime or a collector puts there
(:mod:`maillog.containers`); what few loggers write is brought into one of these forms (:mod:`maillog.seldom`).
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from maillog.clock import Clock, is_near_change
from maillog.containers import unwrapped, within
from maillog.model import JsonValue, Record
from maillog.seldom import commonly_framed, uncoloured

EXIM = "exim"
# Exim cuts its entries into parts of less than 1000 bytes, and an entry has at most 8 KiB (log.c, LOG_BUFFER_SIZE).
PARTS_LIMIT = 500
PARTS_MAX = 64
PART_BYTES = 2_000

_STAMP = re.compile(
    rb"(?P<bsd>[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)"
    rb"|(?P<unix>\d{10}\.\d{6})"
    rb"|[A-Z][a-z]{2} (?P<full>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) (?P<named>[A-Z]{2,5}|[+-]\d\d(?:\d\d)?)"
    rb"|(?P<iso>\d{4}-\d\d-\d\dT[\d:.,]{8,19}(?P<zone>Z|[+-]\d\d:?\d\d|))"
)
# rsyslog's syslogseverity-text, in upper case and padded, as an image of Postfix that many use has it for the host.
SEVERITY = r"(?:EMERG  |ALERT  |CRIT   |ERR    |WARNING|NOTICE |INFO   |DEBUG  ) (?=[^\s\[\]:/]{1,128}/)"
_HEAD = re.compile(
    rb"(?:<\d{1,3}>)?(?:" + _STAMP.pattern + rb")"
    rb" (?:" + SEVERITY.encode() + rb"|(?P<host>[^\s\[\]]+) (?:[a-z0-9]{1,10}\.[a-z]{1,7} )?)?"
    rb"(?P<tag>[^\s\[\]:]{1,128})(?:\[(?P<pid>\d{1,10})\])?: "
)
_RFC5424 = re.compile(
    rb"(?:<\d{1,3}>)?1 (?P<iso>\S{1,40}) (?P<host>\S{1,255}) (?P<tag>\S{1,128}) (?P<pid>\S{1,128}) \S{1,32} "
    rb"(?:-|(?:\[(?:[^\]\\]|\\.)*\])+) {0,2}(?:\xef\xbb\xbf)?"
)
_EXIM_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ([+-]\d{4}))? (?:\[(\d{1,10})\] )?")
_EXIM_PID = re.compile(r"\[(\d{1,10})\] ")
# What tells Exim by its words, where it has another name in syslog (syslog_processname) and no stamp of its own.
_EXIM_WORDS = re.compile(
    r"(?:\[\d{1,10}\] )?(?:[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2}) "
    r"(?:[-=>]> |== |\*\* |[<(]= |Completed)|exim \d{1,3}\.\d{1,4}\S* daemon started: )"
)
_EXIM_LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[ .]")
# A logger's stamp like Exim's: host and tag follow, not what Exim writes about a message.
_NOT_EXIM = re.compile(
    rb"[-\d]{10} [\d:]{8}(?:\.\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))? "
    rb"(?![0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} )"
    rb"(?:[\w.:%<>-]{1,255} ){0,2}(?:[^\s\[\]:]{1,100}/[^\s\[\]:/]{1,40}|exim[\w.-]{0,60})\[\d{1,10}\]: "
)
_PART = re.compile(r"\[(\d{1,3})([/\\])(\d{1,3})\] ")
_SOLARIS = re.compile(r"\[ID \d{1,10} \S{1,40}\] ")
_REPEATED = re.compile(r"message repeated \d{1,9} times: \[ ?(.*?)\]?$", re.DOTALL)
# How far an ISO 8601 stamp goes until its seconds begin.
_TO_SECONDS = len("2026-11-03T10:00:")


Times: TypeAlias = tuple[datetime | None, datetime | None]


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
    time: datetime | None
    """None: that of the text is the only one."""
    host: str | None
    tag: str
    pid: int | None
    text: str


class Framer:
    """
    Frames the lines of one log, in order.

    The state is the latest times, and the parts of Exim entries that syslog broke up. Exim's own stamps have a clock of
    their own: so the stamps of either writer that were read last need not be part of the state.
    """

    def __init__(self, settings: FrameSettings) -> None:
        self._settings = settings
        self._clock = Clock(settings.zone, settings.latest)
        self._exim_clock = Clock(settings.zone, settings.latest)
        self._parts: dict[str, list[str | None]] = {}
        self._stamp = ""
        self._exim_stamp = ""
        self._exim_stamp_time: datetime | None = None
        self._iso_minute = self._iso_zone = ""
        self._iso_zone_begins = 0
        self._stamp_time = datetime.min.replace(tzinfo=UTC)

    def frame(self, line: bytes) -> Record | Unframed:
        """Return the record of a line, given without its newline, or why there is none."""
        record = self._frame(line)
        if record is Unframed.PART or (isinstance(record, Record) and record.instance is not None):
            return record
        inner = within(record, line) if isinstance(record, Record) else None
        for inside in (inner,) if isinstance(record, Record) else _inside(line):
            framed = Unframed.NO_FRAME if inside is None else self._frame(inside)
            if framed is not Unframed.NO_FRAME:
                return framed
        return record

    def _frame(self, line: bytes) -> Record | Unframed:
        if _EXIM_LINE.match(line) and not _NOT_EXIM.match(line):
            text = line.decode("utf-8", "replace")
            return self._stamped(_Frame(None, self._settings.host, EXIM, None, text), text)
        frame = self._split(line)
        if frame is None or frame.time is None:
            return Unframed.NO_FRAME
        instance, slash, program = frame.tag.rpartition("/")
        if not slash and (frame.tag.startswith(EXIM) or _is_exim(frame.text)):
            return self._exim(frame)
        return Record(frame.time, frame.host, instance if slash else None, program, frame.pid, message_of(frame.text))

    # --- the frames -------------------------------------------------------------------------------------------------
    def _split(self, line: bytes) -> _Frame | None:
        if line.startswith(b"{"):
            return _journal(line)
        head = _HEAD.match(line) or _RFC5424.match(line)
        return self._syslog(line, head) if head else None

    def _syslog(self, line: bytes, head: re.Match[bytes]) -> _Frame | None:
        fields = head.groupdict()
        bsd = fields.get("bsd")
        stamp = (bsd or _iso_stamp(fields)).decode("ascii", "replace")
        if self._time(stamp, bsd=bsd is not None) is None:
            return None
        host, pid = head["host"], head["pid"]
        return _Frame(
            self._stamp_time,
            host.decode("utf-8", "replace") if host else self._settings.host,
            head["tag"].decode("utf-8", "replace"),
            int(pid) if pid and pid.isdigit() else None,
            line[head.end() :].decode("utf-8", "replace"),
        )

    def time_of(self, stamp: str) -> datetime | None:
        """Return the time of a stamp that stands at the beginning of a line; None where it is none."""
        if self._clock.in_this_minute(stamp):
            return self._time(stamp, bsd=True)
        if stamp[:_TO_SECONDS] == self._iso_minute and stamp[self._iso_zone_begins :] == self._iso_zone:
            self._stamp = ""
            return self._iso_time(stamp)
        found = _STAMP.fullmatch(stamp.encode())
        if not found:
            return None
        if found["zone"]:
            self._iso_minute, self._iso_zone = stamp[:_TO_SECONDS], found["zone"].decode()
            self._iso_zone_begins = found.start("zone")
        return self._time(stamp, bsd=found["bsd"] is not None)

    def _time(self, stamp: str, *, bsd: bool) -> datetime | None:
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
        return self._stamped(frame, text)

    def _stamped(self, frame: _Frame, text: str) -> Record | Unframed:
        """Take off the time stamp and the process number that Exim itself writes."""
        instance = None if frame.tag == EXIM else frame.tag
        stamp = _EXIM_STAMP.match(text)
        if not stamp:
            if frame.time is None:
                return Unframed.NO_FRAME
            own = _EXIM_PID.match(text)  # log_selector = +pid and syslog_timestamp = no
            if own:
                return Record(frame.time, frame.host, instance, EXIM, int(own[1]), text[own.end() :])
            return Record(frame.time, frame.host, instance, EXIM, frame.pid, text)
        stamped, offset, pid = stamp.groups()
        time = self.exim_time(stamped, offset)
        if time is None:
            return Unframed.NO_FRAME
        return Record(time, frame.host, instance, EXIM, int(pid) if pid else frame.pid, text[stamp.end() :])

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
    def exim_time(self, text: str, offset: str | None) -> datetime | None:
        """Return the time of Exim's stamp (``tod.c:tod_stamp``), which is local unless log_timezone adds an offset."""
        if offset:
            return _iso(text + offset)
        if text != self._exim_stamp:
            self._exim_stamp, self._exim_stamp_time = text, self._exim_clock.without_zone(text)
        return self._exim_stamp_time

    def _bsd_time(self, stamp: str) -> datetime | None:
        seconds, _, fraction = stamp.partition(".")
        time = self._clock.without_year(seconds)
        return time and time + timedelta(microseconds=int(f"{fraction:0<6.6}"))

    def _iso_time(self, stamp: str) -> datetime | None:
        text = stamp.replace(",", ".")
        return _iso(text) or self._clock.without_zone(text)

    def is_near_change(self, text: bytes) -> bool:
        """
        Tell whether times in a text may depend on all lines before, not only on those of one direction.

        That is so where the clock is changed; else the lines before tell no more than the year.
        """
        near = max((time for time in self.times if time), default=self._settings.latest)
        return is_near_change(text, self._settings.zone, near)

    @property
    def times(self) -> Times:
        """The latest times of loggers and of Exim so far; None where there was none without zone or year."""
        return self._clock.last, self._exim_clock.last

    def know(self, times: Times) -> None:
        """Go on from the latest times that a framer of other lines of this log has read, if they are later."""
        for clock, time in zip((self._clock, self._exim_clock), times, strict=True):
            clock.last = max((one for one in (clock.last, time) if one), default=None)

    # --- over a cut -------------------------------------------------------------------------------------------------
    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "last": _to_json(self._clock.last),
            "exim_last": _to_json(self._exim_clock.last),
            "parts": self._parts,
        }

    @staticmethod
    def joined(some: JsonValue, others: JsonValue) -> JsonValue:
        """Return the first of two states of the same log with the latest times of both, each of which read a part."""
        return some | {name: _later(some[name], others[name]) for name in ("last", "exim_last")}

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._clock.last = _from_json(state["last"])
        self._exim_clock.last = _from_json(state.get("exim_last", state["last"]))  # versions before had one for both
        self._parts = {str(writer): list(parts) for writer, parts in state["parts"].items()}


def _inside(line: bytes) -> Iterator[bytes]:
    """Yield what a line that has no common frame may be without what stands around it, or in another one."""
    plain = uncoloured(line)
    for found in ([] if plain == line else [plain]) + [*unwrapped(plain)]:
        yield found
        yield from commonly_framed(found)
    yield from commonly_framed(plain)


def _is_exim(text: str) -> bool:
    """Tell whether a program whose name does not tell writes as Exim does."""
    return (_EXIM_STAMP.match(text) or _EXIM_WORDS.match(text)) is not None


def _iso_stamp(fields: dict[str, bytes | None]) -> bytes:
    """Return a stamp as in ISO 8601; the name of a zone says nothing unless it is UTC: there are several of most."""
    iso, full, named, unix = (fields.get(name) for name in ("iso", "full", "named", "unix"))
    if full and named:
        return full.replace(b" ", b"T") + (b"" if named.isalpha() and named != b"UTC" else named.replace(b"UTC", b"Z"))
    if unix:
        seconds, micros = map(int, unix.split(b"."))
        return (datetime.fromtimestamp(seconds, tz=UTC) + timedelta(microseconds=micros)).isoformat().encode()
    return iso or b""


def message_of(text: str) -> str:
    """Take off what a logger put around the program's own text."""
    if text.startswith("[ID "):
        text = _SOLARIS.sub("", text, count=1)
    if text.startswith("message repeated "):
        repeated = _REPEATED.match(text)
        text = repeated[1] if repeated else text
    return text


def _to_json(time: datetime | None) -> JsonValue:
    return time and time.isoformat()


def _from_json(text: JsonValue) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _later(one: JsonValue, other: JsonValue) -> JsonValue:
    return max((text for text in (one, other) if text), key=datetime.fromisoformat, default=None)


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
