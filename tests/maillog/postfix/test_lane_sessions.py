"""The lane counts whole sessions as the slow way does: what single lines in any order seldom make."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lane_logs import Line, counted, log_of, told, told_slowly

from maillog.counts import MICROSECONDS_PER_HOUR, Counts, group_of
from maillog.postfix.servers import SESSION_LONGEST, Servers
from maillog.tallies import Tallies, Tally

_CLIENTS = ("a.example[192.0.2.1]", "b.example[10.9.9.9]", "a.example[192.0.2.1], sasl_method=PLAIN, sasl_username=u")
_TLS = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"
_FIRST = Line(1, "mail", "postfix/smtp[4]: connect to x[1.2.3.4]:25: Connection refused")


class Mail(NamedTuple):
    """A mail that comes in."""

    queue_id: str
    sender: str
    prompt: bool
    """qmgr(8) begins with it before the session ends."""


def visit(tag: str, client: str, tls: str, mails: list[Mail], gaps: list[int]) -> list[Line]:
    """Return the lines of a session with smtpd(8), and of its mail; ``tls``: its summary, if any."""
    of = client.partition(",")[0]
    queued = [
        f"postfix/qmgr[3]: {mail.queue_id}: from=<{mail.sender}>, size=1, nrcpt=1 (queue active)" for mail in mails
    ]
    texts = [
        f"{tag}: connect from {of}",
        *([f"{tag}: Anonymous TLS connection established from {of}: {tls}"] if tls else []),
        *(f"{tag}: {mail.queue_id}: client={client}" for mail in mails),
        *(text for text, mail in zip(queued, mails, strict=True) if mail.prompt),
        f"{tag}: disconnect from {of} ehlo=1 {'starttls=1 ' if tls else ''}mail=1 commands=3",
        *(text for text, mail in zip(queued, mails, strict=True) if not mail.prompt),
    ]
    return [Line(gap, "mail", text) for gap, text in zip(gaps, texts, strict=False)]


mails = st.builds(
    Mail,
    st.sampled_from(["4F00A1", "4F00A2", "NOQUEUE", "4F0"]),
    st.sampled_from(["s@s.example", "T@T.example", ""]),
    st.booleans(),
)
visits = st.builds(
    visit,
    st.sampled_from(["postfix/smtpd[21]", "postfix/smtpd[21]", "postfix/smtpd[22]", "postfix/submission/smtpd[21]"]),
    st.sampled_from(_CLIENTS),
    st.sampled_from([_TLS, _TLS, ""]),
    st.lists(mails, min_size=1, max_size=2),
    st.lists(st.sampled_from([0, 0, 0, 0, 1, 60, 101, 900, 4_000, 30_000]), min_size=7, max_size=7),
)

# The lesson makes the phrases known; what follows is sent by the same process.
_RELAY = "mx1.a.example[198.51.100.1]:25"
_MEETING = f"postfix/smtp[11]: Trusted TLS connection established to {_RELAY}: {_TLS}"


def trip(trouble: str, queue_id: str, domain: str, gaps: list[int]) -> list[Line]:
    """Return the lines of a delivery that may have met trouble at another server."""
    status = (
        f"postfix/smtp[11]: {queue_id}: to=<u@{domain}>, relay={_RELAY}, delay=1, delays=0/0.1/0.1/0.2, dsn=2.0.0, "
        "status=sent (250 ok)"
    )
    texts = [*([f"postfix/smtp[11]: {trouble}"] if trouble else []), _MEETING, status]
    return [Line(gap, "mail", text) for gap, text in zip(gaps, texts, strict=False)]


trips = st.builds(
    trip,
    st.sampled_from(
        [
            "",
            "",
            "connect to mx2.a.example[198.51.100.2]:25: Connection refused",
            "SSL_connect error to mx2.a.example[198.51.100.2]:25: -1",
            "4F00A1: lost connection with mx2.a.example[198.51.100.2] while performing the EHLO handshake",
        ]
    ),
    st.sampled_from(["4F00A1", "4F00A2", "4F00A3"]),
    st.sampled_from(["a.example", "B.Example", "ü.example", "[192.0.2.9]", "no good"]),
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 40, 101, 900, 4_000]), min_size=3, max_size=3),
)


@settings(max_examples=400)
@given(st.lists(st.one_of(visits, trips), min_size=1, max_size=9), st.booleans(), st.lists(st.integers(0, 9_000)))
def test_whole_sessions(some: list[list[Line]], iso: bool, cuts: list[int]) -> None:
    """Deliveries, unread lines and what is carried on are those of the slow way, listed or counted."""
    lesson = [line for one in (trip("", "4F00A0", "a.example", [1, 0, 0]),) * 2 for line in one]
    text = log_of([_FIRST, *lesson, *chain.from_iterable(some)], iso=iso)
    counts, unread, carry = counted(text, cuts)
    slow = told_slowly(text)
    assert told(text, []) == slow
    sums = Counts()
    sums.add(slow.found)
    assert (counts.groups, unread, carry) == (sums.groups, slow.unread, slow.carry)


def test_processes_silent_for_long_go_with_a_birth() -> None:
    """Memory stays bounded, and whoever writes on is not looked at each time."""
    servers, early = Servers(), datetime(2026, 11, 20, tzinfo=UTC)
    late = early + SESSION_LONGEST + timedelta(seconds=2)
    old, _ = servers.get(("postfix", 1), early)
    other, _ = servers.get(("postfix", 2), early + timedelta(seconds=3))
    assert servers.get(("postfix", 3), late)[1] == [old]
    assert not servers.goes_on(old, late)
    assert servers.get(("postfix", 4), late + timedelta(seconds=5))[1] == [other]


def test_a_tally_knows_the_first_and_the_last() -> None:
    """Mail is counted by the hour, in the order in which qmgr(8) takes it, which is not that in which it came."""
    [like] = told_slowly(log_of([_FIRST, *trip("", "4F00A1", "a.example", [1, 0, 0])], iso=False)).found
    tallies, tally, hour = Tallies(), Tally(like), MICROSECONDS_PER_HOUR
    for at in (5, 3, hour + 1, 9):
        tallies.add(tally, at)
    assert tallies.take().groups == {group_of(like, 0): [3, 3, 9, 3], group_of(like, 1): [1, hour + 1, hour + 1, 1]}
    assert not tallies.take().groups
