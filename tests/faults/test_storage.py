"""A disk that is full, and a store that may not be written: told in a line, and nothing is spoilt."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlsmon.logs import contents, day, encrypted, ingest, total
from tests.tlsmon.object_store import tlsmon

MAILS = 400


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount a file system in memory; skip where that is not allowed."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here (needs root): {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def run(store: Path, log: Path) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    process = tlsmon({}, "ingest", "--store", store, "--timezone", "UTC", "--format", "json", log)
    out, err = process.communicate()
    return process.returncode, out, err


def test_full_disk(tmp_path: Path) -> None:
    """Wherever in a run the space ends, it is said, the store stays good, and with space the run goes on."""
    log, disk = tmp_path / "mail.log", tmp_path / "disk"
    text = day(MAILS)
    failed = 0
    with small_disk(disk, "1m"):
        for free in (0, 4, 8, 16, 32):  # KiB: what is left for document, rows and commit
            store, ballast = disk / f"store{free}", disk / "ballast"
            log.write_bytes(text[: len(text) // 2])
            assert run(store, log)[0] == 0
            before = contents(store)
            log.write_bytes(text)
            left = os.statvfs(disk)
            ballast.write_bytes(b"x" * (left.f_bavail * left.f_frsize - free * 1024))
            code, out, err = run(store, log)
            if code:
                failed += 1
                assert (code, out, "Traceback" in err) == (3, "", False), err
                assert f"{store}: " in err
                assert "No space left on device" in err
                assert contents(store) == before
            ballast.unlink()
            assert run(store, log)[0] == 0
            assert total(store) == MAILS
    assert failed >= 3


def test_read_only(tmp_path: Path) -> None:
    """A store on a read-only file system can be asked; an ingest says why it cannot go on, and goes on later."""
    log, disk = tmp_path / "mail.log", tmp_path / "disk"
    log.write_bytes(day(MAILS))
    with small_disk(disk, "8m"):
        store = disk / "store"
        assert run(store, log)[0] == 0
        log.write_bytes(day(MAILS) + encrypted(9000))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, _, err = run(store, log)
        assert (code, "Traceback" in err, "Read-only file system" in err) == (3, False, True), err
        asked = tlsmon({}, "traffic", "--store", store, "--format", "json")
        assert sum(row["deliveries"] for row in json.loads(asked.communicate()[0])["rows"]) == MAILS
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert json.loads(run(store, log)[1])["new_deliveries"] == 1


def test_no_permission(tmp_path: Path) -> None:
    """A store of another user is neither read nor written, and the message says what to do."""
    if os.geteuid() == 0:
        pytest.skip("root may read and write everything")
    store, log = tmp_path / "store", tmp_path / "mail.log"
    log.write_bytes(day(10))
    ingest(store, log)
    store.chmod(0o500)
    log.write_bytes(day(20))
    code, _, err = run(store, log)
    store.chmod(0o700)
    assert (code, "Traceback" in err) == (3, False), err
    assert str(store) in err
