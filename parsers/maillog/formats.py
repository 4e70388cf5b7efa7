"""
The table of MTAs: how a line of each is recognised, and which folder reads it.

To add one: a folder with screen, grammar, events and deliveries, and a row here.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from maillog.exim.both_ways import EximBothWays
from maillog.exim.inbound_screen import inbound_relevant
from maillog.exim.screen import relevant as outbound_relevant
from maillog.framing import EXIM
from maillog.model import DeliveryReader, Direction, JsonValue, Mta, Record, Source
from maillog.postfix.both_ways import PostfixBothWays
from maillog.postfix.inbound_screen import PROGRAM, inbound_hits
from maillog.postfix.loss import tells_of_loss
from maillog.postfix.screen import PROGRAMS, of_others
from maillog.postfix.screen import hits as outbound_hits
from maillog.scope import IpNetwork


class Format(NamedTuple):
    """One MTA."""

    mta: Mta
    hits: Callable[[bytes], Iterator[int]]
    """Takes many lines; gives a position in each one that may matter, in any order, before more is known of it."""
    new_reader: Callable[[str | None, str | None, tuple[IpNetwork, ...], Direction | None], DeliveryReader]
    """
    Makes the reader of one reporting host, and of one instance where the MTA's state is apart by instance. Gets the
    networks that count as internet wherever they are, and which direction to read if not both.
    """


def _postfix_hits(text: bytes) -> Iterator[int]:
    return chain(outbound_hits(text), inbound_hits(text))


def _exim_relevant(text: bytes) -> bool:
    return outbound_relevant(text) or inbound_relevant(text)


def _exim_hits(text: bytes) -> Iterator[int]:
    # Most logs are of one MTA: one search over all lines says that none is Exim's.
    if not _exim_relevant(text):
        return
    position = 0
    for line in text.split(b"\n"):  # not splitlines(): an address may hold a carriage return
        if _exim_relevant(line):
            yield position
        position += len(line) + 1


POSTFIX = Format(
    Mta.POSTFIX, _postfix_hits, lambda host, _instance, internet, only: PostfixBothWays(host, internet, only)
)
EXIM_LOG = Format(
    Mta.EXIM,
    _exim_hits,
    lambda host, instance, internet, _only: EximBothWays(Source(Mta.EXIM, host, instance), internet),
)
FORMATS = (POSTFIX, EXIM_LOG)


def relevant_lines(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the lines that some MTA may have written about a delivery, in order."""
    done = 0
    for hit in sorted(chain.from_iterable(entry.hits(text) for entry in FORMATS)):
        if hit >= done:
            newline = text.find(b"\n", hit)
            end = newline if newline >= 0 else len(text)
            begin = text.rfind(b"\n", done, hit) + 1 or done
            if not of_others(text, begin):
                yield begin, end
            done = end + 1


def reader_key(record: Record) -> tuple[Mta, str | None, str | None] | None:
    """
    Return whose state a record belongs to: MTA, reporting host, and for Exim the instance.

    None where no MTA wrote it. Lost lines, as the system's logger tells of them, concern Postfix: its lines need each
    other.
    """
    if record.program == EXIM:
        return Mta.EXIM, record.host, record.instance
    if _of_postfix(record):
        return Mta.POSTFIX, record.host, None
    return None


def _of_postfix(record: Record) -> bool:
    if record.instance is not None:
        return record.program in PROGRAMS or record.program == PROGRAM
    return tells_of_loss(record)


def new_reader(
    key: tuple[Mta, str | None, str | None], internet: tuple[IpNetwork, ...] = (), only: Direction | None = None
) -> DeliveryReader:
    """Return a reader without any state for a key of :func:`reader_key`."""
    mta, host, instance = key
    return next(entry for entry in FORMATS if entry.mta is mta).new_reader(host, instance, internet, only)


def joined(outbound: JsonValue, inbound: JsonValue) -> JsonValue:
    """Return the states of readers, as lists of key and state, from those of either direction."""
    states = {tuple(key): state for *key, state in outbound}
    for *key, state in inbound:
        if key[0] == Mta.POSTFIX:  # all of Exim counts as outbound
            states[tuple(key)] = states.get(tuple(key), {}) | state
    # A direction is missing where its reader saw nothing of the host.
    nothing = PostfixBothWays(None).carry()
    return [[*key, nothing | state if key[0] == Mta.POSTFIX else state] for key, state in states.items()]
