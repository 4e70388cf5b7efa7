"""
One log on two processors: what goes out is read here, what comes in by a second process from the same pieces.

The two directions share nothing but the lines in which Postfix speaks of itself, and both read those. So no result
depends on where a piece ends or on which of the two is faster, and what they carry is joined to what one reader would
carry (``maillog.reader.joined``). Stamps without a zone need all lines where the clock is changed: that is read by one.
"""

import os
import pickle
import signal
import subprocess
import sys
from typing import IO, Any, Final, Self

from maillog.counts import Counts
from maillog.model import Delivery, Direction, JsonValue
from maillog.reader import LogReader, joined
from maillog.reading import Reading, ReadSettings
from tlsmon.errors import TlsmonError

HOSTS_MAX: Final = 500
"""A log with more hosts stays with one reader: it may have to forget some of them, in the order of all their lines."""

_SERVE: Final = "from tlsmon.ingest.halves import serve; serve()"


def can_share(reader: LogReader) -> bool:
    """Tell whether two processes can go on where a reader is, and would be of use."""
    return (os.cpu_count() or 1) > 1 and reader.divisible and reader.hosts <= HOSTS_MAX


class Halves:
    """Counts like a :class:`LogReader`, in two processes; to be closed."""

    def __init__(self, settings: ReadSettings, carry: JsonValue) -> None:
        """Go on from what a reader of both directions carried."""
        self._outbound = LogReader(settings, carry, Direction.OUTBOUND)
        self._process = subprocess.Popen(  # noqa: S603, this very program
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the one who commits
        )
        self._groups = self._hosts = 0
        self._ask("begin", settings, carry)

    @property
    def groups(self) -> int:
        """See :attr:`LogReader.groups`."""
        return self._outbound.groups + self._groups

    @property
    def hosts(self) -> int:
        """See :attr:`LogReader.hosts`."""
        return max(self._outbound.hosts, self._hosts)

    def is_near_change(self, text: bytes) -> bool:
        """See :meth:`LogReader.is_near_change`."""
        return self._outbound.is_near_change(text)

    def count(self, piece: bytes) -> Reading:
        """See :meth:`LogReader.count`."""
        self._ask("count", piece, self._outbound.times)
        reading = self._outbound.count(piece)
        unread, self._groups, self._hosts, times = self._answer()
        self._outbound.know(times)  # for the year, where one direction has been silent for long
        return reading._replace(unread=sorted((*reading.unread, *unread)))

    def take(self) -> Counts:
        """See :meth:`LogReader.take`."""
        self._ask("take")
        counts = self._outbound.take()
        counts.merge(self._answer())
        self._groups = 0
        return counts

    def held(self, rest: bytes = b"") -> list[Delivery]:
        """See :meth:`LogReader.held`."""
        self._ask("held", rest)
        return [*self._outbound.held(rest), *self._answer()]

    def carry(self) -> JsonValue:
        """See :meth:`LogReader.carry`."""
        self._ask("carry")
        return joined(self._outbound.carry(), self._answer())

    def close(self) -> None:
        """End the second process."""
        stdin, stdout = _pipes(self._process)
        try:
            stdin.close()
        except OSError:  # it ended before
            self._process.kill()
        stdout.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, *question: Any) -> None:
        stdin, _ = _pipes(self._process)
        try:
            pickle.dump(question, stdin, pickle.HIGHEST_PROTOCOL)
            stdin.flush()
        except OSError as error:
            raise _died() from error

    def _answer(self) -> Any:
        _, stdout = _pipes(self._process)
        try:
            return pickle.load(stdout)  # noqa: S301, written by this very program
        except (EOFError, pickle.UnpicklingError) as error:
            raise _died() from error


def serve() -> None:
    """Be the second process: answer until there are no more questions."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    reader: LogReader | None = None
    while True:
        try:
            what, *values = pickle.load(questions)  # noqa: S301, written by this very program
        except EOFError:
            return
        if reader is None:
            settings, carry = values
            reader = LogReader(settings, carry, Direction.INBOUND)
            continue
        try:
            pickle.dump(_answer_of(reader, what, values), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except BrokenPipeError:  # the one who asked is gone
            os._exit(1)


def _answer_of(reader: LogReader, what: str, values: list[Any]) -> Any:
    match what:
        case "count":
            piece, times = values
            reader.know(times)
            return reader.count(piece).unread, reader.groups, reader.hosts, reader.times
        case "take":
            return reader.take()
        case "held":
            return reader.held(*values)
        case "carry":
            return reader.carry()
    return None


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    return process.stdin, process.stdout


def _died() -> TlsmonError:
    return TlsmonError(
        "A process that read half of the log ended early.",
        hint="Was it killed, or is there too little memory? Nothing is counted twice: run this again.",
    )
