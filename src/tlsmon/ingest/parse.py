"""Logs to deliveries, without a store."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain

from maillog.errors import UnreadableSourceError
from maillog.model import Delivery
from maillog.reader import LogReader
from maillog.reading import ReadSettings, UnreadLine
from maillog.sources import Log, expand, open_log
from tlsmon.ingest.families import Candidate, candidate, grouped


def parse(
    names: Sequence[str],
    settings: ReadSettings,
    unread: Callable[[str, UnreadLine], None],
    problem: Callable[[str], None],
    seen: Callable[[Log, bytes], None] = lambda _log, _lines: None,
) -> Iterator[Delivery]:
    """
    Yield the deliveries of logs, those of one family with the oldest log first and one reader for all.

    A delivery comes when it is decided, which may be after later ones. ``unread`` is told every line that could not
    be read, ``problem`` every log. ``seen`` gets all lines, before the deliveries that they tell of.
    """
    candidates = (candidate(name, settings) for name in _expanded(names, problem))
    for group in grouped(candidates):
        yield from _family(group, settings, unread, problem, seen)


def _expanded(names: Sequence[str], problem: Callable[[str], None]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        try:
            found.update(dict.fromkeys(expand([name])))
        except UnreadableSourceError as error:
            problem(str(error))
    return list(found)


def _family(
    group: Sequence[Candidate],
    settings: ReadSettings,
    unread: Callable[[str, UnreadLine], None],
    problem: Callable[[str], None],
    seen: Callable[[Log, bytes], None],
) -> Iterator[Delivery]:
    reader: LogReader | None = None
    for one in group:
        try:
            log = open_log(one.name)
        except UnreadableSourceError as error:
            problem(str(error))
            continue
        with log:
            reader = LogReader(settings._replace(latest=log.latest), reader.carry() if reader else None)
            reader.next_log()
            yield from _log(reader, _pieces(log, problem), partial(unread, log.name), partial(seen, log))
    if reader:
        yield from reader.held()


def _log(
    reader: LogReader,
    pieces: Iterator[bytes],
    unread: Callable[[UnreadLine], None],
    seen: Callable[[bytes], None],
) -> Iterator[Delivery]:
    rest = b""
    for piece in chain(pieces, (b"\n",)):  # the last line may have no end
        text = rest + piece
        reading = reader.read(text)
        rest = text[reading.consumed :]
        if text != b"\n":
            seen(text[: reading.consumed])
        for line in reading.unread:
            unread(line)
        yield from reading.deliveries


def _pieces(log: Log, problem: Callable[[str], None]) -> Iterator[bytes]:
    try:
        yield from log.pieces()
    except UnreadableSourceError as error:
        problem(str(error))
