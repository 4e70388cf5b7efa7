"""
Time stamps that lack a year or a zone -> times. What they lack comes from the lines before.

A clock reads the stamps of one writer. Of what it read before it needs only the latest time, and a stamp that is read
twice in a row gives the same time twice: so it does not matter where a log is cut, nor who remembers the last stamp.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Final

from maillog.containers import unwrapped

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)}
# Lines may stand a little out of order; more than this back is the second run through a repeated hour.
_OUT_OF_ORDER: Final = timedelta(minutes=5)
_DAY: Final = timedelta(days=1)
_SECONDS: Final = {f"{second:02}": timedelta(seconds=second) for second in range(60)}
_HALF_YEAR: Final = timedelta(days=183)
# Years within which there is a 29th of February.
_LEAP: Final = 8
_MONTHS_AROUND: Final = 7
# Bytes: every so often a line is looked at, and its stamp ends before so many, behind what a container put there.
_LOOK_EVERY: Final = 1 << 14
_STAMP_ENDS: Final = 40
_WRAPPED: Final = 300


class Clock:
    """Reads the stamps of one writer, in the order of the lines."""

    def __init__(self, zone: tzinfo, latest: datetime) -> None:
        """``zone``: of the stamps. ``latest``: no line is later than a day after this."""
        self._zone = zone
        self._latest = latest
        self.last: datetime | None = None
        """The latest time so far."""
        self._minute = ""
        self._minute_time = datetime.min.replace(tzinfo=UTC)

    def in_this_minute(self, stamp: str) -> bool:
        """Tell whether a text is a stamp of the same minute as the one before, so that it need not be looked at."""
        return stamp[:-2] == self._minute and stamp[-2:] in _SECONDS

    def without_year(self, stamp: str) -> datetime | None:
        """Return the time of ``Nov  3 10:00:00``: of the year that brings it nearest to the line before."""
        minute, seconds, last = stamp[:-2], _SECONDS.get(stamp[-2:]), self.last
        if minute == self._minute and seconds is not None and last and abs(last - self._minute_time) < _DAY:
            return self._reached(self._minute_time + seconds)
        time = self._calendar_time(stamp)
        # Where the clock is changed, each second is asked for.
        if time is not None and not _comes_twice(time.replace(tzinfo=self._zone)):
            self._minute, self._minute_time = minute, time.replace(second=0)
        return self._reached(time)

    def without_zone(self, text: str) -> datetime | None:
        """Return the time of an ISO 8601 stamp that has no offset."""
        return self._reached(self._local(text))

    def _reached(self, time: datetime | None) -> datetime | None:
        if time is not None:
            self.last = time if self.last is None else max(self.last, time)
        return time

    def _calendar_time(self, stamp: str) -> datetime | None:
        name, day, clock = stamp.split()
        month = _NUMBERS.get(name)
        if month is None:
            return None
        text = f"-{month:02}-{int(day):02}T{clock}"
        if self.last is not None:
            return self._nearest(text, self.last)
        times = self._in_years(text, range(self._latest.year + 1, self._latest.year - _LEAP, -1))
        return next((time for time in times if time <= self._latest + _DAY), None)

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

    def _local(self, text: str) -> datetime | None:
        """Return a local time with its offset. Of the two in an hour that comes twice, the one that goes on in time."""
        try:
            time = datetime.fromisoformat(text).replace(tzinfo=self._zone)
            if isinstance(self._zone, timezone):
                return time  # never an hour twice
            first, second = _fixed(time), _fixed(time.replace(fold=1))
        except (ValueError, OverflowError):
            return None
        if first != second and self.last and self.last - first > _OUT_OF_ORDER:
            return second
        return first


def is_near_change(text: bytes, zone: tzinfo, near: datetime) -> bool:
    """
    Tell whether lines may be of the days around a change of the clock: there a time depends on the lines before.

    ``near``: a time within half a year of the lines. One line in some is looked at, for a log is in order by and large.
    """
    days = _days_around(zone, near.year, near.month)
    begin = 0
    while days and begin < len(text):
        line = text[begin : begin + _WRAPPED]
        heads = [inside[:_STAMP_ENDS] for inside in (line, *unwrapped(line))]
        if any(day in head for day in days for head in heads):
            return True
        begin = text.find(b"\n", begin + _LOOK_EVERY) + 1 or len(text)
    return False


@lru_cache(maxsize=64)
def _days_around(zone: tzinfo, year: int, month: int) -> frozenset[bytes]:
    """Return how days around a change are written, of all changes within some months."""
    if isinstance(zone, timezone):
        return frozenset()
    middle = datetime(year, month, 15)  # noqa: DTZ001, the clock on the wall
    try:
        days = [middle + _DAY * number for number in range(-_MONTHS_AROUND * 31, _MONTHS_AROUND * 31)]
        changed = [one for one, other in pairwise(days) if _differ(one, other, zone)]
        around = [day + _DAY * number for day in changed for number in range(-1, 3)]
    except OverflowError:
        return frozenset()
    return frozenset(shown.encode() for day in around for shown in _shown(day))


def _differ(one: datetime, other: datetime, zone: tzinfo) -> bool:
    return one.replace(tzinfo=zone).utcoffset() != other.replace(tzinfo=zone).utcoffset()


def _comes_twice(time: datetime) -> bool:
    return time.utcoffset() != time.replace(fold=1).utcoffset()


def _shown(day: datetime) -> tuple[str, ...]:
    """Return a day as in ISO 8601, and without a year as loggers write it."""
    month = _MONTHS[day.month - 1]
    return f"{day:%Y-%m-%d}", f"{month} {day.day:2} ", f"{month} {day.day:02} ", f"{month} {day.day} "


def _fixed(time: datetime) -> datetime:
    """Give a time its offset alone: times that share a zone object are subtracted by the clock on the wall."""
    return time.replace(tzinfo=timezone(time.utcoffset() or timedelta()), fold=0)
