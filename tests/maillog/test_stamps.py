"""Time stamps -> times: the year and the zone that they lack."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.frames import BERLIN, framed, framer, times

from maillog.model import Record


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


def test_year_carries_over_a_cut() -> None:
    """The year goes on after a cut, whatever the time of reading."""
    before, after = framer(latest=datetime(2020, 12, 31, tzinfo=UTC)), framer()
    before.frame(b"Dec 31 10:00:00 mail postfix/smtp[1]: x")
    after.restore(json.loads(json.dumps(before.carry())))
    record = after.frame(b"Jan  1 10:00:00 mail postfix/smtp[1]: x")
    assert isinstance(record, Record)
    assert record.time == datetime(2021, 1, 1, 10, tzinfo=UTC)


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
