"""What a probe can answer. Values only; every time is aware, in UTC. "Could not tell" is an answer of its own."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

SHOWN_DATA: Final = 32
"""Bytes of a TLSA record that are shown: a digest is shown whole, a certificate is not."""


class Why(StrEnum):
    """Why something could not be told. None of these says anything about what is offered."""

    TIMEOUT = "timeout"
    CONNECTION_REFUSED = "connection_refused"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    """The other side ended the connection before it had answered."""
    BUSY = "busy"
    """Greylisted or rate-limited: a temporary reply (4xx) before TLS was a matter."""
    TURNED_AWAY = "turned_away"
    """A permanent reply (5xx) to our address or our name, not to STARTTLS."""
    GARBLED = "garbled"
    """What came is not the protocol."""
    TOO_MUCH = "too_much"
    """More bytes, lines or records than the probe reads."""
    LOOKUP = "lookup"
    """DNS gave no answer."""
    FORBIDDEN = "forbidden"
    """A private or loopback address, and the settings do not allow those."""
    SKIPPED = "skipped"
    """An IPv6 address, and IPv6 is off or this machine has none."""
    LATE = "late"
    """The time for the whole probe was over."""


@dataclass(frozen=True, slots=True)
class CouldNotTell:
    """There is no answer, and this is why."""

    why: Why
    words: str
    """For people; printable ASCII, bounded."""


class Dnssec(StrEnum):
    """What the resolver says of an answer (RFC 4033, section 5)."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    """The resolver refuses the answer, and gives it when asked not to check."""
    UNKNOWN = "unknown"
    """No answer, or from a resolver that does not validate."""


class MxKind(StrEnum):
    """Where mail for a domain goes (RFC 5321, section 5.1)."""

    MX = "mx"
    IMPLICIT = "implicit"
    """No MX record: the domain itself."""
    LITERAL = "literal"
    """The domain is an address in brackets."""
    NULL = "null"
    """``MX 0 .``: the domain takes no mail (RFC 7505)."""
    MISSING = "missing"
    """There is no such domain, or it has neither MX nor address."""
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record."""

    host: str
    """Lower case, no dot at the end; an address where the domain is a literal."""
    preference: int


@dataclass(frozen=True, slots=True)
class Route:
    """The MX hosts of a domain, best preference first."""

    kind: MxKind
    exchanges: tuple[Exchange, ...] = ()
    dnssec: Dnssec = Dnssec.UNKNOWN
    alias: str | None = None
    """The name that the domain stands for by CNAME; None where it has none."""
    left_out: int = 0
    """MX hosts beyond the number that is looked at."""
    trouble: CouldNotTell | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of an MX host."""

    ips: tuple[str, ...] = ()
    dnssec: Dnssec = Dnssec.UNKNOWN
    canonical: str | None = None
    """The name after CNAME expansion; None where there is none. An MX host should be no alias (RFC 2181, 10.3)."""
    left_out: int = 0
    trouble: CouldNotTell | None = None
    """Of either family: there may be addresses besides those in ``ips``."""


@dataclass(frozen=True, slots=True, order=True)
class TlsaRecord:
    """A TLSA record (RFC 6698, section 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        r"""
        Return the record as a zone file has it, long data cut.

        >>> str(TlsaRecord(3, 1, 1, b"\x0a\x0b"))
        '3 1 1 0a0b'
        """
        cut = "…" if len(self.data) > SHOWN_DATA else ""
        return f"{self.usage} {self.selector} {self.matching} {self.data[:SHOWN_DATA].hex()}{cut}"


@dataclass(frozen=True, slots=True)
class Tlsa:
    """The TLSA records of an MX host and port."""

    base: str | None = None
    """The TLSA base domain (RFC 7672, section 2.2.2); None where there are no records."""
    records: tuple[TlsaRecord, ...] = ()
    dnssec: Dnssec = Dnssec.UNKNOWN
    trouble: CouldNotTell | None = None


class Ending(StrEnum):
    """How the attempt to get TLS from an address ended."""

    ENCRYPTED = "encrypted"
    """A handshake, and an answer to EHLO over it."""
    NOT_OFFERED = "not_offered"
    """The reply to EHLO has no STARTTLS."""
    REFUSED = "refused"
    """STARTTLS is offered and then answered with 4xx or 5xx."""
    BROKEN = "broken"
    """The handshake fails, or the session ends right after it."""
    INJECTED = "injected"
    """More came in clear behind the go-ahead to STARTTLS: a fault or an attack (CVE-2011-0411, CVE-2021-38371)."""
    UNTOLD = "untold"


class Trust(StrEnum):
    """What OpenSSL says of a chain with this machine's authorities, in the place of a mail server."""

    TRUSTED = "trusted"
    SELF_SIGNED = "self_signed"
    PRIVATE = "private"
    """The chain ends in an authority that is sent along and not known here."""
    UNKNOWN_ISSUER = "unknown_issuer"
    """The next issuer is neither sent nor known: an intermediate is missing, or the authority is private."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    INVALID = "invalid"
    """Any other fault: purpose, weak key or digest, name constraints."""
    NO_CERTIFICATE = "no_certificate"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a server's certificate."""

    names: tuple[str, ...]
    """dNSNames of the subjectAltName, lower case, wildcards as they stand."""
    common_name: str | None
    issuer: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256 of the certificate, hex."""
    names_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What an address offers to a client that sends this SNI."""

    time: datetime
    sni: str | None
    """None: without SNI, as Postfix (may to secure) and Exim connect by default."""
    ending: Ending
    words: str
    why: Why | None = None
    """Set where the ending is ``untold``."""
    greet_delay: float | None = None
    """Seconds from connection to banner."""
    protocol: str | None = None
    cipher: str | None = None
    authenticable: bool = False
    """The handshake works without anonymous ciphers at OpenSSL's security level 1, as verify, secure and DANE need."""
    trust: Trust = Trust.UNTOLD
    trust_words: str = ""
    certificate: Certificate | None = None
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, the server's own first, as it was sent."""
    chain_whole: bool = True
    """False where the Python in use shows the first certificate only."""


@dataclass(frozen=True, slots=True)
class AddressResult:
    """One address of an MX host."""

    ip: str
    port: int
    plain: Offer
    """Without SNI."""
    named: Offer
    """With SNI: the TLSA base domain, else the MX host (RFC 7672, section 8.1; RFC 8461, section 4.1)."""


class Rung(StrEnum):
    """What a sender can demand, each with its own conditions."""

    ENCRYPT = "encrypt"
    VERIFY = "verify"
    SECURE = "secure"
    DANE_ONLY = "dane-only"
    MTA_STS = "mta-sts"
    """Postfix's secure with the names of a policy in mode enforce (RFC 8461)."""


class Answer(StrEnum):
    """Would mail pass at a rung?"""

    YES = "yes"
    NO = "no"
    SOME = "some"
    """Some hosts or addresses pass, others do not; a sender that tries the next one still delivers."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether mail would pass at a rung, and what blocks it."""

    rung: Rung
    answer: Answer
    blocks: tuple[str, ...] = ()
    """In words; empty only where the answer is yes."""


@dataclass(frozen=True, slots=True)
class HostResult:
    """One MX host of a domain."""

    host: str
    preference: int
    addresses: Addresses
    tlsa: Tlsa
    reached: tuple[AddressResult, ...] = ()
    passages: tuple[Passage, ...] = ()


class StsMode(StrEnum):
    """RFC 8461, section 3.2."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """An MTA-STS policy (RFC 8461, section 3.2)."""

    mode: StsMode
    max_age: int
    """Seconds."""
    mx: tuple[str, ...] = ()
    """Patterns, lower case: a name, or ``*.`` and a name."""


@dataclass(frozen=True, slots=True)
class Sts:
    """MTA-STS of a domain. All None: the domain has no record."""

    record_id: str | None = None
    policy: StsPolicy | None = None
    trouble: str | None = None
    """What is wrong with the record or the policy; senders act as if there were none (RFC 8461, section 3)."""
    untold: CouldNotTell | None = None


@dataclass(frozen=True, slots=True)
class TlsRpt:
    """Where a domain wants TLS reports (RFC 8460, section 3). Without local parts."""

    destinations: tuple[str, ...] = ()
    """``mailto:`` and a domain, or ``https://`` and a host. Empty: the domain has no record."""
    trouble: str | None = None
    untold: CouldNotTell | None = None


@dataclass(frozen=True, slots=True)
class DomainResult:
    """What a domain offers to those who send to it."""

    domain: str
    time: datetime
    route: Route
    hosts: tuple[HostResult, ...]
    sts: Sts
    tlsrpt: TlsRpt
    passages: tuple[Passage, ...] = ()
    resolver_validates: bool | None = None
    """None: could not be told."""

    @property
    def finished(self) -> bool:
        """Return whether nothing is missing for want of time."""
        offers = [offer for host in self.hosts for address in host.reached for offer in (address.plain, address.named)]
        named = [trouble for host in self.hosts for trouble in (host.addresses.trouble, host.tlsa.trouble)]
        troubles = [self.route.trouble, self.sts.untold, self.tlsrpt.untold, *named]
        late = any(trouble is not None and trouble.why is Why.LATE for trouble in troubles)
        return not late and all(offer.why is not Why.LATE for offer in offers)

    def passage(self, rung: Rung) -> Passage:
        """Return the answer for a rung."""
        return next(passage for passage in self.passages if passage.rung is rung)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to probe. Times are seconds."""

    port: int = 25
    allow_private: bool = False
    """Connect to private, loopback and other special addresses too."""
    ipv6: bool | None = None
    """None: if this machine has a route."""
    nameservers: tuple[str, ...] = ()
    """``address`` or ``address:port`` (IPv6 in brackets); none given: those of this machine."""
    https_port: int = 443
    ca_file: str | None = None
    """PEM, in the place of this machine's authorities."""
    helo: str | None = None
    """None: this machine's name."""
    lookup_seconds: float = 10.0
    """For one DNS question with all its repeats."""
    conversation_seconds: float = 45.0
    """For one connection, from connect to quit. Greeting delays of 30 s are in use."""
    total_seconds: float = 3600.0
    """For the whole call; what is not done by then could not be told."""
    connections: int = 32
    """At the same time, at most; never more than one for each address."""
    domains: int = 64
    """At the same time."""
    back_off: float = 5.0
    """Pause before the one repeat to an address that was busy."""
    max_hosts: int = 20
    """MX hosts looked at for each domain, best first."""
    max_addresses: int = 16
    """Addresses looked at for each MX host."""
