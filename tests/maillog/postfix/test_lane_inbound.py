"""The lane says of mail that comes in what the slow way says."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lane_logs import Line, counted, log_of, told, told_slowly

from maillog.counts import Counts
from maillog.postfix import lane_inbound
from maillog.postfix.inbound import Inbound
from maillog.postfix.smtpd_events import ServerEvent, read_server_event

_SUMMARIES = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
    "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
    "a protocol that nobody knows",
)

_SMTP = "postfix/smtp[11]: connect to mx1.a.example[198.51.100.1]:25: Connection refused"
"""Of this program's line a lane is made."""


def test_the_common_inbound_lines_take_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """What clients have in common is read once, and a process is looked for once, whatever the number of mails."""
    texts = [
        text
        for number in range(9)
        for text in (
            "postfix/smtpd[21]: connect from a.example[192.0.2.1]",
            f"postfix/smtpd[21]: Anonymous TLS connection established from a.example[192.0.2.1]: {_SUMMARIES[0]}",
            f"postfix/smtpd[21]: 4F00A{number}: client=a.example[192.0.2.1]",
            f"postfix/qmgr[3]: 4F00A{number}: from=<s@s.example>, size=1, nrcpt=1 (queue active)",
            "postfix/smtpd[21]: disconnect from a.example[192.0.2.1] ehlo=2 starttls=1 mail=1 commands=5",
        )
    ]
    texts.insert(0, _SMTP)
    asked: list[str] = []

    def noted(text: str) -> ServerEvent:
        asked.append(text)
        return read_server_event(text)

    def searched(self: Inbound, *line: Any) -> Any:
        asked.append("server")
        return server(self, *line)

    server = Inbound.server
    monkeypatch.setattr(lane_inbound, "read_server_event", noted)
    monkeypatch.setattr(Inbound, "server", searched)
    counts, unread, _ = counted(log_of([Line(1, "mail", text) for text in texts], iso=False), [])
    assert [span[0] for span in counts.groups.values()] == [9]
    assert unread == []
    assert asked == ["server", *(text.partition(": ")[2] for text in (*texts[1:4], texts[5]))]


def test_several_mails_of_a_session() -> None:
    """Only the first of them came over a connection of its own; the lane counts them apart."""
    mails = [
        text for number in (0, 1, 2) for text in (_session[2].replace("A1", f"A{number + 1}"), _queued[3 * number])
    ]
    lines = [Line(1, "mail", text) for text in [_SMTP, *[*_session[:2], *mails, _session[3]] * 2]]
    counts, _, _ = counted(log_of(lines, iso=False), [])
    assert [(number, connections) for number, _, _, connections in counts.groups.values()] == [(6, 2)]


# Few processes, clients and mails, sessions from their beginning to their end.
_clients = ("a.example[192.0.2.1]", "b.example[192.0.2.2]", "localhost[127.0.0.1]")
_inbound = [
    *(f"connect from {client}" for client in _clients * 2),
    *(
        f"Anonymous TLS connection established from {client}: {summary}"
        for client in _clients
        for summary in _SUMMARIES
    ),
    *(f"{mail}: client={client}" for client in _clients for mail in ("4F00A1", "4F00A2", "4F00A3")),
    *(f"{mail}: client={_clients[0]}, sasl_method=PLAIN, sasl_username=u" for mail in ("4F00A1", "4F00A2")),
    *(
        f"disconnect from {client} ehlo=1 {commands}"
        for client in _clients
        for commands in ("starttls=1 mail=1 commands=3", "mail=1 commands=2", "mail=0/1 commands=2", "quit=1")
    ),
    f"NOQUEUE: reject: RCPT from {_clients[0]}: 554 5.7.1 no: client={_clients[0]}",
    f"NOQUEUE: reject: MAIL from {_clients[0]}: 554 5.7.1 no",
    f"NOQUEUE: milter-reject: MAIL from {_clients[0]}: 550 5.7.1 Command rejected",
    f"SSL_accept error from {_clients[0]}: -1",
    f"lost connection after STARTTLS from {_clients[1]}",
]
_session = [
    f"postfix/smtpd[21]: {text}"
    for text in (
        f"connect from {_clients[0]}",
        f"Anonymous TLS connection established from {_clients[0]}: {_SUMMARIES[0]}",
        f"4F00A1: client={_clients[0]}",
        f"disconnect from {_clients[0]} ehlo=1 starttls=1 mail=1 commands=3",
    )
]
_queued = [
    f"postfix/qmgr[3]: {mail}: from=<{sender}>, size=1, nrcpt=1 (queue active)"
    for mail in ("4F00A1", "4F00A2", "4F00A3")
    for sender in ("s@s.example", "", "root")
]
common_inbound = st.builds(
    Line,
    st.sampled_from([0, 0, 0, 0, 0, 1, 2, 40, 101, 1_300, 4_000, 22_000, -2, -4_000]),
    st.just("mail"),
    st.one_of(
        st.sampled_from(_session),
        st.sampled_from(_session),
        st.sampled_from(_queued[:3]),
        st.sampled_from(_queued),
        st.builds("postfix/{}: {}".format, st.sampled_from(["smtpd[21]", "smtpd[22]"]), st.sampled_from(_inbound)),
        st.builds("postfix/submission/smtpd[21]: {}".format, st.sampled_from(_inbound)),
        st.sampled_from(["postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix"]),
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(common_inbound, min_size=1, max_size=40), st.booleans(), st.lists(st.integers(0, 9_000), max_size=3))
def test_common_inbound_lines_in_any_order(some: list[Line], iso: bool, cuts: list[int]) -> None:
    """Mail that comes in is counted by the lane as the slow way counts it, in whichever hour, wherever it is cut."""
    first = Line(1, "mail", "postfix/smtp[4]: connect to x[1.2.3.4]:25: Connection refused")
    text = log_of([first, *some], iso=iso)
    fast = told(text, [])
    counts, unread, carry = counted(text, cuts)
    slow = told_slowly(text)
    assert fast == slow
    sums = Counts()
    sums.add(slow.found)
    assert (counts.groups, unread, carry) == (sums.groups, slow.unread, slow.carry)
