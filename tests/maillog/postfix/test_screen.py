"""The screen spares the reader most lines, and none that may matter."""

import pytest

from maillog.postfix.screen import hits, of_others

HITS = {
    "RFC 3164": b"Nov  3 10:00:00 mail postfix/smtp[1]: x",
    "RFC 5424": b"<22>1 2026-11-03T10:00:00Z mail postfix/smtp 11 - - x",
    "journal": b'{"SYSLOG_IDENTIFIER":"postfix/qmgr","MESSAGE":"x"}',
    "lmtp": b"Nov  3 10:00:00 mail postfix/lmtp[1]: x",
    "expired": b"Nov  3 10:00:00 mail postfix/qmgr[1]: A: from=<a>, status=expired, returned to sender",
    "reload": b"Nov  3 10:00:00 mail postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix",
    "journald": b"Nov  3 10:00:00 mail systemd-journald[7]: Suppressed 917 messages from /",
    "rsyslog": b"Nov  3 10:00:00 mail rsyslogd: imjournal: 84 messages lost due to rate-limiting",
    "rsyslog begins": b"Nov  3 10:00:00 mail rsyslogd: imuxsock: begin to drop messages due to rate-limiting",
    "old rsyslog": b"Nov  3 10:00:00 mail rsyslogd: imuxsock lost 34 messages from pid 11 due to rate-limiting",
}
MISSES = (b"Nov  3 10:00:00 mail postfix/smtpd[1]: x", b"Nov  3 10:00:00 mail postfix/qmgr[1]: A: removed", b"x", b"")


@pytest.mark.parametrize("line", HITS.values(), ids=HITS)
def test_screen(line: bytes) -> None:
    """The screen lets through whatever may matter, in every frame, and finds its line among others."""
    filler = b"Nov  3 10:00:00 mail postfix/smtpd[1]: connect from x[192.0.2.1]\n"
    begin = len(filler) * 2
    assert all(begin <= hit < begin + len(line) for hit in hits(filler * 2 + line + b"\n" + filler))
    assert list(hits(filler * 2 + line + b"\n" + filler))


@pytest.mark.parametrize("line", MISSES)
def test_screened_out(line: bytes) -> None:
    """The screen spares the reader the most frequent lines of other programs."""
    assert not list(hits(line))


@pytest.mark.parametrize("stamp", ["Nov  3 10:00:00", "2026-11-03T10:00:00.123456+01:00"])
@pytest.mark.parametrize(
    "said",
    [
        '4F2A1B3C9D: to=<"x/anvil["@d.example>, relay=mx.d.example[203.0.113.9]:25',
        "4F2A1B3C9D: to=<a@d.example>, orig_to=<x/cleanup[>, relay=mx.d.example[203.0.113.9]:25",
        "4F2A1B3C9D: host mx/error[ said: no",
    ],
)
def test_an_address_makes_no_line_another_programs(stamp: str, said: str) -> None:
    """What stands in an address or a reply is not taken for the tag of a program that tells nothing."""
    assert not of_others(f"{stamp} mail postfix/smtp[9]: {said}\n".encode(), 0)
    assert of_others(f"{stamp} mail postfix/anvil[9]: statistics: max\n".encode(), 0)
