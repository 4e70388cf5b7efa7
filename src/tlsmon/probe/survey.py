"""
Many domains: names first, then each address of each MX host once, for all domains together.

Polite: a bounded number of connections, never two at once to one address, nothing asked twice. Safe: private
addresses are refused unless allowed. Bounded: what the total time does not suffice for could not be told, and says
so.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

import idna

from tlsmon.probe import mta_sts, tlsrpt
from tlsmon.probe.connection import printable, public
from tlsmon.probe.lookups import Lookups, resolver
from tlsmon.probe.model import (
    Addresses,
    AddressResult,
    CouldNotTell,
    DomainResult,
    Ending,
    Exchange,
    HostResult,
    MxKind,
    Offer,
    Settings,
    Sts,
    StsPolicy,
    Tlsa,
    TlsRpt,
    Why,
)
from tlsmon.probe.offers import Asker
from tlsmon.probe.readiness import judge
from tlsmon.probe.starttls import Caller, Contexts
from tlsmon.probe.turns import Once, Turns

POLICY_ADDRESSES: Final = 4
"""Addresses of a policy host that are tried."""

_LOOK_UP: Final = 1.0
"""Seconds. The system may give an interrupt to another thread, which does not wake the one that waits."""


def probe(
    domains: Iterable[str],
    settings: Settings | None = None,
    known: Iterable[DomainResult] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[DomainResult]:
    """
    Give what each domain offers, as soon as it is known; each domain once, in no order.

    ``known``: results of an earlier call that was cut short. Those that were finished are given back, the others are
    done again.
    ``progress`` is told how many of how many domains are done. Raises lookups.NameserverError, starttls.CaFileError.
    """
    wanted = list(dict.fromkeys(folded(domain) for domain in domains))
    finished = {result.domain: result for result in known if result.finished}
    have = [finished[domain] for domain in wanted if domain in finished]
    for done, result in enumerate(have, 1):
        progress(done, len(wanted))
        yield result
    left = [domain for domain in wanted if domain not in finished]
    for done, result in enumerate(_survey(left, settings or Settings()), len(have) + 1):
        progress(done, len(wanted))
        yield result


def folded(domain: str) -> str:
    """
    Return a domain in lower case, as A-labels, without the dot at its end; as it is where it is no domain.

    >>> folded("Bücher.Example.")
    'xn--bcher-kva.example'
    """
    text = domain.strip().lower().rstrip(".")
    try:
        return text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return text


def _survey(domains: Sequence[str], settings: Settings) -> Iterator[DomainResult]:
    callers = ThreadPoolExecutor(settings.connections, "tlsmon-connect")
    names = ThreadPoolExecutor(settings.domains, "tlsmon-domain")
    survey = _Survey(settings, Turns(callers))
    waiting = iter(domains)
    running = {names.submit(survey.domain, each) for each in islice(waiting, 2 * settings.domains)}
    try:
        while running:
            done, running = wait(running, _LOOK_UP, FIRST_COMPLETED)
            running |= {names.submit(survey.domain, each) for each in islice(waiting, len(done))}
            yield from (future.result() for future in done)
    finally:  # also where nobody wants to hear more: then nobody waits for conversations that are under way
        survey.stop()
        names.shutdown(wait=False, cancel_futures=True)
        callers.shutdown(wait=False)  # what has its turn yet to come finds no time left


class _Named(NamedTuple):
    """What DNS says of an MX host."""

    addresses: Addresses
    tlsa: Tlsa


class _Survey:
    """What all domains share: the resolver, the turns, and what is known of hosts and addresses."""

    def __init__(self, settings: Settings, turns: Turns) -> None:
        self._settings = settings
        self._end = time.monotonic() + settings.total_seconds
        self._lookups = Lookups(resolver(settings.nameservers), settings, self._remaining)
        self._turns = turns
        self._hosts: Once[_Named] = Once()
        self._addresses: Once[AddressResult] = Once()
        self._ipv6 = has_ipv6() if settings.ipv6 is None else settings.ipv6
        contexts = Contexts(settings.ca_file)
        self._policy_tls = mta_sts.policy_context(settings.ca_file)
        helo = settings.helo or socket.getfqdn()
        caller = Caller(
            contexts,
            settings.port,
            printable(helo, 255),
            settings.conversation_seconds,
            self._remaining,
        )
        self._asker = Asker(caller, settings.port, settings.back_off)

    def _remaining(self) -> float:
        return self._end - time.monotonic()

    def stop(self) -> None:
        """Begin nothing more; what is under way ends at its own limit."""
        self._end = time.monotonic()

    def domain(self, domain: str) -> DomainResult:
        """Return what a domain offers."""
        moment = datetime.now(tz=UTC)
        route = self._lookups.route(domain)
        hosts = [self._host(exchange) for exchange in route.exchanges]
        under_way = [
            self._addresses_of(exchange.host, named) for exchange, named in zip(route.exchanges, hosts, strict=True)
        ]
        literal = route.kind is MxKind.LITERAL
        result = DomainResult(
            domain=domain,
            time=moment,
            route=route,
            hosts=tuple(
                HostResult(exchange.host, exchange.preference, *named, tuple(future.result() for future in futures))
                for exchange, named, futures in zip(route.exchanges, hosts, under_way, strict=True)
            ),
            sts=Sts() if literal else self._sts(domain),
            tlsrpt=TlsRpt() if literal else self._tlsrpt(domain),
            resolver_validates=self._lookups.validates,
        )
        return judge(result)

    def _host(self, exchange: Exchange) -> _Named:
        return self._hosts.get(exchange.host, lambda: self._look_up_host(exchange.host))

    def _look_up_host(self, host: str) -> _Named:
        addresses = self._lookups.addresses(host)
        return _Named(addresses, self._lookups.tlsa(host, addresses))

    def _addresses_of(self, host: str, named: _Named) -> list[Future[AddressResult]]:
        addresses, tlsa = named
        sni = None if host in addresses.ips else tlsa.base or host
        return [self._addresses.start((ip, sni), partial(self._address, ip, sni)) for ip in addresses.ips]

    def _address(self, ip: str, sni: str | None) -> Future[AddressResult]:
        refused = self._refusal(ip)
        if refused is None:
            return self._turns.submit(ip, partial(self._asker.ask, ip, sni))
        offer = Offer(datetime.now(tz=UTC), None, Ending.UNTOLD, refused.words, refused.why)
        future: Future[AddressResult] = Future()
        future.set_result(AddressResult(ip, self._settings.port, offer, replace(offer, sni=sni)))
        return future

    def _refusal(self, ip: str) -> CouldNotTell | None:
        if not self._settings.allow_private and not public(ip):
            return CouldNotTell(Why.FORBIDDEN, "is not an address on the internet, so it was not asked")
        if ":" in ip and not self._ipv6:
            return CouldNotTell(Why.SKIPPED, "was not asked: IPv6 is off, or this machine has none")
        return None

    def _tlsrpt(self, domain: str) -> TlsRpt:
        texts = self._lookups.texts(f"_smtp._tls.{domain}")
        return TlsRpt(untold=texts) if isinstance(texts, CouldNotTell) else tlsrpt.parse(texts)

    def _sts(self, domain: str) -> Sts:
        texts = self._lookups.texts(f"_mta-sts.{domain}")
        if isinstance(texts, CouldNotTell):
            return Sts(untold=texts)
        record_id = None
        try:
            record_id = mta_sts.record_id(texts)
            policy = self._policy(domain) if record_id else None
        except mta_sts.StsError as error:
            return Sts(record_id, trouble=str(error))
        return Sts(record_id, untold=policy) if isinstance(policy, CouldNotTell) else Sts(record_id, policy)

    def _policy(self, domain: str) -> StsPolicy | CouldNotTell:
        addresses = self._lookups.addresses(f"mta-sts.{domain}")
        if not addresses.ips and addresses.trouble is None:
            raise mta_sts.StsError(f"mta-sts.{domain} has no address")
        answer = addresses.trouble or CouldNotTell(Why.LOOKUP, f"mta-sts.{domain} has no address")
        for ip in addresses.ips[:POLICY_ADDRESSES]:
            refused = self._refusal(ip)
            if refused:
                answer = replace(refused, words=f"mta-sts.{domain} {refused.words}")
                continue
            found = self._turns.submit(ip, partial(self._fetch, domain, ip)).result()
            if isinstance(found, StsPolicy):
                return found
            answer = found
        return answer

    def _fetch(self, domain: str, ip: str) -> StsPolicy | CouldNotTell:
        seconds = min(self._settings.conversation_seconds, self._remaining())
        if seconds <= 0:
            return CouldNotTell(Why.LATE, "there was no time left for the policy of MTA-STS")
        return mta_sts.fetch(domain, ip, self._settings.https_port, self._policy_tls, time.monotonic() + seconds)


def has_ipv6() -> bool:
    """Return whether this machine has a route to the IPv6 internet. Sends nothing."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probing:
            probing.connect(
                ("2001:500:2f::f", 53)
            )  # a root server; connecting a datagram socket only looks for a route
    except OSError:
        return False
    return True
