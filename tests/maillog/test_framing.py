"""Every frame that a log may put around a line: time, host, instance, program, process and text come out of it."""

import json
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.framing import PARTS_LIMIT, Framer, FrameSettings, Unframed
from maillog.model import Record

BERLIN = ZoneInfo("Europe/Berlin")
LATEST = datetime(2026, 11, 30, tzinfo=UTC)
TEXT = "7D959244159: to=<u@good.test>"


def framer(zone: tzinfo = UTC, latest: datetime = LATEST, host: str | None = None) -> Framer:
    """Return a framer without any state."""
    return Framer(FrameSettings(host, zone, latest))


def framed(line: str | bytes, zone: tzinfo = UTC, host: str | None = None) -> Record:
    """Return the record of a single line."""
    record = framer(zone, host=host).frame(line if isinstance(line, bytes) else line.encode())
    assert isinstance(record, Record)
    return record


def times(*stamps: str, zone: tzinfo = UTC, latest: datetime = LATEST) -> list[str]:
    """Return the times of RFC 3164 lines with these stamps, in ISO 8601."""
    reader = framer(zone, latest)
    records = [reader.frame(f"{stamp} mail postfix/smtp[1]: x".encode()) for stamp in stamps]
    return [record.time.isoformat() if isinstance(record, Record) else record.name for record in records]


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
    "RFC 5424": f"<22>1 2026-11-03T10:00:00.000Z mail postfix/smtp 11 - - {TEXT}",
    "RFC 5424 with data": f'<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 ID7 [a@1 b="c"][d@2 e="f"] {TEXT}',
    "RFC 5424 with BOM": f"<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 - - \ufeff{TEXT}",
    "busybox": f"Nov  3 10:00:00 mail mail.info postfix/smtp[11]: {TEXT}",
    "Solaris": f"Nov  3 10:00:00 mail postfix/smtp[11]: [ID 197553 mail.info] {TEXT}",
    "message repeated": f"Nov  3 10:00:00 mail postfix/smtp[11]: message repeated 2 times: [ {TEXT}]",
    "message repeated, no space": f"Nov  3 10:00:00 mail postfix/smtp[11]: message repeated 2 times: [{TEXT}]",
}


@pytest.mark.parametrize("line", FRAMES.values(), ids=FRAMES)
def test_syslog(line: str) -> None:
    """All forms of syslog say the same."""
    time = datetime(2026, 11, 3, 10, tzinfo=UTC)
    assert framed(line) == Record(time, "mail", "postfix", "smtp", 11, TEXT)


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


class TestYear:
    """RFC 3164 has no year: it is that of the line before, or the latest one that is possible."""

    def test_first_line(self) -> None:
        """A stamp that would be more than a day after the latest possible time is of the year before."""
        latest = datetime(2026, 3, 10, 12, tzinfo=UTC)
        assert times("Mar 11 11:00:00", latest=latest) == ["2026-03-11T11:00:00+00:00"]
        assert times("Mar 11 13:00:00", latest=latest) == ["2025-03-11T13:00:00+00:00"]
        assert times("Dec 31 23:00:00", latest=latest) == ["2025-12-31T23:00:00+00:00"]

    def test_new_year(self) -> None:
        """January follows December, and a late line of December goes back."""
        stamps = ["Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58", "Jan  1 00:00:02"]
        assert [time[:4] for time in times(*stamps)] == ["2025", "2026", "2025", "2026"]

    def test_new_year_at_latest(self) -> None:
        """A log of December that is read in January is of the year before."""
        latest = datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
        assert times("Dec 31 10:00:00", "Jan  1 00:05:00", latest=latest) == [
            "2026-12-31T10:00:00+00:00", "2027-01-01T00:05:00+00:00",
        ]  # fmt: skip

    def test_leap_day(self) -> None:
        """A 29th of February is of the last leap year, and the lines after it go on from there."""
        assert times("Feb 29 10:00:00", "Mar  1 10:00:00") == ["2024-02-29T10:00:00+00:00", "2024-03-01T10:00:00+00:00"]

    def test_long_log(self) -> None:
        """Every New Year that the log passes counts."""
        latest = datetime(2026, 6, 1, tzinfo=UTC)
        stamps = ["Feb 28 10:00:00", "Jun  1 10:00:00", "Oct  1 10:00:00"] * 2
        first = datetime(2025, 3, 1, tzinfo=UTC)
        assert [time[:4] for time in times(*stamps, latest=first)] == ["2025"] * 3 + ["2026"] * 3
        assert times("Jan  1 00:00:00", latest=latest)[0].startswith("2026")

    @pytest.mark.parametrize(
        "stamp", ["Feb 30 10:00:00", "Nov 31 10:00:00", "Abc  1 10:00:00", "Nov  1 25:00:00", "Nov  0 10:00:00"]
    )
    def test_no_date(self, stamp: str) -> None:
        """A day that does not exist gives no record, and does not disturb the next line."""
        assert times(stamp, "Nov  3 10:00:00") == ["NO_FRAME", "2026-11-03T10:00:00+00:00"]

    @given(st.integers(0, 2_000), st.lists(st.integers(0, 170 * 86_400), max_size=8))
    def test_goes_on(self, day: int, steps: list[int]) -> None:
        """From a known first year on, any log with less than half a year of silence keeps its years."""
        moments = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day)]
        for step in steps:
            moments.append(moments[-1] + timedelta(seconds=step))
        stamps = [moment.strftime("%b %d %H:%M:%S") for moment in moments]
        assert times(*stamps, latest=moments[0]) == [moment.isoformat() for moment in moments]


class TestZone:
    """Stamps without a zone are local."""

    def test_summer_and_winter(self) -> None:
        """The offset is the one of the day."""
        assert times("Jul  1 12:00:00", "Nov  3 12:00:00", zone=BERLIN) == [
            "2026-07-01T12:00:00+02:00", "2026-11-03T12:00:00+01:00",
        ]  # fmt: skip

    def test_hour_that_comes_twice(self) -> None:
        """The clock goes back from 3 to 2: what would jump back is the second run."""
        stamps = [
            "Oct 25 02:10:00",
            "Oct 25 02:59:59",
            "Oct 25 02:00:00",
            "Oct 25 02:30:00",
            "Oct 25 02:29:00",
            "Oct 25 03:00:00",
        ]
        offsets = [time[-6:] for time in times(*stamps, zone=BERLIN)]
        assert offsets == ["+02:00", "+02:00", "+01:00", "+01:00", "+01:00", "+01:00"]

    def test_hour_that_comes_twice_in_iso_stamps(self) -> None:
        """The same for ISO 8601 stamps that have no offset."""
        reader = framer(BERLIN)
        lines = [f"2026-10-25T02:{minute}:00 mail postfix/smtp[1]: x".encode() for minute in ("10", "59", "00", "30")]
        records = [reader.frame(line) for line in lines]
        offsets = [record.time.isoformat()[-6:] for record in records if isinstance(record, Record)]
        assert offsets == ["+02:00", "+02:00", "+01:00", "+01:00"]

    def test_five_minutes_inside_of_one(self) -> None:
        """What counts as disorder ends at a second, also where the line before is of the same minute."""
        stamps = ["Oct 25 02:15:30", "Oct 25 02:10:59", "Oct 25 02:10:05"]
        assert [time[-6:] for time in times(*stamps, zone=BERLIN)] == ["+02:00", "+02:00", "+01:00"]

    def test_a_little_out_of_order(self) -> None:
        """Lines that stand some seconds too late do not begin the second run."""
        assert [time[-6:] for time in times("Oct 25 02:10:00", "Oct 25 02:09:58", zone=BERLIN)] == ["+02:00"] * 2

    def test_hour_that_never_comes(self) -> None:
        """In spring a stamp in the missing hour is still read."""
        assert times("Mar 29 02:30:00", zone=BERLIN)[0].startswith("2026-03-29T02:30:00")

    def test_iso_without_zone(self) -> None:
        """An ISO stamp without an offset is local; one with an offset keeps it."""
        assert framed("2026-07-01T12:00:00 mail postfix/smtp[1]: x", BERLIN).time.utcoffset() == timedelta(hours=2)
        assert framed("2026-07-01T12:00:00-05:00 mail postfix/smtp[1]: x", BERLIN).time.utcoffset() == timedelta(
            hours=-5
        )

    def test_comma(self) -> None:
        """Fractions may stand behind a comma."""
        assert framed("2026-07-01T12:00:00,250+00:00 mail postfix/smtp[1]: x").time.microsecond == 250_000


ENTRY = "1wFXyz-0000Ab-Cd => u@good.test R=dnslookup T=remote_smtp H=mx.good.test [203.0.113.1]"
EXIM = {
    "plain": (f"2026-11-03 10:00:00 {ENTRY}", None),
    "process number": (f"2026-11-03 10:00:00 [4711] {ENTRY}", 4711),
    "millis": (f"2026-11-03 10:00:00.000 {ENTRY}", None),
    "zone": (f"2026-11-03 11:00:00 +0100 {ENTRY}", None),
    "millis, zone, number": (f"2026-11-03 11:00:00.000 +0100 [4711] {ENTRY}", 4711),
    "through syslog": (f"Nov  3 10:00:00 mail exim[12]: {ENTRY}", 12),
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


def test_year_carries_over_a_cut() -> None:
    """The year goes on after a cut, whatever the time of reading."""
    before, after = framer(latest=datetime(2020, 12, 31, tzinfo=UTC)), framer()
    before.frame(b"Dec 31 10:00:00 mail postfix/smtp[1]: x")
    after.restore(json.loads(json.dumps(before.carry())))
    record = after.frame(b"Jan  1 10:00:00 mail postfix/smtp[1]: x")
    assert isinstance(record, Record)
    assert record.time == datetime(2021, 1, 1, 10, tzinfo=UTC)


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


STAMPS = (
    "Nov  3 10:00:00",
    "2026-11-03T10:00:00.123456+01:00",
    "2026-11-03T10:00:00,123+0100",
    "2026-11-03T10:00:00Z",
    "2026-11-03T10:00:00.123456",
)


@given(st.sampled_from(STAMPS), st.lists(st.tuples(st.integers(-20, -1), st.sampled_from("0123456789:.,+-ZT é٣"))))
def test_stamps_like_the_one_before(stamp: str, changes: list[tuple[int, str]]) -> None:
    """What a stamp shares with the one before is not read again, and no result tells so."""
    other = list(stamp)
    for place, character in changes:
        other[max(place, -len(other))] = character
    begun, fresh = framer(BERLIN), framer(BERLIN)
    before = begun.time_of(stamp)
    fresh.time_of(stamp)
    fresh.time_of("Nov  3 10:01:00" if stamp.startswith("Nov") else "2026-11-04T10:00:00Z")
    again = "".join(other)
    assert begun.time_of(again) == fresh.time_of(again)
    assert begun.time_of(stamp) == before


@pytest.mark.parametrize(
    ("stamp", "after"),
    [
        ("Nov  3 10:00: 1", "Nov  3 10:00:00"),
        ("Nov  3 10:00:60", "Nov  3 10:00:00"),
        ("Nov  3 10:00:0é", "Nov  3 10:00:00"),
        ("2026-11-03T10:00:00+00:00:30", "2026-11-03T10:00:00Z"),
        ("2026-11-03T10:00:00+01:00:30", "2026-11-03T10:00:00+01:00"),
        ("2026-11-03T10:00:60Z", "2026-11-03T10:00:00Z"),
    ],
)
def test_no_stamp_after_one_much_like_it(stamp: str, after: str) -> None:
    """What no log writes is no stamp, whatever was read before."""
    reader = framer()
    assert reader.time_of(after) is not None
    assert reader.time_of(stamp) is None
