"""Domains that nobody thought of: MX hosts and their behaviours drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.lab.authority import Certificate
from tests.lab.cases import CLEAR, GOOD, Address, Case, Mx, Traffic
from tests.lab.world import Behaviour, Break, StartTls

_BEHAVIOURS = (
    GOOD,
    GOOD,
    Behaviour(),
    CLEAR,
    Behaviour(certificate=Certificate.SELF_SIGNED),
    Behaviour(certificate=Certificate.EXPIRED),
    Behaviour(certificate=Certificate.WRONG_NAME),
    Behaviour(starttls=StartTls.REFUSED),
    Behaviour(starttls=StartTls.REFUSED_FOR_NOW),
    Behaviour(starttls=StartTls.NO_HANDSHAKE),
    Behaviour(starttls=StartTls.HANG_UP),
    Behaviour(drop_after_handshake=True),
    Behaviour(client_certificate=True, only_protocol="TLSv1.3"),
    replace(GOOD, clear_every=3),
    replace(GOOD, clear_from=6),
    replace(GOOD, clear_until=6),
    replace(GOOD, greylist=True),
    replace(GOOD, unknown_every=3),
    replace(GOOD, recipient_reply=b"450 4.3.2 Over capacity"),
    replace(CLEAR, greylist=True),
    replace(GOOD, busy_every=2),
    replace(GOOD, busy_every=5),
    replace(CLEAR, busy_every=3),
    Behaviour(only_protocol="TLSv1.2", busy_every=4, clear_every=6),
    replace(GOOD, silent=True),
)
BREAKING = (
    GOOD,
    CLEAR,
    replace(GOOD, clear_every=3),
    replace(GOOD, greylist=True),
    replace(CLEAR, busy_every=2),
    replace(GOOD, certificate=Certificate.NO_SUBJECT),
    Behaviour(starttls=StartTls.GARBAGE),
    Behaviour(starttls=StartTls.NO_ANSWER),
    Behaviour(drop_after_handshake=True),
    *(replace(base, breaks=where, breaks_every=every) for base in (GOOD, CLEAR) for where in Break for every in (2, 3)),
)
"""These give sessions up in the middle, which an MTA meets with one more connection, of another kind."""
_LATER = 16.0
"""Seconds: some domains have other hosts from then on."""


def _host(draw: random.Random, name: str, behaviours: tuple[Behaviour, ...]) -> Mx:
    addresses = tuple(Address(draw.choice(behaviours), ipv6=draw.random() < 0.2) for _ in range(draw.choice((1, 1, 2))))
    if draw.random() < 0.1:
        addresses = (*addresses, Address(None))
    return Mx(draw.choice((10, 10, 20)), name, addresses)


def random_cases(seed: int, domains: int = 60, behaviours: tuple[Behaviour, ...] = _BEHAVIOURS) -> tuple[Case, ...]:
    """Return ``domains`` cases drawn by ``seed``; about a third of them share the hosts of a few providers."""
    draw = random.Random(seed)
    shared = [_host(draw, f"mx{number}.shared-{seed}.example", behaviours) for number in range(8)]
    cases = []
    for number in range(domains):
        domain = f"drawn-{seed}-{number}.example"
        own = tuple(_host(draw, f"mx{host}.{domain}", behaviours) for host in range(draw.choice((1, 1, 2, 3))))
        mx = tuple(draw.sample(shared, 2)) if draw.random() < 0.35 else own
        later = (_host(draw, f"mx9.{domain}", behaviours),) if draw.random() < 0.1 else ()
        traffic = Traffic(draw.randrange(2, 16), recipients=draw.choice((1, 1, 1, 3)), bursts=draw.choice((0, 0, 2)))
        aliased, null_mx = draw.random() < 0.05, draw.random() < 0.02
        case = Case(domain, () if null_mx else mx, traffic, null_mx=null_mx, aliased=aliased)
        cases.append(replace(case, later=later, later_at=_LATER) if later else case)
    return tuple(cases)
