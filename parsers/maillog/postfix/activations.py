"""
Mails that qmgr(8) took up lately: the delivery of one that it did not take up shows that lines are missing.

qmgr(8) writes ``QID: from=<…>, size=…, nrcpt=… (queue active)`` whenever a mail enters the active queue, before smtp(8)
gets it. So where the log has such lines, and none for a mail that was taken up within it, something was lost since: a
full disk, a logger that dropped lines without a word, datagrams on their way. And the TLS line may be among it.
"""

from typing import Final

from maillog.model import JsonValue

SECOND: Final = 1_000_000
KEPT: Final = 20 * SECOND
"""Microseconds. Mails that were under way for longer are not judged by this."""
_SLACK: Final = 3 * SECOND
"""Stamps have whole seconds, and the times of an attempt are rounded."""
_LIMIT: Final = 10_000
_REGULARLY: Final = 3
"""So many mails more than were missing show that the log has these lines; a logger may be told to leave them out."""
_TRUST: Final = 10 * _REGULARLY
_AGAIN: Final = 60
"""Seconds: where the next hole comes so soon, lines are lost all the time."""


class Activations:
    """The queue ids of the last seconds of a log, with the time of each, in microseconds since 1970."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._since: int | None = None
        """From when on all that is young enough is kept."""
        self._found = 0
        self._lost: int | None = None
        """When it was last found out that lines are missing."""

    def add(self, queue_id: str, at: int) -> None:
        """Note that qmgr(8) took up a mail."""
        times = self._times
        if self._since is None:
            self._since = at
        times.pop(queue_id, None)
        times[queue_id] = at
        while times[first := next(iter(times))] < at - KEPT - _SLACK:
            del times[first]
        if len(times) > _LIMIT:
            self._since = times.pop(first)

    def lacks(self, queue_id: str, at: int, seconds: float) -> int | None:
        """
        Tell whether the line is missing that a mail was taken up, ``seconds`` before its delivery at a time.

        None: it is not, or one hole that is known explains it, or the lines of other mails are missing, too. Else for
        how many seconds from then on more must be taken to be missing.
        """
        if queue_id in self._times:
            self._found = min(self._found + 1, _TRUST)
            return None
        begun = at - round(seconds * SECOND)
        if self._since is None or begun - _SLACK < max(self._since, at - KEPT):
            return None
        if self._found < _REGULARLY or (self._lost is not None and begun <= self._lost <= at):
            return None
        again = self._lost is not None and 0 <= at - self._lost <= _AGAIN * SECOND
        self._found, self._lost = self._found - _REGULARLY, at
        return _AGAIN if again else 0

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return [self._since, self._found, self._lost, list(self._times.items())]

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._since, self._found, self._lost, times = state
        self._times = {str(queue_id): int(at) for queue_id, at in times}
