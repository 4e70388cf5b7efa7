"""
The lines that the lane reads, as patterns made for one head.

A *head* is what a log has in front of Exim's own time stamp: nothing in a main log, in syslog the logger's stamp, the
host and the tag. The patterns take less than ``events`` and ``arrivals`` do: where an address or the text of others
could pass for a field of Exim's, they do not fit.
"""

import re
from typing import NamedTuple

_ID = "[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})"
_STAMP = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_PID = r"(?:\[[0-9]{1,10}\] )?"
_OWN_FRAME = rf"({_STAMP}(?:\.[0-9]{{1,6}})?)((?: [+-][0-9]{{4}})?) {_PID}"
_KNOWN = "(?:[-=]> |<= |Completed)"
_HEAD = re.compile(
    r"^(?:(?P<logger>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]{8,19}(?:Z|[+-]\d\d:?\d\d)?)"
    r"(?P<text> (?P<host>[!-Z\\^-~]{1,255}) (?:[a-z0-9]{1,10}\.[a-z]{1,7} )?(?P<tag>exim[0-9A-Za-z._-]{0,60}))"
    rf"(?:\[\d{{1,10}}\])?: )?{_OWN_FRAME}{_ID} {_KNOWN}".encode(),
    re.MULTILINE,
)
# An address without quotes, spaces and comments, or an account and the address that led there; the fields up to the
# reply, DN="…" without quotes in it; the reply.
_SENT = (
    r'[-=]> (?:[^\s@<>"()]+@([^\s@<>"()]+)(?: <[^\s<>"]*>)?'
    r'|(?!discarded)[^\s@<>"()/|:][^\s@<>"()]* <[^\s@<>"()]+@([^\s@<>"()]+)>)'
    r'( [FHPQRST]=[^"\n]*(?: DN="(?:[^"\n]*[^"=\n])?"[^"\n]*)?)'
    r'(?: C="[^"\\\n]*(?:\\.[^"\\\n]*)*"(?: QT=\S+)?(?: DT=\S+)?)?(?![^\n])'
)
# The sender's domain, the client, our interface, the session, and what is not looked at.
_CAME = (
    r'<= (?:<>|[^\s"<>@]+@([^\s"<>@]+)) H=((?:[^\s"()\[\]]+ )?(?:\([^\s"()]*\) )?\[[0-9A-Fa-f:.]{2,45}\])'
    r'(?::[0-9]{1,5})?((?: I=\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?)?)(?: TFO\*?)?(?: Ci=[^\s"]+)?'
    r"( P=[a-z0-9]{1,32}(?: L[*.]?-?)?(?: SPF(?:=[a-z]+)?)?(?: X=[!#-~]{1,200})?)(?![^ \n])([^\n]*)"
)
_END = "(Completed)"


class Head(NamedTuple):
    """What all lines of a lane have in common."""

    width: int
    """Of the logger's time stamp; 0 for a main log."""
    text: str
    host: str | None
    instance: str | None
    """The tag where it is not ``exim``."""


def head_of(text: bytes, host: str | None) -> Head | None:
    """Return the head of the first line in a text that a lane might read; ``host``: where a main log is from."""
    found = _HEAD.search(text)
    if not found:
        return None
    if not found["logger"]:
        return Head(0, "", host, None)
    tag = found["tag"].decode("ascii")
    return Head(
        len(found["logger"]),
        found["text"].decode("ascii"),
        found["host"].decode("ascii"),
        None if tag == "exim" else tag,
    )


class Patterns(NamedTuple):
    """The lines of one head, each from the newline before it."""

    lines: re.Pattern[str]
    """
    Those that begin like a common one: the whole line, the logger's stamp, Exim's, its offset, the text from the queue
    id on, the queue id; the domain of a delivery, or that of an account, and the fields; the end; the sender's domain,
    the client, the interface, the session and the rest of an arrival. Last, with its newline, the next line where that
    is the end of the same message, and has the same stamps.
    """
    rest: re.Pattern[str]
    """All other lines."""


def patterns(head: Head) -> Patterns:
    """Return the patterns for a head."""
    tag = rf"{re.escape(head.text)}(?:\[[0-9]{{1,10}}\])?: " if head.width else ""
    begin = rf"(.{{{head.width}}}){tag}{_OWN_FRAME}"
    end = rf"(\n\2{tag}\3\4 {_PID}\6 Completed[^\n]*)"
    return Patterns(
        re.compile(rf"\n({begin}(({_ID}) (?:{_SENT}|{_END}|{_CAME}|[-=]> |<= )[^\n]*)){end}?"),
        re.compile(rf"\n(?!{begin}{_ID} {_KNOWN})[^\n]+"),
    )
