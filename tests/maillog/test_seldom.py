"""Frames that few loggers write say the same as the common ones."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.frames import TEXT, framed, framer

from maillog import Delivery, LogReader, ReadSettings
from maillog.framing import Unframed
from maillog.model import Record
from maillog.seldom import commonly_framed, uncoloured

WHEN = datetime(2026, 11, 3, 10, tzinfo=UTC)
REST = f"mail postfix/smtp[11]: {TEXT}"
# rsyslog's own names (``jsonmesg``), GELF as syslog-ng sends it, the Elastic Common Schema, and so on.
OBJECTS = {
    "rsyslog, all of it": {
        "msg": f" {TEXT}", "timereported": "2026-11-03T10:00:00+00:00", "hostname": "mail",
        "syslogtag": "postfix/smtp[11]:", "programname": "postfix", "procid": "11", "app-name": "postfix",
    },
    "syslog-ng": {
        "ISODATE": "2026-11-03T10:00:00+00:00", "DATE": "Nov  3 10:00:00", "HOST": "mail", "PROGRAM": "postfix/smtp",
        "PID": "11", "MESSAGE": TEXT,
    },
    "GELF": {
        "version": "1.1", "timestamp": 1793700000.0, "host": "mail", "_program": "postfix/smtp", "_pid": 11,
        "short_message": TEXT,
    },
    "Vector": {
        "timestamp": "2026-11-03T10:00:00Z", "hostname": "mail", "appname": "postfix/smtp", "procid": 11,
        "message": TEXT,
    },
    "thousandths": {"timestamp": 1793700000000, "host": "mail", "program": "postfix/smtp", "pid": 11, "message": TEXT},
    "Fluent Bit": {"date": 1793700000, "host": "mail", "ident": "postfix/smtp", "pid": "11", "message": TEXT},
    "ECS": {
        "@timestamp": "2026-11-03T10:00:00Z", "host": {"name": "mail"},
        "process": {"name": "postfix/smtp", "pid": 11}, "message": TEXT,
    },
    "Filebeat": {"@timestamp": "2026-11-03T10:00:07Z", "host": {"name": "box"}, "message": f"Nov  3 10:00:00 {REST}"},
}  # fmt: skip
JOURNAL = json.dumps(
    {
        "__REALTIME_TIMESTAMP": "1793700000000000",
        "_HOSTNAME": "mail",
        "SYSLOG_IDENTIFIER": "postfix/smtp",
        "_PID": "11",
        "MESSAGE": TEXT,
    }
)
FRAMES = {
    "a year behind the day": f"Nov  3 2026 10:00:00 {REST}",
    "a year at the end": f"Nov  3 10:00:00 2026 {REST}",
    "a year in front": f"2026 Nov  3 10:00:00 {REST}",
    "a day of the week": f"Tue Nov  3 10:00:00 {REST}",
    "a day of the week and a year": f"<22>Tue Nov  3 10:00:00 2026 {REST}",
    "a space for the T": f"2026-11-03 10:00:00 {REST}",
    "a space for the T, milliseconds": f"2026-11-03 10:00:00.000 {REST}",
    "a space for the T, a comma": f"2026-11-03 10:00:00,000 {REST}",
    "a space for the T, zone": f"2026-11-03 11:00:00.000000+0100 {REST}",
    "a space for the T, zone apart": f"2026-11-03 11:00:00 +0100 {REST}",
    "slashes": f"2026/11/03 10:00:00 {REST}",
    "French": f"nov. 03 10:00:00 {REST}",
    "Polish": f"lis 03 10:00:00 {REST}",
    "FreeBSD, syslogd -v": f"Nov  3 10:00:00 <2.6> {REST}",
    "FreeBSD, syslogd -vv": f"Nov  3 10:00:00 <mail.info> {REST}",
    "facility before the host": f"Nov  3 10:00:00 mail.info {REST}",
    "severity behind the host": f"2026-11-03T10:00:00.000000+00:00 mail info postfix/smtp[11]: {TEXT}",
    "the address of a relay": f"Nov  3 10:00:00 192.0.2.4 {REST}",
    "tabs": f"Nov  3 10:00:00\tmail\tpostfix/smtp[11]:\t{TEXT}",
    "colours": f"\x1b[32mNov  3 10:00:00\x1b[0m \x1b[1mmail\x1b[0m postfix/smtp[11]: {TEXT}",
    "colours of docker compose": f"\x1b[36mmta-1  | \x1b[0mNov  3 10:00:00 {REST}",
    "docker compose, a whole stamp": f"mta-1  | 2026-11-03T10:00:00.000000+00:00 {REST}",
    "docker compose, a space for the T": f"mta-1  | 2026-11-03 10:00:00 {REST}",
    "RFC 6587": f"99 <22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 - - {TEXT}",
    "journalctl -o json-seq": f"\x1e{JOURNAL}",
    "journalctl -o json-sse": f"data: {JOURNAL}",
    "found by zgrep": f"/var/log/mail.log.2.gz:Nov  3 10:00:00 {REST}",
    "found by grep -n": f"mail.log:12:2026-11-03T10:00:00+00:00 {REST}",
    "found by logcli": f'2026-11-03T11:00:00+01:00 {{job="mail"}} Nov  3 10:00:00 {REST}',
} | {f"{name} in JSON": json.dumps(entry) for name, entry in OBJECTS.items()}


@pytest.mark.parametrize("line", FRAMES.values(), ids=FRAMES)
def test_frame(line: str) -> None:
    """All forms say the same."""
    record = framed(line)
    assert record._replace(time=record.time.astimezone(UTC)) == Record(WHEN, "mail", "postfix", "smtp", 11, TEXT)


def test_openwrt() -> None:
    """``logread`` names no host."""
    record = framed(f"Tue Nov  3 10:00:00 2026 mail.info postfix/smtp[11]: {TEXT}", host="router")
    assert record == Record(WHEN, "router", "postfix", "smtp", 11, TEXT)


@pytest.mark.parametrize("stamp", ["Nov  3 10:00:07", "2026-11-03 10:00:07", "2026/11/03 10:00:07"])
def test_exim(stamp: str) -> None:
    """Exim's own stamp wins, and what follows a stamp like Exim's tells whether it is one."""
    entry = "1wFXyz-0000Ab-Cd => u@good.test R=dnslookup T=remote_smtp H=mx.good.test [203.0.113.1]"
    record = framed(f"{stamp} mail exim[12]: 2026-11-03 10:00:00 {entry}")
    assert record == Record(WHEN, "mail", None, "exim", 12, entry)


@pytest.mark.parametrize(
    "text",
    [
        "1wFXyz-0000Ab-Cd mail postfix/smtp[11]: x",
        "H=mail postfix/smtp[11]: x",
        "a b c postfix/smtp[11]: x",
        "mail postfix/smtp: x",
    ],
)
def test_what_exim_may_write_is_exims(text: str) -> None:
    """A main log has text of others behind the id and in fields."""
    record = framer().frame(f"2026-11-03 10:00:00 {text}".encode())
    assert isinstance(record, Record)
    assert (record.program, record.text) == ("exim", text)


@pytest.mark.parametrize(
    "line",
    [
        f"Nov  3 2025 10:00:00 2026 {REST}",
        f"xyz 03 10:00:00 {REST}",
        f"Nov  3 2026 10:00:00 a b mail postfix/smtp[11]: {TEXT}",
        f"text of others Nov  3 2026 10:00:00 {REST}",
        json.dumps({"message": f"Nov  3 10:00:00 {REST}\nNov  3 10:00:00 {REST}"}),
        json.dumps({"message": TEXT, "tag": "postfix/smtp[11]:", "host": 7, "time": "2026-11-03T10:00:00Z"}),
        json.dumps({"message": TEXT, "tag": "postfix/smtp[11]:", "host": "mail", "timestamp": 1e300}),
        json.dumps({"message": 7}),
        json.dumps([REST]),
    ],
)
def test_no_frame(line: str) -> None:
    """What cannot be told for certain is not framed."""
    assert framer().frame(line.encode()) is Unframed.NO_FRAME


@given(st.binary(max_size=80) | st.text("Nov 32016:.-<>/Tmail[1]{}\t\x1b", max_size=60).map(str.encode))
def test_anything(line: bytes) -> None:
    """Nothing is too odd."""
    assert len([*commonly_framed(uncoloured(line))]) <= 3


SAMPLES = [
    Path("sample_logs", name, "mail.log") for name in ("postfix-3.7", "inbound-postfix-3.11", "inbound-postfix-3.7")
]


def _as_rsyslog(line: str) -> str:
    head, _, text = line.partition("]: ")
    stamp, host, tag = head[:15], *head[16:].split(" ")
    entry = {"message": f" {text}", "host": host, "tag": f"{tag}]:", "@timestamp": f"2026-{_iso(stamp)}"}
    return json.dumps(entry)


def _iso(stamp: str) -> str:
    time = datetime.strptime(f"2026 {stamp} +0000", "%Y %b %d %H:%M:%S %z")
    return time.strftime("%m-%dT%H:%M:%S+00:00")


WRAPS: dict[str, Callable[[str], str]] = {
    "Solaris": lambda line: line.replace("]: ", "]: [ID 197553 mail.info] ", 1),
    "blanks at the end": lambda line: f"{line}  ",
    "a space for the T": lambda line: f"2026-{_iso(line[:15])[:-6]} {line[16:]}".replace("T", " ", 1),
    "rsyslog in JSON, the text first": _as_rsyslog,
}


def _read(lines: list[str]) -> list[Delivery]:
    reader = LogReader(ReadSettings(latest=datetime(2026, 12, 31, tzinfo=UTC)))
    reading = reader.read("".join(f"{line}\n" for line in lines).encode())
    assert reading.unread == []
    return reading.deliveries + reader.held()


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_whole_log(log: Path, wrap: Callable[[str], str]) -> None:
    """The search for lines that matter lets through what the frame moves or adds to."""
    lines = log.read_text(encoding="utf-8").splitlines()
    expected = _read(lines)
    found = _read([wrap(line) for line in lines])
    assert len(expected) > 100
    assert [item._replace(time=WHEN) for item in found] == [item._replace(time=WHEN) for item in expected]
