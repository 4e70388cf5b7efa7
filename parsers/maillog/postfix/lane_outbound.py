"""
The lane's outbound side: smtp(8).

It handles by itself a TLS summary like one before, and ``status=sent`` of a mail that such a session carried. All other
lines go through the readers of events and deliveries, from which the lane learns what their phrases mean.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from maillog.framing import message_of
from maillog.model import Delivery, Direction, Evidence, Found, Level, Mta, Record, Relay, Result, Source, Tls
from maillog.phrases import domain_of
from maillog.postfix.connections import relay_key
from maillog.postfix.deliveries import PostfixDeliveries, encrypted
from maillog.postfix.events import Attempt, Handshake, Peer, read_event
from maillog.postfix.grammar import Summary, TlsStatus
from maillog.postfix.lane_lines import OUTBOUND, Head
from maillog.postfix.sessions import FIRST_SLACK, LATER_SLACK, MAX_IDLE, Process, Session, Told
from maillog.postfix.whole import SECOND
from maillog.tallies import Tallies, Tally, bounded

_ANY_TIME = datetime.min.replace(tzinfo=UTC)


class _Meeting(NamedTuple):
    """What a TLS summary line says."""

    peer: Peer
    summary: Summary
    relay: str
    """Key of the relay, see ``deliveries.relay_key``."""


class _Sent(Tally):
    """Mails that were sent over sessions that are alike."""

    __slots__ = ("peer", "stated")

    def __init__(self, alike: Delivery, *, stated: bool) -> None:
        super().__init__(alike)
        self.peer = alike.relay[:3]
        self.stated = relay_key(*self.peer) if stated else None
        """Key of the relay if the lines state their TLS."""


_Alike: TypeAlias = tuple[str, str, str, str, Summary, bool]


class OutboundLane:
    """The lines of one head that tell of mail that goes out."""

    def __init__(self, head: Head, tallies: Tallies) -> None:
        self._head = head
        self._source = Source(Mta.POSTFIX, head.host, head.instance)
        self._tag = (head.instance, "smtp")
        self._meetings: dict[str, _Meeting] = {}
        self._domains: dict[str, str | None] = {}
        self._relays: dict[str, Relay] = {}
        self._ends: dict[tuple[str, str], tuple[Result, TlsStatus | None]] = {}
        self._known: dict[str, Process] = {}
        self._same: dict[Tls, Tls] = {}
        self._sent: dict[_Alike, _Sent] = {}
        self._tallies = tallies

    def line(
        self, deliveries: PostfixDeliveries, time: datetime, at: int, fields: Sequence[str], *, counting: bool
    ) -> Sequence[Found]:
        """Take a line of smtp(8); return what is now known. With ``counting`` the common case is counted instead."""
        said = fields[OUTBOUND]
        pid, line, queue_id, *_ = said
        process = self._known.get(pid)
        if process is None or not 0 <= at - process.seen <= MAX_IDLE:
            return self._feed(deliveries, time, said)
        if not queue_id:
            decided = self._met(deliveries, process, time, at, line)
            return self._feed(deliveries, time, said) if decided is None else decided
        tally = self._carried(deliveries, process, time, at, said)
        if tally is None:
            return self._feed(deliveries, time, said)
        if counting:
            self._tallies.add(tally, at)
            return ()
        return [tally.alike._replace(time=time, queue_id=queue_id)]

    def _met(
        self, deliveries: PostfixDeliveries, process: Process, time: datetime, at: int, line: str
    ) -> Sequence[Delivery] | None:
        """Take a TLS summary line like one before; return what is now known, None where it is no such line."""
        meeting, logging = self._meetings.get(line), deliveries.logging.get(self._tag)
        if meeting is None or logging is None:
            return None
        if at // SECOND != deliveries.whole.second:
            deliveries.whole.hears(time)
        peer, summary, relay = meeting
        process.seen = at
        process.session = Session(peer, summary, at)
        process.local_fault = False
        proxied = deliveries.proxied.get(peer[1:]) if deliveries.proxied else None
        if proxied is False or (proxied is None and summary.reused) or process.doubtful_birth:
            return ()
        return logging.proof(process.born, time, relay)

    def _carried(
        self, deliveries: PostfixDeliveries, process: Process, time: datetime, at: int, said: Sequence[str]
    ) -> _Sent | None:
        """Return the tally of a mail that the process sent over the session that it holds; None in other cases."""
        _, _, queue_id, domain, name, times, tls, sent, reply = said
        session = process.session
        if (
            session is None
            or session.summary is None
            or session.queue_id not in (None, queue_id)
            or session.request is not None
            or session.times not in (None, times)
            or session.answer not in (None, reply[1:])
            or session.summary.reused
            or reply[-1:] != ")"
            or not -LATER_SLACK <= at - session.time <= FIRST_SLACK
            or ">, " in reply
            or process.unclaimed
            or (process.failed and process.queue_id == queue_id)
            or deliveries.queue.holds(queue_id)
        ):
            return None
        told = Told(queue_id, session.peer and session.peer.ip, over_tls=True, times=times, at=at)
        alike = (domain, name, sent, tls, session.summary, process.goes_on(told))
        tally = self._sent.get(alike) or self._new_tally(alike)
        if tally is None or tally.peer != session.peer:
            return None
        if at // SECOND != deliveries.whole.second:
            deliveries.whole.hears(time)
        process.seen = at
        if process.queue_id != queue_id:
            process.queue_id, process.trouble, process.failed = queue_id, None, []
        session.queue_id, session.times, session.answer = queue_id, times, reply[1:]
        process.told = told
        if tally.stated is not None:
            deliveries.connections.opened(tally.stated, time, encrypted=True)
        return tally

    def _new_tally(self, alike: _Alike) -> _Sent | None:
        """Return the tally of phrases that are known; None where one is new, or says something that is not common."""
        domain, name, sent, tls, summary, reused = alike
        relay, end = self._relays.get(name), self._ends.get((sent, tls))
        if relay is None or end is None:
            return None
        if domain not in self._domains:
            bounded(self._domains)[domain] = domain_of(f"@{domain}")
        result, status = end
        said = encrypted(summary, Evidence.STATED if status else Evidence.CORRELATED, status)
        like = Delivery(
            _ANY_TIME, self._source, "", Direction.OUTBOUND, self._domains[domain], relay,
            self._same.setdefault(said, said), result, status and status.level, reused=reused,
        )  # fmt: skip
        tally = bounded(self._sent)[alike] = _Sent(like, stated=status is not None)
        return tally

    # --- what is not common -----------------------------------------------------------------------------------------
    def _feed(self, deliveries: PostfixDeliveries, time: datetime, said: Sequence[str]) -> list[Found]:
        """Read a line like any other; remember what its phrases mean and which process wrote it."""
        pid, line, queue_id, _, name, _, tls, sent, _ = said
        record = Record(time, self._head.host, self._head.instance, "smtp", int(pid), message_of(line))
        event = read_event(record)
        found = deliveries.react(record, event)
        if isinstance(event, Attempt) and queue_id:
            self._learn(event, name, sent, tls)
        elif isinstance(event, Handshake):
            relay = relay_key(event.peer.host, event.peer.ip, event.peer.port)
            bounded(self._meetings)[line] = _Meeting(event.peer, event.summary, relay)
        process = deliveries.processes.known.get((self._head.instance, "smtp", int(pid)))
        if process is not None:
            bounded(self._known)[pid] = process
        return found

    def _learn(self, event: Attempt, name: str, sent: str, tls: str) -> None:
        """Remember what the phrases of a status line mean."""
        bounded(self._relays)[name] = event.relay
        status = event.tls_status
        common = status is None or not (status.violated or status.refused or status.undecided)
        if common and (status is None or status.final not in (None, Level.NONE)) and event.reason is None:
            bounded(self._ends)[sent, tls] = Result(event.outcome, event.dsn), status
