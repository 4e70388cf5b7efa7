"""Rotation, truncation and copytruncate in the middle of ``--follow``."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tlsmon.logs import contents, encrypted, ingest, total
from tests.tlsmon.object_store import tlsmon

MAILS, TURNS = 240, 4


def rename(log: Path, number: int) -> None:
    """Rotate as logrotate does with `create`."""
    log.rename(log.with_name(f"mail.log-2026112{number}"))
    log.touch()


def copytruncate(log: Path, number: int) -> None:
    """Rotate as logrotate does with `copytruncate`: the file stays, its text goes."""
    shutil.copy2(log, log.with_name(f"mail.log-2026112{number}"))
    with log.open("r+b") as file:
        file.truncate(0)


def truncate(log: Path, _number: int) -> None:
    """Throw away what was read, as `: > mail.log` does."""
    with log.open("r+b") as file:
        file.truncate(0)


def mails_in(store: Path) -> int:
    """Return how many deliveries are there; none where there is no store yet."""
    return total(store) if list(store.glob("_delta_log/*.json")) else 0


def wait_for(store: Path, mails: int, process: "subprocess.Popen[str]") -> None:
    """Return once so many deliveries are in the store."""
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        if mails_in(store) >= mails:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{mails_in(store)} of {mails}")


@pytest.mark.parametrize("turn", [rename, copytruncate, truncate])
def test_turned_while_followed(tmp_path: Path, turn: Callable[[Path, int], None]) -> None:
    """Whatever happens to the file between two looks, each line that stays somewhere counts once."""
    log, store = tmp_path / "mail.log", tmp_path / "store"
    parts = [encrypted(n * 7, n % 9, 100 + n % 5) for n in range(MAILS)]
    draw = random.Random(5)
    log.touch()
    process = tlsmon({}, "ingest", "--follow", "--store", store, "--timezone", "UTC", log)
    for number, part in enumerate(parts, 1):
        with log.open("ab", buffering=0) as file:
            half = draw.randrange(len(part))
            file.write(part[:half])
            file.write(part[half:])
        if number == 1:
            wait_for(store, 1, process)  # from here on it follows
        if number % (MAILS // TURNS) == 0 and number < MAILS:
            if turn is truncate:  # what was not read by then is gone for everybody
                wait_for(store, number, process)
            turn(log, number // (MAILS // TURNS))
    wait_for(store, MAILS, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 0, err
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "any.log").write_bytes(b"".join(parts))
    ingest(whole / "store", whole / "any.log")
    assert contents(store) == contents(whole / "store")
