"""Every frame that a log may put around a line: time, host, instance, program, process and text come out of it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.frames import BERLIN, TEXT, framed, framer

from maillog.framing import PARTS_LIMIT, Unframed
from maillog.model import Record


def journal(**fields: Any) -> bytes:
    """Return an entry of ``journalctl -o json``."""
    entry = {
        "__REALTIME_TIMESTAMP": "1793700000123456",
        "_HOSTNAME": "mail",
        "SYSLOG_IDENTIFIER": "postfix/smtp",
        "SYSLOG_PID": "11",
        "_PID": "99",
        "MESSAGE": TEXT,
    }
    return json.dumps({name: value for name, value in (entry | fields).items() if value is not None}).encode()


FRAMES = {
    "RFC 3164": f"Nov  3 10:00:00 mail postfix/smtp[11]: {TEXT}",
    "postlogd": f"Nov 03 10:00:00 mail postfix/smtp[11]: {TEXT}",
    "with priority": f"<22>Nov  3 10:00:00 mail postfix/smtp[11]: {TEXT}",
    "RFC 3339": f"2026-11-03T10:00:00.000000+00:00 mail postfix/smtp[11]: {TEXT}",
    "RFC 3339, Z": f"2026-11-03T10:00:00Z mail postfix/smtp[11]: {TEXT}",
    "short-precise": f"Nov 03 10:00:00.000000 mail postfix/smtp[11]: {TEXT}",
    "short-iso": f"2026-11-03T10:00:00+0000 mail postfix/smtp[11]: {TEXT}",
    "short-iso-precise": f"2026-11-03T10:00:00.000000+0000 mail postfix/smtp[11]: {TEXT}",
    "short-full": f"Tue 2026-11-03 10:00:00 UTC mail postfix/smtp[11]: {TEXT}",
    "short-full, zone by number": f"Tue 2026-11-03 07:00:00 -03 mail postfix/smtp[11]: {TEXT}",
    "short-full, zone by a name of several": f"Tue 2026-11-03 10:00:00 IST mail postfix/smtp[11]: {TEXT}",
    "short-unix": f"1793700000.000000 mail postfix/smtp[11]: {TEXT}",
    "docker compose": f"postfix-mailcow-1  | Nov  3 10:00:00 mail postfix/smtp[11]: {TEXT}",
    "docker logs -t": f"2026-11-03T10:00:00.000000000Z Nov  3 12:00:00 mail postfix/smtp[11]: {TEXT}",
    "docker compose logs -t": f"mta-1  | 2026-11-03T10:00:00.000000000Z Nov  3 11:00:00 mail postfix/smtp[11]: {TEXT}",
    "Kubernetes": f"2026-11-03T10:00:00.000000000Z stdout F Nov 03 09:00:00 mail postfix/smtp[11]: {TEXT}",
    "Docker's journald driver": f"Nov 03 10:00:00 box 3f2a1b4c5d6e[7]: Nov 03 12:00:00 mail postfix/smtp[11]: {TEXT}",
    "rsyslog in JSON": json.dumps(
        {"@timestamp": "2026-11-03T10:00:00Z", "host": "mail", "tag": "postfix/smtp[11]:", "message": f" {TEXT}"}
    ),
    "Docker's json-file": json.dumps(
        {
            "log": f"Nov 03 11:00:00 mail postfix/smtp[11]: {TEXT}\n",
            "stream": "stdout",
            "time": "2026-11-03T10:00:00.000000000Z",
        },
        separators=(",", ":"),
    ),
    "RFC 5424": f"<22>1 2026-11-03T10:00:00.000Z mail postfix/smtp 11 - - {TEXT}",
    "RFC 5424 with data": f'<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 ID7 [a@1 b="c"][d@2 e="f"] {TEXT}',
    "RFC 5424 with BOM": f"<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 - - \ufeff{TEXT}",
    "busybox": f"Nov  3 10:00:00 mail mail.info postfix/smtp[11]: {TEXT}",
    "RFC 5424 as rsyslog writes it": f"<22>1 2026-11-03T10:00:00.000000+00:00 mail postfix/smtp 11 - -  {TEXT}",
    "RFC 5424 with a bracket in data": f'<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 - [a@1 b="c\\]d"] {TEXT}',
    "RFC 5424 without priority": f"1 2026-11-03T10:00:00Z mail postfix/smtp 11 - - {TEXT}",
    "Solaris": f"Nov  3 10:00:00 mail postfix/smtp[11]: [ID 197553 mail.info] {TEXT}",
    "message repeated": f"Nov  3 10:00:00 mail postfix/smtp[11]: message repeated 2 times: [ {TEXT}]",
    "message repeated, no space": f"Nov  3 10:00:00 mail postfix/smtp[11]: message repeated 2 times: [{TEXT}]",
}


@pytest.mark.parametrize("line", FRAMES.values(), ids=FRAMES)
def test_syslog(line: str) -> None:
    """All forms of syslog say the same."""
    time = datetime(2026, 11, 3, 10, tzinfo=UTC)
    assert framed(line) == Record(time, "mail", "postfix", "smtp", 11, TEXT)


def test_fraction_of_a_second() -> None:
    """It is part of the time, wherever the year has to be found."""
    reader = framer()
    stamps = ("Nov 03 10:00:00.123456", "Nov 03 10:00:00.123", "Nov 03 10:00:01.5", "1793700000.123456")
    found = [reader.frame(f"{stamp} mail postfix/smtp[11]: x".encode()) for stamp in stamps]
    assert [record.time.microsecond for record in found if isinstance(record, Record)] == [
        123456,
        123000,
        500000,
        123456,
    ]
    assert [record.time.second for record in found if isinstance(record, Record)] == [0, 0, 1, 0]


def test_without_host() -> None:
    """``journalctl --no-hostname``: the host is the one that was given."""
    record = framed(f"Nov 03 10:00:00 postfix/smtp[11]: {TEXT}", host="mx1")
    assert (record.host, record.instance, record.program, record.pid, record.text) == (
        "mx1",
        "postfix",
        "smtp",
        11,
        TEXT,
    )


@pytest.mark.parametrize("severity", ["INFO   ", "WARNING", "ERR    "])
def test_severity_for_the_host(severity: str) -> None:
    """As a much used image of Postfix for containers writes it."""
    record = framed(f"2026-11-03T10:00:00.000000+00:00 {severity} postfix/smtp[11]: {TEXT}", host="mx1")
    assert record == Record(datetime(2026, 11, 3, 10, tzinfo=UTC), "mx1", "postfix", "smtp", 11, TEXT)


TAGS = {
    "postfix/smtp[11]": ("postfix", "smtp", 11),
    "postfix/relay/smtp[11]": ("postfix/relay", "smtp", 11),
    "mta-eu/smtp[11]": ("mta-eu", "smtp", 11),
    "postfix/smtp": ("postfix", "smtp", None),
    "systemd-journald[7]": (None, "systemd-journald", 7),
    "exim[7]": (None, "exim", 7),
    "exim4[7]": ("exim4", "exim", 7),
}


@pytest.mark.parametrize(("tag", "expected"), TAGS.items(), ids=TAGS)
def test_tag(tag: str, expected: tuple[str | None, str, int | None]) -> None:
    """Instance is all before the last slash; of Exim, a name that is not the usual one."""
    record = framed(f"Nov  3 10:00:00 mail {tag}: x")
    assert (record.instance, record.program, record.pid) == expected


class TestJournal:
    """``journalctl -o json``."""

    def test_fields(self) -> None:
        """The program's own process number and the time of arrival."""
        time = datetime.fromtimestamp(1793700000, tz=UTC) + timedelta(microseconds=123456)
        assert framed(journal()) == Record(time, "mail", "postfix", "smtp", 11, TEXT)

    def test_source_time(self) -> None:
        """The time at which the program spoke is better than that of arrival."""
        assert framed(journal(_SOURCE_REALTIME_TIMESTAMP="1793700000000000")).time.microsecond == 0

    def test_bytes(self) -> None:
        """A message that is no UTF-8 comes as a list of bytes."""
        assert framed(journal(MESSAGE=list(b"to=<\xff>"))).text == "to=<\ufffd>"

    def test_other_number(self) -> None:
        """Without SYSLOG_PID the kernel's number counts."""
        assert framed(journal(SYSLOG_PID=None)).pid == 99

    BROKEN = (
        *(b"{", b"{}", b'{"MESSAGE": 1}', b"[" * 100_000, b"{" + b'"a":[' * 50_000),
        *(journal(MESSAGE=message) for message in (None, [999], 7)),
        *(journal(__REALTIME_TIMESTAMP=time) for time in ("x", "9" * 30, "9" * 5000, None)),
        *(journal(SYSLOG_IDENTIFIER=["a"]), journal(_HOSTNAME=3), journal(SYSLOG_PID="x")),
        b'{"MESSAGE": "x", "__REALTIME_TIMESTAMP": NaN}',
    )

    @pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
    def test_broken(self, line: bytes) -> None:
        """An entry that is none, or that lacks what is needed, gives no record."""
        assert framer().frame(line) is Unframed.NO_FRAME


ENTRY = "1wFXyz-0000Ab-Cd => u@good.test R=dnslookup T=remote_smtp H=mx.good.test [203.0.113.1]"
EXIM = {
    "plain": (f"2026-11-03 10:00:00 {ENTRY}", None),
    "process number": (f"2026-11-03 10:00:00 [4711] {ENTRY}", 4711),
    "millis": (f"2026-11-03 10:00:00.000 {ENTRY}", None),
    "zone": (f"2026-11-03 11:00:00 +0100 {ENTRY}", None),
    "millis, zone, number": (f"2026-11-03 11:00:00.000 +0100 [4711] {ENTRY}", 4711),
    "through syslog": (f"Nov  3 10:00:00 mail exim[12]: {ENTRY}", 12),
    "through syslog, with its own number": (f"Nov  3 10:00:00 mail exim[12]: [4711] {ENTRY}", 4711),
    "through syslog, with its own stamp": (f"Nov  3 10:00:07 mail exim[12]: 2026-11-03 10:00:00 [4711] {ENTRY}", 4711),
    "journal": (
        journal(SYSLOG_IDENTIFIER="exim", SYSLOG_PID="12", MESSAGE=f"2026-11-03 10:00:00 {ENTRY}").decode(),
        12,
    ),
}


class TestExim:
    """Exim's own main log (``log.c:log_vwrite``), by itself or through syslog."""

    @pytest.mark.parametrize(("line", "pid"), EXIM.values(), ids=EXIM)
    def test_frames(self, line: str, pid: int | None) -> None:
        """The same entry in every frame; the stamp that Exim wrote wins."""
        record = framed(line, host="mail")
        assert record._replace(time=record.time.astimezone(UTC)) == Record(
            datetime(2026, 11, 3, 10, tzinfo=UTC), "mail", None, "exim", pid, ENTRY
        )

    @pytest.mark.parametrize("own", ["", "[12] ", "2026-11-03 10:00:00 "])
    @pytest.mark.parametrize("entry", [ENTRY, "exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25"])
    def test_another_name_in_syslog(self, own: str, entry: str) -> None:
        """``syslog_processname`` may be anything; what Exim writes tells."""
        record = framed(f"Nov  3 10:00:00 mail mailout[12]: {own}{entry}")
        assert (record.program, record.instance, record.pid, record.text) == ("exim", "mailout", 12, entry)

    def test_host_from_settings(self) -> None:
        """A main log does not name its host."""
        line = EXIM["plain"][0]
        assert (framed(line).host, framed(line, host="mx1").host) == (None, "mx1")

    @staticmethod
    def parts(*texts: str) -> list[Record | Unframed]:
        """Frame parts of entries, as syslog gets them."""
        reader = framer()
        return [reader.frame(f"Nov  3 10:00:00 mail exim[12]: {text}".encode()) for text in texts]

    def test_parts(self) -> None:
        r"""``[n/m]`` marks a break for length, ``[n\\m]`` one at a newline (``log.c:write_syslog``)."""
        first, second, last = self.parts("[1/3] 2026-11-03 10:00:00 1wFXyz", "[2/3] -0000Ab-Cd =", "[3\\3] > x")
        assert first is second is Unframed.PART
        assert isinstance(last, Record)
        assert last.text == "1wFXyz-0000Ab-Cd =\n> x"

    def test_lost_part(self) -> None:
        """An entry that lacks a part says less than it did: it is not read."""
        assert self.parts("[1/3] a", "[3/3] c", "[1/2] a") == [Unframed.PART] * 3

    def test_parts_of_two_writers(self) -> None:
        """Parts of other processes may stand between."""
        reader = framer()
        lines = [(12, "[1/2] a"), (13, "[1/2] x"), (12, "[2/2] b"), (13, "[2/2] y")]
        records = [reader.frame(f"Nov  3 10:00:00 mail exim[{pid}]: {text}".encode()) for pid, text in lines]
        assert [record.text for record in records if isinstance(record, Record)] == ["ab", "xy"]

    def test_bounded(self) -> None:
        """Entries that never end are forgotten."""
        reader = framer()
        for pid in range(PARTS_LIMIT * 3):
            reader.frame(f"Nov  3 10:00:00 mail exim[{pid}]: [1/2] a".encode())
        assert len(reader.carry()["parts"]) <= PARTS_LIMIT

    @pytest.mark.parametrize("part", ["[0/2] a", "[3/2] a", "[1/999] a", f"[1/2] {'a' * 5000}"], ids=range(4))
    def test_no_part(self, part: str) -> None:
        """What cannot be a part of a delivery is read as nothing else either."""
        assert self.parts(part) == [Unframed.PART]

    def test_carry(self) -> None:
        """A cut between two parts loses nothing."""
        before, after = framer(), framer()
        before.frame(b"Nov  3 10:00:00 mail exim[12]: [1/2] a")
        after.restore(json.loads(json.dumps(before.carry())))
        record = after.frame(b"Nov  3 10:00:00 mail exim[12]: [2/2] b")
        assert isinstance(record, Record)
        assert record.text == "ab"


NO_FRAMES = ("", " ", "x", "Nov  3", "Nov  3 10:00:00", "Nov  3 10:00:00 mail last message repeated 2 times", "\0" * 9)


@pytest.mark.parametrize("line", NO_FRAMES)
def test_no_frame(line: str) -> None:
    """What has no frame gives no record."""
    assert framer().frame(line.encode()) is Unframed.NO_FRAME


def mutated(line: str) -> st.SearchStrategy[bytes]:
    """Return the line with some of its bytes replaced."""
    return st.tuples(st.integers(0, len(line)), st.binary(max_size=5)).map(
        lambda cut: line[: cut[0]].encode() + cut[1] + line[cut[0] + 2 :].encode()
    )


@given(st.one_of(st.binary(max_size=300), st.sampled_from(list(FRAMES.values())).flatmap(mutated)))
def test_any_bytes(line: bytes) -> None:
    """Any bytes give a record with a time in a zone, or none; never an exception."""
    for zone in (UTC, BERLIN, timezone(timedelta(hours=-12))):
        record = framer(zone).frame(line)
        assert isinstance(record, Unframed) or record.time.utcoffset() is not None
