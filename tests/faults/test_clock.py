"""Clocks that go back, summer time, New Year and the leap day: cutting the log anywhere changes nothing."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.tlsmon.logs import SENT, TLS, rows_in

from maillog.reading import ReadSettings
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.many import Ingest
from tlsmon.rollup.model import Row
from tlsmon.store.table import Table

BERLIN = ZoneInfo("Europe/Berlin")
CASES = {
    "New Year": ["2025-12-31 23:50:00", "2026-01-01 00:20:00"],
    "leap day": ["2024-02-28 23:50:00", "2024-02-29 12:00:00", "2024-03-01 00:10:00"],
    "summer": ["2026-03-29 01:50:00", "2026-03-29 03:10:00"],
    "winter": ["2026-10-25 02:50:00", "2026-10-25 02:10:00", "2026-10-25 03:10:00"],
    "clock set back": ["2026-11-02 12:00:00", "2026-11-02 11:20:00", "2026-11-02 11:40:00"],
}


def log_of(moments: list[str]) -> tuple[bytes, datetime]:
    """Return some mails from each moment on, with stamps that have no year and no zone, and the last moment."""
    lines: list[str] = []
    time = datetime.fromisoformat(moments[0])
    for number, moment in enumerate(moments):
        for mail in range(12):
            time = datetime.fromisoformat(moment) + timedelta(seconds=50 * mail)
            stamp = f"{time:%b} {time.day:2} {time:%H:%M:%S} mx postfix/smtp[{100 + mail % 3}]:"
            if mail % 3 == 0 or mail < 3:
                lines.append(f"{stamp} {TLS.format(mail % 3)}")
            lines.append(f"{stamp} {SENT.format(mail % 3, 4096 + 1000 * number + mail)}")
    return "\n".join(lines).encode() + b"\n", time.replace(tzinfo=BERLIN)


def bring(store: Path, log: Path, text: bytes, written: datetime) -> None:
    """Ingest a log that was last written at a moment."""
    log.write_bytes(text)
    os.utime(log, (written.timestamp(), written.timestamp()))
    Ingest(Table.open_or_create(str(store)), ReadSettings(zone=BERLIN), Listeners()).run([str(log)])


@pytest.mark.parametrize("name", CASES)
def test_cut_anywhere(tmp_path: Path, name: str) -> None:
    """A log that is read in pieces gives the table of one ingest, and every mail is in the year that it was sent."""
    text, written = log_of(CASES[name])
    bring(tmp_path / "whole", tmp_path / "whole.log", text, written)
    whole: list[Row] = list(rows_in(str(tmp_path / "whole")))
    assert sum(row.span.deliveries for row in whole) == 12 * len(CASES[name])
    ends = {datetime.fromtimestamp(row.span.first / 1e6, BERLIN).strftime("%Y-%m") for row in whole}
    assert ends == {moment[:7] for moment in CASES[name]}
    for cut in range(150, len(text), 331):
        store, log = tmp_path / f"store{cut}", tmp_path / f"{cut}.log"
        bring(store, log, text[:cut], written)
        bring(store, log, text, written)
        assert rows_in(str(store)) == whole, cut
