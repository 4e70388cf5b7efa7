"""A log is the same log whatever a container runtime, or journalctl, put around its lines."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog import Delivery, LogReader, ReadSettings
from maillog.containers import unwrapped

LATEST = datetime(2026, 12, 31, tzinfo=UTC)
LOGS = [Path("sample_logs", name) for name in ("postfix-3.7/mail.log", "postfix-3.11/mail.log", "exim-4.96/mainlog")]
_BEFORE = "2026-11-24T23:59:59.123456789Z"


def _read(lines: list[bytes]) -> list[Delivery]:
    reader = LogReader(ReadSettings(host="mail", latest=LATEST))
    reading = reader.read(b"".join(line + b"\n" for line in lines))
    assert reading.unread == []
    return reading.deliveries + reader.held()


def _json(line: bytes) -> bytes:
    entry = {"log": line.decode("utf-8", "replace") + "\n", "stream": "stdout", "time": _BEFORE}
    return json.dumps(entry, separators=(",", ":")).encode()


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "docker compose": lambda line: b"postfix-mailcow-1  | " + line,
    "docker logs -t": lambda line: _BEFORE.encode() + b" " + line,
    "docker compose logs -t": lambda line: b"mta-1  | " + _BEFORE.encode() + b" " + line,
    "Kubernetes": lambda line: _BEFORE.encode() + b" stdout F " + line,
    "Docker's json-file": _json,
}


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.parent.name)
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_log_of_a_container(log: Path, wrap: Callable[[bytes], bytes]) -> None:
    """Deliveries, and nothing that could not be read. Times apart: some runtimes tell better ones."""
    lines = log.read_bytes().splitlines()
    found, expected = _read([wrap(line) for line in lines]), _read(lines)
    never = datetime.min.replace(tzinfo=UTC)
    assert [item._replace(time=never) for item in found] == [item._replace(time=never) for item in expected]
    assert len(found) > 300


@given(st.binary(max_size=60) | st.text('{"log":}timea1-|Z. T', max_size=40).map(str.encode))
def test_anything(line: bytes) -> None:
    """Nothing is too odd, and what is left is a part of the line."""
    inside = unwrapped(line)
    assert inside is None or line.startswith(b"{") or line.endswith(inside)
