"""Postfix logs made to measure: plausible lines with sessions, silence, reloads and several hosts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st

from maillog.reading import ReadSettings
from tlsmon import config
from tlsmon.config import Config
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.many import Ingest
from tlsmon.ingest.report import Report
from tlsmon.rollup.fold import settled
from tlsmon.rollup.model import Row
from tlsmon.store.arrow import rows_of
from tlsmon.store.table import NAME, Table

BEGIN = datetime(2026, 11, 20, 9, 58, tzinfo=UTC)
READ = ReadSettings(host="exim.example")

TLS = (
    "Trusted TLS connection established to mx{0}.example.org[198.51.100.{0}]:25: "
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
)
SENT = (
    "{1:X}F00: to=<local.part@d{0}.example>, relay=mx{0}.example.org[198.51.100.{0}]:25, delay=1, "
    "delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)"
)
FAILED = (
    "{1:X}F00: to=<local.part@d{0}.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, "
    "status=deferred (connect to mx{0}.example.org[198.51.100.{0}]:25: Connection refused)"
)


def line(second: float, text: str, pid: int = 100, program: str = "postfix/smtp", host: str = "mx") -> bytes:
    """Return a log line, ``second`` seconds after ``BEGIN``."""
    return f"{(BEGIN + timedelta(seconds=second)).isoformat()} {host} {program}[{pid}]: {text}\n".encode()


def encrypted(second: float, relay: int = 1, pid: int = 100, host: str = "mx") -> bytes:
    """Return the lines of a session over TLS that delivers one mail."""
    return line(second, TLS.format(relay), pid, host=host) + line(
        second + 0.5, SENT.format(relay, int(second) + pid), pid, host=host
    )


def silent(second: float, relay: int = 9, pid: int = 200, host: str = "mx") -> bytes:
    """Return the line of a delivery without a TLS line."""
    return line(second, SENT.format(relay, int(second) + pid), pid, host=host)


def day(mails: int, seed: int = 1) -> bytes:
    """Return a log of many mails over some hours, one in four without TLS."""
    return b"".join(
        silent(number * 7.1, 100 + number % 5, 5000 + number % 3 + seed)
        if number % 4 == 0
        else encrypted(number * 7.1, number % 50, 1000 + number % 20 + seed)
        for number in range(mails)
    )


_EVENTS = st.tuples(
    st.sampled_from(["encrypted", "silent", "failed", "tls", "sent", "reload", "noise", "bad", "exim"]),
    st.integers(1, 6),
    st.integers(0, 4),
    st.sampled_from(["mx", "mx2"]),
    st.integers(0, 2000),
)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Draw a log: sessions that are cut short, reused processes, silence, reloads, unreadable lines, two hosts."""
    second, found = 0.0, []
    for kind, relay, process, host, pause in draw(st.lists(_EVENTS, min_size=1, max_size=40)):
        second += pause
        found.append(_event(kind, second, relay, 100 + process, host))
    return b"".join(found)


def _event(kind: str, second: float, relay: int, pid: int, host: str) -> bytes:
    texts = {
        "tls": TLS.format(relay),
        "sent": SENT.format(relay, int(second) + pid),
        "failed": FAILED.format(relay, int(second) + pid),
        "noise": "connect to nowhere",
        "bad": f"{pid:X}F00: to=<half",
    }
    if kind in texts:
        return line(second, texts[kind], pid, host=host)
    if kind == "encrypted":
        return encrypted(second, relay, pid, host)
    if kind == "reload":
        return line(second, "reload -- version 3.7.11, configuration /etc/postfix", 1, "postfix/postfix-script", host)
    if kind == "exim":
        stamp = (BEGIN + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
        to = f"=> a@d{relay}.example R=dnslookup T=remote_smtp H=mx{relay}.example.org [198.51.100.{relay}]"
        return f'{stamp} 1rXabc-000{pid}-Qz {to} X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C="250 ok"\n'.encode()
    return silent(second, relay, pid, host)


def settings(store: Path) -> Config:
    """Return settings for a store that do not depend on the machine; its folder gets made."""
    return config.resolve(store=str(store), timezone="UTC", host="exim.example", environment={})


def ingest(store: Path, *names: Path, listeners: Listeners | None = None) -> Report:
    """Bring logs into a store."""
    return Ingest(Table.open_or_create(str(store)), READ, listeners or Listeners()).run([str(name) for name in names])


def contents(store: Path) -> Sequence[Row]:
    """Return the settled rows of a store in one order."""
    return rows_in(str(store))


def rows_in(location: str) -> Sequence[Row]:
    """Return the settled rows of a store, wherever it is, in one order."""
    return sorted(settled(rows_of(Table.open(location).query(f"SELECT * FROM {NAME}"))), key=repr)


def total(store: Path) -> int:
    """Return how many deliveries are in a store."""
    return sum(row.span.deliveries for row in contents(store))
