"""
The table of MTAs: how a line of each is recognised, and which folder reads it.

To add one: a folder with screen, grammar, events and deliveries, and a row here.
"""

from collections.abc import Callable
from typing import NamedTuple

from maillog.exim.deliveries import EximDeliveries
from maillog.exim.screen import relevant as exim_relevant
from maillog.framing import EXIM
from maillog.model import DeliveryReader, Mta, Record, Source
from maillog.postfix.deliveries import PostfixDeliveries
from maillog.postfix.events import LOST
from maillog.postfix.screen import PROGRAMS
from maillog.postfix.screen import relevant as postfix_relevant


class Format(NamedTuple):
    """One MTA."""

    mta: Mta
    relevant: Callable[[bytes], bool]
    """Whether a line, before anything else is known of it, may matter."""
    new_reader: Callable[[str | None, str | None], DeliveryReader]
    """Makes the reader of one reporting host, and of one instance where the MTA's state is apart by instance."""


POSTFIX = Format(Mta.POSTFIX, postfix_relevant, lambda host, _instance: PostfixDeliveries(host))
EXIM_LOG = Format(Mta.EXIM, exim_relevant, lambda host, instance: EximDeliveries(Source(Mta.EXIM, host, instance)))
FORMATS = (POSTFIX, EXIM_LOG)


def relevant(line: bytes) -> bool:
    """Tell whether any MTA may have written the line about a delivery."""
    return postfix_relevant(line) or exim_relevant(line)


def reader_key(record: Record) -> tuple[Mta, str | None, str | None] | None:
    """
    Return whose state a record belongs to: MTA, reporting host, and for Exim the instance.

    None where no MTA wrote it. Lost lines, as the system's logger tells of them, concern Postfix: its lines need each
    other.
    """
    if record.program == EXIM:
        return Mta.EXIM, record.host, record.instance
    if (record.instance is not None and record.program in PROGRAMS) or LOST.search(record.text):
        return Mta.POSTFIX, record.host, None
    return None


def new_reader(mta: Mta, host: str | None, instance: str | None) -> DeliveryReader:
    """Return a reader without any state for a key of :func:`reader_key`."""
    return next(entry for entry in FORMATS if entry.mta is mta).new_reader(host, instance)
