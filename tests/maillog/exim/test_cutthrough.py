"""Cutthrough deliveries: several recipients over one connection, of which one line alone tells the session."""

import json
from itertools import permutations

import pytest
from tests.maillog.exim.samples import ID, MX, SENT, SOURCE, X13, feed, numbered, read, record

from maillog.exim.deliveries import EximDeliveries
from maillog.model import Delivery, Evidence, Outcome, Security

RT = "R=dnslookup T=remote_smtp"
OK = 'C="250 2.0.0 Ok: queued as LAB-000053"'
DONE = f"{ID} Completed"
DAEMON = "exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25"
# Exim 4.96 and 4.100.1: cutthrough_multi puts each further recipient in front and leaves the session with the first.
LAST = f">> c@good.example {RT} {MX} {OK}"
SECOND = f">> b@good.example {RT} {MX} {OK}"
FIRST = f'>> a@good.example {RT} {MX} {X13} CV=no DN="CN=mx.good.example" {OK}'
FIRST_CLEAR = f">> a@good.example {RT} {MX} {OK}"
ARRIVED = f"<= news@sender.example H=(client.sender.example) [192.0.2.9] P=esmtps {X13} CV=no S=237"
# Exim 4.96 and 4.100.1: the server broke the connection off after the handshake, as one does that wants a client
# certificate. The same host got the mail in clear, and X= and DN= are of the session that was broken off.
LEFT_CLEAR = (
    "TLS session: error on first read: callout unencrypted to mx.good.example [198.51.100.7] (not in hosts_require_tls)"
)
PROOF = f"{numbered(1)} >> u@other.example {RT} H=mx.other.example [198.51.100.9] {X13} CV=no"


def security(*texts: str) -> list[Security]:
    """Return what is said of the message that the tests are about, in a log that shows TLS logging to be on."""
    found = read(DAEMON, PROOF, *texts, PROOF.replace(numbered(1), numbered(2)), SENT.replace(ID, numbered(3)))
    return [one.tls.security for one in found if one.queue_id == ID]


def test_all_recipients_share_the_session_that_one_line_tells() -> None:
    """X= stands on the line of the first recipient alone, which is the last one."""
    found = read(*(f"{ID} {text}" for text in (LAST, SECOND, FIRST, ARRIVED)), DONE)
    assert {(one.tls.security, one.tls.protocol, one.tls.authentication) for one in found} == {
        (Security.ENCRYPTED, "TLSv1.3", None)
    }
    assert [one.tls.evidence for one in found] == [Evidence.CORRELATED, Evidence.CORRELATED, Evidence.STATED]
    assert {one.result.outcome for one in found} == {Outcome.SENT}


@pytest.mark.parametrize("order", list(permutations((LAST, SECOND, FIRST))), ids=range(6))
def test_the_order_of_lines_does_not_matter(order: tuple[str, ...]) -> None:
    """Syslog may shuffle them."""
    assert security(*(f"{ID} {text}" for text in order), DONE) == [Security.ENCRYPTED] * 3


def test_clear_where_no_line_tells_a_session() -> None:
    """The message is complete and none of its lines has X=."""
    assert security(*(f"{ID} {text}" for text in (LAST, SECOND, FIRST_CLEAR)), DONE) == [Security.PLAINTEXT] * 3


def test_unknown_as_long_as_a_line_may_be_missing() -> None:
    """Without the end of the message, the line that tells may still come, or is lost."""
    assert security(f"{ID} {LAST}", f"{ID} {SECOND}") == [Security.UNKNOWN] * 2
    assert security(f"{ID} {LAST}", DAEMON, f"{ID} {FIRST}", DONE) == [Security.UNKNOWN, Security.ENCRYPTED]


def test_a_line_that_cannot_be_read_may_be_the_one_that_tells() -> None:
    """Nothing is said of the others then."""
    reader = EximDeliveries(SOURCE)
    texts = [DAEMON, PROOF, f"{ID} {LAST}", f"{ID} >> a X=@good.example {RT} free text", f"{ID} {SECOND}", DONE]
    found = feed(reader, [*texts, PROOF.replace(numbered(1), numbered(2))]) + list(reader.held())
    said = [one.tls.security for one in found if isinstance(one, Delivery) and one.queue_id == ID]
    assert said == [Security.UNKNOWN] * 2


@pytest.mark.parametrize("instead", [LEFT_CLEAR, f"{ID} {LEFT_CLEAR}", LEFT_CLEAR.replace("error on", "x: error on")])
def test_a_handshake_that_came_to_nothing_is_not_the_sessions(instead: str) -> None:
    """What was sent in clear after it has its cipher on the line all the same."""
    lines = [f"{ID} {text}" for text in (LAST, SECOND, FIRST)]
    assert security(instead, *lines, DONE) == [Security.UNKNOWN] * 3
    assert security(instead.replace("198.51.100.7", "198.51.100.8"), *lines, DONE) == [Security.ENCRYPTED] * 3


def test_a_handshake_that_came_to_nothing_says_nothing_of_later_days_or_other_deliveries() -> None:
    """Only cutthrough goes on in the process of the callout, and a host may be mended."""
    sent = f'=> d@good.example {RT} {MX} {X13} CV=no DN="CN=mx.good.example" {OK}'
    assert security(LEFT_CLEAR, f"{ID} {sent}", DONE) == [Security.ENCRYPTED]
    later = [(7 * 3600.0, f"{ID} {FIRST}"), (7 * 3600.0, DONE)]
    assert [one.tls.security for one in read(DAEMON, LEFT_CLEAR, *later)] == [Security.ENCRYPTED]


def test_other_deliveries_of_the_message_are_as_their_lines_say() -> None:
    """Only cutthrough lines have one connection."""
    other = f"=> d@good.example {RT} {MX} {OK}"
    assert security(*(f"{ID} {text}" for text in (LAST, FIRST, other)), DONE) == [
        Security.ENCRYPTED,
        Security.ENCRYPTED,
        Security.PLAINTEXT,
    ]


@pytest.mark.parametrize("cut", range(7))
def test_a_cut_changes_nothing(cut: int) -> None:
    """What waits is carried with all that is needed to judge it."""
    texts = [DAEMON, LEFT_CLEAR, f"{ID} {LAST}", f"{ID} >> a X=@b R=", f"{ID} {SECOND}", f"{ID} {FIRST}", DONE]
    one, other = EximDeliveries(SOURCE), EximDeliveries(SOURCE)
    whole = [found for text in texts for found in one.feed(record(text))]
    parts = [found for text in texts[:cut] for found in other.feed(record(text))]
    state = json.loads(json.dumps(other.carry()))
    other = EximDeliveries(SOURCE)
    other.restore(state)
    parts += [found for text in texts[cut:] for found in other.feed(record(text))]
    assert parts == whole


def test_a_state_of_an_older_version_is_read() -> None:
    """It does not tell which deliveries were cutthrough."""
    reader = EximDeliveries(SOURCE)
    feed(reader, [f"{ID} => u@good.example {RT} {MX} {X13} CV=yes"])
    state = json.loads(json.dumps(reader.carry()))
    [(queue_id, last, held, *rest)] = state["runs"]
    state["runs"] = [[queue_id, last, [value[:3] for value in held], *rest[:3]]]
    other = EximDeliveries(SOURCE)
    other.restore(state)
    assert list(other.held()) == list(reader.held())
