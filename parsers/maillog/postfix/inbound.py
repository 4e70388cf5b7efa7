"""
Sessions of one host's smtpd(8) -> the mail that came in, and over what.

Theory of operation
-------------------
An smtpd(8) process holds one session at a time and belongs to one service. TLS is decided before MAIL FROM, so the line
"TLS connection established from" within a session tells of all mail that begins after it.

Without such a line (smtpd_tls_loglevel is 0 by default) the end of the session tells: since 3.0 smtpd(8) counts the
commands there. ``starttls=1`` is a session with TLS. No ``starttls=`` is clear text, unless the service is in wrapper
mode (port 465), which needs no command; so it is believed where this very process did STARTTLS in another session, or
where TLS logging was on (``tls_logging``). What stays open is unknown.

A mail has come in when qmgr(8) takes it from the queue, which also names its sender; until then it waits. What was
refused for TLS has no sender in the log. A client on loopback is this machine itself (a content filter that gives its
mail back, a program): that is no mail that came in. postscreen(8) and the tlsproxy(8) behind it never take mail.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from maillog.model import (
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Found,
    JsonValue,
    Mta,
    Outcome,
    Record,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
    Unread,
)
from maillog.postfix.grammar import Summary
from maillog.postfix.servers import Server, Servers, ServerSession
from maillog.postfix.smtpd_events import (
    Client,
    ClientHandshake,
    Connected,
    Disconnected,
    HandshakeFailed,
    MailBegins,
    Rejected,
    ServerEvent,
    read_sender,
    read_server_event,
)
from maillog.scope import IpNetwork, in_networks, scope_of
from maillog.tls_logging import TlsLogging

MAILS_LIMIT = 20_000
# qmgr(8) may be behind; a mail that was not accepted never comes to it.
ACCEPTED_WITHIN = timedelta(hours=6)
SERVICES_LIMIT = 500
# Stock master.cf: -o syslog_name=postfix/submission and the like.
_SUBMISSION = frozenset({"submission", "submissions", "smtps"})
_NO_QUEUE = "NOQUEUE"

UNKNOWN = Tls(Security.UNKNOWN)
NO_SESSION = Tls(Security.NONE)
COUNTED_ENCRYPTED = Tls(Security.ENCRYPTED, evidence=Evidence.INFERRED)
PLAINTEXT = Tls(Security.PLAINTEXT, evidence=Evidence.CORRELATED)
_ACCEPTED = Result(Outcome.SENT)
_HANDSHAKE_FAILED = Result(Outcome.DEFERRED, None, Cause.TLS_HANDSHAKE)
_REFUSED = Result(Outcome.BOUNCED, None, Cause.TLS_NOT_OFFERED)


@dataclass(slots=True)
class Mail:
    """A mail that is on its way in."""

    time: datetime
    instance: str | None
    client: Client
    scope: Scope | None
    born: int
    """Of the process, see :mod:`maillog.tls_logging`."""
    tls: Tls | None = None
    """None until it is known what it came over."""
    silent: bool = False
    """It came in clear only if TLS logging was on."""
    accepted: bool = False
    sender_domain: str | None = None
    reused: bool = False
    """It was not the first one in its session."""


@dataclass(slots=True)
class Service:
    """What is known of the smtpd(8) of one tag."""

    logging: TlsLogging = field(default_factory=TlsLogging)
    took_encrypted: bool = False
    took_clear: bool = False
    """Since its settings were read, so it demands no TLS."""


class Inbound:
    """The inbound side of one reporting host. ``internet``: networks that count as internet wherever they are."""

    def __init__(self, host: str | None, internet: tuple[IpNetwork, ...] = ()) -> None:
        self._host = host
        self._internet = internet
        self.servers = Servers()
        self.mails: dict[str, Mail] = {}
        self._services: dict[str | None, Service] = {}
        self._lossy_until: datetime | None = None

    # --- lines -------------------------------------------------------------------------------------------------------
    def feed(self, record: Record) -> list[Found]:
        """Take a line of smtpd(8)."""
        return self.react(record, read_server_event(record.text))

    def react(self, record: Record, event: ServerEvent) -> list[Found]:
        """Take a line of smtpd(8) and what it tells."""
        server, gone = self.server(record.instance, record.pid, record.time)
        found: list[Found] = list(gone)
        match event:
            case MailBegins():
                self.mail_begins(server, record.time, event.queue_id, event)
            case _:
                found += self.session_line(server, record.time, event)
        return found

    def server(self, instance: str | None, pid: int | None, time: datetime) -> tuple[Server, list[Delivery]]:
        """Return the process that writes now, and what ends with those that are gone."""
        server, gone = self.servers.get((instance, pid), time)
        return server, [delivery for one in gone for delivery in self._end(one)]

    def session_line(self, server: Server, time: datetime, event: ServerEvent) -> Sequence[Found]:
        """Take what a process tells of its session, other than that a mail begins."""
        match event:
            case Disconnected():
                return self._end(server, event)
            case Connected():
                found = self._end(server) if server.session else ()
                lossy = self._lossy_until is not None and time < self._lossy_until
                server.session = ServerSession(event.client, complete=not lossy)
                return found
            case ClientHandshake():
                return self._handshake(server, time, event.client, event.summary)
            case HandshakeFailed():
                session, found = self._session_of(server, event.client)
                session.failed = True
                return found
            case Rejected() if server.session:
                server.session.rejected = True
            case Unread():
                if server.session:
                    server.session.complete = False
                return [event]
        return ()

    def mail_begins(self, server: Server, time: datetime, queue_id: str, event: MailBegins) -> None:
        """Take the beginning of a mail, whatever queue id the event names."""
        client = event.client
        session = server.session
        if session is None:
            session = server.session = ServerSession(client, complete=False)
        elif session.client.ip != client.ip:
            session.handed_on = True
        instance = server.key[0]
        scope = _scope(client.ip, instance, self._internet, logged_in=event.logged_in)
        if scope is Scope.LOOPBACK:
            return
        tls = None
        if session.handed_on:
            tls = UNKNOWN
        elif session.summary:
            tls = _encrypted(session.summary)
        else:
            session.mails.append(queue_id)
        self.mails.pop(queue_id, None)
        self.mails[queue_id] = Mail(time, instance, client, scope, server.born, tls, reused=session.used)
        session.used = True
        if len(self.mails) > MAILS_LIMIT:
            del self.mails[next(iter(self.mails))]

    def sender(self, record: Record) -> list[Delivery]:
        """Take a line of qmgr(8)."""
        said = read_sender(record.text) if self.mails else None
        return self.accepted(record.time, *said) if said else []

    def accepted(self, time: datetime, queue_id: str, domain: str | None) -> list[Delivery]:
        """Note that a mail is in the queue, and the domain of its sender."""
        mail = self.mails.get(queue_id)
        if mail is None or mail.accepted:
            return []
        if time - mail.time > ACCEPTED_WITHIN:  # another mail under the same id
            del self.mails[queue_id]
            return []
        mail.accepted, mail.sender_domain = True, domain
        return self._decided(queue_id, mail)

    def settings_read(self) -> list[Delivery]:
        """Begin a new period, after a reload or start: settings may be others from here."""
        found = []
        for service in self._services.values():
            found += service.logging.boundary(self.servers.births)
            service.took_encrypted = service.took_clear = False
        return found

    def lines_lost(self, until: datetime | None) -> list[Delivery]:
        """Forget who holds which session: lines were lost, and may be until a time (None: no more)."""
        self._lossy_until = until
        return [delivery for server in self.servers.forget() for delivery in self._end(server)]

    def held(self) -> list[Delivery]:
        """Return what waits, judged as if the log ended here. Does not change the state."""
        waiting = (
            self.delivery(queue_id, mail, UNKNOWN if mail.tls is None else mail.tls)
            for queue_id, mail in self.mails.items()
            if mail.accepted
        )
        silent = (delivery for service in self._services.values() for delivery in service.logging.held())
        return [*waiting, *silent]

    # --- sessions ----------------------------------------------------------------------------------------------------
    def _session_of(self, server: Server, client: Client) -> tuple[ServerSession, Sequence[Delivery]]:
        """Return the session with a client, new where its beginning was not seen, and what ends with the one before."""
        session = server.session
        if session is not None and session.client.ip == client.ip:
            return session, ()
        found = self._end(server)
        session = server.session = ServerSession(client, complete=False)
        return session, found

    def _handshake(self, server: Server, time: datetime, client: Client, summary: Summary) -> Sequence[Delivery]:
        session, ended = self._session_of(server, client)
        found = [*ended, *self._came(session.mails, PLAINTEXT)]  # a session can do STARTTLS once: they were before it
        session.summary, session.mails = summary, []
        service = None if server.doubtful_birth else self._service(server.key[0])
        if service:
            found += service.logging.proof(server.born, time, client.ip)
        return found

    def _end(self, server: Server, said: Disconnected | None = None) -> Sequence[Delivery]:
        """End the session of a process, if there is one; ``said``: how it ended, None where the log does not tell."""
        session, server.session = server.session, None
        if said and said.starttls.accepted:
            server.starttls = True
        if session is None:
            return ()
        came = self._came(session.mails, *_judged(server, session, said)) if session.mails else ()
        failure = self._failure(server, session, said)
        return [*came, *failure] if came else failure

    def _failure(self, server: Server, session: ServerSession, said: Disconnected | None) -> Sequence[Delivery]:
        """Return what the session failed for, if it was TLS; remember whether the service demands it."""
        service = self._service(server.key[0])
        result = _HANDSHAKE_FAILED if session.failed else None
        if service and said and said.counted:
            encrypted = session.summary is not None or said.starttls.accepted > 0
            refused = said.only_greeted and said.mail.given and not encrypted and not session.rejected
            # smtpd(8) does not log its answer 530, "Must issue a STARTTLS command first" (smtpd.c:smtpd_proto).
            if refused and service.took_encrypted and not service.took_clear:
                result = result or _REFUSED
            service.took_encrypted |= bool(encrypted and said.mail.accepted)
            service.took_clear |= bool(not encrypted and said.mail.accepted)
        if result is None:
            return ()
        scope = _scope(session.client.ip, server.key[0], self._internet)
        if scope is Scope.LOOPBACK:
            return ()
        mail = Mail(server.seen, server.key[0], session.client, scope, server.born)
        return [self.delivery(_NO_QUEUE, mail, NO_SESSION, result)]

    # --- mail --------------------------------------------------------------------------------------------------------
    def _came(self, queue_ids: Iterable[str], tls: Tls, silent: bool = False) -> list[Delivery]:
        """Note what some mail came over; return what is now known of it."""
        found: list[Delivery] = []
        for queue_id in queue_ids:
            mail = self.mails.get(queue_id)
            if mail is not None and mail.tls is None:
                mail.tls, mail.silent = tls, silent
                found += self._decided(queue_id, mail)
        return found

    def _decided(self, queue_id: str, mail: Mail) -> list[Delivery]:
        """Give out a mail of which all is known."""
        if not mail.accepted or mail.tls is None:
            return []
        del self.mails[queue_id]
        if not mail.silent:
            return [self.delivery(queue_id, mail, mail.tls)]
        service = self._service(mail.instance)
        if service is None:
            return [self.delivery(queue_id, mail, UNKNOWN)]
        return service.logging.silent(self.delivery(queue_id, mail, mail.tls), mail.born, mail.client.ip)

    def delivery(self, queue_id: str, mail: Mail, tls: Tls, result: Result = _ACCEPTED) -> Delivery:
        """Return a mail as the delivery that it is."""
        return Delivery(
            mail.time,
            _source(self._host, mail.instance),
            queue_id,
            Direction.INBOUND,
            None,
            _relay(mail.client, mail.scope),
            tls,
            result,
            sender_domain=mail.sender_domain,
            reused=mail.reused,
        )

    def _service(self, instance: str | None) -> Service | None:
        """Return what is known of a tag; None where the log has more tags than any host could have."""
        service = self._services.get(instance)
        if service is None and len(self._services) < SERVICES_LIMIT:
            service = self._services[instance] = Service()
        return service

    # --- over a cut --------------------------------------------------------------------------------------------------
    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "servers": self.servers.carry(),
            "mails": [[queue_id, *_mail_to_json(mail)] for queue_id, mail in self.mails.items()],
            "services": [
                [instance, service.logging.carry(), service.took_encrypted, service.took_clear]
                for instance, service in self._services.items()
            ],
            "lossy_until": self._lossy_until and self._lossy_until.isoformat(),
        }

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self.servers.restore(state["servers"])
        self.mails = {queue_id: _mail_from_json(*mail) for queue_id, *mail in state["mails"]}
        for instance, logging, *took in state["services"]:
            service = self._services[instance] = Service(TlsLogging(), *took)
            service.logging.restore(logging)
        until = state["lossy_until"]
        self._lossy_until = until and datetime.fromisoformat(until)


# One object for all that say the same.
@lru_cache(maxsize=4_096)
def _encrypted(summary: Summary) -> Tls:
    return Tls(Security.ENCRYPTED, summary.trust, Evidence.CORRELATED, summary.protocol, summary.cipher)


@lru_cache(maxsize=4_096)
def _source(host: str | None, instance: str | None) -> Source:
    return Source(Mta.POSTFIX, host, instance)


@lru_cache(maxsize=65_536)
def _relay(client: Client, scope: Scope | None) -> Relay:
    return Relay(*client, None, scope)


@lru_cache(maxsize=65_536)
def _scope(ip: str, instance: str | None, internet: tuple[IpNetwork, ...], *, logged_in: bool = False) -> Scope | None:
    scope = scope_of(ip)
    if scope in (Scope.LOOPBACK, Scope.PRIVATE) and in_networks(ip, internet):
        scope = Scope.INTERNET
    if scope is Scope.LOOPBACK:
        return scope
    own = logged_in or (instance or "").rpartition("/")[2] in _SUBMISSION
    return Scope.SUBMISSION if own else scope


def _judged(server: Server, session: ServerSession, said: Disconnected | None) -> tuple[Tls, bool]:
    """Say what the mail of a session without a TLS line came over, and whether that holds only if logging was on."""
    if said is None or session.handed_on:
        return UNKNOWN, False
    if said.starttls.accepted:
        return COUNTED_ENCRYPTED, False
    if said.counted and server.starttls:
        return PLAINTEXT, False
    if session.complete and not server.doubtful_birth:
        return PLAINTEXT, True
    return UNKNOWN, False


def _mail_to_json(mail: Mail) -> JsonValue:
    where = [mail.time.isoformat(), mail.instance, mail.client, mail.scope, mail.born]
    return [where, mail.tls, mail.silent, mail.accepted, mail.sender_domain, mail.reused]


def _mail_from_json(where: JsonValue, tls: JsonValue, *rest: JsonValue) -> Mail:
    time, instance, client, scope, born = where
    scope = scope and Scope(scope)
    return Mail(datetime.fromisoformat(time), instance, Client(*client), scope, born, tls and _tls(*tls), *rest)


def _tls(security: str, authentication: JsonValue, evidence: str, *words: JsonValue) -> Tls:
    return Tls(Security(security), authentication and Authentication(authentication), Evidence(evidence), *words)
