"""What is known of one message while its deliveries run: what its lines said, until they are judged together."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from maillog.carry import delivery_from_json, delivery_to_json
from maillog.exim.events import Route
from maillog.model import (
    Cause,
    Delivery,
    Direction,
    Evidence,
    JsonValue,
    Outcome,
    Record,
    Relay,
    Result,
    Security,
    Source,
    Tls,
)

_NOT_TOLD: tuple[JsonValue, ...] = ((), False, None, (), False, False, (), ())
"""For what states of older versions do not tell, of hosts that failed and of what follows them."""
FAILED_LIMIT = 20
"""Failed hosts that are kept of one message; ``hosts_max_try`` is 5."""


@dataclass(slots=True, eq=False)
class Said:
    """What a delivery line says, as it is to read if its CV= can be believed and TLS logging was on."""

    domain: str | None
    route: Route
    """Of one that was carried over, no more than the transport, the relay, and what tells whose X= it is."""
    relay: Relay
    tls: Tls
    result: Result


class Held(NamedTuple):
    """A delivery that waits for the other lines of its message."""

    born: int
    time: datetime
    said: Said
    cut_through: bool = False
    reused: bool = False
    """It went over the connection of a delivery before."""

    def delivery(self, source: Source, queue_id: str) -> Delivery:
        """Return the delivery as its line says it."""
        said = self.said
        return Delivery(
            self.time, source, queue_id, Direction.OUTBOUND, said.domain, said.relay, said.tls, said.result,
            reused=self.reused,
        )  # fmt: skip


@dataclass(slots=True)
class Run:
    """What is known of a message whose deliveries may still go on."""

    last: datetime
    held: list[Held] = field(default_factory=list)
    sessions: dict[str, None] = field(default_factory=dict)
    """Hosts that lines without a flag name as reached."""
    failed: dict[str, None] = field(default_factory=dict)
    """Addresses of hosts that failed for some recipient, for whatever reason."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Why TLS failed, by the host's address (an empty one where the line names none)."""
    left: dict[str, None] = field(default_factory=dict)
    """Addresses of hosts that were to get the mail in clear after TLS with them had failed."""
    shown: dict[str, int] = field(default_factory=dict)
    """Hosts whose lines have a cipher, by address, and with how many deliveries; without those of cutthrough."""
    unread: bool = False
    """A cutthrough line could not be read."""
    deferral: str | None = None
    """What stands for the last deferral whose process is known: syslog may say it twice."""
    barred: dict[str, Cause] = field(default_factory=dict)
    """Why hosts got nothing at all, where TLS was the reason, by address; the last one is the youngest."""
    continued: bool = False
    """A line that was judged already was of a kept connection."""
    open: bool = False
    """A host was noted after the last delivery line: the attempt goes on."""
    reached: set[tuple[str, bool, Security | None]] = field(default_factory=set)
    """What tells the connections of ``held`` apart, see :func:`goes_on`; not carried, as those tell it."""

    @property
    def was_continued(self) -> bool:
        """Tell whether any line was of a kept connection."""
        return self.continued or any(held.said.route.continued for held in self.held)

    @property
    def several(self) -> bool:
        """Tell whether lines of several connections have a cipher."""
        return len(self.shown) > 1 or any(number > 1 for number in self.shown.values())

    @property
    def said(self) -> Said | None:
        """What all the deliveries say, if that is the same, and no other host was reached."""
        held = self.held
        if not held or self.sessions or self.continued or self.left or self.several:
            return None
        said = held[0].said
        return said if len(held) == 1 or all(other.said is said for other in held) else None


def goes_on(run: Run, said: Said, *, cut_through: bool) -> bool:
    """
    Tell whether a delivery went over a connection that was used before; note its own.

    Such a one is kept open for further messages (the asterisk behind ``H=``), or it is that of another recipient of
    this message. Lines stand in the order of the recipients, whichever host took them and whichever of them failed, so
    all of one kind about one host are taken for one connection. Lines of what failed show no session, so they do not
    stand for what was sent; nor does one with TLS for one without, but with cutthrough, where one line has it for all.
    """
    if said.relay.ip is None:
        return False
    before, security = len(run.reached), None if cut_through else said.tls.security
    run.reached.add((said.relay.ip, said.result.outcome is Outcome.SENT, security))
    return said.route.continued or len(run.reached) == before


def failed_beside(run: Run, ip: str | None) -> str | None:
    """Return which other hosts than this one lines of the message, of whichever recipient, name as failed."""
    return ",".join(sorted(run.failed.keys() - {"", ip})) or None


def of_connection(run: Run, held: Held, tls: Tls, *, completed: bool) -> Tls:
    """
    Return what is known of a cutthrough delivery whose own line shows no session.

    All recipients of a message share one connection, and only the line of the first has X=, which is written last
    (``verify.c:cutthrough_multi`` puts an address without it in front for each further one).
    """
    sessions = (one.said for one in run.held if one.cut_through and one.said.tls.security is Security.ENCRYPTED)
    found = next((said.tls for said in sessions if said.relay.ip == held.said.relay.ip), None)
    if found is not None:
        return found._replace(evidence=Evidence.CORRELATED)
    return tls if completed and not run.unread else Tls(Security.UNKNOWN)


def own_cipher(run: Run, ip: str | None, *, within: bool) -> bool:
    """
    Tell whether no process that delivered the message to a host can have had another connection's cipher at hand.

    It was no further message on a connection, nor went from a host with a session on to the next one, nor on in clear:
    then the process may have come from another message, though its line has no asterisk (seen with 4.100.1).

    ``within``: a process that did TLS tells those that send the rest of the message (``deliver.c``, "Continued TLS
    info"), whose lines may stand before its own.
    """
    if run.was_continued or ip in run.left:
        return False
    if within and run.several:
        return False
    return not run.sessions or len(_hosts(run, [held.said.relay for held in run.held])) <= 1


def several_hosts(run: Run) -> set[str | None]:
    """Return the transports of which what may have been one run took several addresses to several hosts."""
    if len(run.held) == 1:
        return set()
    relays: dict[str | None, list[Relay]] = {}
    for held in run.held:
        relays.setdefault(held.said.route.transport, []).append(held.said.relay)
    return {transport for transport, reached in relays.items() if len(reached) > 1 and len(_hosts(run, reached)) > 1}


def _hosts(run: Run, relays: list[Relay]) -> set[str]:
    return {host_key(relay.host, relay.ip) for relay in relays if relay.ip is not None} | run.sessions.keys()


def host_key(host: str | None, ip: str | None) -> str:
    """Return what stands for a host in ``Run.sessions``."""
    return f"{host} {ip}"


def barred_before(run: Run, domain: str | None, ip: str | None) -> Cause | None:
    """
    Return why another host got nothing, if TLS was the reason, for a line that tells of the last one, which was down.

    Such a line has the last host that a session was begun with, if there is one (``ip``): the error is not of that one.
    Without one, of several domains it is not known which of them a host that was noted was tried for.
    """
    if ip is not None:
        return run.barred.get(ip)
    alone = all(held.said.domain == domain for held in run.held)
    return next(reversed(run.barred.values()), None) if alone else None


def said_before(run: Run, record: Record) -> bool:
    """
    Tell whether a deferral was said just before by the same process; remember it.

    What is our own fault goes to the panic log, too, and by way of syslog both are one (``log.c:log_vwrite``).
    """
    if record.pid is None:
        return False
    before, run.deferral = run.deferral, address_key(str(record.pid), record.text)
    return before == run.deferral


_GRAVITY = (Cause.DANE, Cause.CERT_UNTRUSTED, Cause.CERT_EXPIRED, Cause.CERT_NAME, Cause.TLS_HANDSHAKE)


def graver(known: Cause | None, new: Cause) -> Cause:
    """Return the cause that takes more to mend: DANE, then the chain, then its dates, then the name."""
    return min((known or new, new), key=_GRAVITY.index)


def refined(cause: Cause, run: Run, ip: str | None) -> Cause:
    """Return the cause with what the lines just before told of the same host."""
    noted = run.causes.get(ip or "", run.causes.get(""))
    return noted if noted and cause in (Cause.TLS_HANDSHAKE, Cause.CERT_UNTRUSTED, Cause.CERT_NAME) else cause


def address_key(queue_id: str, address: str) -> str:
    """Return what stands for an address of a message, so that no local part is kept."""
    return blake2b(f"{queue_id} {address}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def run_to_json(run: Run, source: Source, queue_id: str) -> JsonValue:
    """Return what is known of the message as nested lists."""
    held: Iterable[JsonValue] = (
        [
            held.born,
            held.said.route.transport,
            delivery_to_json(held.delivery(source, queue_id)),
            held.cut_through,
            held.said.route.continued,
            held.said.route.named,
            held.said.route.stranger,
        ]
        for held in run.held
    )
    causes, failed = list(run.causes.items()), list(run.failed)
    marks = run.unread, run.deferral, list(run.barred.items()), run.continued, run.open
    return [
        run.last.isoformat(),
        list(held),
        list(run.sessions),
        causes,
        failed,
        *marks,
        list(run.left),
        list(run.shown.items()),
    ]


def run_from_json(value: JsonValue) -> Run:
    """Return what :func:`run_to_json` wrote; raises the errors of a wrong shape."""
    last, held, sessions, causes, *more = value
    failed, unread, deferral, barred, continued, is_open, left, shown = list(more) + list(_NOT_TOLD[len(more) :])
    run = Run(
        datetime.fromisoformat(last),
        [_held_from_json(*value) for value in held],
        dict.fromkeys(sessions),
        dict.fromkeys(failed),
        {ip: Cause(cause) for ip, cause in causes},
        dict.fromkeys(left),
        dict(shown),
        bool(unread),
        deferral,
        _barred_from_json(barred),
        bool(continued),
        bool(is_open),
    )
    for one in run.held:
        goes_on(run, one.said, cut_through=one.cut_through)
    return run


def _barred_from_json(value: JsonValue) -> dict[str, Cause]:
    if value is None or isinstance(value, str):  # states of older versions knew one host, and not which
        return {"": Cause(value)} if value else {}
    return {ip: Cause(cause) for ip, cause in value}


def _held_from_json(born: int, transport: str | None, value: JsonValue, *marks: JsonValue) -> Held:
    delivery = delivery_from_json(value)
    relay = delivery.relay
    older = (False, False, False, None)[len(marks) :]  # what states of older versions do not tell
    cut_through, continued, named, stranger = list(marks) + list(older)
    route = Route(transport, relay, continued=continued, named=named, stranger=stranger)
    said = Said(delivery.recipient_domain, route, relay, delivery.tls, delivery.result)
    return Held(born, delivery.time, said, cut_through, delivery.reused)
