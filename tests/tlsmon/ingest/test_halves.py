"""A log read by two processes gives the table that one gives."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bench.exim_log import EximLog
from bench.postfix_log import PostfixLog
from bench.world import World
from tests.tlsmon.logs import BEGIN, SENT, contents, ingest, line, total

from maillog.model import JsonValue
from maillog.reader import LogReader
from maillog.reading import ReadSettings
from maillog.sources import Log
from tlsmon.errors import TlsmonError
from tlsmon.ingest import one
from tlsmon.ingest.halves import Halves
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.many import Ingest
from tlsmon.store.table import Table


def text() -> bytes:
    """Return a log of mail in both directions, with lines of others in between."""
    lines = list(PostfixLog(World(3, domains=50, providers=9), 400).lines())
    for place in range(0, len(lines), 3):  # messages of which more may come
        lines[place] += (
            f"2026-03-02 01:00:00 1vwq{place // 62 % 62:02d}-{place:06d}-2b => u@c.example R=dnslookup T=remote_smtp "
            'H=mx.c.example [192.0.2.3] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C="250 OK"\n'
        )
    for place in range(0, len(lines), 97):
        lines[place] += "Mar  2 01:00:00 mail postfix/smtp[7]: Trusted TLS connection established to nobody\n"
        lines[place] += (
            "Mar  2 01:00:00 other postfix/smtpd[8]: connect from a.example[192.0.2.1]\nrubbish /smtp[1]: x\n"
        )
    return "".join(lines).encode()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[Halves]:
    """Return what is read by two processes from now on, which may be little."""
    made: list[Halves] = []

    class Noted(Halves):
        def __init__(self, settings: ReadSettings, carry: JsonValue) -> None:
            super().__init__(settings, carry)
            made.append(self)

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(one, "SHARED_FROM", 0)
    monkeypatch.setattr(one, "Halves", Noted)
    return made


@pytest.mark.parametrize("cut", [20_000, 50_000, 120_001])
def test_two_processes_give_the_table_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: list[Halves], cut: int
) -> None:
    """Rows, lines, unread lines and what the next ingest goes on from are the same."""
    log, content = tmp_path / "mail.log", text()
    reports = {}
    for name, shared_from in (("alone", 1 << 60), ("shared", 0)):
        monkeypatch.setattr(one, "SHARED_FROM", shared_from)
        for end in (1_000, cut):  # the first that comes does not tell yet whether it can be shared
            log.write_bytes(content[:end])
            ingest(tmp_path / name, log)
        log.write_bytes(content)
        [reports[name]] = ingest(tmp_path / name, log).logs
        assert ingest(tmp_path / name, log).new_deliveries == 0
    assert len(shared) >= 1
    assert reports["alone"] == reports["shared"]
    assert reports["shared"].unread_lines > 0
    assert contents(tmp_path / "alone") == contents(tmp_path / "shared")


def test_the_hour_that_comes_twice_is_read_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: list[Halves]
) -> None:
    """A direction that was silent in its first run does not take the second run for it."""
    mail = line(0, SENT.format(1, 4711)).partition(b" ")[2].decode()
    came = line(0, "connect from a.example[192.0.2.1]", 8, "postfix/smtpd").partition(b" ")[2].decode()
    before, after = ([f"Oct {day} 02:{minute}:00" for minute in range(10, 60)] for day in ("20", "30"))
    twice = [f"Oct 25 02:{minute}:00" for minute in range(50, 60)]
    quiet = "".join(f"{stamp} {came}" for stamp in before)
    changing = "".join([*(f"{stamp} {came}" for stamp in twice), *(f"{stamp} {mail}" for stamp in twice)])
    assert len(changing) < len(quiet)
    log = tmp_path / "mail.log"
    log.write_text(quiet * 2 + changing + "".join(f"{stamp} {mail}" for stamp in after))
    monkeypatch.setattr(Log.pieces, "__defaults__", (0, len(quiet)))
    for name, shared_from in (("alone", 1 << 60), ("shared", 0)):
        monkeypatch.setattr(one, "SHARED_FROM", shared_from)
        read = ReadSettings(ZoneInfo("Europe/Berlin"), BEGIN)
        Ingest(Table.open_or_create(str(tmp_path / name)), read, Listeners()).run([str(log)])
    assert total(tmp_path / "alone") == len(twice) + len(after)
    assert contents(tmp_path / "alone") == contents(tmp_path / "shared")
    assert len(shared) == 2, "before and after"


def test_one_process_reads_a_log_of_exim(tmp_path: Path, shared: list[Halves]) -> None:
    """Of its lines a second one could take no work off the first."""
    log, content = tmp_path / "mainlog", "".join(EximLog(World(3, domains=50, providers=9), 400).lines()).encode()
    log.write_bytes(content[:1_000])
    ingest(tmp_path / "store", log)
    log.write_bytes(content)
    assert ingest(tmp_path / "store", log).new_deliveries > 400
    assert shared == []


def test_a_process_that_dies_is_told() -> None:
    """Nothing is silently half read."""
    with Halves(ReadSettings(), LogReader(ReadSettings()).carry()) as halves:
        halves.count(text())
        halves._process.kill()
        halves._process.wait()
        with pytest.raises(TlsmonError, match="ended early"):
            halves.take()
