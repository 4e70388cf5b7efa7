"""
From when on a log holds all lines of an attempt, so that what it does not show was not there.

A log begins in the middle of attempts, and loggers lose lines. An instance that starts has nothing under way, so from
there on the log holds all of it, whatever was before.
"""

from datetime import datetime, timedelta
from math import log
from typing import Final

from maillog.counts import microseconds
from maillog.model import JsonValue
from maillog.postfix.activations import Activations
from maillog.postfix.sessions import belongs

# Lines with whole seconds: a session of the log's first second may have begun before it.
_RESOLUTION = timedelta(seconds=1)
# The longest interval that rsyslog drops lines for (imjournal; 5 s for imuxsock); it may never say that it ended.
LOSS_LASTS = timedelta(minutes=10)
_INSTANCES_LIMIT = 500

SECOND: Final = 1_000_000
# What is said of lost lines may stand in another file than the mail log. Then only the hole is seen: a log in which
# nearly every second had a line, and then many in a row have none.
_REMEMBERED = 60
"""Seconds."""
_BUSY = 45
_SHORTEST = 4
_IMPROBABLE = 14.0
"""By chance such a hole comes once in a million times (e to the power of 14)."""
_CLOCK_SET = 3_600
_OUT_OF_ORDER = 60


class Whole:
    """Since when the log of one reporting host is whole."""

    def __init__(self) -> None:
        self.begun = False
        self._since: datetime | None = None
        self._started: list[str | None] = []
        """Instances that started since then."""
        self.second = 0
        """The latest one that has a line."""
        self._lines = 0
        """Which of the seconds up to it have one: a bit each, the last bit for the latest."""
        self._missing = False
        self._activations = Activations()

    def begins(self, time: datetime) -> None:
        """Note that there is a line of this time: the first one is where the log begins."""
        if not self.begun:
            self.begun, self._since = True, time

    def starts(self, instance: str | None, time: datetime) -> None:
        """Note that master(8) started; while lines are being lost this proves nothing."""
        new = instance not in self._started and len(self._started) < _INSTANCES_LIMIT
        if new and self._since is not None and time >= self._since:
            self._started.append(instance)

    def loses(self, time: datetime, *, lasting: bool) -> None:
        """Note that lines were lost, or will be from now on."""
        self._since = time + (LOSS_LASTS if lasting else timedelta())
        self._started.clear()

    def misses(self) -> None:
        """Note that lines are missing before the next one of smtp(8)."""
        if not self.begun:
            return
        self._missing = True
        self.second = 0  # so that the next line is heard in any case

    def takes_up(self, queue_id: str, at: int) -> None:
        """Note that qmgr(8) took up a mail; ``at``: microseconds since 1970."""
        self._activations.add(queue_id, at)

    def lacks(self, queue_id: str, time: datetime, seconds: float) -> bool:
        """Tell whether it is missing that qmgr(8) took up a mail, so long before its delivery; then more is missing."""
        lasting = self._activations.lacks(queue_id, microseconds(time), seconds)
        if lasting is None:
            return False
        self._misses_until(time + timedelta(seconds=lasting))
        return True

    def hears(self, time: datetime) -> None:
        """Note a line of smtp(8) about a session or a delivery; find out where there must have been more of them."""
        if self._missing:
            self._missing = False
            self._misses_until(time)
        second = microseconds(time) // SECOND
        silence = second - self.second
        if -_OUT_OF_ORDER < silence <= 0:
            return
        if not 0 < silence < _CLOCK_SET:  # the clock was set, or services have several
            silence, self._lines = 1, 0
        elif self._is_hole(silence):
            self._misses_until(time)
        self._lines = (self._lines << silence | 1) & ((1 << _REMEMBERED) - 1)
        self.second = second

    def _misses_until(self, time: datetime) -> None:
        """Note that lines are missing, as it seems; what the logger itself said may hold for longer."""
        self._since = max(self._since or time, time)
        self._started.clear()

    def _is_hole(self, silence: int) -> bool:
        filled = self._lines.bit_count()
        if filled < _BUSY or silence < _SHORTEST:
            return False
        return -silence * log((_REMEMBERED + 1 - filled) / (_REMEMBERED + 2)) > _IMPROBABLE

    def holds(self, instance: str | None, began: datetime) -> bool:
        """Tell whether all lines are there of an attempt of an instance that began at a time."""
        if self._since is None or began >= self._since + _RESOLUTION:
            return True
        return any(belongs(instance, started) for started in self._started)

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        since = self._since and self._since.isoformat()
        heard = [self.second, self._lines]
        return {
            "begun": self.begun,
            "complete_since": since,
            "started": self._started,
            "heard": heard,
            "missing": self._missing,
            "activations": self._activations.carry(),
        }

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        since = state["complete_since"]
        self.begun, self._since = state["begun"], since and datetime.fromisoformat(since)
        self._started = list(state.get("started", ()))  # states of versions before know none
        self.second, self._lines = state.get("heard", (0, 0))
        self._missing = bool(state.get("missing", False))
        self._activations.restore(state.get("activations", (None, 0, None, ())))
