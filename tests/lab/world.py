"""The receiving world as data: domains, their MX hosts, the addresses of those, and how each address behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tests.lab.authority import Certificate


class StartTls(StrEnum):
    """What a receiver does about STARTTLS (RFC 3207)."""

    WORKS = "works"
    ABSENT = "absent"
    REFUSED_FOR_NOW = "454 4.7.0 TLS not available due to temporary reason"
    REFUSED = "554 5.7.0 TLS not for you"
    NO_HANDSHAKE = "no_handshake"
    """220, then text instead of a ServerHello."""
    HANG_UP = "hang_up"
    """The connection is closed in answer to the command."""
    GARBAGE = "garbage"
    """The answer is no reply of SMTP."""
    NO_ANSWER = "no_answer"


class Break(StrEnum):
    """Where a receiver gives a session up."""

    EHLO = "EHLO"
    """The connection is closed in answer to the first command over TLS."""
    MAIL_421 = "421"
    """That is the answer to MAIL."""
    MAIL = "MAIL"
    """The connection is closed in answer to it, likewise with the next two."""
    RCPT = "RCPT"
    DATA = "DATA"
    """The connection is closed in the middle of the message."""
    DOT = "DOT"
    """The connection is closed instead of the last reply."""


@dataclass(frozen=True)
class Behaviour:
    """How one address treats the sessions that come to it. The default is a receiver without fault."""

    starttls: StartTls = StartTls.WORKS
    certificate: Certificate = Certificate.TRUSTED
    only_protocol: str | None = None
    """``TLSv1``, ``TLSv1.2``, ``TLSv1.3``: nothing else is spoken."""
    client_certificate: bool = False
    """Demand one. In TLS 1.3 the client's handshake succeeds first and the connection breaks afterwards."""
    drop_after_handshake: bool = False
    breaks: Break | None = None
    breaks_every: int = 1
    """Each n-th session is given up where ``breaks`` says."""
    clear_every: int = 0
    """Each n-th session is not offered STARTTLS; 0: none."""
    clear_from: int | None = None
    """From this session on STARTTLS is no longer offered."""
    clear_until: int = 0
    """Before this session STARTTLS is not offered yet."""
    silent: bool = False
    """Accept the connection and say nothing."""
    greylist: bool = False
    """The first attempt for each recipient gets 450."""
    busy_every: int = 0
    """Each n-th session gets 450 for every RCPT; 0: none."""
    recipient_reply: bytes | None = None
    """The answer to every RCPT."""
    unknown_every: int = 0
    """Each n-th RCPT gets 550; 0: none."""
    accepted_text: bytes = b""
    """Follows the reply id in the last reply of an accepted mail."""
    lmtp: bool = False

    def breaks_at(self, where: Break, session: int) -> bool:
        """Tell whether the session with this number is given up there."""
        return self.breaks is where and session % self.breaks_every == 0

    def offers_starttls(self, session: int) -> bool:
        """Tell whether the session with this number, counted from 1 at its address, is offered STARTTLS."""
        if self.starttls is StartTls.ABSENT or session < self.clear_until:
            return False
        if self.clear_from is not None and session >= self.clear_from:
            return False
        return not (self.clear_every and session % self.clear_every == 0)


class Tlsa(StrEnum):
    """The TLSA records of an MX host for port 25 (RFC 7672), beside the certificate that it really has."""

    END_ENTITY = "end_entity"
    """3 1 1 of the key in use."""
    TRUST_ANCHOR = "trust_anchor"
    """2 0 1 of the lab's CA, which stands in the chain; the certificate must name the host then."""
    STALE = "stale"
    """3 1 1 of a key that is no longer in use."""
    ROLLOVER = "rollover"
    """3 1 1 of the old key and of the one in use."""
    PKIX_END_ENTITY = "pkix_end_entity"
    """1 1 1, which SMTP cannot use (RFC 7672, section 3.1.3)."""
    BOGUS = "bogus"
    """3 1 1 of the key in use, with a signature that does not verify."""


@dataclass(frozen=True)
class Endpoint:
    """One listening address."""

    address: str
    behaviour: Behaviour = Behaviour()
    port: int = 25


@dataclass(frozen=True)
class Host:
    """An MX host, its name spelt as DNS spells it."""

    name: str
    endpoints: tuple[Endpoint, ...]
    closed: tuple[str, ...] = ()
    """Addresses in DNS where nothing listens."""
    tlsa: Tlsa | None = None
    """With TLSA records its zone is signed."""


@dataclass(frozen=True)
class Domain:
    """A recipient domain with its MX hosts by preference; without any it does not exist."""

    name: str
    mx: tuple[tuple[int, Host], ...] = ()
    broken_dns: bool = False
    """DNS answers SERVFAIL."""
    signed: bool = False
    """By DNSSEC, with the hosts below it."""
    bogus: bool = False
    """The signature of its MX records does not verify."""
    null_mx: bool = False
    """It accepts no mail (RFC 7505)."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Names that its MX records give instead of a host's, which are CNAMEs of that host."""
    later: tuple[tuple[int, Host], ...] = ()
    """Its MX hosts from ``later_at`` on."""
    later_at: float | None = None
    """Seconds after the name server began to answer; None: never."""


@dataclass(frozen=True)
class World:
    """Everything that mail can be sent to."""

    domains: tuple[Domain, ...]
    extra_hosts: tuple[Host, ...] = field(default=())
    """Hosts that no MX record names: a smarthost, an LMTP server."""

    def hosts(self) -> list[tuple[Host, str]]:
        """Return every host once, with the name of the first domain that it takes mail for."""
        found: dict[str, tuple[Host, str]] = {}
        for domain in self.domains:
            for _, host in (*domain.mx, *domain.later):
                found.setdefault(host.name, (host, domain.name))
        for host in self.extra_hosts:
            found.setdefault(host.name, (host, host.name))
        return list(found.values())

    @property
    def signed_zones(self) -> frozenset[str]:
        """Return the names right below ``example`` that DNSSEC signs, in lower case."""
        domains = {domain.name for domain in self.domains if domain.signed}
        return frozenset(map(zone_of, domains | {host.name for host, _ in self.hosts() if host.tlsa}))


def zone_of(name: str) -> str:
    """
    Return the registered domain of a name, in lower case: everything in the lab lies in ``example``.

    >>> zone_of("MX1.Good.Example")
    'good.example'
    """
    return ".".join(name.lower().split(".")[-2:])
