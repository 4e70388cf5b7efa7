"""
Damage in a log: text is missing, and one can see it.

NUL bytes: after a crash a file system may leave them where text was written; a file that ``copytruncate`` cut while its
writer went on at the old place begins with them. No logger writes them, all replace control characters. And a line that
goes on as another one: the disk was full, or two writers met.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LINE_MAX = 1 << 16
"""Bytes. syslog and both MTAs stay far below; a longer line is not read, and counted."""
TOO_LONG = f"a line of more than {LINE_MAX} bytes"
HOLE = "a line with a hole (NUL bytes): text is missing here"
_NUL = b"\0"
_SECOND_HEAD = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,16})"
    r" \S{1,255} \S{1,128}\[\d{1,10}\]: "
)


class Part(NamedTuple):
    """Complete lines, or the end of one."""

    begin: int
    end: int
    hole: int | None
    """Where the line begins that has a hole before this part; None: there is none."""


def parts(text: bytes, begin: int, end: int) -> Iterator[Part]:
    """Yield the parts of complete lines that hold no NUL, in order; of a line that has some only what follows them."""
    while (nul := text.find(_NUL, begin, end)) >= 0:
        line = text.rfind(b"\n", begin, nul) + 1 or begin
        if line > begin:
            yield Part(begin, line, None)
        begin = text.index(b"\n", nul, end) + 1
        yield Part(text.rindex(_NUL, nul, begin) + 1, begin, line)
    if begin < end:
        yield Part(begin, end, None)


def long_lines(piece: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end (behind the newline) of the complete lines that are too long."""
    while end - begin > LINE_MAX:
        newline = piece.rfind(b"\n", begin, begin + LINE_MAX + 1)
        if newline < 0:
            newline = piece.index(b"\n", begin, end)
            yield begin, newline + 1
        begin = newline + 1


def is_merged(text: str, within: int | None = None) -> bool:
    """
    Tell whether the text of a line goes on with stamp, host and program, as if it was another one.

    ``within`` so many characters; None: anywhere.
    """
    found = _SECOND_HEAD.search(text)
    return found is not None and (within is None or found.start() <= within)
