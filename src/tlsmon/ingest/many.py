"""
Many logs, family by family, oldest first: each goes on with the state that the one before ended in.

A session may cross the rotation. Across calls the store knows the latest log of each family, so that the next one
goes on from there.
"""

import random
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from maillog.errors import CarryError, UnreadableSourceError
from maillog.reading import ReadSettings
from maillog.sources import Log, adjacent, expand, open_log
from tlsmon.errors import TlsmonError
from tlsmon.ingest.families import Candidate, candidate, grouped
from tlsmon.ingest.identity import Place, Predecessor, place_of
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.report import LogReport, Report, counted_twice, report_of
from tlsmon.ingest.siblings import completed
from tlsmon.store.bookmark import Totals
from tlsmon.store.positions import Positions
from tlsmon.store.table import ConflictError, Table

if TYPE_CHECKING:
    from tlsmon.ingest.one import LogIngest

_ATTEMPTS: Final = 20
_PAUSE: Final = 0.05


class Outcome(NamedTuple):
    """What came of one or more families of logs. They add."""

    logs: tuple[LogReport, ...] = ()
    deliveries: Mapping[str, int] = {}
    """By the log's identity, so that copies count once."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def joined(self, other: "Outcome") -> "Outcome":
        """Return both together."""
        return Outcome(
            self.logs + other.logs,
            {**self.deliveries, **other.deliveries},
            self.problems + other.problems,
            self.warnings + other.warnings,
        )

    def report(self, seconds: float) -> Report:
        """Return the report of a call that took so long."""
        return Report(
            list(self.logs),
            sum(self.deliveries.values()),
            sum(log.new_deliveries for log in self.logs),
            round(seconds, 3),
            list(self.problems),
            [*self.warnings, *counted_twice(self.logs)],
        )


def families(names: Sequence[str], settings: ReadSettings) -> tuple[list[list[Candidate]], list[str]]:
    """Return the logs that files, patterns and ``-`` name, by family, and what is wrong with some of the names."""
    found: dict[str, None] = {}
    problems = []
    for name in names:
        try:
            found.update(dict.fromkeys(expand([name])))
        except UnreadableSourceError as error:
            problems.append(str(error))
    return grouped(candidate(name, settings) for name in found), problems


class Previous(NamedTuple):
    """The log of a family that was read before, in this call."""

    log: str | None
    """None: none was."""
    directly: bool
    """The one that is read now follows it, or what the store knows as the latest, without a log between."""


class Ingest:
    """One call: logs in, report out. Use once."""

    def __init__(self, table: Table, settings: ReadSettings, listeners: Listeners) -> None:
        """``settings.latest`` is replaced by what each log tells."""
        self._table = table
        self._positions = Positions(table)
        self._settings = settings
        self._listeners = listeners
        self._logs: list[LogReport] = []
        self._seen: dict[str, int] = {}
        self._problems: list[str] = []
        self._warnings: list[str] = []

    def run(self, names: Sequence[str]) -> Report:
        """
        Read all logs: files, patterns, ``-``. A log that cannot be read is reported, and the others are read.

        Raises StoreError where the store fails; what was committed before stays.
        """
        began = time.monotonic()
        groups, problems = families(names, self._settings)
        self._problems += problems
        for group in groups:
            self.read_family(group)
        self._table.compact()
        return self.outcome().report(time.monotonic() - began)

    def outcome(self) -> Outcome:
        """Return what came of the families so far."""
        return Outcome(tuple(self._logs), self._seen, tuple(self._problems), tuple(self._warnings))

    def read_family(self, group: Sequence[Candidate]) -> None:
        """Read the logs of one family, the oldest first. Raises StoreError."""
        previous = None
        logs, warning = completed(group, self._positions, self._settings)
        if warning:
            self._warnings.append(warning)
        directly = warning is None
        for number, log in enumerate(logs):
            if self._listeners.stop.requested:
                return
            complete = any(later.begun for later in logs[number + 1 :])
            directly = directly and (not number or adjacent(logs[number - 1].name, log.name))
            try:
                previous = self._with_retries(log, Previous(previous, directly), complete=complete) or previous
                directly = True
            except UnreadableSourceError as error:
                self._problems.append(str(error))
                directly = False

    def _with_retries(self, log: Candidate, previous: Previous, *, complete: bool) -> str | None:
        """Read one log; begin again where another process was faster. Return the log's identity."""
        for attempt in range(_ATTEMPTS):
            with open_log(log.name) as opened:
                try:
                    return self._read_log(opened, log, previous, complete=complete)
                except ConflictError:
                    if opened.size is None:
                        break  # a pipe cannot be read again
            time.sleep(_PAUSE * random.uniform(1, 1 + attempt))  # noqa: S311, it only spreads competitors
            self._table.refresh()
        raise TlsmonError(
            f"{log.name}: another process is reading the same log into this store.",
            hint="Let only one tlsmon read a log, then run this again; nothing was counted twice.",
        )

    def _read_log(self, log: Log, as_candidate: Candidate, previous: Previous, *, complete: bool) -> str | None:
        place = place_of(log, self._positions, self._settings.host)
        if place is None:
            self._logs.append(LogReport(log.name))
            return None
        if log.size is not None and place.bookmark is not None:
            first = next(place.pieces, b"")
            if not first:  # the state of the reader need not even be looked at
                self._report(log, place, place.bookmark.totals)
                return place.log
            place = place._replace(pieces=chain((first,), place.pieces))
        family, predecessor = self._continued(as_candidate, place, previous)
        self._run(self._new_ingest(log, place, predecessor), log, place, family, complete=complete)
        return place.log

    def _continued(self, log: Candidate, place: Place, previous: Previous) -> tuple[str | None, Predecessor | None]:
        """Return the family that a new log is now the latest of, if so, and the log that it follows, if any."""
        if place.bookmark is not None or log.family is None:
            return None, None
        latest = self._positions.latest_of(log.family)
        before = previous.log or latest
        bookmark = self._positions.bookmark(before) if before else None
        if before is None or bookmark is None:
            return log.family, None
        if log.older_than(bookmark):
            return None, None
        family = log.family if latest in (None, before) else None
        if bookmark.carry is None:
            return family, None
        return family, Predecessor(before, bookmark, previous.directly and not log.long_after(bookmark))

    def _new_ingest(self, log: Log, place: Place, predecessor: Predecessor | None) -> "LogIngest":
        from tlsmon.ingest.one import LogIngest  # noqa: PLC0415, the grammars; often there is nothing new

        settings = self._settings._replace(latest=log.latest)
        try:
            return LogIngest(self._positions, place, settings, predecessor)
        except CarryError as error:
            # Written by another version. Its provisional rows stay as they were judged.
            self._warnings.append(
                f"{log.name}: {error} Sessions that were open at the end of the last run are unknown."
            )
            if place.bookmark is not None:
                place = place._replace(bookmark=place.bookmark.handed_over())
            return LogIngest(self._positions, place, settings)

    def _run(self, ingest: "LogIngest", log: Log, place: Place, family: str | None = None, *, complete: bool) -> None:
        self._listeners.progress.begin(log.name, log.size if log.plain else None)
        try:
            ingest.run(self._listeners, family, complete=complete)
        except UnreadableSourceError:
            self._report(log, place, ingest.totals)
            raise
        self._report(log, place, ingest.totals)

    def _report(self, log: Log, place: Place, totals: Totals) -> None:
        before = place.bookmark.totals.deliveries if place.bookmark else 0
        self._logs.append(report_of(log.name, place.log, totals, totals.deliveries - before))
        self._seen[place.log] = totals.deliveries
