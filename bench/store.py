"""
A store of a year, 50,000 domains and 20 million rows, and how long the questions take that people ask of it.

    python -m bench.store [ROWS] [--keep FOLDER]

DuckDB groups the same Parquet files in the same run; the ratios are what counts. The store is written as `tlsmon
ingest` would do it: a commit a day, sorted, compacted.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from tlsmon.store.arrow import ORDER, SCHEMA
from tlsmon.store.table import WRITER, Table

ROWS, DOMAINS, DAYS = 20_000_000, 50_000, 365
BEGIN = datetime(2025, 11, 24, tzinfo=UTC)
PROVIDERS, OWN_SHARE = 400, 0.35
"""Hosters with five hosts each; domains with a server of their own."""
HOUR = 3_600_000_000


class World(NamedTuple):
    """Who has which servers. One entry a domain."""

    domains: pa.Array
    weights: "np.ndarray"
    first_host: "np.ndarray"
    hosts: pa.Array
    addresses: pa.Array
    clear: "np.ndarray"
    """Share of mail in clear, by host."""


def world(seed: int = 1) -> World:
    """Return domains with Zipf-like volumes; one host in a hundred has no TLS, one in two hundred now and then."""
    draw = np.random.default_rng(seed)
    domains = pa.array([f"d{number}.example{number % 97}.org" for number in range(DOMAINS)])
    weights = 1 / (np.arange(DOMAINS) + 20.0)
    shared = PROVIDERS * 5
    own = draw.random(DOMAINS) < OWN_SHARE
    first = np.where(own, shared + np.arange(DOMAINS), draw.zipf(1.3, DOMAINS) % PROVIDERS * 5)
    names = [f"mx{number % 5}.hoster{number // 5}.net" for number in range(shared)]
    names += [f"mail.d{number}.example{number % 97}.org" for number in range(DOMAINS)]
    ips = [f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}" for number in range(len(names))]
    fate = draw.random(len(names))
    clear = np.where(fate < 0.01, 1.0, np.where(fate < 0.015, 0.02, 0.0))
    return World(domains, weights / weights.sum(), first, pa.array(names), pa.array(ips), clear)


def days(rows: int, seed: int = 2) -> Iterator[pa.Table]:
    """Give the rows of each day, sorted as `tlsmon ingest` sorts them."""
    known, draw = world(), np.random.default_rng(seed)
    for day in range(DAYS):
        yield _day(known, draw, BEGIN + timedelta(days=day), rows // DAYS).sort_by(ORDER)


def _day(known: World, draw: "np.random.Generator", begin: datetime, rows: int) -> pa.Table:
    domain = draw.choice(DOMAINS, rows, p=known.weights)
    first = known.first_host[domain]
    host = np.where(first < PROVIDERS * 5, first + draw.integers(0, 5, rows), first)
    hour = int(begin.timestamp()) * 1_000_000 + draw.integers(0, 24, rows) * HOUR
    at = hour + draw.integers(0, HOUR // 2, rows)
    clear = draw.random(rows) < known.clear[host]
    failed = draw.random(rows) < 0.03
    reporter = draw.integers(0, 4, rows)
    old = host % 11 == 0
    number = draw.geometric(0.3, rows)

    def pick(condition: "np.ndarray", yes: str | None, no: str | None) -> pa.Array:
        return pc.if_else(pa.array(condition), pa.scalar(yes, pa.string()), pa.scalar(no, pa.string()))

    columns = {
        "hour": hour,
        "mta": ["postfix"] * rows,
        "host": pa.array([f"mx{n}" for n in range(4)]).take(pa.array(reporter)),
        "instance": ["postfix"] * rows,
        "direction": ["outbound"] * rows,
        "recipient_domain": known.domains.take(pa.array(domain)),
        "mx_host": known.hosts.take(pa.array(host)),
        "mx_ip": known.addresses.take(pa.array(host)),
        "mx_port": np.full(rows, 25),
        "scope": ["internet"] * rows,
        "security": pick(clear, "plaintext", "encrypted"),
        "authentication": pick(clear, None, "trusted"),
        "evidence": ["correlated"] * rows,
        "protocol": pick(clear, None, "TLSv1.3"),
        "cipher": pick(clear, None, "TLS_AES_256_GCM_SHA384"),
        "outcome": pick(failed, "deferred", "sent"),
        "cause": pick(failed, "unrelated", None),
        "level": pick(old, None, "may"),
        "provisional": np.zeros(rows, bool),
        "count": number,
        "first": at,
        "last": at + draw.integers(0, HOUR // 2, rows),
        "connections": np.minimum(number, draw.geometric(0.3, rows)),
    }
    return pa.Table.from_arrays([_array(field, columns.get(field.name), rows) for field in SCHEMA], schema=SCHEMA)


def _array(field: pa.Field, column: object, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, field.type)
    return column.cast(field.type) if isinstance(column, pa.Array) else pa.array(column, field.type)


def write(folder: Path, rows: int) -> None:
    """Write the store: a commit a day, compacted as `ingest` does."""
    table = Table.open_or_create(str(folder))
    for number, day in enumerate(days(rows)):
        write_deltalake(DeltaTable(folder), day, mode="append", writer_properties=WRITER)
        if number % 64 == 0:
            table.refresh()
            table.compact()
    table.refresh()
    table.compact()


class Run(NamedTuple):
    """One measurement."""

    seconds: float
    megabytes: int


def measured(command: list[str]) -> Run:
    """Run a command to its end; return the wall time and the most memory that it had."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.perf_counter() - began, usage.ru_maxrss // 1024)


DUCKDB = """
import sys, duckdb
files = sys.argv[2].split(",")
print(duckdb.sql(sys.argv[1].replace("FILES", repr(files))).to_arrow_table().num_rows)
"""
_SENT = "sum(case when outcome = 'sent' and security = '{0}' then count else 0 end)"
_SUMS = ", ".join(["sum(count)", _SENT.format("encrypted"), _SENT.format("plaintext"), 'min("first")', 'max("last")'])
_TRAFFIC = "from read_parquet(FILES) where scope = 'internet' and direction = 'outbound'"
_ADDRESS = "recipient_domain, mx_host, mx_ip, mx_port, mta, host, instance, security, authentication, protocol, cipher"
_WINDOW = f"and hour >= timestamptz '{BEGIN + timedelta(days=DAYS - 30):%Y-%m-%d %H:%M:%S}+00'"

QUESTIONS = {
    "traffic": (["traffic"], f"select date_trunc('day', hour), {_SUMS} {_TRAFFIC} group by all"),
    "traffic by domain": (
        ["traffic", "--by", "month", "--group", "domain", "--format", "csv"],
        f"select date_trunc('month', hour), recipient_domain, {_SUMS} {_TRAFFIC} group by all",
    ),
    "recommend": (
        ["recommend", "--format", "json"],
        f"select {_ADDRESS}, outcome, cause, level, date_trunc('day', hour), {_SUMS} {_TRAFFIC} {_WINDOW} group by all",
    ),
    "report": (
        ["report", "-o", "REPORT"],
        f"select {_ADDRESS}, outcome, cause, level, date_trunc('day', hour), {_SUMS} {_TRAFFIC} group by all",
    ),
}


def compare(folder: Path, questions: list[str], runs: int = 3) -> Iterator[tuple[str, Run, Run]]:
    """Give for each question the median run of tlsmon and that of DuckDB, taken in turns."""
    files = ",".join(DeltaTable(folder).file_uris())
    with tempfile.TemporaryDirectory() as scratch:
        for name in questions:
            words, sql = QUESTIONS[name]
            ours = [word.replace("REPORT", f"{scratch}/report.html") for word in words]
            pairs = [
                (
                    measured([sys.executable, "-m", "tlsmon", *ours, "--store", str(folder)]),
                    measured([sys.executable, "-c", DUCKDB, sql, files]),
                )
                for _ in range(runs)
            ]
            yield name, _median([ours for ours, _ in pairs]), _median([theirs for _, theirs in pairs])


def _median(runs: list[Run]) -> Run:
    return Run(statistics.median(run.seconds for run in runs), max(run.megabytes for run in runs))


def size(folder: Path) -> tuple[int, int, int]:
    """Return bytes, rows and deliveries of the table."""
    table = DeltaTable(folder)
    added = pa.table(table.get_add_actions(flatten=True))
    found = Table.open(str(folder)).query("SELECT SUM(count) AS n FROM rows").to_pylist()
    return sum(added["size_bytes"].to_pylist()), sum(added["num_records"].to_pylist()), int(found[0]["n"])


def main(told: Callable[[str], None] = print) -> None:
    """Write the store where there is none, ask, and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("rows", type=int, nargs="?", default=ROWS)
    asked.add_argument("--keep", type=Path, help="the folder of the store; used as it is where there is one")
    asked.add_argument("--only", choices=QUESTIONS, action="append", help="one question; may be repeated")
    asked.add_argument("--runs", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch) / "store"
        if not folder.exists():
            began = time.perf_counter()
            write(folder, given.rows)
            told(f"written in {time.perf_counter() - began:.0f} s")
        taken, rows, deliveries = size(folder)
        told(f"{rows:,} rows, {deliveries:,} deliveries, {taken / 1e6:,.0f} MB on disk")
        told(f"{taken / rows:.1f} bytes a row, {taken / deliveries:.2f} MB a million deliveries")
        told(f"{'question':<20}{'tlsmon s':>10}{'MB':>7}{'DuckDB s':>10}{'MB':>7}{'ratio':>7}")
        for name, ours, theirs in compare(folder, given.only or list(QUESTIONS), given.runs):
            told(
                f"{name:<20}{ours.seconds:>10.2f}{ours.megabytes:>7}{theirs.seconds:>10.2f}{theirs.megabytes:>7}"
                f"{ours.seconds / theirs.seconds:>7.1f}"
            )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
