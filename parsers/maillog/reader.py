"""
A piece of a log and what was carried over -> deliveries and what is carried on: the pure step.

:func:`read_piece` is that step. :class:`LogReader` keeps the state between the pieces of one log, so that it need not
be written and read again for each. :func:`read_deliveries` reads whole logs.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from maillog import formats
from maillog.counts import Counts
from maillog.damage import HOLE, LINE_MAX, TOO_LONG, long_lines, parts
from maillog.errors import CarryError
from maillog.exim.lane import EximLane
from maillog.exim.lane_lines import Head as EximHead
from maillog.exim.lane_lines import head_of as exim_head_of
from maillog.formats import new_reader, reader_key, relevant_lines
from maillog.framing import Framer, FrameSettings, Times, Unframed
from maillog.model import Delivery, DeliveryReader, Direction, JsonValue, Mta, Relay, Scope, Unread
from maillog.postfix.cut import without_blank_ends
from maillog.postfix.lane import Lane
from maillog.postfix.lane_lines import Head, head_of
from maillog.reading import UNREAD_TEXT, Reading, ReadSettings, UnreadLine
from maillog.scope import in_networks
from maillog.sources import open_log

CARRY_VERSION = 2
SLICE = 1 << 17
"""Bytes that are looked at together; more than a line."""
NO_FRAME = "a line whose time stamp, host and program cannot be read"
_NEARBY = frozenset({Scope.PRIVATE, Scope.LOOPBACK})
HOSTS_LIMIT = 2_000
LANES_LIMIT = 16


class LogReader:
    """Reads one log, piece after piece."""

    def __init__(self, settings: ReadSettings, carry: JsonValue = None, only: Direction | None = None) -> None:
        """
        Begin with what :meth:`carry` gave at the end of the piece before, if any. Raises CarryError.

        ``only``: read the mail of one direction, so that two readers, each with a processor of its own, can share the
        work; :func:`joined` puts what they carry together again. Exim, and what cannot be framed, count as outbound.
        """
        self._settings = settings
        self._only = only
        latest = settings.latest or datetime.now(tz=UTC)
        self._framer = Framer(FrameSettings(settings.host, settings.zone, latest))
        self._readers: dict[tuple[Mta, str | None, str | None], DeliveryReader] = {}
        self._lines = 0
        self._offset = 0
        self._skipping = False
        self._lanes: dict[Head | EximHead, Lane | EximLane] = {}
        self._counting = False
        self._counts = Counts()
        if carry is not None:
            self._restore(carry)

    def read(self, piece: bytes) -> Reading:
        """Read the complete lines of a piece."""
        found: list[Delivery] = []
        unread: list[UnreadLine] = []
        before = self._lines
        begin = self._skip(piece)
        end = max(piece.rfind(b"\n") + 1, begin)
        for start, stop in long_lines(piece, begin, end):
            self._read_lines(piece, begin, start, found, unread)
            self._too_long(piece, start, stop, found, unread)
            self._lines += 1
            begin = stop
        self._read_lines(piece, begin, end, found, unread)
        if len(piece) - end > LINE_MAX:
            self._too_long(piece, end, len(piece), found, unread)
            self._skipping = True
            end = len(piece)
        self._offset += end
        return Reading(self._scoped(found), unread, self._lines - before, end)

    def count(self, piece: bytes) -> Reading:
        """Read like :meth:`read`, and count the deliveries instead of giving them: see :meth:`take`."""
        self._counting = True
        reading = self.read(piece)
        self._counting = False
        self._counts.add(reading.deliveries)
        return reading._replace(deliveries=[])

    @property
    def hosts(self) -> int:
        """How many hosts have lines in this log, at most."""
        return len(self._readers)

    @property
    def divisible(self) -> bool:
        """Whether readers of one direction each would share the work: not where all of it counts as outbound."""
        return any(mta is not Mta.EXIM for mta, _, _ in self._readers)

    @property
    def times(self) -> Times:
        """See :attr:`Framer.times`."""
        return self._framer.times

    def know(self, times: Times) -> None:
        """See :meth:`Framer.know`."""
        self._framer.know(times)

    def is_near_change(self, text: bytes) -> bool:
        """See :meth:`Framer.is_near_change`: such a text must not be shared by two readers."""
        return self._framer.is_near_change(text)

    @property
    def groups(self) -> int:
        """How many groups of equal deliveries there are to take, at most."""
        return len(self._counts) + sum(lane.groups for lane in self._lanes.values())

    def take(self) -> Counts:
        """Return what :meth:`count` counted since the last time."""
        counts, self._counts = self._counts, Counts()
        for lane in self._lanes.values():
            taken = lane.take()
            if not self._settings.internet:
                counts.merge(taken)
                continue
            for group, span in taken.groups.items():
                counts.count(group._replace(relay=self._scoped_relay(group.relay)), *span)
        return counts

    def held(self, rest: bytes = b"") -> list[Delivery]:
        """
        Return what is still waited for, judged as if the log ended here. Does not change the state.

        ``rest`` is the unfinished last line, as far as it is there; it is read as if it was whole.
        """
        if rest:
            ahead = LogReader(self._settings, self.carry(), self._only)
            reading = ahead.read(rest + b"\n")
            return reading.deliveries + ahead.held()
        return self._scoped([delivery for reader in self._readers.values() for delivery in reader.held()])

    def carry(self) -> JsonValue:
        """Return all that the next piece needs to know, as JSON."""
        return {
            "version": CARRY_VERSION,
            "framing": self._framer.carry(),
            "readers": [[*key, reader.carry()] for key, reader in self._readers.items()],
            "lines": self._lines,
            "offset": self._offset,
            "skipping": self._skipping,
        }

    def next_log(self, *, missing: bool = False) -> None:
        """
        Go on with the log that follows this one after rotation: numbers and offsets begin anew.

        ``missing``: it does not follow directly, so that some lines are not here. What is decided by that is counted.
        """
        self._lines = self._offset = 0
        self._skipping = False
        if missing:
            decided: list[Delivery] = []
            self._missed(decided)
            self._counts.add(self._scoped(decided))

    # --- lines ------------------------------------------------------------------------------------------------------
    def _skip(self, piece: bytes) -> int:
        """Return where the next line begins if the piece before ended inside a line that is too long."""
        if not self._skipping:
            return 0
        newline = piece.find(b"\n")
        if newline < 0:
            return len(piece)
        self._skipping = False
        self._lines += 1
        return newline + 1

    def _read_lines(self, piece: bytes, begin: int, end: int, found: list[Delivery], unread: list[UnreadLine]) -> None:
        """Read the lines of a part of the piece, none of which is too long; some at a time, which caches like."""
        while begin < end:
            stop = end if end - begin <= SLICE else piece.rfind(b"\n", begin, begin + SLICE) + 1
            for part in parts(piece, begin, stop):
                if part.hole is not None:
                    self._missed(found)
                    self._not_read(piece, part.hole, HOLE, unread)
                self._read_slice(piece, part.begin, part.end, found, unread)
            begin = stop

    def _read_slice(self, piece: bytes, begin: int, end: int, found: list[Delivery], unread: list[UnreadLine]) -> None:
        text = piece[begin:end]
        lane = self._lane_for(text)
        if lane:
            self._read_with(lane, text, begin, found, unread)
            return
        cursor = 0
        for start, stop in relevant_lines(text):
            whole = without_blank_ends(text[start:stop] + b"\n")
            if text[stop - 1 : stop] == b" " and next(relevant_lines(whole), None) is None:
                continue
            line = whole[:-1]
            reason = self._shown_by_me(self._read_line(line, found))
            if reason:
                self._lines += text.count(b"\n", cursor, start)
                cursor = start
                unread.append(UnreadLine(self._lines + 1, self._offset + begin + start, reason, _shown(line)))
        self._lines += text.count(b"\n", cursor)

    def _lane_for(self, text: bytes) -> Lane | EximLane | None:
        """Return the fast lane for the lines of a text, if there are any for it."""
        head = self._head_of(text)
        many = len(self._readers) > HOSTS_LIMIT // 2  # then readers may go, see _reader()
        if many or len(self._lanes) >= LANES_LIMIT:
            self._counts.merge(self.take())
            self._lanes.clear()
        if head is None or many or b"\r" in text:
            return None
        lane = self._lanes.get(head)
        if lane is None:
            lane = self._lanes[head] = self._new_lane(head)
        return lane

    def _head_of(self, text: bytes) -> Head | EximHead | None:
        head = head_of(text) if b"/smtp" in text else None
        if head or self._only is Direction.INBOUND:
            return head
        return exim_head_of(text, self._settings.host)

    def _new_lane(self, head: Head | EximHead) -> Lane | EximLane:
        exim = isinstance(head, EximHead)
        key = (Mta.EXIM, head.host, head.instance) if exim else (Mta.POSTFIX, head.host, None)
        reader: Any = partial(self._reader, key, [])  # nothing is found: there are few hosts
        if isinstance(head, EximHead):
            return EximLane(head, reader, self._framer, self._read_if_relevant)
        return Lane(head, reader, self._framer.time_of, self._read_text, self._only)

    def _read_with(
        self, lane: Lane | EximLane, text: bytes, begin: int, found: list[Delivery], unread: list[UnreadLine]
    ) -> None:
        """Read lines in a fast lane, and those that it does not know by themselves."""
        decoded = "\n" + without_blank_ends(text).decode("utf-8", "replace")
        problems: list[tuple[str, str]] = []
        cursor = 0
        for start, stop in lane.rest(decoded):
            problems += lane.read(decoded, cursor, start + 1, found, counting=self._counting)
            line = decoded[start + 1 : stop]
            reason = self._read_if_relevant(line, found)
            if reason:
                problems.append((line, reason))
            cursor = stop
        problems += lane.read(decoded, cursor, len(decoded), found, counting=self._counting)
        if problems:
            self._locate(problems, decoded, text, begin, unread)
        self._lines += text.count(b"\n")

    def _locate(
        self, problems: list[tuple[str, str]], decoded: str, text: bytes, begin: int, unread: list[UnreadLine]
    ) -> None:
        """Find the lines that could not be read; ``decoded`` is the text behind a newline."""
        number, offset, place = self._lines + 1, 0, 0
        search = 0
        for line, reason in problems:
            found = max(decoded.find(f"\n{line}\n", search), place)
            for _ in range(decoded.count("\n", place + 1, found + 1)):
                offset = text.index(b"\n", offset) + 1
                number += 1
            place, search = found, found + 1
            unread.append(UnreadLine(number, self._offset + begin + offset, reason, line[:UNREAD_TEXT]))

    def _shown_by_me(self, reason: str | None) -> str | None:
        """Leave lines without a frame to the other reader where there is one."""
        return None if reason is NO_FRAME and self._only is Direction.INBOUND else reason

    def _read_if_relevant(self, line: str, found: list[Delivery]) -> str | None:
        if next(relevant_lines(f"{line}\n".encode()), None):
            return self._shown_by_me(self._read_text(line, found))
        return None

    def _read_text(self, line: str, found: list[Delivery]) -> str | None:
        return self._read_line(line.encode("utf-8", "surrogatepass"), found)

    def _read_line(self, line: bytes, found: list[Delivery]) -> str | None:
        """Read a line that may matter; return why it could not be read, if so."""
        record = self._framer.frame(line.rstrip(b"\r"))
        if isinstance(record, Unframed):
            if record is not Unframed.NO_FRAME or line[:1].isspace():
                return None
            self._missed(found)  # it may have been any line
            return NO_FRAME
        reason = None
        key = reader_key(record)
        if key and key[0] is Mta.EXIM and self._only is Direction.INBOUND:
            return None
        for item in self._reader(key, found).feed(record) if key else ():
            if isinstance(item, Unread):
                reason = item.reason
            else:
                found.append(item)
        return reason

    def _reader(self, key: tuple[Mta, str | None, str | None], found: list[Delivery]) -> DeliveryReader:
        """Return the reader of a key. Where there are too many, the oldest one goes, with what it held as found."""
        reader = self._readers.get(key)
        if reader is None:
            if len(self._readers) >= HOSTS_LIMIT:
                found += self._readers.pop(next(iter(self._readers))).held()
            reader = self._readers[key] = new_reader(key, self._settings.internet, self._only)
        return reader

    def _too_long(self, piece: bytes, start: int, stop: int, found: list[Delivery], unread: list[UnreadLine]) -> None:
        if piece.find(b"\0", start, stop) >= 0:
            self._missed(found)
        self._not_read(piece, start, TOO_LONG, unread)

    def _not_read(self, piece: bytes, start: int, reason: str, unread: list[UnreadLine]) -> None:
        """Count a line that no reader looks at; where there are two, one of them does."""
        if self._only is not Direction.INBOUND:
            text = _shown(piece[start : start + UNREAD_TEXT].partition(b"\n")[0])
            unread.append(UnreadLine(self._lines + 1, self._offset + start, reason, text))

    def _missed(self, found: list[Delivery]) -> None:
        """Note that text is missing here: nothing is known any more of what is under way."""
        for reader in self._readers.values():
            found += reader.missed()

    def _scoped(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Count the servers of some networks as internet, if the settings say so."""
        if not self._settings.internet:
            return deliveries
        return [delivery._replace(relay=self._scoped_relay(delivery.relay)) for delivery in deliveries]

    def _scoped_relay(self, relay: Relay) -> Relay:
        inside = relay.scope in _NEARBY and relay.ip and in_networks(relay.ip, self._settings.internet)
        return relay._replace(scope=Scope.INTERNET) if inside else relay

    def _restore(self, carry: JsonValue) -> None:
        try:
            if carry["version"] != CARRY_VERSION:
                raise CarryError(f"The saved reading state is of version {carry['version']}, not {CARRY_VERSION}.")
            self._framer.restore(carry["framing"])
            for mta, host, instance, state in carry["readers"]:
                key = (Mta(mta), host, instance)
                if key[0] is Mta.EXIM and self._only is Direction.INBOUND:
                    continue  # the other reader goes on with it
                reader = self._readers[key] = new_reader(key, self._settings.internet, self._only)
                reader.restore(state)
            self._lines, self._offset = int(carry["lines"]), int(carry["offset"])
            self._skipping = bool(carry["skipping"])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise CarryError("The saved reading state is damaged.") from error


def joined(outbound: JsonValue, inbound: JsonValue) -> JsonValue:
    """Return what one reader would carry, from what two readers of the same pieces carry, one for each direction."""
    return outbound | {
        "framing": Framer.joined(outbound["framing"], inbound["framing"]),
        "readers": formats.joined(outbound["readers"], inbound["readers"]),
    }


def read_piece(piece: bytes, carry: JsonValue, settings: ReadSettings) -> tuple[Reading, JsonValue]:
    """Take the pure step: (piece, carry-over) -> (reading, carry-over). Raises CarryError."""
    reader = LogReader(settings, carry)
    reading = reader.read(piece)
    return reading, reader.carry()


def read_deliveries(name: str, settings: ReadSettings | None = None) -> Iterator[Delivery]:
    """
    Yield the deliveries of a log: a path, or ``-`` for standard input; compressed or not.

    Each stands where it was decided, which may be later than its line. Raises UnreadableSourceError after what could be
    read of a file that is cut off or damaged.
    """
    for reading in read_log(name, settings):
        yield from reading.deliveries


def read_log(name: str, settings: ReadSettings | None = None) -> Iterator[Reading]:
    """Yield the readings of a whole log, piece after piece; the last one holds what was still waited for."""
    log = open_log(name)
    settings = settings or ReadSettings()
    reader = LogReader(settings if settings.latest else settings._replace(latest=log.latest))
    rest = b""
    try:
        for piece in log.pieces():
            reading = reader.read(rest + piece)
            rest = (rest + piece)[reading.consumed :]
            yield reading
    finally:
        # Also where the file breaks off: what was read until then counts.
        last = reader.read(rest + b"\n") if rest else Reading([], [], 0, 0)
        yield last._replace(deliveries=last.deliveries + reader.held())


def _shown(line: bytes) -> str:
    return line[:UNREAD_TEXT].decode("utf-8", "replace")
