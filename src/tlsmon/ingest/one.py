"""
One log: read what is new, add it up, commit it, exactly once.

What a commit holds is a difference, so that at any moment the table equals one reading of everything up to the offset:

    rows = deliveries decided since the last commit + provisional rows now - provisional rows of the last commit

A log that follows another one after rotation takes over the state of its reader, and with it its provisional rows; the
same commit marks the older one as handed over.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import Final

from maillog.counts import Counts
from maillog.errors import DamagedSourceError, UnreadableSourceError
from maillog.reader import LogReader
from maillog.reading import ReadSettings
from tlsmon.ingest.halves import HOSTS_MAX, Halves, can_share
from tlsmon.ingest.identity import Place, Predecessor, Trail
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.stop import Stop, StoppedError
from tlsmon.rollup.fold import Rollup, provisional_change
from tlsmon.rollup.model import Row, Span
from tlsmon.store.bookmark import Bookmark, Totals
from tlsmon.store.positions import Positions, Step

GROUPS_LIMIT: Final = 10_000
"""Groups in memory before a commit: with what a commit takes, less than 250 MB altogether."""

SHARED_FROM: Final = 1 << 24
"""Bytes after which a second process has paid for its start."""

COMMIT_SECONDS: Final = 60.0
"""For logs that never end: what was read is committed at least so often."""


class LogIngest:
    """Brings one log into the store. Use once; after a ConflictError make a new one from the new place."""

    def __init__(
        self, positions: Positions, place: Place, settings: ReadSettings, predecessor: Predecessor | None = None
    ) -> None:
        """``predecessor`` counts for a log that is new to the store. Raises CarryError for an unknown saved state."""
        self._positions = positions
        self._place = place
        self._before = place.bookmark
        self._predecessor = predecessor
        state = predecessor.bookmark if predecessor else place.bookmark
        self._settings = settings
        reader = LogReader(settings, state.carry if state else None)
        if predecessor:
            reader.next_log(missing=not predecessor.directly)
        self._reader: LogReader | Halves = reader
        self._held: Sequence[Row] = state.held if state else ()
        self._trail = Trail(place.bookmark, place.window)
        self._rest = b""
        self._came = 0
        self._counts = Counts()
        self._lines = self._unread_lines = 0
        self.totals = place.bookmark.totals if place.bookmark else Totals()

    def run(self, listeners: Listeners, family: str | None = None, *, complete: bool = False) -> None:
        """
        Read to the end of the log and commit, in between as well where much comes together.

        ``family``: this log is now the latest of that family. ``complete``: no more will be written to this log, so
        that its last line is whole even without a line end.
        Raises UnreadableSourceError after committing what could be read, DamagedSourceError without, ConflictError,
        StoreError.
        """
        try:
            self._run(listeners, family, complete=complete)
        finally:
            if isinstance(self._reader, Halves):
                self._reader.close()

    def _run(self, listeners: Listeners, family: str | None, *, complete: bool) -> None:
        committed = time.monotonic()
        try:
            for piece in self._waited(listeners.stop):
                self._read(piece, listeners)
                if self._reader.groups >= GROUPS_LIMIT or time.monotonic() - committed > COMMIT_SECONDS:
                    self._place.check()
                    self._commit(family)
                    committed = time.monotonic()
            if complete and self._rest and not listeners.stop.requested:
                self._finish(listeners)
        except DamagedSourceError:
            raise  # nothing of it is certain, and a good copy of the log can follow
        except UnreadableSourceError:
            self._commit(family, self._rest)
            raise
        self._commit(family, self._rest)

    def _waited(self, stop: Stop) -> Iterator[bytes]:
        while not stop.requested:
            try:
                with stop.waiting():
                    piece = next(self._place.pieces, b"")
            except StoppedError:
                return
            if not piece:
                return
            yield piece

    def _read(self, piece: bytes, listeners: Listeners) -> None:
        text = self._rest + piece
        self._came += len(piece)
        self._share(text)
        consumed = self._take(text, listeners)
        self._trail.extend(text[:consumed])
        self._rest = text[consumed:]
        listeners.progress.advance(len(piece))

    def _share(self, text: bytes) -> None:
        """
        Read with two processes once much has come.

        With one again where the lines turn out to be of many hosts, and while the clock is changed.
        """
        reader = self._reader
        if isinstance(reader, LogReader):
            if self._came > SHARED_FROM and can_share(reader) and not reader.is_near_change(text):
                self._counts.merge(reader.take())
                self._reader = Halves(self._settings, reader.carry())
        elif reader.hosts > HOSTS_MAX or reader.is_near_change(text):
            self._counts.merge(reader.take())
            self._reader = LogReader(self._settings, reader.carry())
            reader.close()

    def _finish(self, listeners: Listeners) -> None:
        self._take(self._rest + b"\n", listeners)
        self._trail.extend(self._rest)
        self._rest = b""

    def _take(self, text: bytes, listeners: Listeners) -> int:
        reading = self._reader.count(text)
        self._lines += reading.lines
        self._unread_lines += len(reading.unread)
        for line in reading.unread:
            listeners.unread(self._place.name, line)
        return reading.consumed

    def _commit(self, family: str | None, rest: bytes = b"") -> None:
        """Commit what was read; ``rest``: an unfinished line at the end of the log counts as far as it is there."""
        provisional = Rollup(provisional=True)
        provisional.add(self._reader.held(rest))
        held = provisional.rows()
        self._counts.merge(self._reader.take())
        decided, self._counts = self._counts, Counts()
        change = provisional_change(self._held, held)
        if self._trail.end == (self._before.offset if self._before else 0) and not decided and not change:
            return
        spans = [*starmap(Span, decided.groups.values()), *(row.span for row in change)]
        totals = _added(self.totals, spans, held, self._lines, self._unread_lines)
        after = Bookmark(self._trail.end, self._trail.marks(), totals, self._reader.carry(), tuple(held))
        self._positions.commit(change, self._steps(after), family, decided)
        self._before, self._held, self.totals = after, held, totals
        self._predecessor = None
        self._lines = self._unread_lines = 0

    def _steps(self, after: Bookmark) -> list[Step]:
        steps = [Step(self._place.log, self._before, after)]
        if self._predecessor:
            log, bookmark = self._predecessor.log, self._predecessor.bookmark
            steps.append(Step(log, bookmark, bookmark.handed_over()))
        return steps


def _added(totals: Totals, spans: list[Span], held: Iterable[Row], lines: int, unread_lines: int) -> Totals:
    times = [at for at in (totals.first, totals.last) if at is not None]
    # Rows that take something back say nothing new about first and last.
    times += [
        at for span in (*spans, *(row.span for row in held)) if span.deliveries > 0 for at in (span.first, span.last)
    ]
    return Totals(
        totals.lines + lines,
        totals.unread_lines + unread_lines,
        totals.deliveries + sum(span.deliveries for span in spans),
        min(times, default=None),
        max(times, default=None),
    )
