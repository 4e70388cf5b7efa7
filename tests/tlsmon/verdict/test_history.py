"""Changes of behaviour, from sessions of which only the number and the first and last time are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.evidence.history import Behaviour, behaviour
from tlsmon.evidence.sessions import HOUR, SECOND, Sessions

MINUTE = 60_000_000


def _good(number: int, first: int, last: int) -> Sessions:
    return Sessions(good=True, number=number, first=first, last=last)


def _bad(number: int, first: int, last: int) -> Sessions:
    return Sessions(good=False, number=number, first=first, last=last)


def _groups(sessions: list[tuple[int, bool]], span: int) -> list[Sessions]:
    """Count sessions (time, good) as the store does: equal ones of a span of time together."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for time, good in sessions:
        groups.setdefault((time // span, good), []).append(time)
    return [Sessions(good, len(times), min(times), max(times)) for (_, good), times in groups.items()]


@pytest.mark.parametrize("number", [20, 44, 1_000])
def test_a_host_that_alternates_has_not_changed(number: int) -> None:
    """The last good session is always a moment later than the last bad one, or the other way round."""
    for last_is_good in (False, True):
        sessions = [(index * SECOND, index % 2 == last_is_good) for index in range(number)]
        assert behaviour(_groups(sessions, 60 * MINUTE)) == Behaviour(number // 2, number // 2, None)


def test_the_recipients_of_one_mail_are_no_change() -> None:
    """Thirty recipients at once say no more of the host than one."""
    sessions = [_good(30, 0, 0), _bad(30, MINUTE, MINUTE), _good(30, 2 * MINUTE, 2 * MINUTE + 900_000)]
    assert behaviour(sessions) == Behaviour(60, 30, None)


def test_bad_in_the_last_burst_only_by_the_clock() -> None:
    """Three bursts; in each the good sessions end a second before or after the bad ones."""
    bursts = [
        *(_good(8, start, start + 3_000_000) for start in (0, 10_000_000, 20_000_000)),
        *(_bad(7, start, start + 2_000_000) for start in (0, 10_000_000, 20_000_000)),
    ]
    assert behaviour(bursts) == Behaviour(24, 21, None)


def test_a_change_within_the_hour_is_seen_where_the_times_tell_it() -> None:
    """The last bad one was a minute before the first good one."""
    sessions = [_bad(9, 0, 20 * MINUTE), _good(12, 21 * MINUTE, 40 * MINUTE)]
    assert behaviour(sessions) == Behaviour(12, 0, 21 * MINUTE, 0, 9)


def test_sessions_that_may_have_been_before_a_change_do_not_count_for_it() -> None:
    """Of the hundred good ones that ended after the last bad one, ninety-nine may have been before it."""
    sessions = [_good(100, 0, 60 * MINUTE), _bad(100, 0, 10 * MINUTE)]
    assert behaviour(sessions) == Behaviour(100, 100, None)
    later = _good(12, 61 * MINUTE, 62 * MINUTE)
    assert behaviour([*sessions, later]) == Behaviour(13, 0, 60 * MINUTE, 99, 100)


def test_without_a_connection() -> None:
    """Mail that went over the connections of others counts for nothing; where there is nothing else, there was one."""
    assert behaviour([_good(0, 0, 9), _good(4, 0, 9)]) == Behaviour(4, 0, None)
    assert behaviour([_good(0, 0, 9), _good(0, 5, 20)]) == Behaviour(1, 0, None)
    assert behaviour([_good(3, 0, 9), _bad(0, 5, 20)]) == Behaviour(3, 1, None)


def test_a_single_connection_that_stands_for_a_while() -> None:
    """It may have begun at any time: a good one counts as early, a bad one as late."""
    bad = [_bad(1, time * MINUTE, time * MINUTE) for time in range(8)]
    assert behaviour([*bad, *(_good(1, time * MINUTE, (9 + time) * MINUTE) for time in range(8))]) == Behaviour(
        8, 8, None
    )
    assert behaviour([*bad, *(_good(1, time * MINUTE, time * MINUTE) for time in range(9, 17))]).since == 9 * MINUTE
    good = [_good(1, time * MINUTE, time * MINUTE) for time in range(9, 17)]
    found = behaviour([*good, *(_bad(1, time * MINUTE, (20 + time) * MINUTE) for time in range(8))])
    assert found == Behaviour(0, 8, 20 * MINUTE, 8, 0)


def test_a_host_that_lost_starttls_and_had_it_once_more() -> None:
    """It is judged by what it does since, also where the good sessions reach a little beyond."""
    sessions = [_good(101, 0, 55 * MINUTE), _bad(60, 30 * MINUTE, 59 * MINUTE)]
    found = behaviour(sessions)
    assert found.since == 30 * MINUTE
    assert found.bad == 60
    assert 1 <= found.good < 60


@pytest.mark.parametrize("span", [1, HOUR])
def test_a_host_without_starttls_each_night_has_not_changed_for_good(span: int) -> None:
    """It is in order this morning; the nights before say that it will not be tonight."""
    days = [(time, time // HOUR % 24 >= 4) for time in range(0, 188 * HOUR, 6 * MINUTE)]
    good = sum(is_good for _, is_good in days)
    assert behaviour(_groups(days, span)) == Behaviour(good, len(days) - good, None)


def test_one_outage_is_over() -> None:
    """A host that lost STARTTLS once and has it again is judged by what it does since, and one that gained it first."""
    outage = [_good(60, 0, 9 * HOUR), _bad(30, 10 * HOUR, 14 * HOUR), _good(60, 15 * HOUR, 24 * HOUR)]
    before = [item._replace(first=item.first + HOUR, last=item.last + HOUR) for item in outage]
    for sessions in (outage, [_bad(30, 0, HOUR - 1), *before]):
        assert (behaviour(sessions).good, behaviour(sessions).bad) == (60, 0)


@given(
    st.lists(st.tuples(st.integers(0, 240 * 60), st.booleans()), min_size=1, max_size=80),
    st.sampled_from([1, 60, 24 * 60]),
)
def test_good_since_counts_no_session_that_may_have_been_before(sessions: list[tuple[int, bool]], span: int) -> None:
    """Whatever is counted together: where none is bad since a change, none was, and as many were good at least."""
    found = behaviour(_groups(sessions, span))
    assert found.good + found.bad + found.good_before + found.bad_before == len(sessions)
    if found.since is not None and not found.bad:
        assert not [time for time, good in sessions if time >= found.since and not good]
        assert found.good <= len([time for time, good in sessions if time >= found.since and good])
