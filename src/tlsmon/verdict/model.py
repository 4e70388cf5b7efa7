"""The words of a judgement."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tlsmon.evidence.model import Address


class Level(StrEnum):
    """
    The levels that can be recommended, in Postfix's words.

    For Exim ``encrypt`` is hosts_require_tls, ``verify`` that with tls_verify_hosts, ``dane-only`` hosts_require_dane.
    """

    ENCRYPT = "encrypt"
    VERIFY = "verify"
    SECURE = "secure"
    DANE_ONLY = "dane-only"


class Fate(StrEnum):
    """What a level would have done to one mail."""

    DELIVERED = "delivered"
    REROUTED = "rerouted"
    """Its own server would have been refused; another MX host takes it in the same attempt."""
    DELAYED = "delayed"
    """Some attempts fail, a later one within the queue lifetime succeeds."""
    LOST = "lost"
    """No attempt within the queue lifetime succeeds, or it bounces at once."""
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the level would do to a domain's mail."""

    SAFE = "safe"
    DELAYS = "delays"
    LOSES = "loses"
    UNPROVEN = "unproven"


class Fates(NamedTuple):
    """Mails by fate. They add up to the mails of the window."""

    delivered: int = 0
    rerouted: int = 0
    delayed: int = 0
    lost: int = 0
    unknown: int = 0

    @property
    def affected(self) -> int:
        """Return the mails that would come late or not at all."""
        return self.delayed + self.lost


class HostCounts(NamedTuple):
    """What one MX host took of a domain's mail."""

    host: str
    encrypted: int
    plaintext: int
    unknown: int


class Probed(NamedTuple):
    """What the last probe of a domain found at the level."""

    time: datetime
    vantage: str
    """The machine that asked."""
    answer: str
    """``yes``, ``no``, ``some`` (of its MX hosts), ``unknown``."""
    disagrees: bool
    """Log and probe say different things of a host, or of the domain."""
    findings: tuple[str, ...]
    """In words: where they disagree, and what the log never saw."""


class Judgement(NamedTuple):
    """The verdict on one domain at one level, with all that it stands on."""

    domain: str
    verdict: Verdict
    mails: int
    """Mails that were delivered, or lost for TLS, within the window."""
    connections: int
    """Of their own; the others went over connections of mail before."""
    encrypted: int
    plaintext: int
    unknown: int
    fates: Fates
    affected_upper_bound: float | None
    """One-sided upper bound of the share of mail that would be delayed or lost, 0 to 1; None without evidence."""
    reasons: tuple[str, ...]
    mx_hosts: tuple[HostCounts, ...]
    last_seen: int | None
    """Microseconds since 1970, UTC."""
    providers: tuple[str, ...] = ()
    probed: Probed | None = None
    """None: no probe that is recent enough, or none was asked for."""


class Thresholds(NamedTuple):
    """How much certainty is asked for."""

    max_share: float = 0.01
    """Largest upper bound of the share of affected mail that is still called safe. 1: judge by what was seen alone."""
    min_mails: int = 1
    confidence: float = 0.95
    oldest_protocol: str = "TLSv1"
    """Postfix's own default of smtp_tls_mandatory_protocols is ``>=TLSv1``."""
    tolerated_delay: float = 0.002
    """Share of delayed mail up to which a domain is not called ``delays``: a big provider's odd hiccup."""
    queue_days: float = 5.0
    """maximal_queue_lifetime, or Exim's retry rules."""
    probe_days: float = 7.0
    """How old a probe may be to count; 0: judge by the log alone."""
    sender_validates: bool = False
    """The mail server is known to use DANE (smtp_dns_support_level = dnssec, a validating resolver)."""
    in_force: str | None = None
    """smtp_tls_security_level where logs do not state it (Postfix before 3.11): ``dane``, ``verify``, ``secure``."""


class Candidate(NamedTuple):
    """An address that may take the domain's mail, as the level sees it."""

    address: Address
    share_bad: float | None
    """None: the log does not tell."""
    upper: float | None
    """Upper bound of the share of bad sessions."""
