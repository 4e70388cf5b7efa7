"""Run a program and take its time and memory."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_LOOK = 0.2


class Sample(NamedTuple):
    """One run."""

    seconds: float
    """By the clock on the wall."""
    cpu: float
    """Seconds of processor, of the program and its children."""
    peak: int
    """Bytes of memory at the highest, of the program and its children together; shared pages count once."""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Sample:
    """Run a program to its end. Raises CalledProcessError where it fails."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Sample(seconds, usage.ru_utime + usage.ru_stime, max(watch.peak, usage.ru_maxrss * 1024))


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children, many times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._over.wait(_LOOK):
            family = [self._pid, *_children(self._pid)]
            if len(family) > 1:  # alone, the system's own record is exact
                self.peak = max(self.peak, sum(map(_proportional, family)))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [one for child in map(int, text.split()) for one in (child, *_children(child))]


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)
