"""What was observed of the servers that take mail. Plain values; times are microseconds since 1970, UTC."""

from enum import StrEnum
from typing import NamedTuple

from tlsmon.rollup.model import Direction


class Address(NamedTuple):
    """
    One address of an MX host: what an MTA connects to, one after the other.

    Inbound: the client. Its host is its address where it has no name.
    """

    host: str
    ip: str | None
    port: int | None


class Sender(NamedTuple):
    """The MTA that wrote the log, with its own CA file and settings."""

    mta: str
    host: str | None
    instance: str | None


class Observation(NamedTuple):
    """Equal attempts at one address for one recipient domain. The words are those of the store."""

    domain: str
    """Inbound: the domain that the client claims to send for."""
    address: Address
    sender: Sender
    security: str
    authentication: str | None
    protocol: str | None
    cipher: str | None
    outcome: str
    cause: str | None
    level: str | None
    attempts: int
    connections: int
    """How many there were for them; 0 where all went over connections of other attempts."""
    first: int
    last: int
    earlier: frozenset[str] = frozenset()
    """Other addresses that had failed before in the same attempt; ``?`` is one that the log does not name."""
    direction: Direction = Direction.OUTBOUND


class Standing(StrEnum):
    """What an observation says about an address at a level."""

    GOOD = "good"
    """A session that the level accepts."""
    BAD = "bad"
    """A session that the level refuses."""
    OPEN = "open"
    """There was a session; whether the level accepts it cannot be told from the log."""
    SILENT = "silent"
    """Says nothing about TLS: no session, or a failure that has nothing to do with it."""


class SenderFacts(NamedTuple):
    """What the whole window shows of one sender's settings."""

    knows_authorities: bool = False
    """It verified some certificate, so it has a CA store: ``untrusted`` then means a certificate that fails."""
    uses_dane: bool = False
    """It used DANE for some destination, so one without DANE has no usable TLSA record."""
