"""What a reader is told of a log beforehand, and what it gives."""

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from maillog.model import Delivery
from maillog.scope import IpNetwork

UNREAD_TEXT = 1_000


class ReadSettings(NamedTuple):
    """What a log does not say about itself."""

    zone: tzinfo = UTC
    """The zone of stamps without one."""
    latest: datetime | None = None
    """No line is later than a day after this (None: now); it gives the year to stamps without one."""
    host: str | None = None
    """The reporting host of lines that name none (an Exim main log)."""
    internet: tuple[IpNetwork, ...] = ()
    """Private or loopback networks whose servers count as ``internet``: labs, partners behind a VPN."""


class UnreadLine(NamedTuple):
    """A line that looks relevant and could not be read."""

    number: int
    """From 1, in the whole log."""
    offset: int
    """Of its first byte in the (decompressed) log."""
    reason: str
    text: str
    """At most ``UNREAD_TEXT`` characters, as found: control characters and all."""


class Reading(NamedTuple):
    """What a piece of a log gave."""

    deliveries: list[Delivery]
    """Those that are now decided, in the order in which they were."""
    unread: list[UnreadLine]
    lines: int
    """Complete lines in the piece, of whatever kind."""
    consumed: int
    """Bytes of the piece that are done with; the rest, an unfinished line, must be given again with what follows it."""
