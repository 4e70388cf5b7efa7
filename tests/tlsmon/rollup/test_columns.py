"""Counted deliveries by column are the same as by row."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from maillog.counts import Counts
from maillog.model import (
    NULL_SENDER,
    Authentication,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Level,
    Mta,
    Outcome,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
)
from tlsmon.rollup import fold
from tlsmon.store.arrow import rows_of, table_of

deliveries = st.builds(
    Delivery,
    time=st.integers(0, 10_000).map(lambda seconds: datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=seconds)),
    source=st.sampled_from([Source(Mta.POSTFIX, "mx", "postfix"), Source(Mta.EXIM, None, None)]),
    queue_id=st.just("4T1"),
    direction=st.sampled_from(Direction),
    recipient_domain=st.sampled_from(["a.example", "b.example", None]),
    relay=st.sampled_from(
        [
            Relay("mx.example.org", "198.51.100.1", 25, Scope.INTERNET),
            Relay("mx.example.org", "198.51.100.2", None, Scope.PRIVATE),
            Relay(None, None, None, None),
        ]
    ),
    tls=st.sampled_from(
        [
            Tls(Security.UNKNOWN),
            Tls(Security.ENCRYPTED, Authentication.TRUSTED, Evidence.STATED, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
            Tls(Security.ENCRYPTED, Authentication.DANE, Evidence.CORRELATED, "TLSv1.2", "AES256-SHA"),
        ]
    ),
    result=st.sampled_from(
        [
            Result(Outcome.SENT, "2.0.0"),
            Result(Outcome.SENT, "2.6.0", None, "?,192.0.2.1"),
            Result(Outcome.DEFERRED, "4.7.5", Cause.DANE),
        ]
    ),
    level=st.sampled_from([None, Level.MAY, Level.DANE]),
    sender_domain=st.sampled_from([None, NULL_SENDER, "s.example"]),
)


@settings(deadline=None)
@given(st.lists(deliveries, max_size=12), st.lists(deliveries, max_size=3))
def test_columns_say_what_rows_say(some: list[Delivery], provisional: list[Delivery]) -> None:
    """A table made by column has the rows that are made one by one, and those that are given as rows."""
    counts, rollup = Counts(), fold.Rollup(provisional=True)
    counts.add(some)
    rollup.add(provisional)
    expected = [*fold.rows_of(counts), *rollup.rows()]
    assert sorted(rows_of(table_of(rollup.rows(), counts)), key=repr) == sorted(expected, key=repr)
