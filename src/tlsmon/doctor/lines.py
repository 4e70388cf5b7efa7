"""
What the lines of a log tell about the log itself: are there lines missing?

Four signs: the system's logger says that it dropped some; a mail left the queue and no line says where it went;
nothing at all was logged for a time that is long for this log; a file of a rotated set is not there.
"""

import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from statistics import median_high
from typing import Final, NamedTuple

from maillog.framing import EXIM, Framer, FrameSettings
from maillog.model import Record
from maillog.reading import ReadSettings
from maillog.sources import Log

_LOGGERS: Final = re.compile(r"rsyslogd(?:-\d+)?|systemd-journald?|journal")
_DROPPED: Final = re.compile(
    r"imuxsock lost (?P<socket>\d+) messages|imuxsock.*?: (?P<socket2>\d+) messages lost due to rate-limiting"
    r"|imjournal: (?P<import>\d+) messages lost due to rate-limiting"
    r"|Suppressed (?P<journal>\d+) messages from (?P<unit>\S+)"
    r"|Forwarding to syslog missed (?P<forward>\d+) messages"
)
"""rsyslog's ratelimit.c (and imuxsock.c of old), journald-server.c and journald-syslog.c."""
_MAIL_UNIT: Final = re.compile(r"postfix|exim|mail", re.IGNORECASE)
_QUEUE_ID: Final = re.compile(r"([0-9A-Za-z]{6,25}): (\S*)")
_EXIM_ID: Final = re.compile(r"([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) (\S*)")
_EXIM_ENDS: Final = frozenset({"=>", "->", ">>", "*>", "**", "=="})
_KEPT: Final = 100_000
_SILENCE: Final = timedelta(hours=1)
_SILENCE_OF_A_SHORT_LOG: Final = timedelta(hours=6)
_TIMES_THE_USUAL: Final = 2
_DAYS_TO_KNOW: Final = 3


class Gap(NamedTuple):
    """A time in which a host logged nothing."""

    host: str | None
    begin: datetime
    end: datetime


def dropped(record: Record) -> Counter[str]:
    """Return how many lines of the mail server a logger says it dropped, by the part of it that did."""
    found = _DROPPED.search(record.text) if _LOGGERS.fullmatch(record.program) else None
    if not found or (found["unit"] and not _MAIL_UNIT.search(found["unit"])):
        return Counter()
    parts = ("socket", "socket2", "import", "journal", "forward")
    return Counter({part.rstrip("2"): int(found[part]) for part in parts if found[part]})


class Lines:
    """Looks at all lines of logs, the oldest log first."""

    def __init__(self, settings: ReadSettings) -> None:
        self._settings = settings
        self._log: Log | None = None
        self._framer: Framer | None = None
        self._last: dict[str | None, datetime] = {}
        self._silences: list[Gap] = []
        self._longest: dict[str | None, dict[date, timedelta]] = defaultdict(dict)
        self._active: dict[tuple[str | None, str], bool] = {}
        self._untold: dict[tuple[str | None, str], None] = {}
        self.dropped: Counter[str] = Counter()
        """Lines that a logger says it dropped, by which part of it did: socket, import, journal, forward."""
        self.unnumbered: Counter[str | None] = Counter()
        """Lines of smtp(8) without a process number, by host."""
        self.removed = 0
        """Mails that were seen from the queue to their end."""
        self.first: datetime | None = None
        self.last: datetime | None = None

    def take(self, log: Log, text: bytes) -> None:
        """Look at the next lines of a log."""
        if log is not self._log:
            self._log = log
            self._framer = Framer(FrameSettings(self._settings.host, self._settings.zone, log.latest))
        assert self._framer is not None  # noqa: S101, set with the log
        for line in text.splitlines():
            record = self._framer.frame(line)
            if isinstance(record, Record):
                self._take(record)

    @property
    def untold(self) -> int:
        """How many mails left the queue without any line that says where they went."""
        return len(self._untold)

    def gaps(self) -> list[Gap]:
        """Return the times of silence that are long for the host, the longest first."""
        usual = {host: self._usual(days) for host, days in self._longest.items()}
        found = (gap for gap in self._silences if gap.end - gap.begin > usual[gap.host])
        return sorted(found, key=lambda gap: gap.begin - gap.end)

    def _usual(self, days: dict[date, timedelta]) -> timedelta:
        if len(days) < _DAYS_TO_KNOW:
            return _SILENCE_OF_A_SHORT_LOG
        return max(_SILENCE, _TIMES_THE_USUAL * median_high(days.values()))

    def _take(self, record: Record) -> None:
        self._time(record)
        if record.program == EXIM:
            self._exim(record)
        elif record.instance is not None:
            self._postfix(record)
        else:
            self.dropped += dropped(record)

    def _time(self, record: Record) -> None:
        time, before = record.time, self._last.get(record.host)
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)
        if before is None or time <= before:
            self._last.setdefault(record.host, time)
            return
        self._last[record.host] = time
        day, silence = time.date(), time - before
        longest = self._longest[record.host]
        longest[day] = max(silence, longest.get(day, silence))
        if silence > _SILENCE:
            self._silences.append(Gap(record.host, before, time))

    def _postfix(self, record: Record) -> None:
        if record.program == "smtp" and record.pid is None:
            self.unnumbered[record.host] += 1
        found = _QUEUE_ID.match(record.text)
        if not found:
            return
        key, word = (record.host, found[1]), found[2]
        if word.startswith("to=") or (word.startswith("from=") and "status=" in record.text):
            self._told(key)
        elif record.program == "qmgr" and word.startswith("from="):
            self._begin(key)
        elif record.program == "qmgr" and word == "removed":
            self._end(key)

    def _exim(self, record: Record) -> None:
        found = _EXIM_ID.match(record.text)
        if not found:
            return
        key, word = (record.host, found[1]), found[2]
        if word in _EXIM_ENDS:
            self._told(key)
        elif word in {"<=", "(="}:
            self._begin(key)
        elif word == "Completed":
            self._end(key)

    def _begin(self, key: tuple[str | None, str]) -> None:
        self._active.setdefault(key, False)
        if len(self._active) > _KEPT:
            del self._active[next(iter(self._active))]

    def _told(self, key: tuple[str | None, str]) -> None:
        if key in self._active:
            self._active[key] = True
        # Lines of several processes may stand in another order than they were written.
        self._untold.pop(key, None)

    def _end(self, key: tuple[str | None, str]) -> None:
        told = self._active.pop(key, None)
        if told is None:
            return
        self.removed += 1
        if not told and len(self._untold) < _KEPT:
            self._untold[key] = None
