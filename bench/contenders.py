"""Who is measured: tlsmon, and what people use today or could write in an hour."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

HELPER = "MAIL_TLS_HELPER"
"""Environment: where the script mail-tls-helper is, if it is not on the PATH."""

_LOOP = """
import re, sys
field = re.compile(rb"/smtp\\[\\d+\\]: ([0-9A-Za-z]+): to=<([^>]*)>, .*relay=([^,]*), .*dsn=([^,]*), status=(\\w+)")
print(sum(field.search(line) is not None for line in open(sys.argv[1], "rb")))
"""


class Logs(NamedTuple):
    """The logs that are read, and room for what the programs write."""

    postfix: Path
    exim: Path
    gzip: Path
    zstd: Path
    """The Postfix log, compressed."""
    scratch: Path


class Contender(NamedTuple):
    """One program with one log."""

    name: str
    log: str
    """``postfix``, ``exim``, or ``gzip`` or ``zstd`` for the Postfix log compressed."""
    command: Callable[[Logs], list[str]]
    ours: bool = False


def contenders() -> Iterator[Contender]:
    """Yield those that are installed."""
    tlsmon = _beside_python("tlsmon")
    yield Contender("tlsmon ingest", "postfix", lambda logs: [tlsmon, "ingest", str(logs.postfix)], ours=True)
    yield Contender("tlsmon ingest, nothing new", "postfix", lambda logs: [tlsmon, "ingest", str(logs.postfix)])
    yield Contender("python -c pass", "postfix", lambda _: [sys.executable, "-c", "pass"])
    helper = os.environ.get(HELPER) or shutil.which("mail-tls-helper") or shutil.which("mail-tls-helper.py")
    if helper:
        yield Contender("mail-tls-helper", "postfix", lambda logs: _helper(helper, logs))
    yield from _installed("pflogsumm", "postfix", lambda logs: ["pflogsumm", str(logs.postfix)])
    yield Contender(
        "loop with one expression", "postfix", lambda logs: [sys.executable, "-c", _LOOP, str(logs.postfix)]
    )
    yield from _installed("grep", "postfix", lambda logs: ["grep", "-c", "/smtp\\[", str(logs.postfix)], "grep -c")
    yield from _installed("wc", "postfix", lambda logs: ["wc", "-l", str(logs.postfix)], "wc -l")
    yield Contender("tlsmon ingest", "gzip", lambda logs: [tlsmon, "ingest", str(logs.gzip)], ours=True)
    yield from _installed("gzip", "gzip", lambda logs: ["gzip", "-dc", str(logs.gzip)], "gzip -dc")
    yield Contender("tlsmon ingest", "zstd", lambda logs: [tlsmon, "ingest", str(logs.zstd)], ours=True)
    yield from _installed("zstd", "zstd", lambda logs: ["zstd", "-dc", str(logs.zstd)], "zstd -dc")
    yield Contender("tlsmon ingest", "exim", lambda logs: [tlsmon, "ingest", str(logs.exim)], ours=True)
    yield from _installed("eximstats", "exim", lambda logs: ["eximstats", str(logs.exim)])
    yield from _installed("wc", "exim", lambda logs: ["wc", "-l", str(logs.exim)], "wc -l")


def missing() -> list[str]:
    """Return the peers that would be measured if they were installed."""
    names = [name for name in ("pflogsumm", "eximstats", "zstd") if not shutil.which(name)]
    helper = os.environ.get(HELPER) or shutil.which("mail-tls-helper") or shutil.which("mail-tls-helper.py")
    return names if helper else [*names, f"mail-tls-helper (or name it with {HELPER})"]


def _installed(
    program: str, log: str, command: Callable[[Logs], list[str]], name: str | None = None
) -> Iterator[Contender]:
    if shutil.which(program):
        yield Contender(name or program, log, command)


def _helper(script: str, logs: Logs) -> list[str]:
    # No mail, no map: only what it reads from the log.
    state = (str(logs.scratch / "helper.sqlite"), str(logs.scratch / "helper.policy"))
    return [sys.executable, script, "-l", str(logs.postfix), "-s", state[0], "-p", state[1], "-S", "-O"]


def _beside_python(name: str) -> str:
    return str(Path(sys.executable).parent / name)
