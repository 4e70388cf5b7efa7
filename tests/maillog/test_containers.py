"""A log is the same log whatever a container runtime, or journalctl, put around its lines."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.frames import framed, framer

from maillog import Delivery, LogReader, ReadSettings
from maillog.containers import unwrapped
from maillog.framing import Framer, FrameSettings, Unframed

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


def _journal(line: bytes) -> bytes:
    """Return an entry of Docker's journald driver; its tag is one that was chosen."""
    entry = {"SYSLOG_IDENTIFIER": "mta", "_HOSTNAME": "box", "_PID": "77", "CONTAINER_ID": "3f2a1b4c5d6e"}
    text = line.decode("utf-8", "replace")
    return json.dumps(entry | {"MESSAGE": text, "__REALTIME_TIMESTAMP": "1795561199123456"}).encode()


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "docker compose": lambda line: b"postfix-mailcow-1  | " + line,
    "docker logs -t": lambda line: _BEFORE.encode() + b" " + line,
    "docker compose logs -t": lambda line: b"mta-1  | " + _BEFORE.encode() + b" " + line,
    "Kubernetes": lambda line: _BEFORE.encode() + b" stdout F " + line,
    "docker service logs": lambda line: b"mail_mta.1.x9k2ab4c7de@node-1    | " + line,
    "kubectl logs --prefix": lambda line: b"[pod/mta-7f75d8656b-78f5h/postfix] " + line,
    "kubectl logs --prefix --timestamps": lambda line: b"[pod/mta-0/postfix] " + _BEFORE.encode() + b" " + line,
    "Docker's json-file": _json,
}
DRIVERS: dict[str, Callable[[bytes], bytes]] = {
    "Docker's journald driver": _journal,
    "the same, as journalctl shows it": lambda line: b"Nov 24 23:59:59 box 3f2a1b4c5d6e[77]: " + line,
    "Docker's syslog driver": lambda line: b"<30>Nov 24 23:59:59 3f2a1b4c5d6e[77]: " + line,
    "the same, by RFC 5424": lambda line: f"<30>1 {_BEFORE[:-4]}Z box 3f2a1b4c5d6e 77 mta - ".encode() + line,
}


def _timeless(found: list[Delivery]) -> list[Delivery]:
    """Return deliveries without their times: some runtimes tell better ones."""
    return [item._replace(time=datetime.min.replace(tzinfo=UTC)) for item in found]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.parent.name)
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_log_of_a_container(log: Path, wrap: Callable[[bytes], bytes]) -> None:
    """Deliveries, and nothing that could not be read."""
    lines = log.read_bytes().splitlines()
    found = _read([wrap(line) for line in lines])
    assert _timeless(found) == _timeless(_read(lines))
    assert len(found) > 300


@pytest.mark.parametrize("log", LOGS[:2], ids=lambda log: log.parent.name)
@pytest.mark.parametrize("wrap", DRIVERS.values(), ids=DRIVERS)
def test_a_log_in_anothers(log: Path, wrap: Callable[[bytes], bytes]) -> None:
    """The same of Postfix. Exim's stamps stand in many loggers' entries, and the tag of such a one is its instance."""
    test_a_log_of_a_container(log, wrap)


@given(st.binary(max_size=60) | st.text('{"log":}timea1-|Z. T', max_size=40).map(str.encode))
def test_anything(line: bytes) -> None:
    """Nothing is too odd, and what is left is a part of the line."""
    for inside in unwrapped(line):
        assert line.startswith(b"{") or line.endswith(inside)


@pytest.mark.parametrize("log", LOGS[:2], ids=lambda log: log.parent.name)
@pytest.mark.parametrize("kept", ["severity", "JSON"])
def test_a_log_of_rsyslog_in_a_container(log: Path, kept: str) -> None:
    """Severities for the host, or an object of what stood in the frame."""
    lines = []
    for line in log.read_bytes().splitlines():
        head, _, text = line.partition(b"]: ")
        tag = head.rpartition(b" ")[2] + b"]:"
        severity = b"WARNING" if text.startswith(b"warning") else b"INFO   "
        named = {"@timestamp": _BEFORE, "hostname": "mail", "tag": tag.decode(), "message": " " + text.decode()}
        plain = b" ".join((_BEFORE.encode(), severity, tag, text))
        lines.append(plain if kept == "severity" else json.dumps(named).encode())
    found = _read(lines)
    assert _timeless(found) == _timeless(_read(log.read_bytes().splitlines()))
    assert len(found) > 300


def test_exim_in_a_container() -> None:
    """Its own stamp counts, for that is what says in which order it did what."""
    for around in ("exim-1  | ", "2026-11-03T11:00:00.5Z ", "2026-11-03T11:00:00.5+00:00 stdout F "):
        record = framed(f"{around}2026-11-03 10:00:00 1pmBA1-000000-00 => a@b.example")
        assert (record.program, record.time.hour, record.text) == ("exim", 10, "1pmBA1-000000-00 => a@b.example")


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-03T10:00:00.1Z stdout P Nov 03 10:00:00 mail postfix/smtp[11]: x",
        "a-1  | b-1  | Nov 03 10:00:00 mail postfix/smtp[11]: x",
        '{"log":"Nov 03 10:00:00 mail postfix/smtp[1]: x\\ny\\n","time":"2026-11-03T10:00:00Z"}',
        '{"log":"Nov 03 10:00:00 mail postfix/smtp[1]: x","time":"2026-11-03T10:00:00Z"}',
        '{"log":"","time":"2026-11-03T10:00:00Z"}',
        '{"log":7,"time":"2026-11-03T10:00:00Z"}',
        '{"log":"Nov 03 10:00:00 mail postfix/smtp[1]: x\\n","time":"\\ud800"}',
        "| Nov 03 10:00:00 mail postfix/smtp[11]: x",
        '{"@timestamp":"2026-11-03T10:00:00Z","host":null,"tag":"postfix/smtp[1]:","message":" x"}',
        '{"@timestamp":"2026-11-03T10:00:00Z","host":"a b","tag":"postfix/smtp[1]:","message":" x"}',
        '["log"]',
    ],
    ids=[
        *("part of a line", "twice", "two lines", "part in JSON", "empty", "no text", "no time", "no name"),
        *("no host", "two hosts", "no object"),
    ],
)
def test_not_of_a_container(line: str) -> None:
    """What is cut, or might be two lines, is none."""
    assert framer().frame(line.encode()) is Unframed.NO_FRAME


@pytest.mark.parametrize("tag", ["sshd", "3f2a1b4c5d6", "3F2A1B4C5D6E", "web/3f2a1b4c5d6ea"])
def test_what_a_program_quotes(tag: str) -> None:
    """A line in the text of a program is that program's, unless it is named as a container is."""
    record = framed(f"Nov  3 10:00:00 box {tag}[7]: Nov  3 10:00:00 mail postfix/smtp[11]: x")
    assert record.text == "Nov  3 10:00:00 mail postfix/smtp[11]: x"


def test_a_container_without_a_frame_inside() -> None:
    """It is some other program, whose lines are its own."""
    assert framed("Nov  3 10:00:00 box 3f2a1b4c5d6e[7]: x").text == "x"


CRAFTED = {
    "names of services": b"a-1  | ",
    "spaces after a name": b"a" + b" " * 64,
    "names of tasks": b"a.1.b@c    | ",
    "names of pods": b"[pod/a/b] ",
    "a pod without end": b"[pod/",
    "times": b"2026-11-24T10:00:00.5Z ",
    "times with streams": b"2026-11-24T10:00:00.5Z stdout F ",
    "JSON": b'{"log":"x","time":"2026-11-24T10:00:00Z"}',
    "open JSON": b'{"log":[',
    "stamps": b"Nov 24 10:00:00.5 ",
    "hosts": b"Nov 24 10:00:00 a b ",
    "unix": b"1793700000.000000 mail ",
    "full": b"Tue 2026-11-24 10:00:00 UTC mail ",
    "data of RFC 5424": b"<22>1 2026-11-24T10:00:00Z mail postfix/smtp 11 - [a@1]",
}


def _best(line: bytes) -> float:
    """Return the seconds of the processor that a line takes, at best."""
    framer = Framer(FrameSettings(None, UTC, LATEST))
    spent = []
    for _ in range(3):
        begin = time.process_time()
        for _ in range(10):
            framer.frame(line)
        spent.append(time.process_time() - begin)
    return min(spent)


@pytest.mark.parametrize("part", CRAFTED.values(), ids=CRAFTED)
def test_linear_time(part: bytes) -> None:
    """A long crafted line costs no more than its length."""
    line = part * (60_000 // len(part))
    assert any(_best(line) < 10 * _best(line[: len(line) // 4]) + 0.01 for _ in range(5))
