"""
The fast lane: the lines that make up nearly all of a Postfix log, many at once.

Most lines are of a few kinds: TLS summaries, ``status=sent`` of a mail that such a session carried, and the lines of
smtpd(8) and qmgr(8) about a mail that comes in. The lane finds them in a whole piece of the log with one pattern and
follows the sessions by looking up what it has seen before. It has no opinion of its own: what a phrase means it learns
from the readers of events, once for each distinct phrase, and what is not exactly the common case goes through the
readers of deliveries like any other record. ``tests/maillog/postfix/test_lane.py`` holds the two against each other.

A lane is made for one *head*: what stands between the time stamp and the program, such as `` mail postfix/``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from maillog.counts import Counts, microseconds
from maillog.model import Delivery, Direction, Found, Unread
from maillog.postfix.both_ways import PostfixBothWays
from maillog.postfix.lane_inbound import InboundLane
from maillog.postfix.lane_lines import LINE, MAIL, PID, QUEUED, SAID, STAMP, TAG, Head, patterns
from maillog.postfix.lane_outbound import OutboundLane
from maillog.tallies import Tallies


class Lane:
    """The lane of one head."""

    def __init__(
        self,
        head: Head,
        reader: Callable[[], PostfixBothWays],
        time_of: Callable[[str], datetime | None],
        frame_and_read: Callable[[str, list[Delivery]], str | None],
        only: Direction | None = None,
    ) -> None:
        """
        ``reader`` gives the reader of the head's host, which is asked for with the first line.

        ``time_of`` reads a time stamp; it is asked for each one that differs from the one before.

        ``frame_and_read`` reads a line whose frame turns out to be another one, and returns why it cannot, if so.
        """
        self.head = head
        self._frame_and_read = frame_and_read
        self._reader = reader
        self._time_of = time_of
        self._patterns = patterns(head, only)
        self._only = only
        self._tallies = Tallies()
        self._outbound = OutboundLane(head, self._tallies)
        self._inbound = InboundLane(head, self._tallies)
        self._time = datetime.min.replace(tzinfo=UTC)
        self._at = 0

    def rest(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield begin and end of the lines that the lane does not know; ``text`` begins with a newline."""
        return map(re.Match.span, self._patterns.rest.finditer(text))

    @property
    def groups(self) -> int:
        """How many groups there are to take, at most."""
        return len(self._tallies)

    def take(self) -> Counts:
        """Return what was counted, and begin anew."""
        return self._tallies.take()

    def read(self, text: str, begin: int, end: int, found: list[Delivery], *, counting: bool) -> list[tuple[str, str]]:
        """
        Read the lines of smtp(8), smtpd(8) and qmgr(8) between two line ends of a text.

        What is decided is added to ``found``; with ``counting`` the common case is counted instead. Returns lines that
        could not be read, each with the reason.
        """
        unread: list[tuple[str, str]] = []
        lines = self._patterns.lines.findall(text, begin, end)
        if not lines:
            return unread
        reader = self._reader()
        outbound, inbound = self._outbound, self._inbound
        time, at = self._time, self._at
        last_stamp = ""  # lines of others stood between, so the stamp is read anew
        for fields in lines:
            stamp = fields[STAMP]
            if stamp != last_stamp:
                if not self._tick(stamp):
                    self._reframed(fields, found, unread)
                    last_stamp = ""
                    continue
                last_stamp, time, at = stamp, self._time, self._at
            if fields[TAG]:
                items = inbound.line(reader.inbound, time, fields)
            elif fields[MAIL]:
                items = self._queued(reader, fields, counting=counting)
            else:
                items = outbound.line(reader.outbound, time, at, fields, counting=counting)
            if items:
                self._sorted(items, fields, found, unread)
        return unread

    def _queued(self, reader: PostfixBothWays, fields: Sequence[str], *, counting: bool) -> Sequence[Delivery]:
        """Take what qmgr(8) says when it begins with a mail."""
        if self._only is not Direction.INBOUND:
            reader.outbound.whole.begins(self._time)
            reader.outbound.whole.takes_up(fields[MAIL], self._at)
        if self._only is Direction.OUTBOUND or (counting and self._inbound.counted(reader.inbound, self._at, fields)):
            return ()
        return self._inbound.accepted(reader.inbound, self._time, fields)

    def _reframed(self, fields: Sequence[str], found: list[Delivery], unread: list[tuple[str, str]]) -> None:
        """Read a line that has another frame after all."""
        whole = self._whole(fields)
        reason = self._frame_and_read(whole, found)
        if reason and not (fields[MAIL] and self._only is Direction.OUTBOUND):
            unread.append((whole, reason))

    def _sorted(
        self, items: Sequence[Found], fields: Sequence[str], found: list[Delivery], unread: list[tuple[str, str]]
    ) -> None:
        """Put what a line gave where it belongs."""
        for item in items:
            if isinstance(item, Unread):
                unread.append((self._whole(fields), item.reason))
            else:
                found.append(item)

    def _whole(self, fields: Sequence[str]) -> str:
        """Put a line together again."""
        if fields[TAG]:
            text = f"{fields[TAG]}]: {fields[SAID]}"
        else:
            text = fields[QUEUED] or f"smtp[{fields[PID]}]: {fields[LINE]}"
        return f"{fields[STAMP]}{self.head.text}{text}"

    def _tick(self, stamp: str) -> bool:
        """Read a new time stamp; tell whether it is one."""
        time = self._time_of(stamp)
        if time is None:
            return False
        self._time, self._at = time, microseconds(time)
        return True
