"""What enforcement would really have done to a mail: known, because the world is."""

from collections.abc import Iterator
from math import prod
from random import Random

from tests.synthetic.traffic import Mail, hosts, offers
from tests.synthetic.world import DAY, Domain, Host, World

from tlsmon.verdict.model import Fate

QUEUE = 5 * DAY


def fate(world: World, mail: Mail, level: str = "encrypt") -> Fate:
    """
    Return the fate of a mail at a level, had all its attempts been made so.

    Its own session is the one that was seen; other hosts and later attempts are drawn, always the same for a mail.
    """
    own = mail.attempts[-1]
    if own.encrypted and _certificate(own.host, own.time, level):
        return Fate.DELIVERED
    random = Random(mail.number)
    others = [host for host in hosts(mail.domain, own.time, random) if host != own.host]
    if any(_accepted(world, host, own.time, level, random) for host in others):
        return Fate.REROUTED
    for time in _retries(own.time):
        if any(_accepted(world, host, time, level, random) for host in hosts(mail.domain, time, random)):
            return Fate.DELAYED
    return Fate.LOST


def affected_share(domain: Domain, time: float, level: str = "encrypt") -> float:
    """Return the chance that a mail of the domain is delayed or lost at a moment; outside of any firewall episode."""
    found = [host for host in domain.home(time).hosts if host.at(time).up] or domain.home(time).hosts
    return prod(host.at(time).refusing if _certificate(host, time, level) else 1.0 for host in found)


def _accepted(world: World, host: Host, time: float, level: str, random: Random) -> bool:
    return host.at(time).up and offers(world, host, time, random) and _certificate(host, time, level)


def _certificate(host: Host, time: float, level: str) -> bool:
    return level == "encrypt" or host.at(time).certificate


def _retries(time: float) -> Iterator[float]:
    """Yield the times of further attempts, doubling from 300 s to 4000 s (Postfix: minimal_, maximal_backoff_time)."""
    end, wait = time + QUEUE, 300.0
    while (time := time + wait) < end:
        yield time
        wait = min(2 * wait, 4_000.0)
