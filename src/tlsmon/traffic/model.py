"""Counts of deliveries to the internet. They add; every share is derived from them when it is shown."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tlsmon.rollup.model import Direction


class Period(StrEnum):
    """The length of a period, in UTC; a week begins on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Group(StrEnum):
    """What each period is divided by."""

    DOMAIN = "domain"
    """The recipient domain; inbound the one that the client claims to send for."""
    PROVIDER = "provider"
    HOST = "host"
    """The reporting host."""
    CLIENT = "client"
    """Inbound: the host that handed the mail in."""


class Counts(NamedTuple):
    """Deliveries to hosts on the internet, or inbound from them."""

    deliveries: int = 0
    """Attempts, whatever became of them."""
    sent: int = 0
    """Inbound: accepted."""
    encrypted: int = 0
    """Of those sent."""
    plaintext: int = 0
    """Of those sent."""
    unknown: int = 0
    """Of those sent."""

    def __add__(self, other: object) -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def share_encrypted(self) -> float | None:
        """From 0 to 1, of what is known; None where nothing is. Exactly 1 or 0 only if all or none are."""
        known = self.encrypted + self.plaintext
        return self.encrypted / known if known else None


class TrafficRow(NamedTuple):
    """One line of the table."""

    period: str
    """``2026-11-14``, ``2026-W46`` or ``2026-11``."""
    group: str | None
    """The domain, provider or host, as asked for; None where the log names none, or nothing was asked for."""
    counts: Counts


class Silence(NamedTuple):
    """A host that sent mail in a time in which its log says nothing about TLS: its TLS logging is off."""

    host: str | None
    mta: str
    sent: int
    first: datetime
    last: datetime
    always: bool
    """Over the whole time that was asked for."""
    direction: Direction = Direction.OUTBOUND


@dataclass(frozen=True, slots=True)
class Traffic:
    """The answer of ``tlsmon traffic``."""

    by: Period
    group: Group | None
    rows: list[TrafficRow]
    total: Counts
    first: datetime | None
    """Of the first and the last attempt, UTC; None where there is none."""
    last: datetime | None
    silences: list[Silence] = field(default_factory=list)
    direction: Direction = Direction.OUTBOUND
