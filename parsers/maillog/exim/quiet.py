"""
Attempts that go on though nothing was logged for long: what later lines of the message need of the earlier ones.

A server may take minutes for each answer, and Exim writes nothing meanwhile (``connect_timeout``, ``command_timeout``
and ``data_timeout`` of the smtp transport are 5 minutes, ``final_timeout`` is 10). So where a host was noted and no
delivery line followed, or where the process began on a kept connection, that is kept until well after them; and not so
long that the next attempt would be taken for the same one (the default retry rule waits 15 minutes).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from maillog.exim.runs import Run, run_from_json, run_to_json
from maillog.model import JsonValue, Source

QUIET_TIME = timedelta(minutes=12)
QUIET_LIMIT = 5_000


class Quiet:
    """The messages that are silent for a while, by id, in the order in which they fell silent."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def __contains__(self, queue_id: str) -> bool:
        """Tell whether something may be known of the message."""
        return queue_id in self._runs

    def add(self, queue_id: str, run: Run) -> None:
        """Keep what later lines need of a message whose lines so far were judged, if there is anything."""
        if run.open:
            emptied = replace(run, held=[], reached=set(), deferral=None, unread=False, continued=run.was_continued)
            self._runs[queue_id] = emptied
        elif run.was_continued or run.left or run.shown:
            continued, failed = run.was_continued, run.failed
            self._runs[queue_id] = Run(run.last, continued=continued, failed=failed, left=run.left, shown=run.shown)
        if len(self._runs) > QUIET_LIMIT:
            del self._runs[next(iter(self._runs))]

    def take(self, queue_id: str, now: datetime) -> Run | None:
        """Return what is known of a message that has a line again."""
        run = self._runs.pop(queue_id, None)
        return run if run is not None and now - run.last <= QUIET_TIME else None

    def carry(self, source: Source) -> JsonValue:
        """Return the state as JSON."""
        return [[queue_id, *run_to_json(run, source, queue_id)] for queue_id, run in self._runs.items()]

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._runs = {queue_id: run_from_json(run) for queue_id, *run in state}
