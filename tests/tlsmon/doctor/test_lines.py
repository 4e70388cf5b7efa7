"""Lines that are missing leave signs; a log of which none is missing gives none."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import ROOT
from tests.tlsmon.logs import line

from maillog.reading import ReadSettings
from tlsmon.doctor.judge_logs import judge
from tlsmon.doctor.logs import LogFacts, examine
from tlsmon.doctor.model import Weight

SAMPLES = sorted(ROOT.glob("sample_logs/*/*log"))
ID = "4C3D21F3E9"


def facts(folder: Path, *lines: bytes) -> LogFacts:
    """Return what a log of these lines tells."""
    (folder / "mail.log").write_bytes(b"".join(lines))
    return examine([str(folder / "mail.log")], ReadSettings())


def logger(text: str, program: str = "rsyslogd") -> bytes:
    """Return a line of the system's logger."""
    stamp = datetime(2026, 11, 20, 10, tzinfo=UTC).isoformat()
    return f"{stamp} mx {program}: {text}\n".encode()


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
def test_whole_logs(log: Path) -> None:
    """In what real servers wrote, each mail that left the queue has a line that says where it went."""
    found = examine([str(log)], ReadSettings(host="mail"))
    assert (found.lines.untold, found.lines.dropped, found.missing_files) == (0, {}, [])
    assert found.lines.removed > 80


@pytest.mark.parametrize("name", ["postfix-3.7/mail.log", "exim-4.96/mainlog"])
def test_a_log_with_holes(tmp_path: Path, name: str) -> None:
    """Every tenth delivery line taken out of a real log is noticed, for mails with that one recipient."""
    lines = (ROOT / "sample_logs" / name).read_bytes().splitlines(keepends=True)
    marks = (b" status=sent", b" => ")
    deliveries = [number for number, text in enumerate(lines) if any(mark in text for mark in marks)][::10]
    holes = set(deliveries)
    found = facts(tmp_path, *(text for number, text in enumerate(lines) if number not in holes))
    assert 0 < found.lines.untold <= len(holes)


def test_untold_mail(tmp_path: Path) -> None:
    """A mail that left without a word; one whose lines came in another order; one that began before the log."""
    queued, removed = "from=<a@b.example>, size=1, nrcpt=1 (queue active)", "removed"
    to = "to=<local@d.example>, relay=mx.d.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (ok)"

    def qmgr(second: int, number: int, text: str) -> bytes:
        return line(second, f"{ID}{number}: {text}", 5, "postfix/qmgr")

    found = facts(
        tmp_path,
        qmgr(1, 1, queued),
        qmgr(2, 1, removed),
        qmgr(3, 2, queued),
        qmgr(4, 2, removed),
        line(5, f"{ID}2: {to}"),
        qmgr(6, 3, removed),
    )
    assert (found.lines.untold, found.lines.removed) == (1, 2)


@pytest.mark.parametrize(
    ("text", "program", "part", "count"),
    [
        ("imuxsock lost 432 messages from pid 9832 due to rate-limiting", "rsyslogd-2177", "socket", 432),
        ("imuxsock[pid: 57, name: smtp]: 48 messages lost due to rate-limiting (200)", "rsyslogd", "socket", 48),
        ("imjournal: 236 messages lost due to rate-limiting", "rsyslogd", "import", 236),
        ("Suppressed 917 messages from postfix@-.service", "systemd-journald[120]", "journal", 917),
        ("Forwarding to syslog missed 8 messages.", "systemd-journald[120]", "forward", 8),
    ],
)  # fmt: skip
def test_dropped(tmp_path: Path, text: str, program: str, part: str, count: int) -> None:
    """The loggers say what they dropped."""
    assert facts(tmp_path, logger(text, program), logger(text, program)).lines.dropped == {part: 2 * count}


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Suppressed 917 messages from nginx.service", "systemd-journald[120]"),
        ("imuxsock lost 432 messages from pid 1 due to rate-limiting", "postfix/smtp[1]"),
        ("imuxsock lost 432 messages from pid 1 due to rate-limiting", "evil[1]"),
    ],
)
def test_not_dropped(tmp_path: Path, text: str, program: str) -> None:
    """What was dropped of other services does not matter, and only a logger is believed."""
    assert facts(tmp_path, logger(text, program)).lines.dropped == {}


def test_gaps(tmp_path: Path) -> None:
    """Quiet nights are no gaps where every night is quiet; a day without a line is."""
    hour = 3600
    busy = [day * 24 * hour + number * 600 for day in range(8) if day != 5 for number in range(6 * 12)]
    found = facts(tmp_path, *(line(second, "statistics", 1, "postfix/anvil") for second in busy))
    (gap,) = found.lines.gaps()
    assert gap.end - gap.begin == timedelta(hours=36, minutes=10)
    short = facts(tmp_path, *(line(hours * hour, "statistics", 1, "postfix/anvil") for hours in (0, 1, 8, 9)))
    assert [gap.end - gap.begin for gap in short.lines.gaps()] == [timedelta(hours=7)]


def test_rotated_files(tmp_path: Path) -> None:
    """A hole in the numbers of a rotated set is a log that is not there."""
    for name in ("mail.log", "mail.log.1", "mail.log.3.gz", "mail.log.5.gz", "mail.log.old"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "mail.log").write_bytes(line(1, "statistics", 1, "postfix/anvil"))
    found = examine([str(tmp_path / "mail.log")], ReadSettings())
    assert found.missing_files == [str(tmp_path / "mail.log.2"), str(tmp_path / "mail.log.4")]


def test_no_process_numbers(tmp_path: Path) -> None:
    """Where a logger leaves them out, that is what is missing, not TLS logging."""
    log = (ROOT / "sample_logs/postfix-3.7/mail.log").read_bytes()
    found = facts(tmp_path, re.sub(rb"(?m)^(.*? postfix\S*/smtp)\[\d+\]: ", rb"\1: ", log))
    (named,) = (finding for finding in judge(found, "encrypt") if finding.weight is Weight.MISSING)
    assert (named.about, "are unknown" in named.text) == ("process numbers", True)
    assert "process numbers" not in {finding.about for finding in judge(facts(tmp_path, log), "encrypt")}
