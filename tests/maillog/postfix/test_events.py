"""One line -> what happened: the fixed frame by pattern, the phrases by the grammar, in linear time, for any bytes."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.maillog.postfix.lines import DELAYS, QID, deferred, tls, to

from maillog.model import Record, Unread
from maillog.postfix.events import (
    Attempt,
    Handshake,
    HostFailure,
    LocalFault,
    Nothing,
    Peer,
    QueueLine,
    Trouble,
    queue_id_of,
    read_event,
)
from maillog.postfix.grammar import (
    REASONS,
    SUMMARY,
    TLS_STATUS,
    Summary,
    TlsStatus,
    read_reason,
    read_summary,
    read_tls_status,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def event(text: str, program: str = "smtp") -> object:
    """Return what a line of a program tells."""
    return read_event(Record(NOON, "mail", "postfix", program, 1, text))


def text_of(line: str) -> str:
    """Return a line without ``smtp[1]: ``."""
    return line.partition(": ")[2]


def attempt(line: str) -> Attempt:
    """Return the attempt that a delivery line tells of."""
    found = event(text_of(line))
    assert isinstance(found, Attempt), found
    return found


ADDRESSES = {
    "u@good.test": "good.test",
    "u@GOOD.Test": "good.test",
    "root": None,
    "u@[127.0.1.1]": "[127.0.1.1]",
    "u@[IPv6:2001:db8::1]": "[ipv6:2001:db8::1]",
    '"a b"@x.test': "x.test",
    '"a>, relay=evil.test[1.2.3.4]:25, tls=may"@x.test': "x.test",
    '"a\\"b>, relay=evil.test[1.2.3.4]:25, "@x.test': "x.test",
    '"a@evil.test"@x.test': "x.test",
    '""@x.test': "x.test",
    "josé@x.test": "x.test",
    "u@дом.test": "xn--d1aqf.test",
    "a b@x.test": "x.test",
    'a"b@x.test': "x.test",
    "a<b>c@x.test": "x.test",
    "a, b@x.test": "x.test",
    "u@" + "x" * 300 + ".test": None,
    "u@a..b": None,
    "": None,
}


@pytest.mark.parametrize(("address", "domain"), ADDRESSES.items(), ids=[address[:40] for address in ADDRESSES])
def test_address(address: str, domain: str | None) -> None:
    """The recipient domain, whatever the local part pretends to be; the relay is the real one."""
    found = attempt(to(recipient=address))
    assert (found.domain, found.relay.host, found.tls_status) == (domain, "mx.good.test", None)


FAKE = f"relay=mx.victim.test[192.0.2.1]:25, {DELAYS}, dsn=2.0.0, status=sent (250 ok"
TWO_WAYS = {
    "unquoted fake line": f"u@victim.test>, {FAKE}@evil.test",
    "unquoted fake line with tls": f"u@victim.test>, {FAKE.replace('dsn', 'tls=may, dsn')}@evil.test",
    "unquoted fake relay": "a>, relay=x[1.2.3.4]:25, tls=may@x.test",
    "unquoted fake orig_to": f"u@victim.test>, orig_to=<a>, {FAKE}@evil.test",
}


@pytest.mark.parametrize("address", TWO_WAYS.values(), ids=TWO_WAYS)
def test_two_ways(address: str) -> None:
    """An unquoted address (until 3.4) that looks like a delivery line of its own makes a line unreadable, not wrong."""
    assert isinstance(event(text_of(to(recipient=address))), Unread)
    assert isinstance(event(text_of(to(recipient=address, tls="may"))), Unread)


DECOYS = {
    "fields": "250 relay=evil.test[1.2.3.4]:25, tls=may:none, dsn=5.0.0, status=bounced (x)",
    "tls line": "250 Trusted TLS connection established to mx.good.test[203.0.113.1]:25: TLSv1.3 with cipher X",
    "bracket": "250 Ok: queued as <a>, b",
}


@pytest.mark.parametrize("reply", DECOYS.values(), ids=DECOYS)
def test_decoy(reply: str) -> None:
    """What the remote server says is never searched for fields."""
    found = attempt(to(status=f"status=sent ({reply})", tls="may"))
    assert (found.domain, found.relay.host, found.dsn, found.outcome) == ("good.test", "mx.good.test", "2.0.0", "sent")
    assert found.tls_status == read_tls_status("may")


RELAYS = {
    "MX.Good.TEST[203.0.113.1]:25": ("mx.good.test", "203.0.113.1", 25),
    "mx.example[2001:DB8::1]:25": ("mx.example", "2001:db8::1", 25),
    "::1[::1]:25": ("::1", "::1", 25),
    "127.0.1.1[127.0.1.1]:25": ("127.0.1.1", "127.0.1.1", 25),
    "myhost[private/dovecot-lmtp]": ("myhost", None, None),
    "none": (None, None, None),
    "_smtp_.mx.example[192.0.2.1]:587": ("_smtp_.mx.example", "192.0.2.1", 587),
}


@pytest.mark.parametrize(("relay", "expected"), RELAYS.items(), ids=RELAYS)
def test_relay(relay: str, expected: tuple[str | None, str | None, int | None]) -> None:
    """The forms of relay= (smtp_session.c:smtp_session_alloc)."""
    assert attempt(to(relay=relay)).relay[:3] == expected


def test_fields() -> None:
    """All fields together, in Postfix's order."""
    line = to(
        recipient="u@x.test>, orig_to=<list@y.test", use=3, tls="may?", delays="delay=345600, delays=345599/0/0.5/1.2"
    )
    found = attempt(line)
    assert found[:2] == (QID, "u@x.test")
    assert (found.connection_use, found.times, found.setup, found.domain) == (3, "0/0.5/1.2", 1.7, "x.test")


UNREADABLE = {
    "status": to(status="status=exploded (x)"),
    "tls": to(tls="perhaps"),
    "dsn": to(dsn="2"),
    "no status": to(status=""),
    "cut": to()[:60],
    "summary": tls(what="SMTPv9 with cipher X (1/1 bits)"),
    "summary without peer": "smtp[1]: Trusted TLS connection established to mx.good.test: TLSv1.3 with cipher X",
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(line: str) -> None:
    """A line that should say something and cannot be read is counted."""
    assert isinstance(event(text_of(line)), Unread)


NOT_OURS = {
    "setting up TLS connection to mx.good.test[203.0.113.1]:25": Nothing,
    "Host offered STARTTLS: [mx.good.test]": Nothing,
    "connect to mx.good.test[203.0.113.1]:25: Connection refused": HostFailure,
    "TLSRPT: status=success, domain=good.test, receiving_mx=mx.good.test[203.0.113.1]": Nothing,
    "warning: TLS policy lookup for good.test/mx.good.test: non DNSSEC destination": Nothing,
    "warning: connect to private/tlsproxy service: Connection refused": LocalFault,
    'cannot load Certification Authority data, CAfile="/x": disabling TLS support': LocalFault,
    f"{QID}: enabling PIX workarounds: disable_esmtp for mx.good.test[203.0.113.1]:25": QueueLine,
    f"{QID}: Sender requested REQUIRETLS, but REQUIRETLS support was not offered by host mx[1.2.3.4]": QueueLine,
    f"{QID}: Sender requested REQUIRETLS, but my configured TLS security level 'may' disables certificate matching. "
    "The last attempted server was mx0.drawn-501-44.example": QueueLine,
    f"{QID}: Sender requested REQUIRETLS, but no trusted server certificate was found. "
    "The last attempted server was mx[1.2.3.4]": Trouble,
    f"{QID}: Sender requested REQUIRETLS, but TLS service was not offered by host mx[1.2.3.4]": Trouble,
    f"{QID}: lost connection with mx.good.test[203.0.113.1] while sending DATA command": Trouble,
    "": Nothing,
}


@pytest.mark.parametrize(("text", "kind"), NOT_OURS.items(), ids=[text[:60] for text in NOT_OURS])
def test_other_lines(text: str, kind: type) -> None:
    """Lines around the delivery."""
    assert type(event(text)) is kind


QUEUE_IDS = {
    "C3CD21F3E90: x": "C3CD21F3E90",
    "4jY6Qy279GzLD0G: x": "4jY6Qy279GzLD0G",
    "BCDFGHJKLMzNPQ: x": "BCDFGHJKLMzNPQ",
    "ABCDEF: x": "ABCDEF",
    "warning: x": None,
    "fatal: x": None,
    "TLSRPT: x": None,
    "NOQUEUE: x": None,
    "C3CD21F3E90 x": None,
}


@pytest.mark.parametrize(("text", "queue_id"), QUEUE_IDS.items(), ids=QUEUE_IDS)
def test_queue_id(text: str, queue_id: str | None) -> None:
    """Words that stand where a queue id would are none."""
    assert queue_id_of(text) == queue_id


# --- the grammar and the fast path say the same -----------------------------------------------------------------------
hosts = st.from_regex(r"[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40}){0,4}", fullmatch=True)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
words = st.text(st.characters(codec="ascii", exclude_characters="\n()", min_codepoint=32), max_size=60)


@given(st.sampled_from(SUMMARY.samples), hosts, addresses, words)
def test_summary_as_the_grammar_says(sample: str, host: str, address: str, tail: str) -> None:
    """A TLS line means what the grammar says of its phrase, for any host and any further words."""
    found = event(sample.replace("H[A]", f"{host}[{address}]:25") + tail)
    meaning = read_summary(sample)
    assert isinstance(meaning, Summary)
    assert found == Handshake(Peer(host, address, 25), meaning)


@given(st.sampled_from(TLS_STATUS.samples), st.sampled_from([1, 2, 77]))
def test_status_as_the_grammar_says(value: str, use: int) -> None:
    """tls= means what the grammar says."""
    meaning = attempt(to(tls=value, use=use)).tls_status
    assert isinstance(meaning, TlsStatus)
    assert meaning == read_tls_status(value)


REMOTE = ("host H[A] said", "refused to start TLS", "refused to talk to me")


@given(st.sampled_from([reason.name for reason in REASONS if "(cut off" not in reason.name]), hosts, addresses, words)
@example("host H[A] said", "a." * 120 + "test", "203.0.113.1", "TLS is required, but was not offered by host x")
def test_reason_as_the_grammar_says(sentence: str, host: str, address: str, reply: str) -> None:
    """A reason means what the grammar says of its sentence, for any host and anything that the remote server says."""
    said, marker, command = sentence.partition(" (in reply to ")
    text = said.removesuffix(":").replace("H[A]", f"{host}[{address}]")
    if sentence.startswith(REMOTE[0]) or sentence.endswith(REMOTE[1:]):
        text += f": {reply} (in reply to {command or 'RCPT TO'} command)"
    assert attempt(to(status=deferred(text))).reason == read_reason(f"{said}{marker}{command}")
    trouble = event(f"{QID}: {text}")
    expected = read_reason(f"{said}{marker}{command}")
    named = address if "H[A]" in sentence else None
    tells = expected.ends_session or expected.phase == "mail"
    assert trouble == (Trouble(QID, expected, named) if tells else QueueLine(QID))
