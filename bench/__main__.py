"""
``python -m bench``: tlsmon against its peers on the same logs, one table with ratios.

Every round runs each program once; times are medians of the rounds, and a ratio is the median of the rounds' own
ratios, so that a machine that is slow for a while does not favour one of them.
"""

import argparse
import gzip
import os
import random
import shutil
import statistics
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import zstandard

from bench import history
from bench.contenders import Contender, Logs, contenders, missing
from bench.exim_log import EximLog
from bench.measure import Sample, run
from bench.postfix_log import PostfixLog
from bench.world import World

_MEGABYTE = 1_000_000
_FULL = 400_000


def main() -> None:
    """Measure and show."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        logs = _write(Path(folder), options.deliveries, options.seed)
        if options.only_logs:
            shutil.move(logs.postfix, "postfix.log")
            shutil.move(logs.exim, "exim.log")
            return
        some = [one for one in contenders() if options.log in (None, one.log)]
        rounds = [_round(some, logs, number) for number in range(options.rounds)]
        size = sum(file.stat().st_size for file in (logs.scratch / "store").rglob("*") if file.is_file())
    _show(some, rounds, options.deliveries)
    print(f"\nstore: {size / options.deliveries:.1f} MB for a million deliveries")
    for name in missing():
        print(f"not installed: {name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--deliveries", type=int, default=_FULL // 4, help=f"in each log; {_FULL} are 500 MB of Postfix"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", choices=("postfix", "gzip", "zstd", "exim"), help="measure only this one")
    parser.add_argument("--scratch", help="a folder with room for the logs")
    parser.add_argument("--only-logs", action="store_true", help="write postfix.log and exim.log here and end")
    return parser.parse_args()


def _write(folder: Path, deliveries: int, seed: int) -> Logs:
    names = ("mail.log", "mainlog", "mail.log.gz", "mail.log.zst", "scratch")
    logs = Logs(*(folder / name for name in names))
    logs.scratch.mkdir()
    for path, kind in ((logs.postfix, PostfixLog), (logs.exim, EximLog)):
        with path.open("w") as file:
            file.writelines(kind(World(seed), deliveries).lines())
    with logs.postfix.open("rb") as plain, gzip.open(logs.gzip, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    with logs.postfix.open("rb") as plain, logs.zstd.open("wb") as packed:
        zstandard.ZstdCompressor().copy_stream(plain, packed)
    return logs


def _round(some: list[Contender], logs: Logs, number: int) -> dict[Contender, Sample]:
    """Run each one once, in another order every time; the second run of tlsmon comes behind the first."""
    order = [list(group) for _, group in groupby(some, key=lambda one: (one.log, one.name.partition(",")[0]))]
    random.Random(number).shuffle(order)
    samples = {}
    for one in (one for group in order for one in group):
        if one.ours:
            shutil.rmtree(logs.scratch / "store", ignore_errors=True)
        samples[one] = run(one.command(logs), {"TLSMON_STORE": str(logs.scratch / "store"), "NO_COLOR": "1"})
    return samples


def _show(some: list[Contender], rounds: list[dict[Contender, Sample]], deliveries: int) -> None:
    stamp, release = datetime.now(UTC).date().isoformat(), version("tlsmon")
    print(f"{deliveries:,} deliveries, {len(rounds)} rounds, {os.cpu_count()} processors\n")
    print(f"{'log':8} {'program':28} {'seconds':>8} {'ratio':>7} {'cpu':>7} {'MB':>6}")
    lines = []
    for one in some:
        samples = [found[one] for found in rounds]
        base = next(other for other in some if other.ours and other.log == one.log)
        seconds, cpu = (
            statistics.median(values) for values in zip(*((s.seconds, s.cpu) for s in samples), strict=True)
        )
        ratio = statistics.median(found[one].seconds / found[base].seconds for found in rounds)
        peak = max(sample.peak for sample in samples) / _MEGABYTE
        print(f"{one.log:8} {one.name:28} {seconds:8.2f} {ratio:7.2f} {cpu:7.2f} {peak:6.0f}")
        lines.append(
            (
                stamp,
                release,
                deliveries,
                one.log,
                one.name,
                f"{seconds:.3f}",
                f"{ratio:.3f}",
                f"{cpu:.3f}",
                f"{peak:.0f}",
            )
        )
    history.append(lines)
    _show_compressed(some, rounds)


def _show_compressed(some: list[Contender], rounds: list[dict[Contender, Sample]]) -> None:
    """Show what a log costs compressed, in time of the same log as it is."""
    ours = {one.log: one for one in some if one.ours}
    for log in ("gzip", "zstd"):
        if {"postfix", log} <= ours.keys():
            plain, packed = ours["postfix"], ours[log]
            ratio, cpu = (
                statistics.median(values)
                for values in zip(
                    *(
                        (found[packed].seconds / found[plain].seconds, found[packed].cpu / found[plain].cpu)
                        for found in rounds
                    ),
                    strict=True,
                )
            )
            print(f"\nthe Postfix log as {log}: {ratio:.2f} of the time of the plain one, {cpu:.2f} of its cpu")


if __name__ == "__main__":
    main()
