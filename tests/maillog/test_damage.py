"""Logs in which text is missing, as a crash or a full disk leaves them: what was lost is not taken for silence."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lines import OTHER, Clock, log, tls, to

from maillog.damage import HOLE, is_merged, parts
from maillog.model import Delivery, Security
from maillog.reader import LogReader
from maillog.reading import Reading, ReadSettings

NAMES = ("postfix-3.7", "postfix-3.7-tlsproxy", "exim-4.96", "inbound-postfix-3.7", "postfix-3.7-rfc3339")
LOGS = {name: path.read_bytes()[:40_000] for name in NAMES for path in Path("sample_logs", name).glob("*log")}


def read(text: bytes) -> Reading:
    """Read a whole log."""
    reader = LogReader(ReadSettings())
    reading = reader.read(text)
    return reading._replace(deliveries=reading.deliveries + reader.held(text[reading.consumed :]))


def told(deliveries: list[Delivery]) -> Counter[tuple[object, ...]]:
    """Return of which mails it is known whether they were encrypted, and which."""
    known = (Security.ENCRYPTED, Security.PLAINTEXT)
    return Counter(
        (each.time, each.queue_id, each.recipient_domain, each.relay.ip, each.result.outcome, each.tls.security)
        for each in deliveries
        if each.tls.security in known
    )


WHOLE = {name: told(read(text).deliveries) for name, text in LOGS.items()}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(LOGS)), st.integers(0, 40_000), st.integers(1, 3_000))
def test_nothing_is_made_up_where_text_is_missing(name: str, begin: int, size: int) -> None:
    """Whatever is overwritten by NUL bytes, what is said afterwards is what was said of the whole log, or nothing."""
    text = LOGS[name]
    damaged = text[:begin] + bytes(min(size, max(len(text) - begin, 0))) + text[begin + size :]
    found = read(damaged)
    assert not told(found.deliveries) - WHOLE[name]
    assert found.lines == damaged.count(b"\n")


def test_tls_line_lost_in_a_hole() -> None:
    """A hole where the TLS line stood: the mail after it is unknown, what comes later is read as ever."""
    at = Clock()
    start = at("master[1]: daemon started -- version 3.7.11, configuration /etc/postfix")
    early = [start, at(tls(pid=9)), at(to("AAAAAA0001", pid=9))]
    late = [
        at(to("AAAAAA0002", pid=1)),
        at(tls(pid=2), after=5),
        at(to("AAAAAA0003", pid=2)),
        at(to("AAAAAA0004", OTHER, pid=3)),
        at(tls(pid=4)),
    ]
    for hole in (b"\0" * 70, b"\0" * 70 + b"\n", b"half a line\0\0\n"):
        found = read(log(*early) + hole + log(*late))
        assert [str(each.tls.security) for each in sorted(found.deliveries, key=lambda each: each.queue_id)] == [
            "encrypted", "unknown", "encrypted", "plaintext",
        ]  # fmt: skip
        assert [(line.number, line.reason) for line in found.unread] == [(4, HOLE)]


CUT = {
    "a TLS line": tls(pid=1),
    "a delivery": to("AAAAAA0009", pid=1),
    "another": "smtp[1]: AAAAAA0009: host x said: 450",
}


@pytest.mark.parametrize("what", CUT)
@pytest.mark.parametrize("cut", [10, 30, 38, 40, 44, 55])
def test_line_that_goes_on_as_another_one(what: str, cut: int) -> None:
    """The disk was full: a line ends in the middle, and the next one that could be written follows in it."""
    at = Clock()
    start = at("master[1]: daemon started -- version 3.7.11, configuration /etc/postfix")
    first, second, third = at(CUT[what]), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2))
    lines = [start, at(tls(pid=9)), first[:cut] + second, third, at(tls(pid=10))]
    found = read(log(*lines))
    assert [str(each.tls.security) for each in found.deliveries] == ["unknown"]
    assert [line.number for line in found.unread] == [3]


@pytest.mark.parametrize(
    "forged", ["Nov  3 10:00:00 mail postfix/smtp[1]: ", "2026-11-03T10:00:00Z mail x[1]: removed"]
)
def test_what_others_say_is_no_damage(forged: str) -> None:
    """An address and a reply may hold what looks like another line; nobody's mail is less known for that."""
    at = Clock()
    start = at("master[1]: daemon started -- version 3.7.11, configuration /etc/postfix")
    odd = [
        at(to("AAAAAA0001", pid=1, recipient=f'"{forged}"@good.test')),
        at(to("AAAAAA0002", pid=1, status=f"status=sent (250 ok {forged}x)")),
        at(f"smtp[1]: AAAAAA0003: host mx.good.test[203.0.113.1] said: 450 {forged}"),
    ]
    found = read(
        log(start, at(tls(pid=9)), at(tls(OTHER, pid=2)), *odd, at(to("AAAAAA0004", OTHER, pid=2)), at(tls(pid=9)))
    )
    said = {each.queue_id: str(each.tls.security) for each in found.deliveries}
    assert said["AAAAAA0004"] == "encrypted"
    assert found.unread == []


@given(st.text("a\0\n", max_size=40))
def test_parts_leave_out_nothing_but_lines_with_holes(text: str) -> None:
    """Of each line with a hole there is what follows the last one; of all others there is everything."""
    whole = text.encode() + b"\n"
    found = list(parts(whole, 0, len(whole)))
    expected = [line.rpartition(b"\0")[2] for line in whole.splitlines(keepends=True)]
    assert b"".join(whole[part.begin : part.end] for part in found) == b"".join(expected)
    begins = [number for number, line in enumerate(whole.splitlines(keepends=True)) if b"\0" in line]
    assert [whole.count(b"\n", 0, part.hole) for part in found if part.hole is not None] == begins


def test_merged_lines_are_told_by_a_second_head() -> None:
    """Both forms of a stamp; a stamp alone, or a program alone, is text."""
    assert is_merged("4F00A1: toNov  3 10:00:00 mail postfix/smtp[1]: x")
    assert is_merged("4F00A1: to2026-11-03T10:00:00.123456+01:00 mail postfix/smtp[1]: x")
    assert not is_merged("4F00A1: to=<Nov  3 10:00:00 mail@x.test>")
    assert not is_merged("see mail postfix/smtp[1]: x")
