"""
What DNS says of a recipient: MX, addresses, TLSA, TXT. The only module that imports dns.

The resolver is passed in. "No such record" is an answer, "no answer" is not; DNSSEC is what the resolver's AD bit
says, which means something only where the resolver validates and the way to it is safe (RFC 4035, section 3.2.3), so
use a local one. Hostile zones are bounded: chains of aliases, numbers of records, time for each question.
"""

import copy
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

from tlsmon.config import SettingError
from tlsmon.probe.connection import printable
from tlsmon.probe.model import (
    Addresses,
    CouldNotTell,
    Dnssec,
    Exchange,
    MxKind,
    Route,
    Settings,
    Tlsa,
    TlsaRecord,
    Why,
)

_PORT: Final = 53
MAX_ALIASES: Final = 8
MAX_TLSA: Final = 32
MAX_TEXTS: Final = 64
_SIGNED: Final = "."
"""The root is signed; who does not validate it validates nothing (Postfix: dnssec_probe = ns:.)."""
_LITERAL: Final = re.compile(r"\[(?:ipv6:)?([0-9a-f:.]+)\]", re.IGNORECASE)
_NAMESERVER: Final = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([0-9.]+))(?::(\d{1,5}))?|([0-9a-fA-F:]+)")


class NameserverError(SettingError):
    """A name server cannot be understood: wrong use."""


def resolver(nameservers: Sequence[str] = ()) -> dns.resolver.Resolver:
    """
    Return a resolver for ``address`` or ``address:port`` (IPv6 in brackets); for none, that of this machine.

    Raises NameserverError.
    """
    try:
        made = dns.resolver.Resolver(configure=not nameservers)
    except dns.resolver.NoResolverConfiguration as error:
        raise NameserverError(
            "This machine has no resolver: /etc/resolv.conf cannot be read.", hint="Name a resolver."
        ) from error
    if nameservers:
        made.nameservers = [_nameserver(text) for text in nameservers]
    made.flags = dns.flags.RD | dns.flags.AD  # asks for the AD bit: RFC 6840, section 5.7
    made.use_edns(0, 0, 1232)
    return made


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    found = _NAMESERVER.fullmatch(text.strip())
    address, port = (found[1] or found[2] or found[4], int(found[3] or _PORT)) if found else ("", 0)
    if not (_is_address(address) and 0 < port < 1 << 16):
        raise NameserverError(
            f"{text!r} is not the address of a name server.", hint="Give it as 127.0.0.1, 127.0.0.1:5353 or [::1]:5353."
        )
    return dns.nameserver.Do53Nameserver(address, port)


class _NoAnswerError(Exception):
    """DNS gave no answer."""

    def __init__(self, words: str, dnssec: Dnssec = Dnssec.UNKNOWN, why: Why = Why.LOOKUP) -> None:
        super().__init__(words)
        self.dnssec = dnssec
        self.answer = CouldNotTell(why, words)


class _Answer(NamedTuple):
    """The records of a name and type; none is an answer too."""

    records: tuple[Any, ...]
    """dns.rdata.Rdata of the type that was asked for."""
    dnssec: Dnssec
    canonical: str
    """The name after CNAME expansion."""
    exists: bool
    """False: there is no such name."""


@dataclass(frozen=True)
class Lookups:
    """
    Asks a resolver.

    ``resolver``: a dns.resolver.Resolver, used by several threads. ``seconds``: for one question.
    """

    resolver: dns.resolver.Resolver
    settings: Settings
    remaining: Callable[[], float] = lambda: float("inf")
    """Seconds that are left for everything."""

    @cached_property
    def validates(self) -> bool | None:
        """Return whether the resolver validates DNSSEC at all; None where it does not answer."""
        try:
            response = self._ask(dns.name.from_text(_SIGNED), dns.rdatatype.NS)
        except _NoAnswerError:
            return None
        return bool(response.flags & dns.flags.AD)

    def route(self, domain: str) -> Route:
        """Return the MX hosts of a recipient domain: an A-label, or an address literal in brackets."""
        literal = _LITERAL.fullmatch(domain)
        if literal:
            return Route(MxKind.LITERAL, (Exchange(literal[1].lower(), 0),))
        try:
            answer = self._look_up(domain, dns.rdatatype.MX)
        except _NoAnswerError as error:
            return Route(MxKind.UNTOLD, dnssec=error.dnssec, trouble=error.answer)
        alias = answer.canonical if answer.canonical != domain else None
        if answer.records:
            return self._exchanges(answer, alias)
        if not answer.exists:
            return Route(MxKind.MISSING, dnssec=answer.dnssec, alias=alias)
        return self._implicit(domain, alias, answer.dnssec)

    def _exchanges(self, answer: _Answer, alias: str | None) -> Route:
        found = sorted({(record.preference, _text(record.exchange)) for record in answer.records})
        if [host for _, host in found] == [""]:  # RFC 7505: the only record, whatever its preference
            return Route(MxKind.NULL, dnssec=answer.dnssec, alias=alias)
        exchanges = [Exchange(host, preference) for preference, host in found if host]
        most = self.settings.max_hosts
        left_out = max(0, len(exchanges) - most)
        return Route(MxKind.MX, tuple(exchanges[:most]), answer.dnssec, alias, left_out)

    def _implicit(self, domain: str, alias: str | None, dnssec: Dnssec) -> Route:
        addresses = self.addresses(domain)
        if addresses.ips:
            return Route(MxKind.IMPLICIT, (Exchange(domain, 0),), dnssec, alias)
        if addresses.trouble:
            return Route(MxKind.UNTOLD, dnssec=addresses.dnssec, alias=alias, trouble=addresses.trouble)
        return Route(MxKind.MISSING, dnssec=dnssec, alias=alias)

    def addresses(self, host: str) -> Addresses:
        """Return the addresses of an MX host, IPv4 first; an address is its own."""
        if _is_address(host):
            return Addresses((str(ipaddress.ip_address(host)),), Dnssec.INSECURE)
        answers, trouble, bogus = [], None, False
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                answers.append(self._look_up(host, kind))
            except _NoAnswerError as error:
                trouble, bogus = error.answer, bogus or error.dnssec is Dnssec.BOGUS
        ips = tuple(dict.fromkeys(record.address for answer in answers for record in answer.records))
        canonical = next((answer.canonical for answer in answers if answer.canonical != host), None)
        most = self.settings.max_addresses
        # An empty answer for one family says nothing of the addresses of the other.
        dnssec = _weakest([answer.dnssec for answer in answers if answer.records or not ips])
        left_out = max(0, len(ips) - most)
        return Addresses(ips[:most], Dnssec.BOGUS if bogus else dnssec, canonical, left_out, trouble)

    def tlsa(self, host: str, addresses: Addresses) -> Tlsa:
        """
        Return the TLSA records of an MX host (RFC 7672, section 2.2.2).

        The name after CNAME expansion comes first, if all of it is secure; then the host's own, if that is.
        Nothing is asked for where the address records are insecure (section 2.2.1).
        """
        if _is_address(host):
            return Tlsa(dnssec=Dnssec.INSECURE)
        if addresses.dnssec is not Dnssec.SECURE and not self._is_secure_alias(host, addresses):
            return Tlsa(dnssec=addresses.dnssec, trouble=addresses.trouble)
        bases = [host]
        if addresses.canonical and addresses.dnssec is Dnssec.SECURE:
            bases.insert(0, addresses.canonical)
        found = Tlsa()
        for base in bases:
            found = self._tlsa_at(base)
            if found.records or found.trouble:
                return found
        return found

    def _is_secure_alias(self, host: str, addresses: Addresses) -> bool:
        # An alias in a signed zone may point into an unsigned one and still have TLSA records of its own.
        if addresses.canonical is None or addresses.dnssec is not Dnssec.INSECURE:
            return False
        try:
            response = self._ask(_name(host), dns.rdatatype.CNAME)
        except _NoAnswerError:
            return False
        return bool(response.answer) and bool(response.flags & dns.flags.AD)

    def _tlsa_at(self, base: str) -> Tlsa:
        try:
            answer = self._look_up(f"_{self.settings.port}._tcp.{base}", dns.rdatatype.TLSA)
        except _NoAnswerError as error:
            return Tlsa(base, dnssec=error.dnssec, trouble=error.answer)
        if not answer.records:
            return Tlsa(dnssec=answer.dnssec)
        records = sorted(TlsaRecord(each.usage, each.selector, each.mtype, bytes(each.cert)) for each in answer.records)
        if len(records) > MAX_TLSA:
            trouble = CouldNotTell(Why.TOO_MUCH, f"has {len(records)} TLSA records; {MAX_TLSA} at most are looked at")
            return Tlsa(base, (), answer.dnssec, trouble)
        return Tlsa(base, tuple(records), answer.dnssec)

    def texts(self, name: str) -> tuple[str, ...] | CouldNotTell:
        """Return the TXT records of a name, the strings of each joined (RFC 8461, section 3.1)."""
        try:
            answer = self._look_up(name, dns.rdatatype.TXT)
        except _NoAnswerError as error:
            return error.answer
        if len(answer.records) > MAX_TEXTS:
            return CouldNotTell(Why.TOO_MUCH, f"{printable(name)} has more than {MAX_TEXTS} TXT records")
        return tuple(b"".join(record.strings).decode("latin-1") for record in answer.records)

    def _look_up(self, name: str, kind: dns.rdatatype.RdataType) -> _Answer:
        """Follow aliases to the records. Raises _NoAnswerError."""
        owner, grades = _name(name), []
        for _ in range(MAX_ALIASES):
            response = self._ask(owner, kind)
            secure = bool(response.flags & dns.flags.AD)
            grades.append(self._grade(secure))
            try:
                chain = response.resolve_chaining()
            except dns.exception.DNSException as error:
                raise _NoAnswerError(f"DNS: aliases of {printable(name)} lead nowhere") from error
            records = tuple(chain.answer) if chain.answer else ()
            exists = response.rcode() != dns.rcode.NXDOMAIN
            # A recursive resolver follows aliases itself; where the chain ends without records, ask on once more.
            if records or not exists or chain.canonical_name == owner:
                return _Answer(records, _weakest(grades), _text(chain.canonical_name), exists)
            owner = chain.canonical_name
        raise _NoAnswerError(f"DNS: more than {MAX_ALIASES} aliases from {printable(name)}")

    def _grade(self, secure: bool) -> Dnssec:
        if secure:
            return Dnssec.SECURE
        return Dnssec.INSECURE if self.validates else Dnssec.UNKNOWN

    def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, check: bool = True) -> dns.message.QueryMessage:
        """Return the resolver's response, an empty one included. Raises _NoAnswerError."""
        seconds = min(self.settings.lookup_seconds, self.remaining())
        question = f"{printable(name.to_text(), 255)} {dns.rdatatype.to_text(kind)}"
        if seconds <= 0:
            raise _NoAnswerError(f"DNS: no time left for {question}", why=Why.LATE)
        try:
            return _response(self.resolver, name, kind, seconds)
        except dns.resolver.NoNameservers as error:
            if check and self._gives_unchecked(name, kind, seconds):
                raise _NoAnswerError(f"DNS: DNSSEC of {question} is broken", Dnssec.BOGUS) from error
            raise _NoAnswerError(f"DNS: the servers of {question} fail") from error
        except dns.exception.Timeout as error:
            raise _NoAnswerError(f"DNS: no answer in time for {question}") from error
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise _NoAnswerError(f"DNS: no usable answer for {question}: {printable(str(error), 80)}") from error

    def _gives_unchecked(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, seconds: float) -> bool:
        """Return whether the answer comes when validation is switched off: then it is DNSSEC that failed."""
        unchecked = copy.copy(self.resolver)
        unchecked.flags = dns.flags.RD | dns.flags.CD
        try:
            _response(unchecked, name, kind, seconds)
        except (dns.exception.DNSException, OSError, ValueError):
            return False
        return True


def _response(
    asked: dns.resolver.Resolver, name: dns.name.Name, kind: dns.rdatatype.RdataType, seconds: float
) -> dns.message.QueryMessage:
    try:
        return asked.resolve(name, kind, lifetime=seconds, raise_on_no_answer=False, search=False).response
    except dns.resolver.NXDOMAIN as error:
        response: dns.message.QueryMessage = error.response(name)  # type: ignore[no-untyped-call]
        return response


def _name(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise _NoAnswerError(f"{printable(text)} is no domain name") from error


def _text(name: dns.name.Name) -> str:
    return "" if name == dns.name.root else printable(name.to_text(omit_final_dot=True).lower(), 255)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _weakest(grades: Sequence[Dnssec]) -> Dnssec:
    order = (Dnssec.BOGUS, Dnssec.UNKNOWN, Dnssec.INSECURE)
    return next((grade for grade in order if grade in grades), Dnssec.SECURE if grades else Dnssec.UNKNOWN)
