"""
Events of one host's Postfix -> deliveries: the correlation.

A delivery line since 3.11 says in ``tls=`` how it went. Before that, and for cached connections still, the TLS summary
line of the same process tells; ``sessions`` ties the two. Where there is no summary the mail went in clear, if TLS
logging was on (``tls_logging``) and the log shows the attempt from its beginning. What stays open is unknown.
"""

from datetime import timedelta

from maillog.counts import microseconds
from maillog.damage import is_merged
from maillog.errors import CarryError
from maillog.model import (
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Found,
    JsonValue,
    Level,
    Mta,
    Outcome,
    Record,
    Result,
    Scope,
    Security,
    Source,
    Tls,
    Unread,
)
from maillog.postfix.causes import DANE, Causes
from maillog.postfix.connections import Connections, relay_key, remember
from maillog.postfix.events import (
    Attempt,
    ConfigurationRead,
    Event,
    Handshake,
    HostFailure,
    LinesLost,
    LocalFault,
    ProxyConnect,
    QueueLine,
    Trouble,
    VerifyFailure,
    queue_id_of,
    read_event,
)
from maillog.postfix.grammar import Phase, Summary, TlsStatus
from maillog.postfix.queue import Queue, Waiting
from maillog.postfix.queue_events import Activated, Expired
from maillog.postfix.sessions import Process, Processes, Session, Tie
from maillog.postfix.whole import Whole
from maillog.tls_logging import TlsLogging

LOGGING_LIMIT = 500

NO_SESSION = Tls(Security.NONE)
UNKNOWN = Tls(Security.UNKNOWN)
STATED_PLAINTEXT = Tls(Security.PLAINTEXT, evidence=Evidence.STATED)
SILENT_PLAINTEXT = Tls(Security.PLAINTEXT, evidence=Evidence.CORRELATED)
CACHED_PLAINTEXT = Tls(Security.PLAINTEXT, evidence=Evidence.INFERRED)
# Says the same, but only if TLS logging was on; told apart by identity.
SILENT_CACHED_PLAINTEXT = Tls(Security.PLAINTEXT, evidence=Evidence.INFERRED)
CACHED_ENCRYPTED = Tls(Security.ENCRYPTED, evidence=Evidence.INFERRED)

_OPPORTUNISTIC = frozenset({None, Level.NONE, Level.MAY})
_AUTHENTICATION = {
    Level.DANE: Authentication.DANE,
    Level.DANE_ONLY: Authentication.DANE,
    Level.HALFDANE: Authentication.TRUSTED,
    Level.VERIFY: Authentication.VERIFIED,
    Level.SECURE: Authentication.VERIFIED,
    Level.FINGERPRINT: Authentication.VERIFIED,
}


class PostfixDeliveries:
    """The state of one reporting host; see :class:`maillog.model.DeliveryReader`."""

    def __init__(self, host: str | None) -> None:
        self._host = host
        self.processes = Processes()
        self.queue = Queue()
        self.logging: dict[tuple[str | None, str], TlsLogging] = {}
        self.proxied: dict[tuple[str, int | None], bool] = {}
        self._causes = Causes()
        self.connections = Connections()
        self.whole = Whole()

    def feed(self, record: Record) -> list[Found]:
        """Take the next record; return what is now known."""
        return self.react(record, read_event(record))

    def react(self, record: Record, event: Event | Unread) -> list[Found]:
        """Take the next record and what it tells; return what is now known."""
        self.whole.begins(record.time)
        if isinstance(event, Unread):
            return [*self._unread(record), event]
        match record.program:
            case "smtp" | "lmtp":
                return self._client(record, event)
            case "tlsproxy":
                self._tlsproxy(event)
            case "qmgr":
                return self._qmgr(record, event)
            case "local" | "virtual" | "pipe":
                return self._local(record, event)
            case _:
                return self._system(record, event)
        return []

    def held(self) -> list[Delivery]:
        """Return the deliveries that wait for a proof of TLS logging, judged as if the log ended here."""
        return [delivery for logging in self.logging.values() for delivery in logging.held()]

    # --- smtp(8) and lmtp(8) ----------------------------------------------------------------------------------------
    def _unread(self, record: Record) -> list[Delivery]:
        """Keep an unreadable line from making the lines after it look silent, or their session another's."""
        if is_merged(record.text):
            return self.missed()
        if record.program not in ("smtp", "lmtp"):
            return []
        process = self._process(record)
        queue_id = queue_id_of(record.text)
        if queue_id:
            process.serves(queue_id)
        else:
            process.session = Session(None, None, microseconds(record.time))
        return []

    def _process(self, record: Record, setup: float = 0) -> Process:
        return self.processes.get((record.instance, record.program, record.pid), microseconds(record.time), setup)

    def _client(self, record: Record, event: Event) -> list[Found]:
        process = self._process(record, event.setup if isinstance(event, Attempt) else 0)
        match event:
            case Handshake():
                self.whole.hears(record.time)
                return list(self._handshake(record, process, event))
            case Attempt():
                self.whole.hears(record.time)
                process.serves(event.queue_id)
                return list(self._attempt(record, process, event))
            case Trouble():
                process.serves(event.queue_id)
                self._trouble(process, event)
            case QueueLine():
                process.serves(event.queue_id)
            case VerifyFailure(peer, cause):
                self._causes.refused(peer, cause)
            case HostFailure(ip):
                process.session = None
                process.fails(ip)
            case LocalFault():
                process.local_fault = True
        return []

    def _handshake(self, record: Record, process: Process, event: Handshake) -> list[Delivery]:
        process.session = Session(event.peer, event.summary, microseconds(record.time))
        process.local_fault = False
        peer = event.peer
        # With smtp_tls_connection_reuse the line stands at any loglevel (smtp_proto.c:smtp_start_tls); only the copy of
        # tlsproxy(8) shows that logging is on.
        proxied = self.proxied.get((peer.ip, peer.port))
        if proxied is False or (proxied is None and event.summary.reused) or process.doubtful_birth:
            return []
        relay = relay_key(peer.host, peer.ip, peer.port)
        logging = self.tls_logging((record.instance, record.program))
        return logging.proof(process.born, record.time, relay) if logging else []

    @staticmethod
    def _trouble(process: Process, event: Trouble) -> None:
        if event.ip or event.reason.cause is not Cause.TLS_HANDSHAKE or not process.failed:
            process.fails(event.ip)  # of a failed handshake the line before has named the host
        if event.reason.ends_session:
            process.session = None
        if event.reason.cause is not Cause.UNRELATED:
            process.trouble = event.reason.cause

    def _attempt(self, record: Record, process: Process, event: Attempt) -> list[Delivery]:
        tie = process.tie(event, microseconds(record.time))
        if tie is Tie.HELD and process.session and process.session.peer:
            event = event._replace(relay=event.relay._replace(port=process.session.peer.port))
        tls = self._tls(record, process, event, tie)
        earlier = None if event.outcome is Outcome.BOUNCED else process.failed_beside(event.relay.ip)
        result = Result(event.outcome, event.dsn, self._causes.of(process, event), earlier)
        level = event.tls_status.level if event.tls_status else None
        reused = process.reuses(event, tie, microseconds(record.time))
        delivery = self._delivery(record, event, tls, result, level)._replace(reused=reused)
        self._note_queue(event, delivery)
        if event.reason and event.reason.ends_session:
            process.session = None
        if tls is SILENT_PLAINTEXT or tls is SILENT_CACHED_PLAINTEXT:
            logging = self.tls_logging((record.instance, record.program))
            if logging is None or process.doubtful_birth:
                return [delivery._replace(tls=UNKNOWN)]
            return logging.silent(delivery, process.born, relay_key(*event.relay[:3]))
        return [delivery]

    def _delivery(
        self, record: Record, event: Attempt, tls: Tls, result: Result, level: Level | None = None
    ) -> Delivery:
        source = Source(Mta.POSTFIX, self._host, record.instance)
        return Delivery(
            record.time, source, event.queue_id, Direction.OUTBOUND, event.domain, event.relay, tls, result, level
        )

    def _tls(self, record: Record, process: Process, event: Attempt, tie: Tie) -> Tls:
        """Say what the attempt's mail transaction ran over."""
        phase = event.reason.phase if event.reason else Phase.MAIL
        if event.relay.ip is None or phase is Phase.BEFORE_MAIL:
            return NO_SESSION
        status = event.tls_status
        summary = process.session.summary if process.session and tie is Tie.HELD else None
        if status is not None and not status.undecided:
            return self._stated_tls(record, event, status, summary)
        if summary:
            return encrypted(summary, Evidence.CORRELATED, status)
        if tie is Tie.DOUBTFUL or phase is Phase.NOT_TOLD:
            return UNKNOWN
        if status is not None:
            return self._undecided_tls(record, event, status)
        return self._silent_tls(record, event)

    def _stated_tls(self, record: Record, event: Attempt, status: TlsStatus, summary: Summary | None) -> Tls:
        if status.violated or status.refused:
            return NO_SESSION
        if status.final is None:
            return UNKNOWN
        if event.connection_use == 1:
            relay = relay_key(*event.relay[:3])
            self.connections.opened(relay, record.time, encrypted=status.final is not Level.NONE)
        if status.final is Level.NONE:
            return STATED_PLAINTEXT
        if summary:
            return encrypted(summary, Evidence.STATED, status)
        return Tls(Security.ENCRYPTED, _AUTHENTICATION.get(status.final), Evidence.STATED)

    def _undecided_tls(self, record: Record, event: Attempt, status: TlsStatus) -> Tls:
        """
        Read ``may?`` and the like without a summary.

        Postfix writes ``?`` for every connection from the cache (``smtp/smtp_connect.c``). A cached TLS connection is
        always announced by "TLS connection reused", so what is not announced is clear; a mandatory level cannot be.
        """
        if event.connection_use == 1:
            return UNKNOWN
        if status.level not in _OPPORTUNISTIC:
            return CACHED_ENCRYPTED
        clear = self.connections.may_be_clear(relay_key(*event.relay[:3]), record.time)
        return CACHED_PLAINTEXT if clear and self._visible(record, event) else UNKNOWN

    def _silent_tls(self, record: Record, event: Attempt) -> Tls:
        """Read a line with neither ``tls=`` nor a summary: in clear, if TLS logging was on."""
        if not self._visible(record, event):
            return UNKNOWN
        if event.connection_use == 1:
            return SILENT_PLAINTEXT
        seen_clear = self.connections.seen_clear(relay_key(*event.relay[:3]), record.time)
        return CACHED_PLAINTEXT if seen_clear else SILENT_CACHED_PLAINTEXT

    def _visible(self, record: Record, event: Attempt) -> bool:
        """Tell whether the log holds the whole attempt, so that a TLS line could not have been before its beginning."""
        if self.whole.lacks(event.queue_id, record.time, event.under_way):
            self.processes.forget()
            return False
        return self.whole.holds(record.instance, record.time - timedelta(seconds=event.setup))

    def _note_queue(self, event: Attempt, delivery: Delivery) -> None:
        if event.outcome is Outcome.DEFERRED:
            waiting = Waiting(delivery.time, event.domain, event.relay, delivery.result.cause)
            self.queue.defer(event.queue_id, event.recipient, waiting)
        else:
            self.queue.done(event.queue_id, event.recipient)

    # --- the other programs -----------------------------------------------------------------------------------------
    def _tlsproxy(self, event: Event) -> None:
        match event:
            case ProxyConnect(peer):
                remember(self.proxied, (peer.ip, peer.port), value=False)
            case Handshake(peer):
                remember(self.proxied, (peer.ip, peer.port), value=True)
            case VerifyFailure(peer, cause):
                self._causes.refused(peer, cause)

    def _qmgr(self, record: Record, event: Event) -> list[Found]:
        if isinstance(event, Activated):
            self.whole.takes_up(event.queue_id, microseconds(record.time))
        if not isinstance(event, Expired):
            return []
        source = Source(Mta.POSTFIX, self._host, record.instance)
        return [
            Delivery(
                record.time, source, event.queue_id, Direction.OUTBOUND, waiting.domain, waiting.relay, NO_SESSION,
                Result(Outcome.EXPIRED, None, waiting.cause),
            )
            for waiting in self.queue.expire(event.queue_id)
        ]  # fmt: skip

    def _local(self, record: Record, event: Event) -> list[Found]:
        if not isinstance(event, Attempt):
            return []
        relay = event.relay._replace(scope=Scope.LOCAL)
        cause = event.reason and Cause.UNRELATED
        result = Result(event.outcome, event.dsn, cause)
        return [self._delivery(record, event._replace(relay=relay), NO_SESSION, result)]

    def _system(self, record: Record, event: Event) -> list[Found]:
        match event:
            case ConfigurationRead(started):
                if started:
                    self.processes.forget(record.instance)
                    self.whole.starts(record.instance, record.time)
                return [*self._settings_read()]
            case LinesLost(lasting):
                self.processes.forget()
                self.whole.loses(record.time, lasting=lasting)
        return []

    def _settings_read(self) -> list[Delivery]:
        """Begin a new period: settings may be others from here."""
        births = self.processes.births
        return [delivery for logging in self.logging.values() for delivery in logging.boundary(births)]

    def missed(self) -> list[Delivery]:
        """Note that lines are missing here, also such as tell of new settings."""
        self.processes.forget()
        self.whole.misses()
        return self._settings_read()

    def tls_logging(self, tag: tuple[str | None, str]) -> TlsLogging | None:
        """Return what is known of a tag; None where the log has more tags than any host could have."""
        logging = self.logging.get(tag)
        if logging is None and len(self.logging) < LOGGING_LIMIT:
            logging = self.logging[tag] = TlsLogging()
        return logging

    # --- over a cut -------------------------------------------------------------------------------------------------
    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "processes": self.processes.carry(),
            "queue": self.queue.carry(),
            "logging": [[*tag, logging.carry()] for tag, logging in self.logging.items()],
            "proxied": [[*key, value] for key, value in self.proxied.items()],
            "refused": self._causes.carry(),
            "connections": self.connections.carry(),
        } | self.whole.carry()

    def restore(self, carry: JsonValue) -> None:
        """Put back what :meth:`carry` gave. Raises CarryError where it does not fit."""
        try:
            self._restore(carry)
        except (KeyError, TypeError, ValueError) as error:
            raise CarryError("A saved state of a Postfix log cannot be read by this version.") from error

    def _restore(self, state: JsonValue) -> None:
        self.processes.restore(state["processes"])
        self.queue.restore(state["queue"])
        for instance, program, logging in state["logging"]:
            self.logging[instance, program] = TlsLogging()
            self.logging[instance, program].restore(logging)
        self.proxied = {(ip, port): value for ip, port, value in state["proxied"]}
        self._causes.restore(state["refused"])
        self.connections.restore(state["connections"])
        self.whole.restore(state)


def encrypted(summary: Summary, evidence: Evidence, status: TlsStatus | None) -> Tls:
    """Return what a session with this summary is."""
    trust = summary.trust
    if status and status.final in DANE and trust is Authentication.VERIFIED:
        trust = Authentication.DANE
    return Tls(Security.ENCRYPTED, trust, evidence, summary.protocol, summary.cipher)
