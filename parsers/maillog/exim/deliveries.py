"""
Exim's events -> deliveries: what is known of each message while its deliveries run.

Theory of operation
-------------------
Whether a delivery was encrypted stands on its own line (X=, CV= or DN=; ``deliver.c:d_tlslog``), but for cutthrough to
several recipients, where it stands on one of their lines. Three things do not:

*Whether CV= can be believed.* Exim keeps the state of the certificate check for a whole transport run and writes the
last session's state on all its addresses. So the lines of a message are held until ``Completed``, or ``RUN_TIME`` after
its last line, and where one transport reached several hosts for several addresses, CV= of all of them is dropped.

*Whether a line without X= means clear text.* Only where the selector ``tls_cipher`` was on, which :class:`TlsLogging`
decides. That holds after "delivering unencrypted to", too: with TLS logging off nothing is called clear, so that one
rule serves for all. Every delivery process reads the configuration afresh, so a delivery's line number stands for its
birth. A daemon does not: what its children log, arrivals and cutthrough deliveries, shows the settings at the daemon's
own start.

*Why a retry time ran out.* The line that says so does not tell; the last attempt of the same message and address did,
or else the last one to that domain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from maillog.errors import CarryError
from maillog.exim.causes import Causes, domain_key
from maillog.exim.ciphers import Ciphers
from maillog.exim.events import (
    Arrival,
    Attempt,
    Completed,
    DaemonStarted,
    Flag,
    HostNote,
    Route,
    cut_through_of,
    read_event,
)
from maillog.exim.grammar import NO_CONNECTION
from maillog.exim.notes import NoteKind
from maillog.exim.quiet import Quiet
from maillog.exim.runs import (
    FAILED_LIMIT,
    Held,
    Run,
    Said,
    address_key,
    barred_before,
    failed_beside,
    goes_on,
    graver,
    host_key,
    of_connection,
    own_cipher,
    refined,
    run_from_json,
    run_to_json,
    said_before,
    several_hosts,
)
from maillog.exim.sessions import WITHIN_FIRST, Version, relay_of, tls_of
from maillog.model import (
    Cause,
    Delivery,
    Found,
    JsonValue,
    Outcome,
    Record,
    Result,
    Security,
    Source,
    Unread,
)
from maillog.tls_logging import TlsLogging

RUN_TIME = timedelta(minutes=1)
RUNS_LIMIT = 5_000
HELD_LIMIT = 1_000
"""Deliveries held for one message."""
_EPOCH = datetime.fromtimestamp(0, UTC)


class EximDeliveries:
    """The deliveries of one Exim main log, or of one tag of one host in syslog. See :class:`DeliveryReader`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._logging = TlsLogging()
        self.runs: dict[str, Run] = {}
        self._quiet = Quiet()
        self._causes = Causes()
        self._born = 0
        self._clock = _EPOCH
        self._looked = _EPOCH
        """The clock when messages were last looked for that have been silent for long."""
        self.version: Version | None = None
        self._daemon: tuple[int, datetime] | None = None
        """Birth of the daemon; the log's beginning until one starts, None where deliveries show other settings."""
        self._daemon_proven = False
        self._last_proof: datetime | None = None
        self.ciphers = Ciphers()

    def feed(self, record: Record) -> list[Found]:
        """Take the next record in log order; return what is now known for sure."""
        found: list[Found] = [*self.begin(record.time)]
        event = read_event(record)
        match event:
            case Unread():
                self._unread(record.text)
                found.append(event)
            case Attempt():
                found += self._attempt(event, record)
            case HostNote():
                self._note(event)
            case Completed():
                found += self.finish(event.queue_id)
            case Arrival():
                found += self.arrived()
            case DaemonStarted():
                found += self._daemon_started(event.version, record.time)
        return found

    # --- what the common lines say, for a reader that knows it already ----------------------------------------------
    def begin(self, time: datetime) -> Sequence[Delivery]:
        """Begin with a line, written then; return what is decided because time went on."""
        self._born += 1
        if self._born == 1:
            self._daemon = (0, time)
        self._clock = max(self._clock, time)
        if self._clock is self._looked and len(self.runs) <= RUNS_LIMIT:
            return ()
        self._looked = self._clock
        return [*self._finish_old()]

    def said(self, event: Attempt, result: Result) -> Said:
        """Return what a delivery line says where no other host failed before."""
        return Said(event.domain, event.route, relay_of(event), tls_of(event, self.version), result)

    def sent(self, queue_id: str, flag: Flag, said: Said, time: datetime) -> list[Delivery]:
        """Take a mail that was sent as ``said``, not by cutthrough; return what is decided now."""
        if self._causes:
            self._causes.pop(domain_key(said.domain), None)
        return self._hold(queue_id, flag, self._run(queue_id), said, time)

    def sent_at_once(self, queue_id: str, said: Said, time: datetime) -> list[Delivery] | None:
        """
        Take both lines of a mail that was sent to one recipient as ``said`` and is completed; begins them itself.

        Returns what is decided now, without that delivery. None, and nothing is taken, where more has to be looked at.
        """
        if queue_id in self.runs or queue_id in self._quiet or len(self.runs) >= RUNS_LIMIT:
            return None
        if not self.ciphers.surely(said, time, undisturbed=True):
            return None
        decided = [*self.begin(time)]
        if self._causes:
            self._causes.pop(domain_key(said.domain), None)
        decided += self._cipher_logging(Flag.FIRST, said.route, time)
        self.ciphers.heard(said, time, lambda: True, undisturbed=True)
        self._born += 1
        self.ciphers.seen(said, time)
        return decided

    def arrived(self) -> list[Delivery]:
        """Take a mail that came in over a session whose cipher is logged; return what is decided now."""
        return self._daemon_proof(None)

    def finish(self, queue_id: str) -> list[Delivery]:
        """Judge the lines of a message that is completed together."""
        run = self.runs.pop(queue_id, None)
        return [*self._judged(queue_id, run, whole=True, completed=True)] if run else []

    def _give_up(self, queue_id: str, *, whole: bool) -> list[Delivery]:
        """Judge the lines of a message that is not completed; where more of this run may come, CV= is not believed."""
        run = self.runs.pop(queue_id)
        self._quiet.add(queue_id, run)
        return [*self._judged(queue_id, run, whole=whole, completed=False)]

    # --- what waits -------------------------------------------------------------------------------------------------
    def held(self) -> list[Delivery]:
        """Return what is still being waited for, judged as if the log ended here. Does not change the state."""
        twin = EximDeliveries(self.source)
        twin.restore(self.carry())
        return [*twin._finish_all(), *twin._logging.held()]

    def missed(self) -> list[Delivery]:
        """Note that lines are missing here: the settings may be others from here; return what is decided by that."""
        decided = [delivery for queue_id in list(self.runs) for delivery in self._give_up(queue_id, whole=False)]
        decided += self._logging.boundary()
        self.version = self._daemon = self._last_proof = None
        self.ciphers.begin(None)
        return decided

    # --- events ------------------------------------------------------------------------------------------------------
    def _attempt(self, event: Attempt, record: Record) -> list[Delivery]:
        if event.reason is not None and not event.reason.attempted:
            return []
        run = self._run(event.queue_id)
        if event.flag is Flag.DEFERRED and said_before(run, record):
            return []
        cause = self._cause(event, run)
        said = self.said(event, Result(event.outcome, None, cause))
        return self._hold(event.queue_id, event.flag, run, said, record.time)

    def _hold(self, queue_id: str, flag: Flag, run: Run, said: Said, time: datetime) -> list[Delivery]:
        if run.failed and said.result.outcome is not Outcome.BOUNCED:
            said = replace(said, result=said.result._replace(earlier=failed_beside(run, said.relay.ip)))
        run.open = False
        cut_through = flag is Flag.CUT_THROUGH
        reused = goes_on(run, said, cut_through=cut_through)
        run.held.append(Held(self._birth(flag), time, said, cut_through, reused))
        decided = self._cipher_logging(flag, said.route, time)
        if not cut_through:
            if said.tls.security is Security.ENCRYPTED:
                ip = said.relay.ip or ""
                run.shown[ip] = run.shown.get(ip, 0) + (flag is Flag.FIRST)
            self.ciphers.heard(said, time, lambda: self._own_cipher(run, said.relay.ip), undisturbed=not run.failed)
        if len(run.held) > HELD_LIMIT:
            decided += self._give_up(queue_id, whole=False)
        return decided

    def _birth(self, flag: Flag) -> int:
        """Return the birth of the process that delivered: a new one, or a child of the daemon for cutthrough."""
        if flag is Flag.CUT_THROUGH:
            return self._daemon[0] if self._daemon else 0
        return self._born

    def _cipher_logging(self, flag: Flag, route: Route, time: datetime) -> list[Delivery]:
        """Take what the line shows of the selector: X= that it is on, CV= or DN= without X= that it is off."""
        if route.cipher_logged and flag is Flag.CUT_THROUGH:
            return self._daemon_proof(route.relay.ip)
        if route.cipher_logged:
            self._last_proof = time
            return self._logging.proof(self._born, time, None if route.continued else route.relay.ip)
        if route.encrypted:
            self._daemon, self._last_proof = None, None
            return self._logging.boundary()
        return []

    def _daemon_proof(self, relay: str | None) -> list[Delivery]:
        """Take X= of a daemon's child as proof of what the daemon read at its start; once is enough for arrivals."""
        if self._daemon is None or (self._daemon_proven and relay is None):
            return []
        self._daemon_proven = True
        born, time = self._daemon
        return self._logging.proof(born, self._last_proof or time, relay)

    def _unread(self, text: str) -> None:
        queue_id = cut_through_of(text)
        if queue_id is not None:
            self._run(queue_id).unread = True

    def _note(self, event: HostNote) -> None:
        if event.note.kind is NoteKind.CALLOUT_CLEAR:
            self.ciphers.was_left(event.ip or "", self._clock)
        if not event.queue_id:
            return
        run = self._run(event.queue_id)
        run.open = True
        ip = event.ip or ""
        if event.note.barred and len(run.barred) < FAILED_LIMIT:
            run.barred.pop(ip, None)
            run.barred[ip] = event.note.cause
        if len(run.failed) < FAILED_LIMIT:
            run.failed[ip] = None
        match event.note.kind:
            case NoteKind.SESSION:
                run.sessions[host_key(event.host, ip)] = None
            case NoteKind.CLEAR:
                run.left[ip] = None
                self.ciphers.seems_clear(ip, self._clock)
            case NoteKind.FAILED:
                run.causes[ip] = graver(run.causes.get(ip), event.note.cause)

    def _daemon_started(self, version: Version, time: datetime) -> list[Delivery]:
        """Begin a new period: somebody started a daemon, most likely because the settings or the version changed."""
        decided = [*self._finish_all(), *self._logging.boundary()]
        self.version, self._daemon = version, (self._born, time)
        self._daemon_proven, self._last_proof = False, None
        self.ciphers.begin(version)
        return decided

    # --- the lines of one message ------------------------------------------------------------------------------------
    def _run(self, queue_id: str) -> Run:
        """Return the run of the message, made the youngest."""
        run = self.runs.pop(queue_id, None) or self._quiet.take(queue_id, self._clock) or Run(self._clock)
        run.last = self._clock
        self.runs[queue_id] = run
        return run

    def _finish_old(self) -> Iterator[Delivery]:
        """Judge the messages that have been silent for long, and the oldest where there are too many."""
        while self.runs:
            queue_id, run = next(iter(self.runs.items()))
            late = self._clock - run.last > RUN_TIME
            if not late and len(self.runs) <= RUNS_LIMIT:
                return
            yield from self._give_up(queue_id, whole=late)

    def _finish_all(self) -> list[Delivery]:
        return [delivery for queue_id in list(self.runs) for delivery in self._give_up(queue_id, whole=True)]

    def _judged(self, queue_id: str, run: Run, *, whole: bool, completed: bool) -> Iterator[Delivery]:
        doubtful = several_hosts(run)
        for held in run.held:
            delivery = held.delivery(self.source, queue_id)
            if held.cut_through and delivery.tls.security is Security.PLAINTEXT:
                delivery = delivery._replace(tls=of_connection(run, held, delivery.tls, completed=completed))
            if not whole or held.said.route.transport in doubtful:
                delivery = delivery._replace(tls=delivery.tls._replace(authentication=None))
            if delivery.tls.security is Security.ENCRYPTED:
                own = whole and self._own_cipher(run, delivery.relay.ip)
                delivery = self.ciphers.judged(delivery, held, own=own, undisturbed=whole and not run.failed)
            if delivery.tls.security is Security.PLAINTEXT:
                self.ciphers.was_clear(delivery)
                yield from self._logging.silent(delivery, held.born, delivery.relay.ip or "")
            else:
                yield delivery

    def _own_cipher(self, run: Run, ip: str | None) -> bool:
        return own_cipher(run, ip, within=self.version is None or self.version >= WITHIN_FIRST)

    # --- why ---------------------------------------------------------------------------------------------------------
    def _cause(self, event: Attempt, run: Run) -> Cause | None:
        """Return why the attempt failed; remember it for the line that says that the retry time is over."""
        own = address_key(event.queue_id, event.address)
        domain = domain_key(event.domain)
        if event.reason is None:
            self._causes.pop(domain, None)
            return None
        if event.reason.expired:
            return self._causes.pop(own, None) or self._causes.get(domain, Cause.UNRELATED)
        cause = refined(event.reason.cause, run, event.route.relay.ip)
        if event.reason == NO_CONNECTION and event.route.transport:
            cause = barred_before(run, event.domain, event.route.relay.ip) or cause
        if event.outcome is Outcome.DEFERRED:
            self._causes.remember(own, cause)
            self._causes.remember(domain, cause)
        return cause

    # --- over a cut --------------------------------------------------------------------------------------------------
    def carry(self) -> JsonValue:
        """Return the whole state as JSON."""
        return {
            "runs": [[queue_id, *run_to_json(run, self.source, queue_id)] for queue_id, run in self.runs.items()],
            "quiet": self._quiet.carry(self.source),
            "causes": list(self._causes.items()),
            "born": self._born,
            "clock": self._clock.isoformat(),
            "version": self.version,
            "daemon": self._daemon and [self._daemon[0], self._daemon[1].isoformat()],
            "daemon_proven": self._daemon_proven,
            "last_proof": self._last_proof and self._last_proof.isoformat(),
            **self.ciphers.carry(),
            "logging": self._logging.carry(),
        }

    def restore(self, carry: JsonValue) -> None:
        """Put a state back that :meth:`carry` gave. Raises CarryError where it does not fit."""
        try:
            self._restore(carry)
        except (KeyError, TypeError, ValueError) as error:
            raise CarryError("A saved state of reading an Exim log cannot be read by this version.") from error

    def _restore(self, state: JsonValue) -> None:
        # Written by carry(); a wrong shape raises one of the errors that restore() translates.
        self.runs = {queue_id: run_from_json(run) for queue_id, *run in state["runs"]}
        self._quiet.restore(state.get("quiet", ()))  # older states have none
        self._causes = Causes((key, Cause(cause)) for key, cause in state["causes"])
        self._born = state["born"]
        self._clock = datetime.fromisoformat(state["clock"])
        self.version = state["version"] and (state["version"][0], state["version"][1])
        self._daemon = state["daemon"] and (state["daemon"][0], datetime.fromisoformat(state["daemon"][1]))
        self._daemon_proven = state["daemon_proven"]
        self._last_proof = state["last_proof"] and datetime.fromisoformat(state["last_proof"])
        self.ciphers.restore(state, self.version)
        self._logging.restore(state["logging"])
