"""Which delivery of Exim had a connection of its own, and which went over that of one before."""

import json
from datetime import UTC, datetime

import pytest
from tests.maillog.exim.samples import ID, MX, X13, numbered, read

from maillog import LogReader, ReadSettings
from maillog.counts import Counts

RT = "R=dnslookup T=remote_smtp"
ONE = f'{ID} => a@good.example {RT} {MX} {X13} CV=yes C="250 OK"'
FURTHER = f'{ID} -> b@good.example {RT} {MX} {X13} CV=yes C="250 OK"'
PUT_OFF = f"{ID} == c@good.example {RT} defer (-44) {MX}: SMTP error from remote mail server after RCPT TO: 450 no"
ELSEWHERE = f'{ID} -> d@good.example {RT} H=mx2.good.example [198.51.100.9] {X13} CV=yes C="250 OK"'
KEPT = f'{numbered(7)} => e@good.example {RT} {MX}* {X13} CV=yes DN="CN=mx.good.example" C="250 OK"'
CLEAR = f'{ID} => f@good.example {RT} {MX} C="250 OK"'
CUT_THROUGH = [ONE.replace("=>", ">>"), FURTHER.replace("->", ">>")]
DOWN = f"{ID} H=mx2.good.example [198.51.100.9] Connection refused"
DONE = f"{ID} Completed"

CASES: dict[str, tuple[list[str | tuple[float, str]], list[bool]]] = {
    "one recipient": ([ONE, DONE], [False]),
    "two": ([ONE, FURTHER, DONE], [False, True]),
    "one put off first": ([PUT_OFF, ONE, FURTHER], [False, False, True]),
    "one put off last": ([ONE, PUT_OFF, PUT_OFF.replace("c@", "d@")], [False, False, True]),
    "another host": ([ONE, ELSEWHERE, DONE], [False, False]),
    "back from another host": ([ONE, ELSEWHERE, FURTHER, DONE], [False, False, True]),
    "one put off in the middle": ([ONE, PUT_OFF, FURTHER, DONE], [False, False, True]),
    "one in clear": ([ONE, CLEAR, FURTHER, CLEAR, DONE], [False, False, True, True]),
    "cutthrough": ([CUT_THROUGH[0].replace(f" {X13} CV=yes", ""), CUT_THROUGH[1], DONE], [False, True]),
    "kept open": ([ONE, DONE, KEPT], [False, True]),
    "two messages": ([ONE, DONE, ONE.replace(ID, numbered(8))], [False, False]),
    "a retry after a host that was down": ([PUT_OFF, DOWN, (120.0, PUT_OFF)], [False, False]),
    "a retry": ([PUT_OFF, (120.0, ONE)], [False, False]),
}


@pytest.mark.parametrize("name", CASES)
def test_own_or_reused(name: str) -> None:
    """
    Recipients of a message at one host share a connection; the asterisk marks one that was kept open.

    What went in clear had none with TLS: else a host that has STARTTLS now and then would show no session without it.
    """
    texts, expected = CASES[name]
    assert [delivery.reused for delivery in read(*texts)] == expected


def test_counted_alike() -> None:
    """What is counted in the lane has as many connections as what is read line by line."""
    lines = [ONE, FURTHER, FURTHER, DONE, *[KEPT, f"{numbered(7)} Completed"] * 2, ONE.replace(ID, numbered(8))]
    text = "".join(f"2026-03-02 09:00:00 {line}\n" for line in lines).encode()
    settings = ReadSettings(host="relay.example.org", latest=datetime(2026, 3, 3, tzinfo=UTC))
    counting, reading = LogReader(settings), LogReader(settings)
    counting.count(text)
    counts, alike = counting.take(), Counts()
    counts.add(counting.held())
    alike.add(reading.read(text).deliveries + reading.held())
    assert counts.groups == alike.groups
    assert sum(connections for *_, connections in counts.groups.values()) == 2


def test_over_a_cut() -> None:
    """What waits for the other lines of its message keeps what is known of its connection."""
    text = f"2026-03-02 09:00:00 {ONE}\n2026-03-02 09:00:00 {FURTHER}\n".encode()
    settings = ReadSettings(host="relay.example.org", latest=datetime(2026, 3, 3, tzinfo=UTC))
    reader = LogReader(settings)
    reader.read(text)
    carry = json.loads(json.dumps(reader.carry()))
    reader = LogReader(settings, carry)
    reader.read("".join(f"2026-03-02 09:00:01 {line}\n" for line in (PUT_OFF, CLEAR, FURTHER)).encode())
    assert [delivery.reused for delivery in reader.held()] == [False, True, False, False, True]
