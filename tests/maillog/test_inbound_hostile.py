"""Crafted lines about mail that comes in cost no more than their length."""

import time
from datetime import UTC, datetime

import pytest

from maillog.exim.arrivals import Arrivals
from maillog.exim.inbound_screen import inbound_relevant
from maillog.model import Mta, Record, Source
from maillog.postfix.inbound_screen import inbound_hits
from maillog.postfix.smtpd_events import read_sender, read_server_event

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
EXIM = Arrivals(Source(Mta.EXIM, None, None))
ID = "1tAbCd-0000xx-1A"

CRAFTED = {
    "connect": "connect from " + "a" * 40_000 + "[1.2.3.4]",
    "clients": "connect from a[1.2.3.4]" * 2_000,
    "summary": "Anonymous TLS connection established from a[1.2.3.4]: " + "TLSv1.3 with cipher A (" * 2_000,
    "sni": "Anonymous TLS connection established from a[1.2.3.4] to " + "a: " * 15_000,
    "commands": "disconnect from a[1.2.3.4]" + " starttls=1" * 4_000,
    "command": "disconnect from a[1.2.3.4] " + "a" * 40_000 + "=1",
    "mail": "A7DBC242A08: client=a[1.2.3.4]" + ", sasl_username=a" * 2_500,
    "senders": "A7DBC242A08: from=<" + ">, size=1, nrcpt=1 (queue active)" * 1_200,
    "open sender": "A7DBC242A08: from=<" + ">, size=" * 5_000,
    "tags": "/smtpd[1]: " * 3_600,
    "queue managers": "/qmgr[1]: A" * 3_600,
    "arrivals": f"{ID} <= a@b H=x [1.2.3.4] P=esmtp " + " <= " * 10_000,
    "arrivals without client": f"{ID}" + " <= a" * 8_000,
    "quoted sender": f'{ID} <= "' + '\\"' * 20_000 + " H=",
    "unquoted sender": f"{ID} <= " + "a@" * 20_000 + " H=",
    "helo": f"{ID} <= a@b H=" + "(a) " * 10_000 + "[1.2.3.4] P=esmtp",
    "address": f"{ID} <= a@b H=a [" + "1" * 40_000,
    "fields": f"{ID} <= a@b H=a [1.2.3.4]" + " U=a" * 10_000 + " P=esmtp",
    "ciphers": f"{ID} <= a@b H=a [1.2.3.4] P=esmtps X=" + "TLS1.3:" * 5_000,
    "errors": "TLS error on connection from " + "a (b) " * 6_000,
}


def best(text: str) -> float:
    """Return the seconds of the processor that a text takes to read, at best."""
    spent = []
    for _ in range(3):
        begin = time.process_time()
        read_server_event(text)
        read_sender(text)
        EXIM.read(Record(NOON, None, None, "exim", None, text))
        list(inbound_hits(text.encode()))
        inbound_relevant(text.encode())
        spent.append(time.process_time() - begin)
    return min(spent)


@pytest.mark.parametrize("text", CRAFTED.values(), ids=CRAFTED)
def test_linear_time(text: str) -> None:
    """Four times the length is far from sixteen times the time."""
    # Whatever else the machine does may spoil a measurement, not all of them.
    assert any(best(text) < 10 * best(text[: len(text) // 4]) + 0.01 for _ in range(5))
