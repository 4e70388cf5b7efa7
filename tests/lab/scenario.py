"""Which domains there are, how their receivers behave, and the mail that is sent to them: all of it data, by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count

from tests.lab.authority import Certificate
from tests.lab.cases import CASES, Address, Case, Traffic
from tests.lab.inject import SENDER, Mail
from tests.lab.world import Behaviour, Domain, Endpoint, Host, Tlsa, World

SMARTHOST = "smart.relay.example"
LMTP_HOST = "lmtp.backend.example"
LMTP_PORT = 24
_NAMES = ("anna", "ben", "chloe", "dario", "emma", "farid", "greta", "hugo", "ines", "jan", "kirsten", "luis")


@dataclass(frozen=True)
class Scenario:
    """A world and the mail to send into it. The same scenario can be run again with other settings of the MTA."""

    world: World
    mails: tuple[Mail, ...]


class _Builder:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._ipv4 = (
            f"{net}.{last}" for net in ("203.0.113", "198.51.100") for last in range(1, 250) if last not in (53, 54)
        )
        self._ipv6 = (f"2001:db8:2::{last:x}" for last in count(1))
        self._hosts: dict[str, Host] = {}
        self._people = count(1)

    def host(self, name: str, addresses: tuple[Address, ...], port: int = 25, tlsa: Tlsa | None = None) -> Host:
        """Return the host of that name; its addresses are given out at the first call."""
        if name not in self._hosts:
            endpoints, closed = [], []
            for address in addresses:
                ip = address.fixed or next(self._ipv6 if address.ipv6 else self._ipv4)
                if address.behaviour is None:
                    closed.append(ip)
                else:
                    endpoints.append(Endpoint(ip, address.behaviour, port))
            self._hosts[name] = Host(name, tuple(endpoints), tuple(closed), tlsa)
        return self._hosts[name]

    def domain(self, case: Case) -> Domain:
        """Return a case's domain with its hosts."""
        mx, later = (
            tuple((each.preference, self.host(each.host, each.addresses, tlsa=each.tlsa)) for each in part)
            for part in (case.mx, case.later)
        )
        aliases = tuple((f"alias-{each.host}", each.host) for each in case.mx) if case.aliased else ()
        return Domain(
            case.domain, mx, case.broken_dns, case.signed, case.bogus, case.null_mx, aliases, later, case.later_at
        )

    def mails(self, case: Case, seconds: int) -> Iterator[Mail]:
        """Yield a case's mail, spread over the run or in bursts."""
        traffic = case.traffic
        for number in range(traffic.mails):
            at = self._time(traffic, number, seconds)
            yield Mail(at, tuple(self._person(case.spelling or case.domain) for _ in range(traffic.recipients)))

    def _time(self, traffic: Traffic, number: int, seconds: int) -> float:
        if traffic.bursts:
            return seconds * (number % traffic.bursts) / traffic.bursts
        return seconds * (number + self._random.random()) / traffic.mails

    def _person(self, domain: str) -> str:
        return f"{self._random.choice(_NAMES)}.{next(self._people):04}@{domain}"


def make_scenario(seed: int, seconds: int = 45, cases: tuple[Case, ...] = CASES) -> Scenario:
    """Return the scenario of a seed: the same domains for every seed, with other people and other moments."""
    builder = _Builder(seed)
    sender = Case.simple(SENDER.partition("@")[2], Behaviour(certificate=Certificate.TRUSTED_DOMAIN))
    domains = tuple(builder.domain(case) for case in (*cases, sender))
    extra = (
        builder.host(SMARTHOST, (Address(Behaviour()),), port=587),
        builder.host(LMTP_HOST, (Address(Behaviour(lmtp=True)),), port=LMTP_PORT),
    )
    mails = chain.from_iterable(builder.mails(case, seconds) for case in cases)
    return Scenario(World(domains, extra), tuple(sorted(mails, key=lambda mail: mail.at)))
