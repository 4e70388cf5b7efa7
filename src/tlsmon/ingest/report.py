"""What an ingest did: values for programs and people."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from tlsmon.store.bookmark import Totals
from tlsmon.wording import count

_NO_CHANCE = 10
"""So many deliveries do not begin and end at the same moments by chance."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log. All counts but ``new_deliveries`` are of the whole log, as far as it was ever read."""

    name: str
    lines: int = 0
    deliveries: int = 0
    new_deliveries: int = 0
    """Those that this call added to the store."""
    unread_lines: int = 0
    first: datetime | None = None
    """UTC."""
    last: datetime | None = None
    log: str | None = None
    """Its identity, which copies share; None for a log without a line."""


class TlsReport(NamedTuple):
    """A TLSRPT report (RFC 8460) that was among the files: what others saw when they sent to us."""

    name: str
    """Of the file."""
    organization: str
    """Who saw it."""
    domains: tuple[str, ...]
    """Ours."""
    first: datetime
    last: datetime
    """From when to when, UTC."""
    successful: int
    failed: int
    """Sessions."""
    new: bool
    """False: it was in the store already."""


@dataclass(frozen=True, slots=True)
class Report:
    """All logs of one call."""

    logs: list[LogReport] = field(default_factory=list)
    deliveries: int = 0
    """Of all logs; copies of a log count once."""
    new_deliveries: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    """Logs that could not be read, or only in part; in words for people."""
    warnings: list[str] = field(default_factory=list)
    tls_reports: list[TlsReport] = field(default_factory=list)


class Progress(Protocol):
    """Is told how far an ingest has come."""

    def begin(self, name: str, size: int | None) -> None:
        """Begin a log; ``size`` is its text in bytes, None where that is not known before."""

    def advance(self, size: int) -> None:
        """Take note that so many bytes of text were read."""


class NoProgress:
    """Shows nothing."""

    def begin(self, name: str, size: int | None) -> None:
        """Show nothing."""

    def advance(self, size: int) -> None:
        """Show nothing."""


def report_of(name: str, log: str, totals: Totals, new: int) -> LogReport:
    """Return the report of a log, given its name, its identity and its totals."""
    first, last = (_time(at) for at in (totals.first, totals.last))
    return LogReport(name, totals.lines, totals.deliveries, new, totals.unread_lines, first, last, log)


def counted_twice(logs: Iterable[LogReport]) -> list[str]:
    """Return a warning where different logs hold the same mail, as where a logger writes it to two files."""
    known: dict[tuple[object, ...], LogReport] = {}
    pairs = []
    for log in logs:
        first = known.setdefault((log.deliveries, log.first, log.last), log)
        if first.log != log.log and log.deliveries >= _NO_CHANCE:
            pairs.append((first.name, log.name))
    if not pairs:
        return []
    (one, other), *more = pairs
    others = f" (and {count(len(more), 'further pair')})" if more else ""
    same = f"{other}: holds the same mail as {one}{others}, and it was counted twice."
    return [f"{same} Give tlsmon one of them only, and begin a new store."]


def _time(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)
