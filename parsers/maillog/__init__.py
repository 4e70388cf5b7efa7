"""
Mail logs of Postfix and Exim to deliveries with their TLS outcome.

>>> from maillog import read_deliveries
"""

from typing import TYPE_CHECKING, Any

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
from maillog.reading import Reading, ReadSettings, UnreadLine

if TYPE_CHECKING:
    from maillog.reader import LogReader, read_deliveries, read_log, read_piece

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


def __getattr__(name: str) -> Any:
    """Load the readers when they are asked for: they bring both grammars, which takes longer than all else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from maillog import reader  # noqa: PLC0415

    return getattr(reader, name)
