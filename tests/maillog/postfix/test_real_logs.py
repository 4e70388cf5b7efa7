"""Logs of real Postfix: whatever is said to be encrypted or in clear was so for the server that took the mail."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lines import SETTINGS

from maillog import LogReader, Outcome, Security

SAMPLES = sorted(Path("sample_logs").glob("postfix-*/mail.log"))
# The servers answered each mail with a number of their own.
SENT = re.compile(r"/smtp\[\d+\]: (\w+): to=<[^>]*>, relay=[^\[]*\[([^\]]*)\].* status=sent \(250 .*?(LAB-\d+)")
SUMMARY = re.compile(r"/smtp\[\d+\]: \w+ TLS connection established to ")
STATED = re.compile(r"delays=[\d./]+, tls=")
NUMBERED = re.compile(r"(?<= )((\S+)\[\d+\]): ")
PID = re.compile(r"\[(\d+)\]")


@lru_cache
def lines_of(path: Path) -> list[str]:
    """Return the lines of a log."""
    return path.read_text(encoding="utf-8").splitlines()


@lru_cache
def truth_of(path: Path) -> dict[tuple[str, str | None], set[str]]:
    """Return, for each queue id and server that took it, what the server saw."""
    truth = {
        seen["reply_id"]: "encrypted" if seen["tls"] else "plaintext"
        for seen in map(json.loads, path.with_name("truth.jsonl").read_text(encoding="utf-8").splitlines())
    }
    expected: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for queue_id, ip, reply in SENT.findall("\n".join(lines_of(path))):
        expected[queue_id, ip].add(truth[reply])
    return expected


def known(path: Path, lines: Sequence[str]) -> Counter[bool]:
    """Read a log made of lines of a sample; count what is known of sent mail, all of which must be true."""
    reader = LogReader(SETTINGS)
    reading = reader.read("".join(f"{line}\n" for line in lines).encode())
    assert reading.unread == []
    told = Counter[bool]()
    for delivery in reading.deliveries + reader.held():
        seen = truth_of(path).get((delivery.queue_id, delivery.relay.ip))
        if seen and delivery.result.outcome is Outcome.SENT:
            told[delivery.tls.security is not Security.UNKNOWN] += 1
            assert delivery.tls.security in {Security.UNKNOWN, *seen}, delivery
    return told


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_truth(path: Path) -> None:
    """Each answer agrees with the truth, and little stays unknown where TLS was logged."""
    told = known(path, lines_of(path))
    assert told.total() > 0
    assert told[False] <= (0.02 * told.total() if any(map(SUMMARY.search, lines_of(path))) else told.total())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_only_smtp(path: Path) -> None:
    """A log of which only the lines of smtp(8) were kept tells no lies."""
    assert known(path, [line for line in lines_of(path) if "/smtp[" in line]).total() > 0


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(SAMPLES), st.floats(0, 1), st.floats(0, 1))
def test_part(path: Path, begin: float, end: float) -> None:
    """No part of a log, as rotation leaves it, tells a lie."""
    lines = lines_of(path)
    known(path, lines[int(begin * len(lines)) : int(end * len(lines))])


@pytest.mark.parametrize("kept", ["plain", "RFC 5424"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_no_process_numbers(path: Path, kept: str) -> None:
    """Where a logger leaves the process numbers out, nothing is known but what a line says of itself."""
    lines = [NUMBERED.sub(r"\2: ", line, count=1) for line in lines_of(path)]
    if kept == "RFC 5424":
        lines = [re.sub(r"^.*? mail (\S+): ", r"<22>1 2026-11-24T01:00:00Z mail \1 - - - ", line) for line in lines]
    told = known(path, lines)
    assert told.total() == known(path, lines_of(path)).total()
    assert bool(told[True]) == any(map(STATED.search, lines))


def swapped(lines: Sequence[str], seed: int) -> list[str]:
    """Return the lines with many neighbours of different processes exchanged."""
    dice, result = random.Random(seed), list(lines)
    for _ in lines:
        at = dice.randrange(len(result) - 1)
        first, second = (PID.search(line) for line in result[at : at + 2])
        if first and second and first[1] != second[1]:
            result[at : at + 2] = reversed(result[at : at + 2])
    return result


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(SAMPLES), st.integers())
def test_reordered(path: Path, seed: int) -> None:
    """Loggers exchange lines of different processes; that changes no answer."""
    known(path, swapped(lines_of(path), seed))
