"""A verdict in words: what was seen, on which hosts, since when, and how sure that is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from tlsmon import wording
from tlsmon.evidence.history import Behaviour
from tlsmon.evidence.model import Address, Standing
from tlsmon.rollup.model import Direction
from tlsmon.verdict.fates import Chances, Seen, out_of_reach
from tlsmon.verdict.model import Fates, Thresholds, Verdict
from tlsmon.verdict.untold import untold
from tlsmon.wording import count, percent

_ACCEPTED = {
    "encrypt": "encrypted",
    "verify": "with a verified certificate",
    "secure": "with a certificate for the domain",
    "dane-only": "authenticated by DANE",
}
_SHOWN = {"anonymous": "shows no certificate", "untrusted": "has a certificate that does not verify"}
_CAUSES = {
    "tls_not_offered": "does not offer STARTTLS",
    "tls_refused": "refuses STARTTLS",
    "tls_handshake": "fails in the TLS handshake",
    "cert_untrusted": "has a certificate that no known CA vouches for",
    "cert_name": "has a certificate for another name",
    "cert_expired": "has a certificate that is expired or not yet valid",
    "dane": "fails DANE",
}
_DAY = 86_400_000_000
_NAMED = ("verify", "secure")
_NEW = ("TLSv1.2", "TLSv1.3")


class Grounds(NamedTuple):
    """What a verdict stands on."""

    level: str
    verdict: Verdict
    mails: int
    fates: Fates
    upper: float | None
    mail: tuple[Seen, ...]
    """What ended the story of a mail."""
    seen: tuple[Seen, ...]
    """That and the attempts that were deferred; the latest comes last."""
    chances: Chances
    thresholds: Thresholds

    @property
    def inbound(self) -> bool:
        """Tell whether the hosts are clients that send to us."""
        return any(item.observation.direction is Direction.INBOUND for item in self.seen[:1])

    def name(self, address: Address) -> str:
        """Return the MX host of an address, and as Postfix writes it where it has others that may be spoken of."""
        others = (*self.chances.behaviours, *self.chances.open)
        several = any(other.host == address.host and other != address for other in others)
        return f"{address.host}[{address.ip}]" if several and address.ip else address.host


class Tally(NamedTuple):
    """The mail of a domain in numbers."""

    mails: int
    accepted: int
    """By the level."""
    hosts: int
    since: int
    """When the first was seen; microseconds since 1970, UTC."""


def explain(grounds: Grounds) -> tuple[str, ...]:
    """Return the reasons, the most important first."""
    if not grounds.mails:
        return (
            "no mail came in in this window" if grounds.inbound else "no mail was delivered in this window",
            *_hosts(grounds),
        )
    return (_count(grounds), *_hosts(grounds), *_outlook(grounds))


def of_worst(reasons: tuple[str, ...], ways: int) -> tuple[str, ...]:
    """Return the reasons of the worst of several ways that a domain's mail takes."""
    if ways == 1:
        return reasons
    return (f"sent in {ways} ways (by sender and port); the worst: {reasons[0]}", *reasons[1:])


def day(time: int) -> str:
    """Return a day as people write it, from microseconds since 1970, UTC."""
    return _day(time // _DAY)


@lru_cache(maxsize=4_096)
def _day(number: int) -> str:
    return wording.day(datetime.fromtimestamp(number * 86_400, UTC))


def _count(grounds: Grounds) -> str:
    tally = Tally(
        grounds.mails,
        sum(item.observation.attempts for item in grounds.mail if item.standing is Standing.GOOD),
        len({item.observation.address.host for item in grounds.mail if item.observation.address.host}),
        min(item.observation.first for item in grounds.mail),
    )
    return counted(tally, grounds.level, grounds.verdict, grounds.upper, inbound=grounds.inbound)


def counted(tally: Tally, level: str, verdict: Verdict, upper: float | None, *, inbound: bool = False) -> str:
    """Return how much of the mail the level accepts, on how many hosts, and how sure that is."""
    where = f"{'from' if inbound else 'on'} {count(tally.hosts, 'client' if inbound else 'MX host')}"
    text = f"{tally.accepted:,} of {count(tally.mails, 'mail')} {_ACCEPTED[level]} {where} since {day(tally.since)}"
    if verdict in (Verdict.SAFE, Verdict.UNPROVEN) and upper is not None:
        text += f"; at most {percent(upper)} would fail"
    return text


def _hosts(grounds: Grounds) -> Iterable[str]:
    """Name the hosts that would be refused, and those that changed."""
    for address, known in grounds.chances.behaviours.items():
        name = grounds.name(address) or "the destination"
        if known.bad and known.share_bad > grounds.thresholds.tolerated_delay:
            sessions = f"{known.bad:,} of {known.good + known.bad:,} sessions"
            yield f"{name} {_cause(grounds, address)}: {sessions}{_since(known)}"
        elif known.since is not None:
            yield f"{name} is in order since {day(known.since)}; before, {known.bad_before:,} sessions were not"
    for address in grounds.chances.open:
        yield does_not_tell(grounds.name(address), inbound=grounds.inbound)


def does_not_tell(name: str, *, inbound: bool = False) -> str:
    """Say that nothing is known of an address."""
    verb = "sent" if inbound else "took"
    return f"{name} {verb} mail, but the log does not tell whether this level would accept it"


def _since(known: Behaviour) -> str:
    return f" since {day(known.since)}" if known.since is not None else ""


def _cause(grounds: Grounds, address: Address) -> str:
    causes = [
        item.observation
        for item in reversed(grounds.seen)
        if item.observation.address == address and item.standing is Standing.BAD
    ]
    named = next((_CAUSES[item.cause] for item in causes if item.cause in _CAUSES), None)
    if named:
        return named
    if any(item.security == "plaintext" for item in causes):
        return "sent mail in clear" if grounds.inbound else "took mail in clear"
    if grounds.level in _NAMED and any(item.authentication == "trusted" and item.protocol in _NEW for item in causes):
        return _CAUSES["cert_name"]  # nothing else is wrong with it; a probe told the name
    if grounds.level == "dane-only" and any(item.security == "encrypted" for item in causes):
        return "took mail without DANE: no TLSA records that can be used, or an unsigned MX record"
    old = next((item.protocol for item in causes if item.protocol), None)
    shown = next((item.authentication for item in causes if item.authentication), None)
    if shown in _SHOWN:
        return _SHOWN[shown]
    return f"uses {old}, which this level refuses" if old else "would be refused"


def _outlook(grounds: Grounds) -> Iterable[str]:
    found = grounds.fates
    if found.lost and grounds.inbound:
        yield f"{count(found.lost, 'mail')} would be refused and go back to their senders"
    elif found.lost:
        yield f"{count(found.lost, 'mail')} would be lost after {grounds.thresholds.queue_days:g} days in the queue"
    if found.delayed:
        yield f"{count(found.delayed, 'mail')} would be delayed and arrive with a later attempt"
    for host in sorted({item.observation.address.host for item in grounds.mail if _stood_in(item, grounds)}):
        yield f"{host} took mail that it would be refused only because another MX host had failed before"
    if found.rerouted:
        yield f"{count(found.rerouted, 'mail')} would go to another MX host in the same attempt"
        if grounds.chances.may_bounce:
            named = ", ".join(dict.fromkeys(address.host for address in grounds.chances.may_bounce))
            yield (
                f"but if {named} refuses STARTTLS with 5xx, which this log does not tell, Postfix returns such mail at "
                "once and tries no other host: ask with `tlsmon probe`"
            )
    if found.unknown:
        yield not_told(found.unknown)
    yield from _doubts(grounds)


def not_told(mails: int) -> str:
    """Say that the log does not tell of some mail."""
    return f"of {count(mails, 'mail')} the log does not tell"


def _stood_in(item: Seen, grounds: Grounds) -> bool:
    """Tell whether a host took mail that another one would take, had it not failed before."""
    chances = grounds.chances
    if not item.observation.earlier and not chances.passed_over:
        return False
    gone = out_of_reach(item.observation, chances.behaviours, chances.passed_over) - {item.observation.address}
    return item.standing is Standing.BAD and bool(gone) and not chances.another_takes(item.observation)


def _doubts(grounds: Grounds) -> Iterable[str]:
    """Say why a verdict is not safe although all that was seen went well."""
    if grounds.verdict is not Verdict.UNPROVEN or grounds.upper is None:
        return
    moved_to = grounds.chances.deserted_for(grounds.thresholds.tolerated_delay)
    if moved_to is not None:
        yield f"no other MX host took mail since {grounds.name(moved_to)} appeared: the domain may have moved there"
    silent = untold(grounds.seen)
    if silent.is_last:
        yield f"of the last {count(silent.at_end, 'mail')} the log does not tell how they went"
    elif silent.is_much:
        mails = count(silent.among + silent.told, "mail")
        yield f"{silent.among:,} of {mails} since it first told of one: they may be just those in clear"
    connections = sum(item.observation.connections for item in grounds.mail)
    yield from too_few(grounds.mails, connections, grounds.upper, grounds.thresholds)


def too_few(mails: int, connections: int, upper: float, thresholds: Thresholds) -> Iterable[str]:
    """Say where there was too little mail, or over too few connections, for the certainty that is asked for."""
    if mails < thresholds.min_mails:
        yield f"fewer than {count(thresholds.min_mails, 'mail')}"
    elif upper > thresholds.max_share:
        over = f"{count(mails, 'mail')} over {count(max(connections, 1), 'connection')} are "
        yield f"{over if connections < mails else ''}too few to be sure of {percent(thresholds.max_share)}"
