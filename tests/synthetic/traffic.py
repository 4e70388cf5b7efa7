"""
A world -> its mails: who sends what to whom, over what. How that is written down is the business of other modules.

The sender is opportunistic (``may``): it encrypts where it can, and falls back to clear text.
"""

from bisect import bisect
from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import NamedTuple

from tests.synthetic.world import DAY, Domain, Host, World

WEEKEND = 0.4
"""Mails on Saturday and Sunday, in parts of a weekday's."""
GREYLISTED = 0.02
FALLBACK = 300.0
"""A failed handshake defers the mail; in clear it goes when it has waited minimal_backoff_time."""


class Ending(StrEnum):
    """How an attempt ended."""

    SENT = "sent"
    GREYLISTED = "greylisted"
    HANDSHAKE = "handshake"


class Attempt(NamedTuple):
    """One attempt to deliver a mail."""

    time: float
    host: Host
    encrypted: bool
    ending: Ending
    earlier: frozenset[str] = frozenset()
    """Addresses of hosts that were tried before it and could not be reached."""


class Mail(NamedTuple):
    """A mail and its attempts; the last one was successful."""

    number: int
    time: float
    domain: Domain
    attempts: tuple[Attempt, ...]


def mails(world: World, a_day: int, seed: int) -> Iterator[Mail]:
    """Yield the mails in order of time, about so many on a weekday; the same for the same arguments."""
    random = Random(seed)
    sums = list(accumulate(domain.weight for domain in world.domains))
    number = 0
    for day in range(world.days):
        today = round(a_day * (WEEKEND if day % 7 > 4 else 1))
        for time in sorted(random.uniform(day * DAY, (day + 1) * DAY) for _ in range(today)):
            domain = world.domains[bisect(sums, random.random() * sums[-1])]
            yield Mail(number, time, domain, tuple(_attempts(world, domain, time, random)))
            number += 1


def _attempts(world: World, domain: Domain, time: float, random: Random) -> Iterator[Attempt]:
    host, earlier = _first(domain, time, random)
    if random.random() < GREYLISTED:
        yield Attempt(time, host, offers(world, host, time, random), Ending.GREYLISTED)
        time += 2 * FALLBACK
    encrypted = offers(world, host, time, random)
    if host.handshake and not encrypted and not world.firewall.holds(time):
        yield Attempt(time, host, encrypted, Ending.HANDSHAKE)
        time += FALLBACK
    yield Attempt(time, host, encrypted, Ending.SENT, earlier)


def hosts(domain: Domain, time: float, random: Random) -> list[Host]:
    """Return the hosts that can be reached, in the order in which a sender tries them."""
    found = _order(domain, time, random)
    return [host for host in found if host.at(time).up] or found


def _first(domain: Domain, time: float, random: Random) -> tuple[Host, frozenset[str]]:
    """Return the host that takes the mail, and the addresses that were tried before it."""
    found = _order(domain, time, random)
    host = next((host for host in found if host.at(time).up), found[0])
    return host, frozenset(other.ip for other in found[: found.index(host)])


def _order(domain: Domain, time: float, random: Random) -> list[Host]:
    home = domain.home(time)
    found = list(home.hosts)
    if home.equal:
        random.shuffle(found)
    return found


def offers(world: World, host: Host, time: float, random: Random) -> bool:
    """Draw whether a session with the host gets TLS."""
    refusing = host.at(time).refusing
    return not world.firewall.holds(time) and (refusing == 0 or random.random() >= refusing)
