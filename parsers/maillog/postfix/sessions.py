"""
Which smtp(8) process holds which TLS session.

Postfix writes the TLS summary of a session without a queue id, so only the process and the order of its lines tie it to
the deliveries that follow. An smtp(8) process serves one delivery request at a time: one queue id, one next hop, up to
``smtp_destination_recipient_limit`` recipients, several MX hosts in turn. Its lines are in order and never interleave
two requests; after ``max_idle`` (100 s) without work it leaves, and its number may return.
"""

from dataclasses import dataclass, field, fields
from enum import Enum, auto
from typing import NamedTuple
from zlib import crc32

from maillog.model import Authentication, Cause, JsonValue, Outcome, Scope
from maillog.postfix.events import Attempt, Peer
from maillog.postfix.grammar import Summary

SECOND = 1_000_000
"""Times here are microseconds since 1970, UTC."""

PROCESS_LIMIT = 10_000
FAILED_LIMIT = 20
"""Failed hosts that are kept of one request; Postfix tries 5 addresses (``smtp_mx_address_limit``)."""
# max_idle, and the longest that smtp(8) may stay silent within one request (several time limits of 300 s, or 600 s).
MAX_IDLE = 100 * SECOND
PROCESS_IDLE = 20 * 60 * SECOND
# Both, for a clock may be set, or some lines have wrong stamps; then no time has passed.
SWEEP_EVERY = 2 * PROCESS_IDLE
SWEEP_BIRTHS = 500
SWEEPS = 2
"""Without a line since as many sweeps a process has left; between two of them the clock may have been set."""
_FOREVER = 1 << 62
GONE = -_FOREVER
"""When a process was seen that is no longer known: so whoever still holds it never takes it for a living one."""
# Whole seconds, and the time that a line takes to the logger. Lines of later recipients may stand behind many others.
FIRST_SLACK = 3 * SECOND
LATER_SLACK = 30 * SECOND


class Tie(Enum):
    """How a delivery line relates to the TLS summary that its process wrote last."""

    HELD = auto()
    """The session of that summary carried the attempt."""
    SILENT = auto()
    """There was no summary for the attempt's session."""
    DOUBTFUL = auto()
    """There is a summary that may be of another session: it cannot be read, or its time does not fit."""


@dataclass(slots=True)
class Session:
    """A TLS session that a process announced."""

    peer: Peer | None
    summary: Summary | None
    """Both are None where the line could not be read: there is a session, nobody knows with whom."""
    time: int
    queue_id: str | None = None
    """The request that the session serves; None until the first line that names one."""
    request: str | None = None
    """The b and c delays of an attempt that failed: alike for all recipients of one request."""
    times: str | None = None
    """The b, c and d delays of what was sent: alike for all recipients, as one answer of the server ends the mail."""
    answer: str | None = None
    """That answer, or a digest of it; None where no line has it whole."""

    def leads_to(self, attempt: Attempt) -> bool:
        """
        Tell whether the session is with the server of an attempt: in name, address and port.

        A connection is found in the cache by its address, too (``smtp_reuse.c:smtp_reuse_addr``). Then its summary has
        the name that it was opened for, and relay= the name that is looked for now: many names lead to one provider.
        Found by its next hop, relay= has the port of that one, and the summary the port that the connection was opened
        to, as of a fallback relay (``smtp_session.c:smtp_session_activate`` gets name and address back, no port).
        """
        if self.peer is None or self.summary is None:
            return False
        host, ip, port = attempt.relay[:3]
        if self.summary.reused:
            return self.peer.ip == ip and (self.peer.port == port or self.peer.host == host)
        return self.peer == (host, ip, port)

    def carries(self, attempt: Attempt) -> bool:
        """
        Tell whether an attempt is of the request that the session serves, as far as times and answers tell.

        Times have two digits, so those of the next request may be the same; its answer hardly is. In LMTP each
        recipient has an answer of its own (``smtp_proto.c:smtp_loop``, SMTP_STATE_DOT).
        """
        request = _request_of(attempt.times)
        if self.request not in (None, request) or (self.times and _request_of(self.times) != request):
            return False
        if attempt.outcome is not Outcome.SENT or attempt.relay.scope is Scope.LOCAL:
            self.request = request
            return True
        if self.times not in (None, attempt.times):
            return False
        if self.answer and attempt.answer and self.answer not in (attempt.answer, _digest(attempt.answer)):
            return False
        self.times, self.answer = attempt.times, self.answer or attempt.answer
        return True


class Told(NamedTuple):
    """What a status line tells of the transaction that it is of."""

    queue_id: str
    ip: str | None
    over_tls: bool
    """Whether its process held the session."""
    times: str
    at: int


@dataclass(slots=True)
class Process:
    """What is known of one smtp(8) or lmtp(8) process."""

    born: int
    """Running number in the order of first lines."""
    seen: int
    session: Session | None = None
    queue_id: str | None = None
    trouble: Cause | None = None
    """Why TLS failed at an earlier MX host of this request."""
    local_fault: bool = False
    failed: list[str] = field(default_factory=list)
    """Addresses of hosts that failed in this request, for whatever reason; ``?`` where a line names none."""
    unclaimed: list[str] = field(default_factory=list)
    """The same, of lines without a queue id: they belong to the request that is named next."""
    doubtful_birth: bool = False
    """It was silent for long, so it may be another process under the same number: when it was born is not known."""
    seen_at_sweep: int = 0
    sweeps: int = 0
    """How many sweeps found that it had written nothing since the one before."""
    told: Told | None = None
    """Of the last status line, see :meth:`goes_on`."""

    def inherit(self, other: "Process") -> None:
        """
        Take over the request that another process under the same number served.

        Who was silent for very long is another process, but not if the clock was set: then that goes on.
        """
        self.session, self.queue_id = other.session, other.queue_id
        self.trouble, self.failed = other.trouble, other.failed

    def serves(self, queue_id: str) -> None:
        """Note that a line names this queue id. A session that served another request is spent."""
        if queue_id != self.queue_id:
            self.queue_id, self.trouble, self.failed = queue_id, None, []
        if self.unclaimed:
            self.failed, self.unclaimed = [*self.failed, *self.unclaimed][:FAILED_LIMIT], []
        session = self.session
        if session is None:
            return
        if session.queue_id is None:
            session.queue_id = queue_id
        elif session.queue_id != queue_id:
            self.session = None

    def fails(self, ip: str | None) -> None:
        """Note that a host failed: in the present request, or in the one that is named next."""
        self.unclaimed = [*self.unclaimed, ip or "?"][:FAILED_LIMIT]

    def goes_on(self, told: Told) -> bool:
        """
        Tell whether a status line is of a further recipient in the transaction that the one before told of.

        Recipients of one transaction share the b and c delays, and the TLS session where there is one. Another request
        for the same mail that agrees in all is taken for the same: so there may be more connections than are counted,
        never fewer.
        """
        last = self.told
        if last is None or last[:3] != told[:3] or told.at - last.at > LATER_SLACK:
            return False
        return _request_of(last.times) == _request_of(told.times)

    def reuses(self, attempt: Attempt, tie: Tie, time: int) -> bool:
        """Tell whether an attempt went over a connection that was used before; note what its line tells."""
        told = Told(attempt.queue_id, attempt.relay.ip, tie is Tie.HELD, attempt.times, time)
        goes_on = self.goes_on(told)
        self.told = told
        return goes_on or attempt.connection_use > 1

    def failed_beside(self, ip: str | None) -> str | None:
        """Return which other hosts than this one failed in the request, as :class:`maillog.model.Result` has it."""
        return ",".join(sorted({*self.failed} - {ip})) or None

    def tie(self, attempt: Attempt, time: int) -> Tie:
        """
        Relate an attempt to the session, after :meth:`serves`.

        The relay must agree (see :meth:`Session.leads_to`); a connection from the cache is announced as such; the
        session must have begun within the attempt; and the attempt must be of the same delivery request as the
        session's first one. Two requests of one queue id (more than 50 recipients) may follow each other in one
        process: the second one has a session of its own.
        """
        session = self.session
        if session is None:
            return Tie.SILENT
        if session.summary is None:
            return Tie.DOUBTFUL
        if not session.leads_to(attempt) or session.summary.reused is not (attempt.connection_use > 1):
            return self._another(attempt)
        first = session.request is None and session.times is None
        slack = FIRST_SLACK if first else LATER_SLACK
        if not -LATER_SLACK <= time - session.time <= round(attempt.setup * SECOND) + slack:
            return Tie.DOUBTFUL
        return Tie.HELD if session.carries(attempt) else self._another(attempt)

    def _another(self, attempt: Attempt) -> Tie:
        """
        Note that an attempt was not carried by the session.

        Which connection a failed one had is not told: conn_use= is counted from MAIL FROM on (``smtp_proto.c``).
        """
        if attempt.outcome is not Outcome.SENT and self.session and self.session.leads_to(attempt):
            return Tie.DOUBTFUL
        self.session = None
        return Tie.SILENT


class Processes:
    """
    The processes that were seen lately, by tag and number.

    Those that left long ago are swept out now and then, or a busy server would carry thousands of them.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[str | None, str, int | None], Process] = {}
        self.births = 0
        """How many processes have been seen; the running number of the last one."""
        self._swept = self._swept_at_birth = 0
        """When processes were swept out last, and how many births there had been."""
        self._last_dropped = -_FOREVER
        """When the last of those was seen that were dropped because there are too many."""

    def get(self, key: tuple[str | None, str, int | None], time: int, setup: float = 0) -> Process:
        """
        Return the process that writes under this instance, program and number, new if need be.

        ``setup`` is for how many seconds it has been at work on what it now writes of. Where the logger leaves numbers
        out, nothing ties a line to those before: it is of a process that holds who knows what session.
        """
        if key[2] is None:
            return Process(0, time, Session(None, None, time), unclaimed=["?"], doubtful_birth=True)
        process = self.known.get(key)
        if process is not None and abs(time - process.seen) < PROCESS_IDLE:
            process.doubtful_birth |= abs(time - process.seen) > MAX_IDLE + round(setup * SECOND)
            process.seen = time
            return process
        if process is not None:
            self._remove(key)
        if self.births - self._swept_at_birth >= SWEEP_BIRTHS and time - self._swept > SWEEP_EVERY:
            self._sweep(time)
        if len(self.known) >= PROCESS_LIMIT:
            oldest = next(iter(self.known))
            self._last_dropped = max(self._last_dropped, self.known[oldest].seen)
            self._remove(oldest)
        self.births += 1
        new = self.known[key] = Process(self.births, time)
        # Where there are too many, it may be one that was dropped in the middle of its work.
        new.doubtful_birth = time - self._last_dropped < PROCESS_IDLE
        if process is not None:
            new.inherit(process)
        return new

    def _sweep(self, now: int) -> None:
        """
        Forget the processes that have written nothing since the last sweep but one.

        How old their stamps are does not count: a clock may have been set, and a service in a chroot may log in UTC.
        """
        self._swept, self._swept_at_birth = now, self.births
        for key, process in list(self.known.items()):
            process.sweeps = process.sweeps + 1 if process.seen == process.seen_at_sweep else 0
            process.seen_at_sweep = process.seen
            if process.sweeps == SWEEPS:
                self._remove(key)

    def forget(self, instance: str | None = None) -> None:
        """Forget the processes of an instance, or all."""
        for key in [key for key in self.known if belongs(key[0], instance)]:
            self._remove(key)

    def _remove(self, key: tuple[str | None, str, int | None]) -> None:
        self.known.pop(key).seen = GONE

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {
            "births": self.births,
            "swept": [self._swept, self._swept_at_birth, self._last_dropped],
            "known": [[*key, _process_to_json(process)] for key, process in self.known.items()],
        }

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self.births = state["births"]
        # States of versions before know none.
        self._swept, self._swept_at_birth, self._last_dropped = state.get("swept", (0, 0, -_FOREVER))
        self.known = {
            (instance, program, pid): _process_from_json(process) for instance, program, pid, process in state["known"]
        }


def belongs(name: str | None, instance: str | None) -> bool:
    """Tell whether a name is that of an instance (None: any), or of a service with a name of its own below it."""
    return instance is None or name == instance or (name or "").startswith(f"{instance}/")


def _request_of(times: str) -> str:
    return times.rpartition("/")[0]


def _digest(answer: str) -> str:
    """Return what is kept over a cut: the server's words are not."""
    return f"#{crc32(answer.encode('utf-8', 'surrogatepass')):08x}"


_PROCESS = tuple(one.name for one in fields(Process))
_ALWAYS = ("born", "seen")
_SESSION = tuple(one.name for one in fields(Session))


def _process_to_json(process: Process) -> JsonValue:
    # There may be thousands, and most say little: what is as in a new process is left out.
    value = {name: one for name in _PROCESS if (one := getattr(process, name)) or name in _ALWAYS}
    if process.session:
        value["session"] = {name: getattr(process.session, name) for name in _SESSION}
        answer = process.session.answer
        value["session"]["answer"] = _digest(answer) if answer and answer.startswith("(") else answer
    return value


def _process_from_json(value: JsonValue) -> Process:
    session = value.get("session")
    if session:
        session = Session(
            **session
            | {
                "peer": session["peer"] and Peer(*session["peer"]),
                "summary": session["summary"] and _summary(*session["summary"]),
            }
        )
    return Process(
        **value
        | {
            "session": session,
            "trouble": Cause(value["trouble"]) if value.get("trouble") else None,
            "told": Told(*value["told"]) if value.get("told") else None,
        }
    )


def _summary(trust: JsonValue, *rest: JsonValue) -> Summary:
    return Summary(Authentication(trust), *rest)
