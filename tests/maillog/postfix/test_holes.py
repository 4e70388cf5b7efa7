"""Lines that a logger dropped without a word in this file: only a busy log that falls silent tells."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.maillog.postfix.lane_logs import told, told_slowly
from tests.maillog.postfix.lines import MX, OTHER, START, Clock, log, reading, tls, to

from maillog.postfix.whole import Whole

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
LONG = "delay=3, delays=0/0/0.5/2.5"
SHORT = "delay=0.3, delays=0/0/0.1/0.2"


def busy(at: Clock, seconds: int, every: int = 1) -> list[str]:
    """Return lines of sessions with TLS, of which every so many seconds has some."""
    lines = []
    for number in range(seconds // every):
        lines += [at(tls(OTHER, pid=9), every), at(to(f"B{number:09}", OTHER, pid=9), 0)]
    return lines


def after_silence(silence: int, delays: str, minute: int = 60, every: int = 1) -> list[str]:
    """Return a log that falls silent and goes on with a mail without any TLS line, and then with others."""
    at = Clock()
    lines = [at(START), *busy(at, minute, every)]
    first = at(to(relay=MX, pid=1, delays=delays), silence)
    return [*lines, first, *busy(at, minute, every)]


def said(lines: list[str]) -> str:
    """Return what is said of the mail without a TLS line; whichever way it is read."""
    text = log(*lines)
    slow = told_slowly(text)
    assert told(text, []) == told(text, [len(text) // 3, len(text) // 2]) == slow
    (found,) = (
        one
        for one in reading(lines).deliveries
        if one.recipient_domain == "good.test" and one.relay.ip == "203.0.113.1"
    )
    return found.tls.security.value


@pytest.mark.parametrize("silence", [5, 60, 500, 3_000])
def test_a_busy_log_that_falls_silent_has_lost_lines(silence: int) -> None:
    """The TLS line of a mail that was under way may be among them."""
    assert said(after_silence(silence, LONG)) == "unknown"


@pytest.mark.parametrize(
    ("silence", "minute", "every"), [(1, 60, 1), (3, 60, 1), (60, 60, 10), (60, 20, 1), (9, 120, 2)]
)
def test_a_quiet_log_may_be_silent(silence: int, minute: int, every: int) -> None:
    """A second or two, or a log that has not been busy, tells nothing."""
    assert said(after_silence(silence, LONG, minute, every)) == "plaintext"


def test_what_begins_after_the_hole_is_seen_whole() -> None:
    """Mail of which all must be there is in clear, hole or not."""
    at = Clock()
    before = [at(START), *busy(at, 60)]
    later = [at(tls(OTHER, pid=9), 60), at(to("B9999999999", OTHER, pid=9), 0), at(to(relay=MX, delays=SHORT), 3)]
    assert said([*before, *later, *busy(at, 60)]) == "plaintext"


def heard(jumps: list[int]) -> tuple[Whole, datetime]:
    """Return what is known after a busy minute and lines that each come so many seconds after the one before."""
    whole, now = Whole(), NOON
    whole.begins(NOON - timedelta(days=1))
    for jump in (*[1] * 60, *jumps):
        now += timedelta(seconds=jump)
        whole.hears(now)
    return whole, now


@pytest.mark.parametrize(
    "jumps", [[3_600] * 60, [3_600, -3_600] * 60, [-7_200] * 3, [3_600, 1, 30], [-100, 1, 30]], ids=str
)
def test_a_clock_that_is_set_makes_no_hole(jumps: list[int]) -> None:
    """Nor do services whose clocks are in two zones."""
    whole, _ = heard(jumps)
    assert whole.holds("postfix", NOON)


def test_lines_may_be_a_little_out_of_order() -> None:
    """Which makes a busy log no less busy."""
    whole, now = heard([1, 1, -2, 3, 1, -1, 1] * 10)
    assert whole.holds("postfix", now)
    whole.hears(now + timedelta(seconds=9))
    assert not whole.holds("postfix", now)


def test_the_state_goes_over_a_cut() -> None:
    """A cut within a busy minute changes nothing."""
    whole, now = Whole(), NOON
    whole.begins(NOON - timedelta(days=1))
    for _ in range(60):
        now += timedelta(seconds=1)
        whole.hears(now)
        state = whole.carry()
        whole = Whole()
        whole.restore(state)
    assert whole.holds("postfix", now - timedelta(seconds=3))
    whole.hears(now + timedelta(seconds=8))
    assert not whole.holds("postfix", now - timedelta(seconds=3))
