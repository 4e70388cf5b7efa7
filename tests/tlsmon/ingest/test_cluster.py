"""Many logs on Dask workers: the same table as on one machine, also when a worker dies in the middle."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlsmon.logs import contents, day, encrypted, ingest, line, rows_in, total
from tests.tlsmon.object_store import client, free_port, object_store, tlsmon

from maillog.reading import ReadSettings
from tlsmon.ingest.fleet import read_family
from tlsmon.ingest.many import families
from tlsmon.ingest.one import SHARED_FROM
from tlsmon.store.table import Table


class Cluster:
    """A scheduler and workers, each a process of its own on loopback."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.workers: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        self._processes = [self._run("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")]

    def start_worker(self, name: str, *, nanny: bool = False) -> None:
        """Start a worker; with a nanny, which is what Dask does by default, it is a daemonic process."""
        worker = self._run(
            "worker",
            self.address,
            "--name",
            name,
            "--nthreads",
            "1",
            "--nanny" if nanny else "--no-nanny",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
        )
        self.workers.append(worker)
        self._processes.append(worker)

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self._processes):
            process.terminate()  # a nanny takes its worker along
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def running(environment: dict[str, str], workers: int, *, nanny: bool = False) -> Iterator[Cluster]:
    """Run a cluster that is ready."""
    found = Cluster(environment)
    try:
        for number in range(workers):
            found.start_worker(str(number), nanny=nanny)
        wait_for_workers(found.address, workers)
        yield found
    finally:
        found.close()


def wait_for_workers(address: str, number: int) -> None:
    """Return once the scheduler has so many workers."""
    from distributed import Client  # noqa: PLC0415, slow

    with Client(address, timeout=120, set_as_default=False) as asked:  # type: ignore[no-untyped-call]
        asked.wait_for_workers(number, timeout=120)


def rotated(folder: Path, host: str, mails: int) -> None:
    """Write a log and the one before it, cut in the middle of a session."""
    lines = b"".join(encrypted(n * 3, n % 9, host=host) for n in range(mails)).splitlines(keepends=True)
    cut = len(lines) // 4 * 2 + 1
    (folder / f"{host}.log.1").write_bytes(b"".join(lines[:cut]))
    (folder / f"{host}.log").write_bytes(b"".join(lines[cut:]))


def test_a_worker_dies(tmp_path: Path) -> None:
    """One of two workers is killed while both read: nothing is lost, nothing counts twice."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(6):
        rotated(logs, f"mx{number}", 2000)
    with running({}, 2) as cluster:
        arguments = ["ingest", "--store", tmp_path / "store", "--timezone", "UTC", "--cluster", cluster.address]
        process = tlsmon({}, *arguments, "--format", "json", logs / "*.log*")
        while not list((tmp_path / "store").glob("*.parquet")):  # until the first family is in the table
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        busy = cluster.workers[1]
        busy.send_signal(signal.SIGKILL)
        busy.wait()
        unread = 12 - len(list((tmp_path / "store").glob("*.parquet")))
        out, err = process.communicate()
        assert (process.returncode, json.loads(out)["deliveries"]) == (0, 12_000), err
        again = tlsmon({}, *arguments, "--format", "json", logs / "*.log*")
        assert json.loads(again.communicate()[0])["new_deliveries"] == 0
    assert unread > 2, "the worker was killed too late to matter"
    ingest(tmp_path / "alone", *logs.glob("*.log*"))
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")


def test_a_worker_reads_a_large_log_with_two_processes(tmp_path: Path) -> None:
    """A worker under a nanny may have no children by multiprocessing; the second reader is none of those."""
    log = tmp_path / "mail.log"
    mails = b"".join(encrypted(n * 3, n % 9) + came(n * 3 + 1) for n in range(500))
    padding = b"".join(line(1500 + n % 2, "x" * 900, program="dovecot") for n in range(SHARED_FROM // 900))
    log.write_bytes(mails + padding + b"".join(encrypted(1503 + n, n % 9) + came(1503 + n) for n in range(500)))
    helpers = tmp_path / "helpers"
    (tmp_path / "sitecustomize.py").write_text(NOTES_PROCESSES)
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "HELPERS": str(helpers)}
    with running(environment, 1, nanny=True) as cluster:
        arguments = ["--timezone", "UTC", "--format", "json", "--cluster", cluster.address, log]
        process = tlsmon({}, "ingest", "--store", tmp_path / "store", *arguments)
        out, err = process.communicate()
        assert (process.returncode, json.loads(out)["new_deliveries"]) == (0, 2000), err
    assert helpers.read_text() == "served\n", "one second process"
    ingest(tmp_path / "alone", log)
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")
    assert total(tmp_path / "store") == 2000


def came(second: float) -> bytes:
    """Return the lines of a mail that comes in."""
    queue_id = f"{int(second) + 4096:X}A0"
    texts = ("connect from {}", queue_id + ": client={}", "disconnect from {} ehlo=1 mail=1 rcpt=1 data=1 commands=4")
    lines = [line(second, text.format("a.example[192.0.2.1]"), 8, "postfix/smtpd") for text in texts]
    taken = f"{queue_id}: from=<s@s.example>, size=1, nrcpt=1 (queue active)"
    return b"".join([*lines[:2], line(second, taken, 3, "postfix/qmgr"), lines[2]])


NOTES_PROCESSES = """
import os, sys
if sys.orig_argv[-1].endswith("serve()"):
    with open(os.environ["HELPERS"], "a") as file:
        file.write("served\\n")
"""


def test_logs_and_store_in_a_bucket(tmp_path: Path) -> None:
    """Workers read compressed and rotated logs from a bucket into a store in a bucket, as one machine does."""
    rotated(tmp_path, "mx1", 300)
    (tmp_path / "day.log.gz").write_bytes(gzip.compress(day(400)))
    with object_store() as environment, running(environment, 2) as cluster:
        plain = client(environment)
        for path in tmp_path.iterdir():
            plain.upload_file(str(path), "mail", f"archive/{path.name}")
        arguments = ["ingest", "--store", "s3://mail/store", "--timezone", "UTC", "--format", "json"]
        process = tlsmon(environment, *arguments, "--cluster", cluster.address, "s3://mail/archive/*")
        out, err = process.communicate()
        assert (process.returncode, json.loads(out)["new_deliveries"]) == (0, 700), err
        alone = tlsmon(environment, *arguments, "s3://mail/archive/*")
        assert json.loads(alone.communicate()[0])["new_deliveries"] == 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            found = rows_in("s3://mail/store")
    ingest(tmp_path / "alone", *tmp_path.glob("*.log*"))
    assert found == contents(tmp_path / "alone")


def test_what_a_cluster_cannot_do_is_refused(tmp_path: Path) -> None:
    """Following, unread lines and standard input stay on one machine; a scheduler that is not there is told."""
    to = ["ingest", "--store", tmp_path / "store", "--cluster", "tcp://127.0.0.1:9"]
    process = tlsmon({}, *to, "--follow", "-")
    _, err = process.communicate()
    assert (process.returncode, "--follow, - (standard input) cannot go" in err) == (2, True), err
    process = tlsmon({}, *to, "x.log")
    _, err = process.communicate()
    assert (process.returncode, "no Dask scheduler answers" in err, "Traceback" in err) == (3, True, False), err


def test_a_task_that_runs_twice_counts_once(tmp_path: Path) -> None:
    """What the store promises is all that the executor needs: a task may run again, whole or after a part."""
    rotated(tmp_path, "mx", 200)
    store = str(tmp_path / "store")
    Table.open_or_create(store)
    ((group,), _) = families([str(tmp_path / "mx.log*")], ReadSettings())
    read_family(store, ReadSettings(), group[:1])
    read_family(store, ReadSettings(), group)
    read_family(store, ReadSettings(), group)
    assert total(tmp_path / "store") == 200
