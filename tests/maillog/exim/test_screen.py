"""The byte search lets through what the reader wants, and little else."""

import pytest

from maillog.exim.screen import relevant

WANTED = {
    "sent": b'2026-03-02 09:00:00 1tAbCd-0000xx-1A => u@d.example R=r T=t H=mx.d.example [198.51.100.7] C="250 OK"',
    "further": b"2026-03-02 09:00:00.123 +0100 [4711] 1tAbCd-0000xx-1A -> u@d.example R=r T=t H=mx [198.51.100.7]",
    "cut through, long id": b"2026-03-02 09:00:00 1tAbCd-00000001xxx-1AbC >> u@d.example R=r T=t H=mx [198.51.100.7]",
    "deferred": b"Mar  2 09:00:00 h exim[9]: 1tAbCd-0000xx-1A == u@d.example R=r T=t defer (-44): x",
    "failed": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A ** u@d.example: retry timeout exceeded",
    "completed": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A Completed QT=1s",
    "arrival with cipher": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A <= a@b H=h [192.0.2.1] P=esmtps X=TLS1.3:A:256 S=1",
    "clear": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A TLS session: x: delivering unencrypted to H=h [192.0.2.1] (x)",
    "clear, of a callout": b"2026-03-02 09:00:00 TLS session: x: callout unencrypted to h [192.0.2.1] (x)",
    "verify": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A [192.0.2.1] SSL verify error: depth=0 error=x cert=y",
    "old verify": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A SSL verify error: depth=0 error=x cert=y",
    "host": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A H=h [192.0.2.1]: SMTP error from remote mail server after x",
    "host, until 4.84": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A mx.h.example [192.0.2.1] Connection refused",
    "required, until 4.84": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A a TLS session is required for h [192.0.2.1], but x",
    "dane": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A DANE attempt failed; TLS connection to h [192.0.2.1]: x",
    "daemon": b"2026-03-02 09:00:00 exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25",
    "syslog part": b"Mar  2 09:00:00 h exim[9]: [2/3] erylong",
    "no UTF-8 in the journal": b'{"SYSLOG_IDENTIFIER":"exim","MESSAGE":[49,116,65]}',
    "syslog part at a newline": b"Mar  2 09:00:00 h exim[9]: [2\\3] more",
}
UNWANTED = {
    "arrival without cipher": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A <= a@b.example U=a P=local S=100",
    "queue run": b"2026-03-02 09:00:00 Start queue run: pid=1",
    "connection": b"2026-03-02 09:00:00 SMTP connection from [192.0.2.1] closed by QUIT",
    "frozen": b"2026-03-02 09:00:00 1tAbCd-0000xx-1A Message is frozen",
    "rejected": b"2026-03-02 09:00:00 H=(x) [192.0.2.1] F=<a@b> rejected RCPT <u@d>: relay not permitted",
    "Postfix": b"Mar  2 09:00:00 h postfix/smtp[9]: 4F00000001: to=<u@d.example>, relay=none, status=deferred (x)",
}


@pytest.mark.parametrize("line", WANTED.values(), ids=WANTED)
def test_wanted(line: bytes) -> None:
    """Every line that can change a delivery passes."""
    assert relevant(line)


@pytest.mark.parametrize("line", UNWANTED.values(), ids=UNWANTED)
def test_unwanted(line: bytes) -> None:
    """Lines of other programs, and Exim lines that say nothing about a delivery, are held back."""
    assert not relevant(line)
