"""
The words of tlsmon as code: what a log line becomes on its way to a delivery.

Everything here is a value. The parts of a delivery that repeat (who wrote it, which relay, what TLS, what result) are
objects of their own, made once for each distinct phrase of a log and shared by all deliveries that say the same.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias

JsonValue: TypeAlias = Any
"""What the json module takes and gives. Not spelt out: a saved state is checked by restoring it, not by its type."""


class Mta(StrEnum):
    """The program that wrote the line."""

    POSTFIX = "postfix"
    EXIM = "exim"


class Direction(StrEnum):
    """Seen from the host that writes the log."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Scope(StrEnum):
    """Where the relay stands, inbound the client; only ``internet`` counts as traffic."""

    INTERNET = "internet"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LOCAL = "local"
    """LMTP, a UNIX socket, a pipe, a mailbox on this machine."""
    SUBMISSION = "submission"
    """Inbound only: a client that logged in, or came to a service for submission, wherever it stands."""


class Security(StrEnum):
    """What the attempt's mail transaction ran over."""

    ENCRYPTED = "encrypted"
    PLAINTEXT = "plaintext"
    """Said only where the log proves it."""
    UNKNOWN = "unknown"
    """There was a transaction, and the log does not tell."""
    NONE = "none"
    """There was no SMTP mail transaction: no connection, or it ended before TLS was decided."""


class Authentication(StrEnum):
    """Postfix's trust words with Postfix's meaning (``tls/tls_client.c``)."""

    ANONYMOUS = "anonymous"
    UNTRUSTED = "untrusted"
    TRUSTED = "trusted"
    VERIFIED = "verified"
    DANE = "dane"


class Evidence(StrEnum):
    """How the security is known."""

    STATED = "stated"
    """This very line says so: Exim's X=, Postfix's tls= since 3.11."""
    CORRELATED = "correlated"
    """From the TLS line, or its absence, of the same process and host just before."""
    INFERRED = "inferred"
    """From what the MTA's rules imply, such as a cached connection."""
    NONE = "none"


class Outcome(StrEnum):
    """What became of the attempt."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    """The queue lifetime is over and the mail goes back to its sender."""


class Cause(StrEnum):
    """Why the mail was not sent, where TLS is the reason; else ``unrelated``."""

    TLS_NOT_OFFERED = "tls_not_offered"
    TLS_REFUSED = "tls_refused"
    TLS_HANDSHAKE = "tls_handshake"
    CERT_UNTRUSTED = "cert_untrusted"
    CERT_NAME = "cert_name"
    CERT_EXPIRED = "cert_expired"
    DANE = "dane"
    POLICY = "policy"
    TLS_LOCAL = "tls_local"
    """Our own fault: a broken policy table, CA file or TLS engine."""
    UNRELATED = "unrelated"


class Level(StrEnum):
    """Postfix's TLS security levels, as far as a log shows them."""

    NONE = "none"
    MAY = "may"
    ENCRYPT = "encrypt"
    FINGERPRINT = "fingerprint"
    VERIFY = "verify"
    SECURE = "secure"
    HALFDANE = "halfdane"
    DANE = "dane"
    DANE_ONLY = "dane-only"


class Source(NamedTuple):
    """Who wrote a delivery line."""

    mta: Mta
    host: str | None
    """The reporting host as the line names it; None for an Exim main log without syslog."""
    instance: str | None
    """Postfix: syslog_name, all before the last ``/`` of the tag (``postfix/relay``). Exim: the syslog tag."""


class Relay(NamedTuple):
    """The other side: the MX host that took or refused the attempt; inbound the client that handed the mail in."""

    host: str | None
    """Lower case, without a trailing dot; None where no host was reached, or the client's name is not known."""
    ip: str | None
    port: int | None
    scope: Scope | None
    """None where no host was reached."""


class Tls(NamedTuple):
    """What the log says about TLS in the attempt's session."""

    security: Security
    authentication: Authentication | None = None
    evidence: Evidence = Evidence.NONE
    protocol: str | None = None
    """``TLSv1.3``, ``TLSv1.2``, … spelt so for both MTAs."""
    cipher: str | None = None


class Result(NamedTuple):
    """How the attempt ended."""

    outcome: Outcome
    dsn: str | None = None
    """RFC 3463 status such as ``4.7.5``; None where the line has none (Exim)."""
    cause: Cause | None = None
    """None for ``sent``."""
    earlier: str | None = None
    """
    Sent or deferred, and in the same attempt other hosts had failed before, so this one may be a backup: their
    addresses, sorted, with commas between, and ``?`` for one that the log does not name.
    """


NULL_SENDER = "<>"
"""Stands for the domain of the null sender, which bounces and the like come with (RFC 5321, section 4.5.5)."""


class Delivery(NamedTuple):
    """
    One attempt to hand one recipient to the next hop, as one log line tells it.

    Inbound: one mail that a client of ours handed in, whatever its recipients, or a session that failed for TLS.
    """

    time: datetime
    """With its zone."""
    source: Source
    queue_id: str
    direction: Direction
    recipient_domain: str | None
    """Lower case A-label; an address literal in brackets; None for an address without domain, and inbound."""
    relay: Relay
    tls: Tls
    result: Result
    level: Level | None = None
    """The level in force, where the line states it (Postfix since 3.11)."""
    sender_domain: str | None = None
    """Inbound: the domain that the client claims to send for, or ``NULL_SENDER``; None where the log does not tell."""
    reused: bool = False
    """
    It had no connection of its own, but went over that of an attempt before: as a further recipient of its mail, or as
    mail over a connection that was kept open. False also where the log does not tell.
    """


class Record(NamedTuple):
    """A framed line: what every log format says before the MTA's own text begins."""

    time: datetime
    host: str | None
    instance: str | None
    """Of the tag, see :class:`Source`."""
    program: str
    """``smtp``, ``tlsproxy``, ``qmgr``, …; ``exim`` for Exim."""
    pid: int | None
    text: str
    """What the program wrote, without the frame."""


class Unread(NamedTuple):
    """A line that looks relevant and could not be read."""

    reason: str
    """What was expected, in words for the user."""


Found: TypeAlias = Delivery | Unread


class DeliveryReader(Protocol):
    """
    What every MTA's ``deliveries`` module offers: the records of one reporting host in, deliveries out.

    A reader is a plain state machine; ``carry`` and ``restore`` turn its state into JSON and back without loss.
    """

    def feed(self, record: Record) -> list[Found]:
        """Take the next record in log order; return what is now known for sure, usually nothing or one delivery."""

    def held(self) -> list[Delivery]:
        """Return what is still being waited for, judged as if the log ended here. Does not change the state."""

    def missed(self) -> list[Delivery]:
        """Note that lines are missing here, nobody knows which; return what is decided by that."""

    def carry(self) -> JsonValue:
        """Return the whole state as JSON."""

    def restore(self, carry: JsonValue) -> None:
        """Put a state back that :meth:`carry` gave. Raises MaillogError where it does not fit."""
