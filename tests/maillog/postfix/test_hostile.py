"""Any text of a line: no exception, and time in proportion to its length."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.postfix.lines import QID, tls, to

from maillog.framing import Framer, FrameSettings
from maillog.model import Record
from maillog.postfix.events import read_event
from maillog.postfix.screen import PROGRAMS, hits

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
FAKE = "relay=mx.victim.test[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok"


def event(text: str, program: str = "smtp") -> None:
    """Read a line of a program."""
    read_event(Record(NOON, "mail", "postfix", program, 1, text))


def text_of(line: str) -> str:
    """Return a line without ``smtp[1]: ``."""
    return line.partition(": ")[2]


CORPUS = [text_of(to()), text_of(to(tls="may", use=2)), text_of(tls()), f"{QID}: host mx[1.2.3.4] said: 450 no"]


@given(st.sampled_from(sorted(PROGRAMS)), st.text(max_size=300) | st.sampled_from(CORPUS), st.data())
def test_any_text(program: str, text: str, data: st.DataObject) -> None:
    """Whatever stands in a line, the reader says something about it and never fails."""
    at = data.draw(st.integers(0, len(text)))
    event(text[:at] + data.draw(st.text(max_size=8)) + text[at + 1 :], program)


CRAFTED = {
    "addresses": f"{QID}: " + "to=<" * 10_000,
    "ends of addresses": f"{QID}: to=<" + ">, relay=" * 5_000,
    "quotes": f'{QID}: to=<"' + '\\"' * 20_000,
    "fake lines": f"{QID}: to=<a>, {FAKE}" + f"@a>, {FAKE}, "[:-20] * 400,
    "fake orig_to": text_of(to()) + ">, orig_to=<" * 4_000,
    "relay": f"{QID}: to=<a>, relay=" + "a" * 40_000,
    "delays": f"{QID}: to=<a>, relay=none, delay=1, delays=" + "1" * 40_000,
    "reason": f"{QID}: " + "a" * 40_000,
    "reply to": f"{QID}: host a[b] said: " + " (in reply to " * 3_000,
    "peer": "Trusted TLS connection established to " + "a" * 40_000 + "]",
    "summary": tls()[9:] + " (" * 20_000,
    "certificate": "certificate verification failed for " + "a" * 40_000,
    "certificates": "certificate verification failed for " * 1_000,
    "losses": "lost 1" * 7_000,
    "queue id": "A" * 40_000,
    "head": "Nov  3 10:00:00 " + "a" * 40_000,
    "data": "<1>1 a b c d e " + "[a]" * 13_000,
    "stamp": "2026-11-03 10:00:00 [" + "1" * 40_000,
}


def best(text: str) -> float:
    """Return the seconds of the processor that a text takes to read, at best."""
    framer = Framer(FrameSettings(None, UTC, NOON))
    spent = []
    for _ in range(3):
        begin = time.process_time()
        for program in ("smtp", "tlsproxy", "qmgr", "local", "rsyslogd"):
            event(text, program)
        framer.frame(text.encode())
        list(hits(text.encode()))
        spent.append(time.process_time() - begin)
    return min(spent)


@pytest.mark.parametrize("text", CRAFTED.values(), ids=CRAFTED)
def test_linear_time(text: str) -> None:
    """A long crafted line costs no more than its length: four times the length is far from sixteen times the time."""
    # Whatever else the machine does may spoil a measurement, not all of them.
    assert any(best(text) < 10 * best(text[: len(text) // 4]) + 0.01 for _ in range(5))
