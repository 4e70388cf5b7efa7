"""Mails -> observations, as the store would give them for each day."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from tests.synthetic.traffic import Attempt, Ending, Mail
from tests.synthetic.world import DAY, World

from tlsmon.evidence.model import Address, Observation, Sender

START = 1_767_571_200_000_000
"""The first moment of the world: Monday, 5 January 2026, in microseconds since 1970, UTC."""
_ENDINGS = {
    Ending.SENT: ("sent", None),
    Ending.GREYLISTED: ("deferred", "unrelated"),
    Ending.HANDSHAKE: ("deferred", "tls_handshake"),
}


class Day(NamedTuple):
    """The observations of one day, and the mails behind them."""

    number: int
    mails: list[Mail]
    observations: list[Observation]


def by_day(world: World, traffic: Iterable[Mail], mta: str = "postfix") -> Iterable[Day]:
    """Yield one day after the other. An attempt counts for the day on which its mail was sent off."""
    for number, group in groupby(traffic, lambda mail: int(mail.time // DAY)):
        found = list(group)
        yield Day(number, found, observations(world, found, mta))


def observations(world: World, traffic: Iterable[Mail], mta: str = "postfix") -> list[Observation]:
    """Return equal attempts added up."""
    added: dict[tuple[object, ...], Observation] = {}
    for mail in traffic:
        for attempt in mail.attempts:
            one = observation(world, mail, attempt, mta)
            key = (one[:10], one.earlier)
            old = added.get(key)
            added[key] = one if old is None else _both(old, one)
    return list(added.values())


def _both(one: Observation, other: Observation) -> Observation:
    connections = one.connections + other.connections
    return one._replace(attempts=one.attempts + 1, connections=connections, last=max(one.last, other.last))


def observation(world: World, mail: Mail, attempt: Attempt, mta: str = "postfix") -> Observation:
    """Return what the log says of one attempt."""
    outcome, cause = _ENDINGS[attempt.ending]
    security, authentication, protocol = _tls(attempt, mta)
    if world.silence.holds(attempt.time) and security != "none":
        security, authentication, protocol = "unknown", None, None
    address = Address(attempt.host.name, attempt.host.ip, 25)
    time = START + int(attempt.time * 1_000_000)
    sender = Sender(mta, "mail", None)
    return Observation(
        mail.domain.name,
        address,
        sender,
        security,
        authentication,
        protocol,
        None,
        outcome,
        cause,
        None,
        1,
        1,
        time,
        time,
        attempt.earlier,
    )


def _tls(attempt: Attempt, mta: str) -> tuple[str, str | None, str | None]:
    if attempt.ending is Ending.HANDSHAKE:
        return "none", None, None
    if not attempt.encrypted:
        return "plaintext", None, None
    if not attempt.host.at(attempt.time).certificate:
        return "encrypted", "untrusted", "TLSv1.3"
    return "encrypted", "verified" if mta == "exim" else "trusted", "TLSv1.3"
