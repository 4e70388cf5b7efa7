"""
The lines that a lane reads, as patterns made for one head.

A *head* is the length of a log's time stamps, and what stands between stamp and program, such as `` mail postfix/``.
"""

import re
from typing import NamedTuple

from maillog.framing import SEVERITY
from maillog.model import Direction
from maillog.postfix.screen import OTHERS

_HEAD = re.compile(
    rb"^(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]{8,19}(?:Z|[+-]\d\d:?\d\d)?)"
    rb"(?P<head> (?!" + SEVERITY.encode() + rb")"
    rb"(?P<host>[!-Z\\^-~]{1,255}) (?:[a-z0-9]{1,10}\.[a-z]{1,7} )?(?P<instance>[!-9;-Z\\^-~]{1,100})/)"
    rb"smtpd?\[\d{1,10}\]: ",
    re.MULTILINE,
)
# Alternatives stand by how often they come.
# The queue id as in queue_events.QUEUE_ID, or nothing that could be one; the line as in events._STATUS_LINE.
_SMTP = (
    r"smtp\[(\d{1,10})\]: ([AUTV][a-z]+ TLS connection .*"
    r'|(?:((?=[A-Za-z]{0,32}\d)[0-9A-Za-z]{5,32}): to=<[^@<>"\n]*@([^@<>"\n]*)>, (?:orig_to=<[^<>"\n]*>, )?'
    r"relay=([^,\n]*), delay=[\d.]+, delays=[\d.]+/([\d.]+/[\d.]+/[\d.]+), (?:tls=([^\s,]+), )?"
    r"(dsn=\d\.\d{1,3}\.\d{1,3}, status=sent)( .*)?(?!.)|.*))"
)
# All of smtpd(8) that is not in OTHERS, and what qmgr(8) says when it begins with a mail.
_SERVICES = r"(?:submissions?|smtps)/smtpd"
_SMTPD = (
    rf"(smtpd\[\d{{1,10}}|{_SERVICES}\[\d{{1,10}})\]: "
    r"((?:connect from|disconnect from|[AUTV][a-z]+ TLS connection|SSL_accept error) .*"
    r"|(?!NOQUEUE)([0-9A-Za-z]{5,32}): client=(.*)"
    r"|(?:[0-9A-Za-z]+: (?:client=|(?:milter-)?reject: |lost connection after STARTTLS)"
    r"|lost connection after STARTTLS).*)"
)
_QMGR = (
    r"(qmgr\[\d{1,10}\]: ([0-9A-Za-z]{5,32}): from=<([^<>\n]*)>, size=\d{1,20}, nrcpt=\d{1,9} \(queue active\)(?!.))"
)
# As many groups that never match, for a lane of one direction.
_NO_SMTPD = "(?!)" + "()" * re.compile(_SMTPD).groups

STAMP, TAG, SAID, BEGUN, CLIENT, QUEUED, MAIL, SENDER, PID, LINE, QUEUE_ID, DOMAIN, RELAY, TIMES, TLS, SENT, REPLY = (
    range(17)
)
"""
Where the fields stand.

Of smtpd(8) its tag, what it said, and if a mail begins its queue id and client. Of qmgr(8) all, queue id and sender. Of
smtp(8) process, line, and if it is of the common kind queue id, domain, relay, times, TLS, DSN and status, reply.
"""
OUTBOUND = slice(PID, None)
"""The fields of smtp(8), which a lane for inbound mail has not."""


class Head(NamedTuple):
    """What all lines of a lane have in common."""

    width: int
    """Of the time stamp."""
    text: str
    host: str
    instance: str


def head_of(text: bytes) -> Head | None:
    """Return the head of the first line of smtp(8) in a text."""
    found = _HEAD.search(text)
    if not found:
        return None
    stamp, head, host, instance = (part.decode("ascii") for part in found.groups())
    return Head(len(stamp), head, host, instance)


class Patterns(NamedTuple):
    """The lines of one head, each from the newline before it."""

    lines: re.Pattern[str]
    """Of smtp(8), smtpd(8) and qmgr(8), or of one direction, parted into fields."""
    rest: re.Pattern[str]
    """All other lines that may matter."""


def patterns(head: Head, only: Direction | None) -> Patterns:
    """Return the patterns for a head; ``only``: of one direction."""
    text = re.escape(head.text)
    stamp = f".{{{head.width}}}"
    wanted = {
        None: f"{_SMTPD}|{_QMGR}|{_SMTP}",
        Direction.INBOUND: f"{_SMTPD}|{_QMGR}",
        Direction.OUTBOUND: f"{_NO_SMTPD}|{_QMGR}|{_SMTP}",
    }
    server = rf"(?:smtpd|{_SERVICES})\[\d{{1,10}}\]: (?!\[ID )"  # Solaris puts a number before the text
    known = rf"smtp\[\d{{1,10}}\]: |{_QMGR}|{OTHERS}|{server}"
    return Patterns(
        re.compile(rf"\n({stamp}){text}(?:{wanted[only]})", re.ASCII),
        re.compile(rf"\n(?!{stamp}{text}(?:{known})).+", re.ASCII),
    )
