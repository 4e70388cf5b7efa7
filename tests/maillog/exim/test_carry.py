"""The state over a cut: read in any pieces, a log gives the same deliveries."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.exim.samples import MX, SOURCE, X13, numbered, record

from maillog.exim.deliveries import EximDeliveries
from maillog.model import Delivery, Found

RT = "R=dnslookup T=remote_smtp"
TEXTS = (
    f"=> u@g.example {RT} {MX} {X13} CV=yes",
    f"-> v@g.example {RT} H=mx2.g.example [198.51.100.8] {X13} CV=no",
    f'=> u@clear.example {RT} H=mx.clear.example [198.51.100.20] C="250 OK"',
    f"== u@g.example {RT} defer (-37) {MX}: TLS session: (SSL_connect): error:0A000086:x::certificate verify failed",
    f"== u@g.example {RT} defer (-44) {MX}: SMTP error from remote mail server after RCPT TO:<u@g.example>: 450 x",
    "** u@g.example: retry timeout exceeded",
    "[198.51.100.7] SSL verify error: depth=0 error=certificate has expired cert=/CN=x",
    f"=> u@g.example {RT} {MX}* {X13} CV=no",
    f"== u@g.example {RT} defer (111): Connection refused",
    "H=mx2.g.example [198.51.100.8]: a TLS session is required, but the server did not offer TLS support",
    "H=mx2.g.example [198.51.100.8]: SMTP error from remote mail server after RCPT TO:<u@g.example>: 450 x",
    f"TLS session: error on first read: delivering unencrypted to {MX} (not in hosts_require_tls)",
    f"<= a@b.example H=h.b.example [192.0.2.1] P=esmtps {X13} CV=no S=900",
    "=> joe <joe@home.example> R=local T=mail_spool",
    f'>> u@g.example {RT} {MX} C="250 OK"',
    f">> v@g.example {RT} {MX} {X13} CV=no",
    "=> unreadable R=",
    ">> unreadable R=",
    "Completed",
)
PANIC = f'== u@g.example {RT} defer (-1): failed to expand "interface" option for remote_smtp transport: no such file'
DAEMON = "exim 4.96 daemon started: pid=1"
_lines = st.builds("{} {}".format, st.integers(0, 3).map(numbered), st.sampled_from(TEXTS)) | st.just(DAEMON)
_logs = st.lists(st.tuples(_lines, st.sampled_from([0.0, 1.0, 30.0, 90.0, 400.0, 4000.0, -2.0])), max_size=25)


def whole(texts: list[tuple[str, float]], cuts: set[int]) -> tuple[list[Found], list[Delivery]]:
    """Read a log whose reader is replaced by a restored one before each of the cuts."""
    reader, seconds, found = EximDeliveries(SOURCE), 0.0, list[Found]()
    for number, (text, later) in enumerate(texts):
        if number in cuts:
            carry = json.loads(json.dumps(reader.carry()))
            reader = EximDeliveries(SOURCE)
            reader.restore(carry)
            assert json.loads(json.dumps(reader.carry())) == carry
        seconds += later
        found += reader.feed(record(text, seconds))
    return found, reader.held()


@given(_logs, st.sets(st.integers(0, 24)))
@settings(max_examples=300)
def test_cut_anywhere(texts: list[tuple[str, float]], cuts: set[int]) -> None:
    """A log cut anywhere, any number of times, gives what it gives uncut."""
    assert whole(texts, cuts) == whole(texts, set())


@given(_logs)
def test_nothing_lost_nothing_twice(texts: list[tuple[str, float]]) -> None:
    """Each delivery line gives one delivery or one report that it is unread."""
    lines = sum(text[17:19] in {"=>", "->", ">>", "==", "**"} for text, _ in texts if text != DAEMON)
    found, held = whole(texts, set())
    assert len(found) + len(held) == lines


def test_what_syslog_says_twice_counts_once() -> None:
    """
    A deferral that is our own fault stands in the panic log, too, and both go to syslog (``log.c:log_vwrite``).

    The same process never logs the same attempt again; where the log does not name it, a second line may be another.
    """
    lines = [(7, PANIC), (7, PANIC), (7, PANIC.replace("u@", "v@")), (7, PANIC.replace("u@", "v@")), (8, PANIC)]
    named = [record(f"{numbered(1)} {text}")._replace(pid=pid) for pid, text in lines]
    for cut in range(len(named) + 1):
        reader, later = EximDeliveries(SOURCE), EximDeliveries(SOURCE)
        for one in named[:cut]:
            reader.feed(one)
        later.restore(json.loads(json.dumps(reader.carry())))
        for one in named[cut:]:
            later.feed(one)
        assert len(later.held()) == 3
    reader = EximDeliveries(SOURCE)
    for one in named:
        reader.feed(one._replace(pid=None))
    assert len(reader.held()) == len(named)
