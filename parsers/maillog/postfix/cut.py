"""
The ends of Postfix's records.

A record that is too long is cut: the last thing on it may be an address, of which the last words are chosen by others.
What follows a whole one are blanks that a template of a logger put there.
"""

import re

RECORD_MAX = 2_000
"""Bytes behind the tag (``util/msg_syslog.c``, MSG_SYSLOG_RECLEN; ``util/msg_logger.c``, MSG_LOGGER_RECLEN)."""
_SURELY_WHOLE = RECORD_MAX // 4
"""Characters, of up to four bytes, below which nothing can have been cut."""
# Not of Exim: its entries are broken into parts for syslog, and a part may end in a blank that counts.
_HEAD = re.compile(rb"[^\[]{1,300}/[a-z-]{1,20}\[\d{1,10}\]: ")


def is_cut(text: str) -> bool:
    """Tell whether the end of a record's text may be missing."""
    return len(text) >= _SURELY_WHOLE and len(text.encode("utf-8", "surrogatepass")) >= RECORD_MAX


def without_blank_ends(text: bytes) -> bytes:
    """Return complete lines without the blanks at the ends of Postfix's whole records."""
    if b" \n" not in text:
        return text
    return b"\n".join(_without_blanks(line) if line[-1:] == b" " else line for line in text.split(b"\n"))


def _without_blanks(line: bytes) -> bytes:
    head = _HEAD.match(line)
    return line.rstrip(b" ") if head and len(line) - head.end() < RECORD_MAX else line
