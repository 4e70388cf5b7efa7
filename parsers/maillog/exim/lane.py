"""
The fast lane: the lines that make up nearly all of an Exim log, many at once.

Most lines are of three kinds: a mail came in, it was sent, it is completed. The lane finds them in a whole piece of the
log with one pattern and looks up what it has seen before. It has no opinion of its own: what a phrase means it learns
from the readers of events and arrivals, once for each distinct phrase, what follows from it ``deliveries`` decides, and
a line that is not exactly the common case is read like any other. ``tests/maillog/exim/test_lane.py`` holds the two
against each other.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from maillog.counts import Counts, microseconds
from maillog.exim.both_ways import EximBothWays
from maillog.exim.deliveries import EximDeliveries
from maillog.exim.events import Arrival, Attempt, Flag, fixed_part, read_event
from maillog.exim.lane_lines import Head, patterns
from maillog.exim.runs import Held, Said
from maillog.exim.sessions import Version
from maillog.framing import EXIM, Framer
from maillog.model import Delivery, Outcome, Record, Result, Security, Unread
from maillog.phrases import domain_of
from maillog.tallies import Tallies, Tally, bounded

_PHRASES_LIMIT = 10_000
_LOCAL = "@"
"""Before the domain of an account on this machine."""

_Fields: TypeAlias = tuple[str, ...]
"""See ``lane_lines.Patterns.lines``."""


class _Came(NamedTuple):
    """What the line of an arrival says."""

    tally: Tally | None
    """None where nothing came over the network."""
    cipher_stands: bool
    """X= stands, so the line counts for what is sent, too."""
    cipher_logged: bool
    """It shows that ciphers are logged."""


class _Sent(NamedTuple):
    """Mails of which the lines say the same."""

    first: Tally
    further: Tally
    """Those that went over the connection of one before."""

    @classmethod
    def of(cls, delivery: Delivery) -> "_Sent":
        """Return tallies of what is like a delivery."""
        return cls(*(Tally(delivery._replace(reused=reused)) for reused in (False, True)))


class EximLane:
    """The lane of one head."""

    def __init__(
        self,
        head: Head,
        reader: Callable[[], EximBothWays],
        framer: Framer,
        read_slowly: Callable[[str, list[Delivery]], str | None],
    ) -> None:
        """
        ``reader`` gives the reader of the head's host and tag; it is asked for with the first line, and now and then.

        ``framer`` is asked for the time of each stamp that differs from the one before.

        ``read_slowly`` reads a line like any other if it may matter, and returns why it cannot, if so.
        """
        self._head = head
        self._reader = reader
        self._framer = framer
        self._read_slowly = read_slowly
        self._patterns = patterns(head)
        self._attempts: dict[str, Attempt] = {}
        self._said: dict[tuple[str, str], Said] = {}
        self._sent: dict[Said, _Sent] = {}
        self._came: dict[tuple[str, str, str, str], _Came] = {}
        self._version: Version | None = None
        self._time = datetime.min.replace(tzinfo=UTC)
        self._tallies = Tallies()

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
        Read the lines between two line ends of a text that begin like a common one.

        What is decided is added to ``found``; with ``counting`` the common case is counted instead. Returns lines that
        could not be read, each with the reason.
        """
        unread: list[tuple[str, str]] = []
        reader = None  # lines of others stood between, so the stamp is read anew, and Exim may be another version
        last_logger = last_stamp = last_offset = ""
        for fields in self._patterns.lines.findall(text, begin, end):
            line, logger, stamp, offset, _, queue_id, _, _, block, end, _, client, *_, then = fields
            if not (block or end or client):
                reader = None  # the stamp of a line that does not matter is not read
            elif reader is None or stamp != last_stamp or logger != last_logger or offset != last_offset:
                reader = self._tick(logger, stamp, offset)
                last_logger, last_stamp, last_offset = logger, stamp, offset
            if then and block and counting and reader and self._sent_at_once(reader.outbound, fields, found):
                continue
            if reader is None or not self._common(reader, fields, found, counting=counting):
                self._read_alone(line, found, unread)
            if then and reader:
                self._completed(reader.outbound, queue_id, found, counting=counting)
            elif then:
                self._read_alone(then[1:], found, unread)
        return unread

    def _read_alone(self, line: str, found: list[Delivery], unread: list[tuple[str, str]]) -> None:
        reason = self._read_slowly(line, found)
        if reason:
            unread.append((line, reason))

    def _tick(self, logger: str, stamp: str, offset: str) -> EximBothWays | None:
        """Read new time stamps and return the reader; None where they are no stamps."""
        if logger and self._framer.time_of(logger) is None:
            return None
        time = self._framer.exim_time(stamp, offset.lstrip() or None)
        if time is None:
            return None
        self._time = time
        reader = self._reader()
        if reader.outbound.version != self._version:
            self._version = reader.outbound.version
            self._forget()
        return reader

    # --- the common lines -------------------------------------------------------------------------------------------
    def _common(self, reader: EximBothWays, fields: _Fields, found: list[Delivery], *, counting: bool) -> bool:
        """Take a line if it is of the common kinds; tell whether it is."""
        _, _, _, _, text, queue_id, _, _, block, end, sender, client, interface, session, rest, _ = fields
        if block:
            deliveries = reader.outbound
            said = self._said_in(deliveries, fields)
            if said is None:
                return False
            found += deliveries.begin(self._time)
            flag = Flag.FIRST if text.startswith("=", len(queue_id) + 1) else Flag.FURTHER
            found += deliveries.sent(queue_id, flag, said, self._time)
            return True
        if end:
            self._completed(reader.outbound, queue_id, found, counting=counting)
            return True
        if not client or " P=" in rest or " X=" in rest:
            return False
        phrase = sender, client, interface, session
        came = self._came.get(phrase) or self._came_of(reader, phrase, text)
        if came is None:
            return False
        self._arrived(reader.outbound, queue_id, came, found, counting=counting)
        return True

    def _sent_at_once(self, deliveries: EximDeliveries, fields: _Fields, found: list[Delivery]) -> bool:
        """Count a mail that was sent to one recipient and completed in the next line; tell whether it is one."""
        said = self._said_in(deliveries, fields)
        alike = self._sent.get(said) if said else None
        decided = deliveries.sent_at_once(fields[5], said, self._time) if said and alike else None
        if said is None or alike is None or decided is None:
            return False
        found += decided
        self._tallies.add(alike.further if said.route.continued else alike.first, microseconds(self._time))
        return True

    def _completed(self, deliveries: EximDeliveries, queue_id: str, found: list[Delivery], *, counting: bool) -> None:
        """Count the deliveries of a message where all lines said the same, so of one host; else have them judged."""
        found += deliveries.begin(self._time)
        run = deliveries.runs.get(queue_id)
        if run is None:
            return
        said = run.said if counting else None
        alike = self._sent.get(said) if said else None
        ciphers = deliveries.ciphers
        known = {"undisturbed": not run.failed}
        if alike is None or said is None or not all(ciphers.surely(said, held.time, **known) for held in run.held):
            found += deliveries.finish(queue_id)
            return
        del deliveries.runs[queue_id]
        for held in run.held:
            ciphers.seen(said, held.time)
            self._tallies.add(alike.further if held.reused else alike.first, microseconds(held.time))

    def _arrived(
        self, deliveries: EximDeliveries, queue_id: str, came: _Came, found: list[Delivery], *, counting: bool
    ) -> None:
        if came.tally and counting:
            self._tallies.add(came.tally, microseconds(self._time))
        elif came.tally:
            found.append(came.tally.alike._replace(time=self._time, queue_id=queue_id))
        if came.cipher_stands:
            found += deliveries.begin(self._time)
        if came.cipher_logged:
            found += deliveries.arrived()

    # --- what is not known yet --------------------------------------------------------------------------------------
    def _said_in(self, deliveries: EximDeliveries, fields: _Fields) -> Said | None:
        """Return what a delivery line says; None where it says something that is not common."""
        _, _, _, _, text, _, remote, local, block, *_ = fields
        domain = remote or f"{_LOCAL}{local}"
        said = self._said.get((domain, block))
        if said is not None:
            return said
        block = fixed_part(block)
        said = self._said.get((domain, block))
        if said is not None:
            return said
        attempt = self._attempt_of(domain, block, text)
        if attempt is None:
            return None
        if len(self._said) >= _PHRASES_LIMIT:
            self._forget()
        said = self._said[domain, block] = deliveries.said(attempt, Result(Outcome.SENT))
        if said.tls.security is not Security.PLAINTEXT:  # which other lines decide
            self._sent[said] = _Sent.of(Held(0, self._time, said).delivery(deliveries.source, ""))
        return said

    def _attempt_of(self, domain: str, block: str, text: str) -> Attempt | None:
        """Return a delivery to the domain, with fields that were read once, whatever the domain was then."""
        event = self._attempts.get(block) or read_event(self._record(text))
        name = domain_of(f"@{domain.removeprefix(_LOCAL)}")
        if not isinstance(event, Attempt) or event.reason is not None or name is None:
            return None
        # A host that was reached needs an address with a domain; without a host, that may be the name of a file.
        if (event.route.relay.ip is None) is not domain.startswith(_LOCAL):
            return None
        bounded(self._attempts)[block] = event
        return event._replace(domain=name)

    def _came_of(self, reader: EximBothWays, phrase: tuple[str, str, str, str], text: str) -> _Came | None:
        """Return what the line of an arrival says; None where it cannot be read."""
        record = self._record(text)
        delivery = reader.arrivals.read(record)
        if isinstance(delivery, Unread):
            return None
        tally = Tally(delivery) if delivery else None
        _, _, _, session = phrase
        came = bounded(self._came)[phrase] = _Came(tally, " X=" in session, isinstance(read_event(record), Arrival))
        return came

    def _record(self, text: str) -> Record:
        return Record(self._time, self._head.host, self._head.instance, EXIM, None, text)

    def _forget(self) -> None:
        self._said.clear()
        self._sent.clear()
