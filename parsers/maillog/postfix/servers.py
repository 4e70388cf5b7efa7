"""
Which smtpd(8) process holds which session.

An smtpd(8) process serves one client at a time, up to ``max_use`` (100) of them; after ``max_idle`` (100 s) without a
client it leaves, and its number may return.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from maillog.model import Authentication, JsonValue
from maillog.postfix.grammar import Summary
from maillog.postfix.sessions import MAX_IDLE, PROCESS_IDLE, PROCESS_LIMIT
from maillog.postfix.smtpd_events import Client

_AT_ONCE = timedelta()
_MAX_IDLE = timedelta(microseconds=MAX_IDLE)
_PROCESS_IDLE = timedelta(microseconds=PROCESS_IDLE)
SESSION_LONGEST = timedelta(hours=6)
"""A big mail over a slow line: nothing is logged while it comes."""

Key = tuple[str | None, int | None]


@dataclass(slots=True)
class ServerSession:
    """A session with a client."""

    client: Client
    complete: bool
    """Its beginning was seen, and no line of it can be missing."""
    summary: Summary | None = None
    handed_on: bool = False
    """Mail came under another address than the connection (XCLIENT): what it came over before is not told."""
    failed: bool = False
    """The TLS handshake failed."""
    rejected: bool = False
    """A sender was rejected for a reason that the log gives."""
    mails: list[str] = field(default_factory=list)
    """Queue ids of which it is not known yet what they came over."""
    used: bool = False
    """A mail has begun in it."""


@dataclass(slots=True)
class Server:
    """An smtpd(8) process."""

    key: Key
    """Its tag, and its number."""
    born: int
    """Running number in the order of first lines."""
    seen: datetime
    session: ServerSession | None = None
    starttls: bool = False
    """Some client did STARTTLS here, so the service is not in wrapper mode."""
    doubtful_birth: bool = False
    """It was silent for long, so it may be another process under the same number."""


class Servers:
    """The processes that were seen lately, by tag and number; the one that was silent for longest comes first."""

    def __init__(self) -> None:
        self._known: dict[Key, Server] = {}
        self.births = 0

    def get(self, key: Key, time: datetime) -> tuple[Server, list[Server]]:
        """
        Return the process that writes now, new if need be, and those that are gone.

        Where the logger leaves numbers out, nothing ties a line to those before: it is of who knows what session.
        """
        if key[1] is None:
            session = ServerSession(Client(None, ""), complete=False, handed_on=True, rejected=True)
            return Server(key, 0, time, session, doubtful_birth=True), []
        server = self._known.pop(key, None)
        gone: list[Server] = []
        if server is not None:
            silence = abs(time - server.seen)
            if silence > (SESSION_LONGEST if server.session else _PROCESS_IDLE):
                gone.append(server)
                server = None
            elif silence > _MAX_IDLE and not server.session:
                server.starttls, server.doubtful_birth = False, True
        if server is None:
            self.births += 1
            server = Server(key, self.births, time)
            gone += self._long_silent(time)
        server.seen = time
        self._known[key] = server
        return server, gone

    def _long_silent(self, now: datetime) -> Iterator[Server]:
        """Take out the processes that can hold no session any more, and one where there are too many."""
        while self._known:
            oldest = next(iter(self._known.values()))
            if len(self._known) < PROCESS_LIMIT and now - oldest.seen <= SESSION_LONGEST:
                return
            yield self._known.pop(oldest.key)

    def goes_on(self, server: Server, time: datetime) -> bool:
        """
        Note that a process writes again; tell whether it is the same one without any doubt.

        It is what :meth:`get` does in the common case. Where the answer is no, nothing is noted: ask that one instead.
        """
        key, known = server.key, self._known
        if known.get(key) is not server or not _AT_ONCE <= time - server.seen <= _MAX_IDLE:
            return False
        server.seen = time
        del known[key]
        known[key] = server
        return True

    def forget(self) -> list[Server]:
        """Forget all processes, and return them."""
        gone = list(self._known.values())
        self._known.clear()
        return gone

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {"births": self.births, "known": [[*key, *_to_json(server)] for key, server in self._known.items()]}

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self.births = state["births"]
        self._known = {(instance, pid): _from_json((instance, pid), *rest) for instance, pid, *rest in state["known"]}


def _to_json(server: Server) -> JsonValue:
    session = server.session
    held = session and [
        *session.client,
        session.complete,
        session.summary,
        session.handed_on,
        session.failed,
        session.rejected,
        session.mails,
        session.used,
    ]
    return [server.born, server.seen.isoformat(), held, server.starttls, server.doubtful_birth]


def _from_json(key: Key, born: int, seen: str, held: JsonValue, *flags: bool) -> Server:
    return Server(key, born, datetime.fromisoformat(seen), held and _session(*held), *flags)


def _session(host: str | None, ip: str, complete: bool, summary: JsonValue, *rest: JsonValue) -> ServerSession:
    return ServerSession(Client(host, ip), complete, summary and _summary(*summary), *rest)


def _summary(trust: str, *words: JsonValue) -> Summary:
    return Summary(Authentication(trust), *words)
