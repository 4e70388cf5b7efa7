"""
kill -9 at random moments: does the table equal that of an ingest that nobody disturbed?

    python -m tests.faults.kills [--seconds 600] [--seed 1]

A log grows, is rotated and compressed, while ingests of it are killed, alone and two at once. At the end of a story a
last run completes the table, and it is compared with a whole ingest of the same text.
"""

import argparse
import gzip
import multiprocessing
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.tlsmon.logs import contents, encrypted, ingest, silent

from tlsmon.rollup.model import Row

STEPS = 10
"""Runs in a story, most of them killed."""


@dataclass
class Counts:
    """What came of all stories."""

    stories: int = 0
    kills: int = 0
    in_time: int = 0
    """Killed before the run was over."""
    committed: int = 0
    """Of those, after something was committed."""
    documents: int = 0
    """Killed between the document and the commit that refers to it."""
    rows: int = 0
    lost: int = 0
    twice: int = 0

    def add(self, expected: Sequence[Row], found: Sequence[Row]) -> None:
        """Compare the tables of one story."""
        want, have = (Counter({row.key: row.span.deliveries for row in rows}) for rows in (expected, found))
        self.stories += 1
        self.rows += len(expected)
        self.lost += sum((want - have).values())
        self.twice += sum((have - want).values())
        if not self.lost and not self.twice:
            assert expected == found, "the counts agree, and the times do not"

    def __str__(self) -> str:
        return (
            f"{self.stories} stories, {self.kills} kills tried ({self.in_time} before the run was over: "
            f"{self.committed} after a commit, {self.documents} between a document and its commit), "
            f"{self.rows} rows compared: {self.lost} lost, {self.twice} twice"
        )


class Story:
    """One log and one store."""

    def __init__(self, folder: Path, draw: random.Random, counts: Counts) -> None:
        self._folder, self._draw, self._counts = folder, draw, counts
        self._log, self._store = folder / "mail.log", folder / "store"
        self._text = _text(draw)
        self._written = 0
        self._usual = 0.0

    def tell(self) -> None:
        """Let the log grow and kill what reads it, then complete the table and compare it."""
        for step in range(STEPS):
            self._grow(last=step == STEPS - 1)
            if step:
                self._run_and_kill(self._draw.choice((1, 1, 2)))
            else:
                self._run_undisturbed()
            if self._draw.random() < 0.2:
                self._rotate()
        names = sorted(self._folder.glob("mail.log*"))
        ingest(self._store, *names)
        alone = self._folder / "alone"
        alone.mkdir()
        (alone / "any.log").write_bytes(self._text)
        ingest(alone / "store", alone / "any.log")
        self._counts.add(contents(alone / "store"), contents(self._store))

    def _grow(self, *, last: bool) -> None:
        size = len(self._text) // STEPS
        end = len(self._text) if last else self._written + self._draw.randrange(size)
        with self._log.open("ab") as file:
            file.write(self._text[self._written : end])
        self._written = end

    def _rotate(self) -> None:
        """Rotate at the end of a line, as a server that was told to open its log anew does."""
        end = self._text.find(b"\n", self._written) + 1 or len(self._text)
        with self._log.open("ab") as file:
            file.write(self._text[self._written : end])
        self._written = end
        if end == len(self._text) or not self._log.stat().st_size:
            return
        for path in sorted(self._folder.glob("mail.log.*"), reverse=True):
            path.rename(self._folder / f"mail.log.{int(path.name.split('.')[2]) + 1}.gz")
        packed = self._folder / "mail.log.1.gz"
        packed.write_bytes(gzip.compress(self._log.read_bytes(), 1))
        self._log.unlink()
        self._log.touch()

    def _run_undisturbed(self) -> None:
        began = time.monotonic()
        process = _SPAWN.Process(target=ingest, args=(self._store, self._log))
        process.start()
        process.join()
        self._usual = time.monotonic() - began

    def _run_and_kill(self, readers: int) -> None:
        names = sorted(self._folder.glob("mail.log*"))
        before = self._state()
        processes = [_SPAWN.Process(target=ingest, args=(self._store, *names)) for _ in range(readers)]
        for process in processes:
            process.start()
        deadline = time.monotonic() + self._draw.uniform(0.2, 1.3) * self._usual * readers
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0))
        for process in processes:
            process.kill()
            process.join()
            self._counts.kills += 1
            self._counts.in_time += process.exitcode == -signal.SIGKILL
        if readers == 1 and processes[0].exitcode == -signal.SIGKILL:
            commits, documents = (now - then for now, then in zip(self._state(), before, strict=True))
            self._counts.committed += commits > 0
            self._counts.documents += documents > 0 and not commits

    def _state(self) -> tuple[int, int]:
        """Return how many commits and documents there are."""
        commits, documents = self._store.glob("_delta_log/*.json"), self._store.glob("_carry/*/*.json")
        return len(list(commits)), len(list(documents))


def _text(draw: random.Random) -> bytes:
    """Return a log of some hundred mails with sessions, silence and reused processes."""
    return b"".join(
        encrypted(n * 5, draw.randrange(9), 100 + draw.randrange(9)) if draw.random() < 0.8 else silent(n * 5, 20)
        for n in range(draw.randrange(100, 600))
    )


# A server with all modules loaded forks the victims: a kill costs hundredths of a second, not the start of Python.
_SPAWN = multiprocessing.get_context("forkserver")


def run(seconds: float, seed: int) -> Counts:
    """Tell stories for so long; return what came of them."""
    _SPAWN.set_forkserver_preload(["tests.faults.warm"])
    counts, draw, end = Counts(), random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end or not counts.stories:
        with tempfile.TemporaryDirectory() as folder:
            Story(Path(folder), draw, counts).tell()
    return counts


def main() -> None:
    """Run for as long as asked and print the counts; exit code 1 where anything was lost or counted twice."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=600)
    asked.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = asked.parse_args()
    print(f"seed {given.seed}")
    counts = run(given.seconds, given.seed)
    print(counts)
    raise SystemExit(bool(counts.lost or counts.twice))


if __name__ == "__main__":
    main()
