"""Text of others that wants to be read as Exim's own, and text made to break or slow the reader."""

# ruff: noqa: E501, because the lines of a log stay whole

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.maillog.exim.samples import ID, MX, X13, record

from maillog.exim import events
from maillog.exim.events import Attempt, Flag, read_event
from maillog.exim.grammar import read_fields
from maillog.model import Outcome, Unread

RT = "R=dnslookup T=remote_smtp"


def attempt(text: str) -> Attempt:
    """Return the attempt of a line behind its message id."""
    event = read_event(record(f"{ID} {text}"))
    assert isinstance(event, Attempt), event
    return event


DECOYS = {
    "reply with fields": f'=> u@g.example {RT} {MX} C="250 2.0.0 Ok: \\"queued\\" as 12345 X=TLS1.3:FAKE:256"',
    "reply that ends a quote": f'=> u@g.example {RT} {MX} C="250 ok\\" X=TLS1.3:FAKE:256 CV=dane"',
    "reply with times": f'=> u@g.example {RT} {MX} C="250 X=TLS1.3:FAKE:256 DN=\\"x\\"" QT=3m45s DT=0.113s',
}


@pytest.mark.parametrize("text", DECOYS.values(), ids=DECOYS)
def test_reply_is_no_field(text: str) -> None:
    """What the remote server said never makes a clear delivery look encrypted."""
    assert not attempt(text).route.encrypted


_FAKE = "R=r T=t H=evil [192.0.2.66] X=TLS1.3:FAKE:256 CV=dane"
HOSTILE = {
    "fields in the local part": f'=> a {_FAKE} b@good.example <u@own.example> {RT} {MX} C="250 OK"',
    "a domain in the local part": f'=> a@x.example {_FAKE} b@good.example <"a"@good.example> {RT} {MX} C="250 OK"',
    "quotes opened in the local part": f'=> a@x.example {_FAKE} C="@good.example <x> {RT} {MX} C="250 OK"',
    "name opened in the local part": f'=> a@x.example {_FAKE} DN="@g.example {RT} {MX} X=TLS1.3:A:1 DN="CN=x" C="250 OK"',
    "unknown field in the local part": f'=> a@x.example {_FAKE} Z="@good.example {RT} {MX} C="250 OK"',
    "sender with half a quote": f'=> a@good.example F=<"x> {_FAKE}> {RT} {MX} X=TLS1.3:A:256 C="250 OK"',
    "name that closes": f'=> a@good.example {RT} {MX} X=TLS1.3:A:256 DN="CN=x" C="250 CV=dane" C="250 OK"',
    "reply that goes on": f'=> a@good.example {RT} {MX} C="250 OK" X=TLS1.3:FAKE:256',
    "angle brackets": f"=> a <b@x.example@good.example <c@good.example> {RT} {MX}",
    "no domain": f"=> a {RT} {MX}",
    "no valid domain": f"=> a@b..example {RT} {MX}",
    "no valid address": f"=> a@b.example {RT} H=mx [300.1.2.3]",
    "cut off": f"=> a@b.example {RT} {MX} X=TLS1.3:A **** log string overflowed log buffer ****",
    "pipe character, then fields out of order": f"=> |x@good.example {RT} {MX} free text",
    "no error number": f"== a@b.example {RT}",
    "no fields": "=> a@b.example and more",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_line_with_two_readings_is_unread(text: str) -> None:
    """Where somebody else's text may stand in for a field, or a field is missing, the line is counted as unread."""
    assert isinstance(read_event(record(f"{ID} {text}")), Unread)


def test_quoted_address_tells_where_the_logged_one_ends() -> None:
    """Exim logs a local part without its quotes, and behind it the address as it was given, with them."""
    found = attempt(f'=> a {_FAKE} b@good.example <"a \\{_FAKE} b"@Good.example> {RT} {MX} C="250 OK"')
    assert (found.domain, found.route.relay.ip, found.route.encrypted) == ("good.example", "198.51.100.7", False)


def test_sender_ends_with_its_quotes() -> None:
    """Exim logs a sender with its quotes, and takes none that does not close them."""
    sender = f'"x> {_FAKE} \\" DN="@y.example'
    found = attempt(f'=> a@good.example F=<{sender}> P=<{sender}> {RT} {MX} X=TLS1.3:A:256 DN="CN=x" C="250 OK"')
    assert (found.domain, found.route.relay.ip, found.route.cipher) == ("good.example", "198.51.100.7", "A")


def test_two_addresses_with_a_quoted_twin_are_two_ways() -> None:
    """A local part may hold an address and its twin; then nothing says which pair is Exim's."""
    local = f'a b@victim.example <"a b"@victim.example> {_FAKE}'
    quoted = local.replace('"', '\\"')
    found = read_event(record(f'{ID} => {local}@good.example <"{quoted}"@good.example> {RT} {MX} C="250 OK"'))
    assert isinstance(found, Unread)
    assert "two ways" in found.reason


def test_cut_line_says_so() -> None:
    """A delivery that Exim cut at the end of its buffer is unread for that reason: X= may be what is missing."""
    found = read_event(record(f"{ID} => a@b.example {RT} {MX}{' <' * 9} **** log string overflowed log buffer ****"))
    assert isinstance(found, Unread)
    assert "too long" in found.reason
    cut_reply = f"** a@b.example {RT} {MX}: SMTP error from remote mail server after DATA: 550 **** log string overflowed log buffer ****"
    assert attempt(cut_reply).outcome is Outcome.BOUNCED


def test_phrases_hold_nothing_of_the_remote_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts, addresses, replies and certificate names are cut out before the grammar sees a phrase."""
    phrases: list[str] = []

    def listening(read: Callable[[str], object]) -> Callable[[str], object]:
        def listen(phrase: str) -> object:
            phrases.append(phrase)
            return read(phrase)

        return listen

    for name in ("_note_of", "_reason_of", "_route_of"):
        monkeypatch.setattr(events, name, listening(getattr(events, name)))
    remote = "SMTP error from remote mail server after RCPT TO:<secret@g.example>: 450 secret"
    for text in (
        f"H=secret.example [198.51.100.7]: {remote}",
        "[198.51.100.7] SSL verify error: depth=0 error=self-signed certificate cert=/CN=secret",
        '[198.51.100.7] SSL verify error: certificate name mismatch: DN="/CN=secret" H="secret.example"',
        f"== secret@g.example F=<secret@g.example> {RT} defer (-44) {MX}: {remote}",
        f"** secret@g.example {RT} {MX}: {remote}",
        f'=> secret@g.example P=<secret@g.example> {RT} S=12 {MX} C="250 secret"',
    ):
        read_event(record(f"{ID} {text}"))
    assert len(phrases) == 8
    assert "secret" not in "".join(phrases)


_FLAGGED = st.sampled_from(
    ["", *(f"{ID} {flag} " for flag in [*Flag, "<=", "*>"]), f"{ID} H=", f"{ID} TLS ", f"{ID} ["]
)
_PIECES = st.sampled_from([
    "u@g.example", " <t@o.example>", f" {RT}", f" {MX}", f" {X13}", " CV=yes", ' DN="CN=x"', ' C="250', '"', "\\", ": ",
    " : ", " defer (-37)", " defer (110): x", " H=", " [", "]", " (", ")", "<", ">", " F=<", " T=", "\n", "\udc80", "ü",
])  # fmt: skip
_ANY_LINE = st.builds("{}{}".format, _FLAGGED, st.lists(_PIECES | st.text(max_size=8), max_size=14).map("".join))


@given(_ANY_LINE)
@example(f"{ID} == u@g.example{' defer (' * 9}")
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text whatever makes the reader fail."""
    read_event(record(text))


@given(
    st.tuples(
        st.sampled_from(["", " F=<s@x.example>", " P=<>", " I=[192.0.2.9]:1"]),
        st.sampled_from(["", " R=r"]),
        st.sampled_from(["", " T=t"]),
        st.sampled_from(["", " S=12"]),
        st.sampled_from(["", " H=h", " H=h [192.0.2.1]", " H=h DS [192.0.2.1]:25*"]),
        st.sampled_from(["", " I=[192.0.2.9]", " I=[192.0.2.9]*"]),
        st.sampled_from(["", " X=TLS1.3:A:256", " X=TLSv1.2:B:128*"]),
        st.sampled_from(["", " CV=yes", " CV=no", " CV=dane"]),
        st.sampled_from(["", ' DN="CN=x"', ' DN="CN="a", O= b: c"']),
        st.sampled_from(["", " A=plain:x", " L", " K"]),
    ),
    st.sampled_from(["", ' C="250 OK"', ' C="250 X=TLS1.3:A:256" QT=1s DT=0s']),
)
def test_fast_path_means_what_the_grammar_means(fields: tuple[str, ...], rest: str) -> None:
    """Cutting out what varies and keeping phrases in memory changes nothing of what the fields say."""
    assume(fields[1] or fields[2])  # a router or a transport always stands there (deliver.c:delivery_log)
    event = read_event(record(f"{ID} => u@g.example{''.join(fields)}{rest}"))
    slow = read_fields("".join(one for one in fields if not one.startswith((" F=", " P=", " S="))))
    if slow is None:
        assert isinstance(event, Unread)
        return
    assert isinstance(event, Attempt)
    route = event.route
    assert (route.relay.ip, route.continued, route.encrypted) == (slow.ip, slow.continued, slow.encrypted)
    assert (route.protocol, route.cipher, route.verified) == (slow.protocol, slow.cipher, slow.verified)


LONG = 200_000
CRAFTED = {
    "quotes": f'=> u@g.example {RT} {MX} C="' + '\\"' * LONG,
    "names": f'=> u@g.example {RT} {MX} DN="' + '" C' * LONG,
    "address": "=> " + " (a" * LONG + f" {RT} {MX}",
    "brackets": "=> " + " <a" * LONG + f" {RT} {MX}",
    "quoted addresses": "=> a" + ' <"a"@b>' * LONG,
    "open quotes": "=> a" + ' <"' * LONG,
    "escaped quotes": "== a" + ' <"\\"@a>' * LONG,
    "same again": '=> aaa@b <"aaa"@b>' * (LONG // 4),
    "one word": "H=" + "a" * LONG,
    "many words": "TLS " + "a " * LONG,
    "hosts": "TLS session: " + "H=a [" * LONG,
    "deferral": f"== u@g.example {RT} defer (110)" + ": a H=" * LONG,
    "deferral host": f"== u@g.example {RT} defer (-37) H=" + "a" * LONG + " DT=1s" * 1000,
    "failure": f"** u@g.example {RT} {MX}" + ":a" * LONG,
    "failure name": f'** u@g.example {RT} {MX} DN="' + '" :' * LONG,
    "arrival": "<= a@b.example H=" + "a (b) [c] X=" * LONG,
    "arrival sender": '<= "' + "\\a" * LONG + " X=",
    "unknown fields": "=> u@g.example" + " AB=c" * LONG,
    "pipe": "=> |" + " <a" * LONG,
}


@pytest.mark.parametrize("text", CRAFTED.values(), ids=CRAFTED)
def test_time_is_linear_in_the_length(text: str) -> None:
    """A line made to be slow is not: even at many times the 8192 bytes of a real one."""
    begin = time.perf_counter()
    events.read_event(record(f"{ID} {text}"))
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("inner", ["defer: b", "defer (-1) b", "routing defer: b", "defer H=x: b", "defer (x): b"])
def test_a_recipient_that_looks_like_a_deferral_hides_none(inner: str) -> None:
    """Exim logs a local part without its quotes; one that reads like the rest of the line is counted as unread."""
    failure = "defer H=mx.d.example [203.0.113.9]: a TLS session is required, but the server did not offer TLS support"
    assert isinstance(read_event(record(f"{ID} == a {inner}@d.example {RT} {failure}")), Unread)
