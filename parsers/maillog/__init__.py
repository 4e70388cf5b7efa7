"""
Mail logs of Postfix and Exim to deliveries with their TLS outcome.

>>> from maillog import read_deliveries
"""

from maillog.errors import CarryError, MaillogError, UnreadableSourceError
from maillog.model import (
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Level,
    Mta,
    Outcome,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
)
from maillog.reader import LogReader, read_deliveries, read_log, read_piece
from maillog.reading import Reading, ReadSettings, UnreadLine

__all__ = [
    "Authentication",
    "CarryError",
    "Cause",
    "Delivery",
    "Direction",
    "Evidence",
    "Level",
    "LogReader",
    "MaillogError",
    "Mta",
    "Outcome",
    "ReadSettings",
    "Reading",
    "Relay",
    "Result",
    "Scope",
    "Security",
    "Source",
    "Tls",
    "UnreadLine",
    "UnreadableSourceError",
    "read_deliveries",
    "read_log",
    "read_piece",
]
