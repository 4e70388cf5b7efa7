"""Where a log is cut moves no time, whatever its stamps lack: nor does it matter who reads them, lane or slow way."""

import json
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.maillog.ways import counted, told

from maillog import ReadSettings
from maillog.counts import Counts
from maillog.framing import Framer, FrameSettings
from maillog.model import Record

BERLIN = ZoneInfo("Europe/Berlin")
_NEWLINE = ord("\n")

# Shortly before the clock on the wall does, or may be thought to do, something else than to go on.
MOMENTS = {
    "end of summer time": datetime(2026, 10, 25, 0, 40, tzinfo=UTC),
    "begin of summer time": datetime(2027, 3, 28, 0, 40, tzinfo=UTC),
    "New Year": datetime(2026, 12, 31, 22, 40, tzinfo=UTC),
    "leap day": datetime(2028, 2, 28, 22, 40, tzinfo=UTC),
    "after the leap day": datetime(2028, 2, 29, 22, 40, tzinfo=UTC),
}

TO = "to=<u@a.example>, relay=mx1.a.example[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
EXIM = (
    "1tAbCd-0000xx-1{} => u@a.example R=dnslookup T=remote_smtp H=mx1.a.example [198.51.100.1] "
    'X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C="250 ok"'
)
TEXTS = {
    "tls": "mx postfix/smtp[11]: Trusted TLS connection established to mx1.a.example[198.51.100.1]:25: TLSv1.3 with "
    "cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "sent": f"mx postfix/smtp[11]: 4F00A1: {TO}",
    "relay": f"mx postfix/relay/smtp[12]: 4F00A2: {TO}",
    "connect": "mx postfix/smtpd[21]: connect from a.example[192.0.2.1]",
    "client": "mx postfix/smtpd[21]: 4F00A3: client=a.example[192.0.2.1]",
    "from": "mx postfix/qmgr[3]: 4F00A3: from=<s@s.example>, size=1, nrcpt=1 (queue active)",
    "disconnect": "mx postfix/smtpd[21]: disconnect from a.example[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=1 commands=4",
    "reload": "mx postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix",
    "loss": "mx rsyslogd: imuxsock lost 5 messages from pid 11 due to rate-limiting",
    "exim": "mx exim[77]: {own} " + EXIM.format("A"),
    "exim late": "mx exim[77]: {earlier} " + EXIM.format("B"),
    "exim unstamped": "mx exim[77]: " + EXIM.format("C"),
    "exim end": "mx exim[77]: {own} 1tAbCd-0000xx-1A Completed",
    "part": "mx exim[77]: [1/2] {own} 1tAbCd-0000xx-1D => u@a.example R=dnslookup",
    "last part": "mx exim[77]: [2/2]  T=remote_smtp H=mx1.a.example [198.51.100.1] CV=no",
}


class Line(NamedTuple):
    """A line to be."""

    ahead: int
    """Seconds since the line before."""
    stamp: str
    text: str


def log_of(some: list[Line], moment: datetime) -> bytes:
    """Return the text of a log that begins at a moment."""
    seconds = list(accumulate(line.ahead for line in some))
    return b"".join(shown(line, moment + timedelta(seconds=at)) for line, at in zip(some, seconds, strict=True))


def shown(line: Line, time: datetime) -> bytes:
    """Return a line as a machine in Berlin writes it."""
    here = time.astimezone(BERLIN)
    own, earlier = f"{here:%Y-%m-%d %H:%M:%S}", f"{(time - timedelta(minutes=7)).astimezone(BERLIN):%Y-%m-%d %H:%M:%S}"
    text = TEXTS[line.text].format(own=own, earlier=earlier)
    if line.stamp == "main":
        return f"{own} {EXIM.format('E')}\n".encode()
    stamp = {
        "bsd": f"{here:%b} {here.day:2} {here:%H:%M:%S}",
        "iso": here.replace(tzinfo=None).isoformat(),
        "zone": here.isoformat(),
    }[line.stamp]
    return f"{stamp} {text}\n".encode()


def read_settings(moment: datetime) -> ReadSettings:
    """Return how a log that begins at a moment is read: some days later."""
    return ReadSettings(BERLIN, moment + timedelta(days=3), "mx")


def slowly(text: bytes, how: ReadSettings) -> object:
    """Read a log without the lanes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maillog.reader.head_of", lambda *_: None)
        patch.setattr("maillog.reader.exim_head_of", lambda *_: None)
        return told(text, [], how)


# Lines out of order by seconds, by more than the five minutes that are put down to disorder, by an hour.
ahead = st.one_of(
    st.sampled_from([0, 0, 0, 1, 2, 20, 59, 61, 240, 600, 1500, 3540, 3600, -600, -1500, -3540, -3600]),
    st.integers(-60, 60),
    st.integers(-330, -240),
)
moments = st.sampled_from([*[MOMENTS["end of summer time"]] * 6, *MOMENTS.values()])


def lines(stamps: list[str]) -> st.SearchStrategy[list[Line]]:
    """Draw the lines of a log."""
    texts = st.sampled_from([*["connect", "sent", "exim late"] * 3, *TEXTS])
    line = st.builds(Line, ahead, st.sampled_from(stamps), texts)
    return st.lists(line, min_size=1, max_size=30)


logs = st.one_of(lines(["bsd"]), lines(["iso"]), lines(["main"]), lines(["bsd"] * 5 + ["iso", "zone", "main"]))


@settings(deadline=None, max_examples=300)
@given(logs, moments, st.lists(st.integers(0, 10_000), max_size=4))
@example([Line(0, "bsd", "tls"), Line(-3540, "bsd", "sent"), Line(0, "bsd", "sent")], MOMENTS["end of summer time"], [])
def test_no_cut_moves_a_time(some: list[Line], moment: datetime, cuts: list[int]) -> None:
    """Cut or whole, through the lanes or not, listed or counted: it is the same."""
    text = log_of(some, moment)
    how = read_settings(moment)
    whole = told(text, [], how)
    assert told(text, cuts, how) == whole
    assert told(text, [end for end, byte in enumerate(text, 1) if byte == _NEWLINE], how) == whole
    assert slowly(text, how) == whole
    sums = Counts()
    sums.add(whole.found)
    counts, unread, carry = counted(text, cuts, how)
    assert counts.groups == sums.groups
    assert (unread, carry) == (whole.unread, whole.carry)


@settings(deadline=None, max_examples=300)
@given(logs, moments)
def test_each_line_by_itself(some: list[Line], moment: datetime) -> None:
    """A framer that begins anew with each line, from the state before, gives the times of one that reads them all."""
    given_settings = FrameSettings("mx", BERLIN, moment + timedelta(days=3))
    one, state = Framer(given_settings), Framer(given_settings).carry()
    for line in log_of(some, moment).splitlines():
        other = Framer(given_settings)
        other.restore(json.loads(json.dumps(state)))
        record, expected = other.frame(line), one.frame(line)
        assert (record, time_in(record)) == (expected, time_in(expected))
        state = other.carry()
        assert state == one.carry()


def time_in(record: object) -> str | None:
    """Return the time with its offset, which no comparison tells."""
    return record.time.isoformat() if isinstance(record, Record) else None


def framer(zone: tzinfo, latest: datetime) -> Framer:
    """Return a framer without any state."""
    return Framer(FrameSettings("mx", zone, latest))


def test_state_of_an_older_version() -> None:
    """It had one latest time for loggers and Exim; a newer state has what an older version asks for."""
    reader, state = (
        framer(BERLIN, datetime(2026, 11, 30, tzinfo=UTC)),
        {"last": "2026-10-25T02:50:00+02:00", "parts": {}},
    )
    reader.restore(state)
    record = reader.frame(b"2026-10-25 02:10:00 1wFXyz-0000Ab-Cd Completed")
    assert isinstance(record, Record)
    assert record.time.isoformat() == "2026-10-25T02:10:00+01:00"
    assert state.keys() <= reader.carry().keys()


@pytest.mark.parametrize(
    ("line", "near"),
    [
        (b"Oct 24 23:00:00 mail x: y", True),
        (b"<22>Oct 26 01:00:00 mail x: y", True),
        (b"2026-03-29T00:00:00 mail x: y", True),
        (b"2026-10-25 02:00:00 1wFXyz-0000Ab-Cd Completed", True),
        (b"a-service-with-a-long-name-in-the-project-1  | Oct 25 02:00:00 mail x: y", True),
        (b'{"log":"Oct 25 02:00:00 mail x: y\\n","stream":"stdout","time":"2026-10-25T01:00:00Z"}', True),
        (b"Oct  5 02:00:00 mail x: y", False),
        (b"Nov  3 02:00:00 mail postfix/smtp[4711]: warning: Oct 25 02:00:00", False),
        (b"2025-10-26T00:00:00 mail x: y", False),
    ],
)
def test_days_around_a_change_of_the_clock(line: bytes, near: bool) -> None:
    """They are known by any stamp at the beginning of a line; far from there it does not matter what others read."""
    between = b"Aug  1 00:00:00 mail x: y\n" * 2_000
    reader = framer(BERLIN, datetime(2026, 8, 1, tzinfo=UTC))
    assert reader.is_near_change(between + (line + b"\n") * 1_000 + between) is near
    assert not framer(UTC, datetime(2026, 8, 1, tzinfo=UTC)).is_near_change(line)
