"""Adding deliveries up."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from maillog.model import (
    Cause,
    Delivery,
    Direction,
    Evidence,
    Mta,
    Outcome,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
)
from tlsmon.rollup.fold import Rollup, merged, microseconds, provisional_change, settled
from tlsmon.rollup.model import Row, Span

ENCRYPTED = Tls(Security.ENCRYPTED, None, Evidence.STATED, "TLSv1.3")

deliveries = st.builds(
    Delivery,
    time=st.datetimes(
        datetime(2026, 11, 20),  # noqa: DTZ001, the strategy adds the zone
        datetime(2026, 11, 20, 3),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
    ),
    source=st.just(Source(Mta.POSTFIX, "mx", "postfix")),
    queue_id=st.just("4T1"),
    direction=st.just(Direction.OUTBOUND),
    recipient_domain=st.sampled_from(["a.example", None]),
    relay=st.just(Relay("mx.example.org", "198.51.100.1", 25, Scope.INTERNET)),
    tls=st.sampled_from([ENCRYPTED, Tls(Security.UNKNOWN)]),
    result=st.sampled_from(
        [Result(Outcome.SENT, "2.0.0"), Result(Outcome.SENT, "2.6.0"), Result(Outcome.DEFERRED, "4.7.5", Cause.DANE)]
    ),
    level=st.none(),
)
some = st.lists(deliveries, max_size=12)


def rows(found: list[Delivery], *, provisional: bool = False) -> list[Row]:
    """Return the rows of deliveries, ordered."""
    rollup = Rollup(provisional=provisional)
    rollup.add(found)
    return ordered(rollup.rows())


def ordered(found: list[Row]) -> list[Row]:
    """Return rows in one order."""
    return sorted(found, key=repr)


@given(some, some)
def test_rows_add_up(first: list[Delivery], second: list[Delivery]) -> None:
    """The rows of two logs together are the sum of their rows, in either order."""
    expected = rows(first + second)
    assert expected == ordered(merged(rows(first) + rows(second)))
    assert expected == ordered(merged(rows(second) + rows(first)))


@given(some)
def test_rows_count_every_delivery_once(found: list[Delivery]) -> None:
    """Counts add up to the number of deliveries; first and last are the ends of their times."""
    counted = rows(found)
    assert len(found) == sum(row.span.deliveries for row in counted)
    assert len(counted) == len({row.key for row in counted})
    if found:
        times = [microseconds(delivery.time) for delivery in found]
        assert (min(times), max(times)) == (min(r.span.first for r in counted), max(r.span.last for r in counted))


@given(st.lists(some, min_size=1, max_size=5), some)
def test_provisional_rows_telescope(steps: list[list[Delivery]], decided: list[Delivery]) -> None:
    """However often what is held changes, only what is held at the end counts, as if it had been read at once."""
    written = rows(decided)
    for before, after in pairwise([[], *steps]):
        written += provisional_change(rows(before, provisional=True), rows(after, provisional=True))
    assert rows(decided + steps[-1]) == ordered(settled(written))


def test_an_hour_is_utc() -> None:
    """A local time with an odd offset falls into the hour that it is in UTC."""
    nepal = timezone(timedelta(hours=5, minutes=45))
    time = datetime(2026, 11, 20, 6, 0, tzinfo=nepal)
    relay, source = Relay(None, None, None, None), Source(Mta.EXIM, None, None)
    delivery = Delivery(time, source, "x", Direction.OUTBOUND, None, relay, ENCRYPTED, Result(Outcome.SENT))
    (row,) = rows([delivery])
    assert microseconds(datetime(2026, 11, 20, 0, 0, tzinfo=UTC)) == row.key.hour
    assert Span(1, microseconds(time), microseconds(time), 1) == row.span


def test_microseconds_are_exact() -> None:
    """The last microsecond of a year far ahead is not rounded."""
    last = datetime(2399, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert microseconds(last) % 1_000_000 == 999_999
