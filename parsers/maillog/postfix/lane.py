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
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias, TypeVar

from maillog.counts import MICROSECONDS_PER_HOUR, Counts, Group, microseconds
from maillog.framing import message_of
from maillog.model import (
    NULL_SENDER,
    Delivery,
    Direction,
    Evidence,
    Found,
    Level,
    Mta,
    Record,
    Relay,
    Result,
    Source,
    Tls,
    Unread,
)
from maillog.phrases import domain_of
from maillog.postfix.both_ways import PostfixBothWays
from maillog.postfix.deliveries import PostfixDeliveries, encrypted, relay_key
from maillog.postfix.events import Attempt, Handshake, Peer, read_event
from maillog.postfix.grammar import Summary, TlsStatus
from maillog.postfix.lane_lines import Head, patterns
from maillog.postfix.sessions import FIRST_SLACK, MAX_IDLE, Process, Session
from maillog.postfix.smtpd_events import (
    ClientHandshake,
    Connected,
    Disconnected,
    MailBegins,
    ServerEvent,
    read_server_event,
)

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_PHRASES_LIMIT = 20_000

# smtp(8): stamp, pid, line, queue id, domain, relay, request, tls, dsn and status, reply; smtpd(8): service, pid, line;
# qmgr(8): line, queue id, sender.
_Fields: TypeAlias = tuple[str, ...]


class _Meeting(NamedTuple):
    """What a TLS summary line says."""

    peer: Peer
    summary: Summary
    relay: str
    """Key of the relay, see ``deliveries.relay_key``."""


class _Tally:
    """The sent mails of one hour that are alike, and what they have in common."""

    __slots__ = ("domain", "first", "last", "level", "number", "peer", "relay", "result", "stated", "tls")

    def __init__(self, domain: str | None, relay: Relay, status: TlsStatus | None, result: Result, tls: Tls) -> None:
        self.domain, self.relay, self.result, self.tls = domain, relay, result, tls
        self.level = status.level if status else None
        self.stated = relay_key(*relay[:3]) if status else None
        self.peer = relay[:3]
        self.number = self.first = self.last = 0


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
        self._begun = False
        self._source = Source(Mta.POSTFIX, head.host, head.instance)
        self._tag = (head.instance, "smtp")
        self._meetings: dict[str, _Meeting] = {}
        self._domains: dict[str, str | None] = {}
        self._relays: dict[str, Relay] = {}
        self._ends: dict[tuple[str, str], tuple[Result, TlsStatus | None]] = {}
        self._known: dict[str, Process] = {}
        self._clients: dict[str, MailBegins] = {}
        self._server_events: dict[str, ServerEvent] = {}
        self._tallies: dict[tuple[str, str, str, str, Summary], _Tally] = {}
        self._same: dict[Tls, Tls] = {}
        self._time = datetime.min.replace(tzinfo=UTC)
        self._at = self._hour = self._open = 0
        self.counts = Counts()
        """The sent mails of full hours, where they are counted."""

    def rest(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield begin and end of the lines that the lane does not know; ``text`` begins with a newline."""
        return map(re.Match.span, self._patterns.rest.finditer(text))

    @property
    def groups(self) -> int:
        """How many groups there are to take, at most."""
        return len(self.counts) + self._open

    def take(self) -> Counts:
        """Return what was counted, and begin anew."""
        self._close_hour()
        counts, self.counts = self.counts, Counts()
        return counts

    def read(self, text: str, begin: int, end: int, found: list[Delivery], *, counting: bool) -> list[tuple[str, str]]:
        """
        Read the lines of smtp(8), smtpd(8) and qmgr(8) between two line ends of a text.

        What is decided is added to ``found``; with ``counting`` the common case is counted instead. Returns lines that
        could not be read, each with the reason.
        """
        unread: list[tuple[str, str]] = []
        lines = (self._patterns.after_begin if self._begun else self._patterns.lines).findall(text, begin, end)
        if not lines:
            return unread
        reader = self._reader()
        deliveries = reader.outbound
        self._begun = self._only is Direction.OUTBOUND and deliveries.begun
        known, at = self._known, self._at
        last_stamp = ""  # lines of others stood between, so the stamp is read anew
        for fields in lines:
            stamp, pid = fields[:2]
            if stamp != last_stamp:
                last_stamp = self._tick(stamp)
                at = self._at
                if not last_stamp:
                    self._reframed(fields, found, unread)
                    continue
            if not pid:
                self._incoming(reader, fields, found, unread)
                continue
            process = known.get(pid)
            alive = process is not None and 0 <= at - process.seen <= MAX_IDLE
            if not (process and alive and self._common(deliveries, process, fields, found, counting=counting)):
                self._sorted(self._feed(deliveries, fields), fields, found, unread)
        return unread

    def _reframed(self, fields: _Fields, found: list[Delivery], unread: list[tuple[str, str]]) -> None:
        """Read a line that has another frame after all."""
        whole = self._whole(fields)
        reason = self._frame_and_read(whole, found)
        if reason and not (fields[13] and self._only is Direction.OUTBOUND):
            unread.append((whole, reason))

    def _sorted(
        self, items: list[Found], fields: _Fields, found: list[Delivery], unread: list[tuple[str, str]]
    ) -> None:
        """Put what a line gave where it belongs."""
        for item in items:
            if isinstance(item, Unread):
                unread.append((self._whole(fields), item.reason))
            else:
                found.append(item)

    # --- the common lines -------------------------------------------------------------------------------------------
    def _incoming(
        self, reader: PostfixBothWays, fields: _Fields, found: list[Delivery], unread: list[tuple[str, str]]
    ) -> None:
        """Take a line of smtpd(8), or what qmgr(8) says when it begins with a mail."""
        *_, service, server, said, _begins, mail, sender = fields
        if server:
            self._sorted(reader.inbound.react(*self._server_line(service, server, said)), fields, found, unread)
            return
        if self._only is not Direction.INBOUND:
            reader.outbound.begins(self._time)
        if self._only is not Direction.OUTBOUND:
            found += reader.inbound.accepted(self._time, mail, domain_of(sender) if sender else NULL_SENDER)

    def _common(
        self, deliveries: PostfixDeliveries, process: Process, fields: _Fields, found: list[Delivery], *, counting: bool
    ) -> bool:
        """Take a line of smtp(8) if it is of the common kinds; tell whether it is."""
        queue_id = fields[3]
        if not queue_id:
            return self._met(deliveries, process, fields[2], found)
        tally = self._carried(deliveries, process, fields)
        if tally is None:
            return False
        if not counting:
            found.append(self._delivery(queue_id, tally))
        elif tally.number:
            tally.number += 1
            tally.last = self._at
        else:
            self._open += 1
            tally.number, tally.first, tally.last = 1, self._at, self._at
        return True

    def _met(self, deliveries: PostfixDeliveries, process: Process, line: str, found: list[Delivery]) -> bool:
        """Take a TLS summary line like one before; tell whether it is one."""
        meeting, logging = self._meetings.get(line), deliveries.logging.get(self._tag)
        if meeting is None or logging is None:
            return False
        peer, summary, relay = meeting
        process.seen = self._at
        process.session = Session(peer, summary, self._at)
        process.local_fault = False
        proxied = deliveries.proxied.get(peer[1:]) if deliveries.proxied else None
        doubtful = proxied is False or (proxied is None and summary.reused) or process.doubtful_birth
        if not doubtful:
            found += logging.proof(process.born, self._time, relay)
        return True

    def _carried(self, deliveries: PostfixDeliveries, process: Process, fields: _Fields) -> _Tally | None:
        """Return the tally of a mail that the process sent over the session that it holds; None in other cases."""
        _, _, _, queue_id, domain, name, request, tls, sent, reply, *_ = fields
        session = process.session
        if (
            session is None
            or session.summary is None
            or session.queue_id not in (None, queue_id)
            or session.request not in (None, request)
            or self._at - session.time > FIRST_SLACK
            or ">, " in reply
            or process.unclaimed
            or (process.failed and process.queue_id == queue_id)
            or deliveries.queue.holds(queue_id)
        ):
            return None
        key = (domain, name, sent, tls, session.summary)
        tally = self._tallies.get(key) or self._new_tally(*key)
        if tally is None or tally.peer != session.peer:
            return None
        process.seen = self._at
        if process.queue_id != queue_id:
            process.queue_id, process.trouble, process.failed = queue_id, None, []
        session.queue_id, session.request = queue_id, request
        if tally.stated is not None:
            deliveries.connections.opened(tally.stated, self._time, encrypted=True)
        return tally

    def _whole(self, fields: _Fields) -> str:
        """Put a line together again."""
        stamp, pid, line, *_, service, server, said, begins, _mail, _sender = fields
        if pid:
            return f"{stamp}{self.head.text}smtp[{pid}]: {line}"
        return f"{stamp}{self.head.text}" + (begins or f"{service and f'{service}/'}smtpd[{server}]: {said}")

    def _server_line(self, service: str, server: str, said: str) -> tuple[Record, ServerEvent]:
        """Return a line of smtpd(8) and what it tells."""
        instance = f"{self.head.instance}/{service}" if service else self.head.instance
        queue_id, begins, client = said.partition(": client=")
        event: ServerEvent | None
        if begins:
            event = self._clients.get(client)
            if isinstance(event, MailBegins):
                event = event._replace(queue_id=queue_id)
        else:
            event = self._server_events.get(said)
        if event is None:
            event = read_server_event(said)
            if isinstance(event, MailBegins):
                _bounded(self._clients)[client] = event
            elif isinstance(event, Connected | Disconnected | ClientHandshake):
                _bounded(self._server_events)[said] = event
        return Record(self._time, self.head.host, instance, "smtpd", int(server), said), event

    def _tick(self, stamp: str) -> str:
        """Read a new time stamp; return it, or nothing where it is none."""
        time = self._time_of(stamp)
        if time is None:
            return ""
        self._time = time
        at = microseconds(time)
        hour = at // MICROSECONDS_PER_HOUR
        if hour != self._hour or at < self._at:
            self._close_hour()
        self._at, self._hour = at, hour
        return stamp

    def _close_hour(self) -> None:
        """Count what came since the hour began, or since time went back: so the first came first and the last last."""
        for tally in self._tallies.values():
            if tally.number:
                group = Group(
                    self._hour, tally.domain, tally.relay, tally.tls, tally.result, self._source, Direction.OUTBOUND,
                    tally.level,
                )  # fmt: skip
                self.counts.count(group, tally.number, tally.first, tally.last)
                tally.number = 0
        self._open = 0

    def _new_tally(self, domain: str, name: str, sent: str, tls: str, summary: Summary) -> _Tally | None:
        """Return the tally of phrases that are known; None where one is new, or says something that is not common."""
        relay, end = self._relays.get(name), self._ends.get((sent, tls))
        if relay is None or end is None or domain not in self._domains:
            return None
        result, status = end
        evidence = Evidence.STATED if status else Evidence.CORRELATED
        said = encrypted(summary, evidence, status)
        tally = _Tally(self._domains[domain], relay, status, result, self._same.setdefault(said, said))
        if len(self._tallies) >= _PHRASES_LIMIT:
            self._close_hour()
            self._tallies.clear()
        self._tallies[domain, name, sent, tls, summary] = tally
        return tally

    def _delivery(self, queue_id: str, tally: _Tally) -> Delivery:
        return Delivery(
            self._time, self._source, queue_id, Direction.OUTBOUND, tally.domain, tally.relay, tally.tls, tally.result,
            tally.level,
        )  # fmt: skip

    # --- what is not common -----------------------------------------------------------------------------------------
    def _feed(self, deliveries: PostfixDeliveries, fields: _Fields) -> list[Found]:
        """Read a line like any other; remember what its phrases mean and which process wrote it."""
        _, pid, line, queue_id, domain, name, _, tls, sent, *_ = fields
        record = Record(self._time, self.head.host, self.head.instance, "smtp", int(pid), message_of(line))
        event = read_event(record)
        found = deliveries.react(record, event)
        if isinstance(event, Attempt) and queue_id:
            self._learn(event, domain, name, sent, tls)
        elif isinstance(event, Handshake):
            relay = relay_key(event.peer.host, event.peer.ip, event.peer.port)
            _bounded(self._meetings)[line] = _Meeting(event.peer, event.summary, relay)
        process = deliveries.processes.known.get((self.head.instance, "smtp", int(pid)))
        if process is not None:
            _bounded(self._known)[pid] = process
        return found

    def _learn(self, event: Attempt, domain: str, name: str, sent: str, tls: str) -> None:
        """Remember what the phrases of a status line mean."""
        _bounded(self._domains)[domain] = event.domain
        _bounded(self._relays)[name] = event.relay
        status = event.tls_status
        common = status is None or not (status.violated or status.refused or status.undecided)
        if common and (status is None or status.final not in (None, Level.NONE)) and event.reason is None:
            _bounded(self._ends)[sent, tls] = Result(event.outcome, event.dsn), status


def _bounded(memory: dict[_Key, _Value]) -> dict[_Key, _Value]:
    """Return the memory for a further entry; it starts anew when it is full."""
    if len(memory) >= _PHRASES_LIMIT:
        memory.clear()
    return memory
