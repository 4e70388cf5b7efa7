"""The fast lane says what the slow way says, whatever the log and wherever it is cut."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lane_logs import SETTINGS, Line, counted, log_of, told, told_slowly
from tests.maillog.ways import pieces_of

from maillog import LogReader, Relay, Scope, UnreadLine
from maillog.counts import Counts
from maillog.model import Direction, Found, JsonValue
from maillog.postfix.lane_outbound import OutboundLane
from maillog.reader import joined

_HOSTS = ("mx1.a.example[198.51.100.1]:25", "MX2.b.example[10.1.2.3]:25", "mx3.c.example[2001:db8::3]:25")
_SUMMARIES = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
    "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
    "a protocol that nobody knows",
)
hosts = st.sampled_from(_HOSTS)
queue_ids = st.sampled_from(["4F00A1", "4F00A2", "4F00A3", "ABCDEF"])
# Weights by repetition: a log is made of the common lines.
meetings = st.builds(
    "{} TLS connection {} to {}: {}".format,
    st.sampled_from(["Trusted", "Untrusted", "Verified"]),
    st.sampled_from(["established", "established", "established", "reused"]),
    st.one_of(hosts, hosts.map(str.lower)),
    st.sampled_from([*_SUMMARIES[:2] * 3, _SUMMARIES[2]]),
)
ends = st.one_of(
    st.sampled_from(
        [
            "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1)",
            "dsn=2.6.0, status=sent (250 2.6.0 <id@x> Queued)",
            "dsn=2.0.0, status=sent (250 <a@b>, relay=c[1.2.3.4]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent)",
            "dsn=2.0.0, status=sent",
            "dsn=2.0.0, status=deliverable (delivers)",
            "dsn=5.1.1, status=bounced (host mx1.a.example[198.51.100.1] said: 550 no (in reply to RCPT TO command))",
            "dsn=4.4.2, status=deferred (lost connection with mx1.a.example[198.51.100.1] while sending DATA)",
            "dsn=4.7.5, status=deferred (Cannot start TLS: handshake failure)",
            "dsn=2.0.0, status=other (x)",
        ]
    ),
    st.just("dsn=2.0.0, status=sent (250 ok)"),
)
statuses = st.builds(
    "{}: to=<{}>, {}relay={}, {}delay=1, delays=0/0.1/{}, {}{}".format,
    queue_ids,
    st.sampled_from(
        ["u@a.example", "v@a.example", "u@B.example", "root", 'a"b"@a.example', "<x@a.example", "ü@ü.example"]
    ),
    st.sampled_from(["", "", "orig_to=<w@local>, "]),
    st.one_of(hosts, hosts, st.sampled_from(["none", "a[b,c]:25", "mx[private/x]"])),
    st.sampled_from(["", "", "", "conn_use=2, "]),
    st.sampled_from(["0.1/0.2", "0.1/0.2", "40/0.2"]),
    st.sampled_from(["", "", "tls=may, ", "tls=may:none, ", "tls=!encrypt, ", "tls=dane, ", "tls=may?, ", "tls=x, "]),
    ends,
)
troubles = st.sampled_from(
    [
        "4F00A1: lost connection with mx1.a.example[198.51.100.1] while performing the EHLO handshake",
        "SSL_connect error to mx1.a.example[198.51.100.1]:25: -1",
        "connect to mx1.a.example[198.51.100.1]:25: Connection refused",
        "warning: TLS library problem",
        "message repeated 2 times: [ 4F00A1: lost connection with x[1.2.3.4] while sending DATA]",
    ]
)
of_smtp = st.builds(
    "{}/smtp[{}]: {}".format,
    st.sampled_from(["postfix", "postfix", "postfix", "postfix", "postfix/relay"]),
    st.sampled_from(["11", "11", "12", "013"]),
    st.one_of(meetings, meetings, statuses, statuses, statuses, troubles),
)
clients = st.sampled_from(["a.example[192.0.2.1]", "unknown[192.0.2.2]", "localhost[127.0.0.1]", "b.example[10.9.9.9]"])
of_smtpd = st.builds(
    "postfix/{}smtpd[{}]: {}".format,
    st.sampled_from(["", "", "", "submission/", "other/"]),
    st.sampled_from(["21", "21", "22", "021"]),
    st.one_of(
        st.builds("connect from {}".format, clients),
        st.builds("Anonymous TLS connection established from {}: {}".format, clients, st.sampled_from(_SUMMARIES)),
        st.builds("{}: client={}{}".format, queue_ids, clients, st.sampled_from(["", "", ", sasl_method=PLAIN"])),
        st.builds(
            "disconnect from {} {}mail=1 commands=3".format,
            clients,
            st.sampled_from(["", "starttls=1 ", "starttls=0/1 "]),
        ),
        st.builds("NOQUEUE: reject: {} from {}: 554".format, st.sampled_from(["RCPT", "MAIL"]), clients),
        st.builds("{}: client={}".format, st.sampled_from(["NOQUEUE", "4F0", "A.B"]), clients),
        st.builds("SSL_accept error from {}: -1".format, clients),
        st.builds("lost connection after STARTTLS from {}".format, clients),
        st.builds("warning: {}: lost 5 messages".format, clients),
    ),
)
of_qmgr = st.builds(
    "postfix/qmgr[3]: {}: from=<{}>, size=1, nrcpt=1 (queue active)".format,
    queue_ids,
    st.sampled_from(["", "s@S.example", "root", "x>, size=1@s.example", "status=sent@s.example"]),
)
of_others = st.sampled_from(
    [
        "postfix/qmgr[3]: 4F00A1: removed",
        "postfix/qmgr[3]: 4F00A1: from=<a@b>, size=1, nrcpt=1 (queue active)",
        "postfix/qmgr[3]: 4F00A1: from=<a@b>, status=expired, returned to sender",
        "postfix/smtpd[4]: connect from x[1.2.3.4]",
        "postfix/smtpd[4]: NOQUEUE: reject: lost 5 messages, begin to drop messages",
        "postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix",
        "postfix/master[1]: daemon started -- version 3.7.11, configuration /etc/postfix",
        "postfix/tlsproxy[5]: CONNECT to [198.51.100.1]:25",
        "postfix/lmtp[6]: 4F00A2: to=<u@a.test>, relay=x[private/s], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent",
        "postfix/smtp: 4F00A1: to=<u@a.b>, relay=x[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent",
        "postfix/smtpd: 4F00A1: client=a.example[192.0.2.1]",
        "rsyslogd: imuxsock lost 5 messages from pid 11 due to rate-limiting",
        "rsyslogd: imuxsock begin to drop messages due to rate-limiting",
        "dovecot: imap-login: Login",
        "postfix/smtp[11]: 4F00A1: to=<u\0\0\0",
        "dovecot: \0Nov 20 10:00:00 mail postfix/smtp[11]: 4F00A1: removed",
        "dovecot: login\nNov 2Nov 20 10:00:00 mail postfix/smtp[11]: 4F00A1: to=<u@a.example>, relay=none",
        "postfix/smtp[11]: 4F00A1: to=<uNov 20 10:00:00 mail postfix/smtp[12]: 4F00A1: removed",
        "exim[9]: 2026-11-20 10:00:00 1xVfNI-00000D-0R => u@a.example R=d T=s H=mx [198.51.100.1]",
    ]
)
seconds = st.sampled_from([0, 0, 0, 0, 1, 2, 5, 40, 120, 1_500, 30_000, -3])


lines = st.builds(
    Line,
    seconds,
    st.sampled_from([*["mail"] * 6, "other", "WARNING"]),
    st.one_of(of_smtp, of_smtp, of_smtp, of_smtp, of_smtpd, of_smtpd, of_qmgr, of_others),
)
iso_stamps = st.booleans()


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=40), iso_stamps, st.lists(st.integers(0, 10_000), max_size=4))
def test_the_lane_says_what_the_slow_way_says(some: list[Line], iso: bool, cuts: list[int]) -> None:
    """Deliveries, unread lines and the state that is carried on are the same with and without the lane."""
    text = log_of(some, iso=iso)
    fast = [told(text, cuts), told(text, [])]
    slow = told_slowly(text)
    assert fast == [slow, slow]


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=40), iso_stamps, st.lists(st.integers(0, 10_000), max_size=4))
def test_counting_gives_the_deliveries_of_reading(some: list[Line], iso: bool, cuts: list[int]) -> None:
    """Counted or listed, it is the same."""
    text = log_of(some, iso=iso)
    expected = told(text, [])
    counts, unread, carry = counted(text, cuts)
    sums = Counts()
    sums.add(expected.found)
    assert counts.groups == sums.groups
    assert (unread, carry) == (expected.unread, expected.carry)


def test_the_common_lines_take_the_lane() -> None:
    """A log of common lines is not read in the slow way."""
    meeting = f"postfix/smtp[11]: Trusted TLS connection established to {_HOSTS[0]}: {_SUMMARIES[0]}"
    status = (
        f"postfix/smtp[11]: 4F00A{{}}: to=<u@a.example>, relay={_HOSTS[0]}, delay=1, delays=0/0/0/1, dsn=2.0.0, "
        "status=sent (250 ok)"
    )
    texts = [text for number in range(9) for text in (meeting, status.format(number))]
    slow: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        feed = OutboundLane._feed

        def noted(self: OutboundLane, *line: Any) -> list[Found]:
            slow.append(line)
            return feed(self, *line)

        patch.setattr(OutboundLane, "_feed", noted)
        found = told(log_of([Line(1, "mail", text) for text in texts], iso=False), []).found
    assert len(found) == 9
    assert found[0].relay == Relay("mx1.a.example", "198.51.100.1", 25, Scope.INTERNET)
    assert len(slow) == 2, "each phrase is learned once"


def halved(text: bytes, cuts: list[int]) -> tuple[Counts, list[UnreadLine], dict[str, Any]]:
    """Count a log with two readers, one for each direction, which are joined at every cut."""
    counts, unread, carry, rest = Counts(), [], None, b""
    for piece in pieces_of(text, cuts):
        readers = [LogReader(SETTINGS, carry, only) for only in (Direction.OUTBOUND, Direction.INBOUND)]
        readings = [reader.count(rest + piece) for reader in readers]
        rest = (rest + piece)[readings[0].consumed :]
        for reader, reading in zip(readers, readings, strict=True):
            unread += reading.unread
            counts.merge(reader.take())
        carry = joined(*(reader.carry() for reader in readers))
    assert carry is not None
    return counts, sorted(unread), by_key(carry)


def by_key(carry: JsonValue) -> dict[str, Any]:
    """Return what is carried without the order of the hosts, which no result depends on while they are few."""
    return {**carry, "readers": {tuple(key): state for *key, state in carry["readers"]}}


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=40), iso_stamps, st.lists(st.integers(0, 10_000), max_size=4))
def test_two_readers_count_what_one_counts(some: list[Line], iso: bool, cuts: list[int]) -> None:
    """The directions can be read apart, and what is carried put together again, wherever the log is cut."""
    text = log_of(some, iso=iso)
    counts, unread, carry = counted(text, cuts)
    apart, unread_apart, carry_apart = halved(text, cuts)
    assert apart.groups == counts.groups
    assert (unread_apart, carry_apart) == (unread, by_key(carry))


# Nothing but common lines, of few processes, mails and servers, behind a lesson in all that they say: so the lane is
# taken whenever it may be, and often where it may not.
_SENT = (
    "dsn=2.0.0, status=sent (250 2.0.0 Ok)",
    "dsn=2.0.0, status=sent (250 <a@b>, relay=c[1.2.3.4]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent)",
    "dsn=4.2.0, status=deferred (host mx1.a.example[198.51.100.1] said: 450 later (in reply to RCPT TO command))",
)
_common_statuses = [
    f"{queue_id}: to=<u@{domain}>, relay={host}, delay=1, delays=0/{request}, {tls}{end}"
    for queue_id in ("4F00A1", "4F00A2")
    for domain in ("a.example", "b.example")
    for host in _HOSTS[:2]
    for request in ("0.1/0.1/0.2", "0.3/0.1/0.2")
    for tls in ("", "tls=may, ")
    for end in _SENT
]
_common_meetings = [
    f"{trust} TLS connection established to {host.lower()}: {summary}"
    for trust in ("Trusted", "Untrusted")
    for host in _HOSTS[:2]
    for summary in _SUMMARIES[:2]
]
_lesson = [Line(1, "mail", f"postfix/smtp[11]: {text}") for text in (*_common_meetings, *_common_statuses)]
# One process, one server, one recipient: only the mail and the request differ.
_close = [
    f"postfix/smtp[11]: {text}"
    for text in (*_common_meetings[:1], *_common_statuses)
    if _HOSTS[0].lower() in text and "b.example" not in text and "tls=" not in text and "deferred" not in text
]
_close = [text for text in _close if _SENT[1] not in text]
common = st.builds(
    Line,
    st.sampled_from([0, 0, 0, 0, 1, 2, 4, 35, 120]),
    st.just("mail"),
    st.one_of(
        st.sampled_from(_close),
        st.sampled_from(_close),
        st.sampled_from(_close),
        st.builds("postfix/smtp[{}]: {}".format, st.sampled_from(["11", "12"]), st.sampled_from(_common_meetings)),
        st.builds(
            "postfix/smtp[{}]: {}".format,
            st.sampled_from(["11", "12"]),
            st.sampled_from([one for one in _common_statuses if "4F00A1" in one and "b.example" not in one]),
        ),
        st.builds("postfix/smtp[{}]: {}".format, st.sampled_from(["11", "12"]), st.sampled_from(_common_statuses)),
        st.just("postfix/qmgr[3]: 4F00A1: from=<a@b>, status=expired, returned to sender"),
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(common, min_size=1, max_size=30))
def test_common_lines_in_any_order(some: list[Line]) -> None:
    """What the lane handles by itself is what the slow way makes of it."""
    text = log_of([*_lesson, Line(200, "mail", "postfix/smtpd[4]: connect from x[1.2.3.4]"), *some], iso=False)
    fast = told(text, [])
    counts, unread, carry = counted(text, [])
    slow = told_slowly(text)
    assert fast == slow
    sums = Counts()
    sums.add(slow.found)
    assert (counts.groups, unread, carry) == (sums.groups, slow.unread, slow.carry)
