"""Line by line: what the reader says of each delivery line, against what the receiver of that mail saw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.lab.truth import read_truth

from maillog import Outcome, Result, read_deliveries

_POSTFIX = re.compile(
    r'(.*/smtp\[\d+\]: \w+: to=<(?:"(?:[^"\\]|\\.)*"|[^<>"]*?)@)([^<>@]*)(>, relay=.* status=sent .*)'
)
_EXIM = re.compile(r"((?:.* )?[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} (?:=>|->|>>) [^@<>]*@)([^<>@ ]*)( .*)")
_REPLY = re.compile(r"LAB-\d{6}")


class Line(NamedTuple):
    """A line of a mail that was sent."""

    text: str
    saw: str
    """What the receiver saw: ``encrypted`` or ``plaintext``."""
    said: str
    """What the reader says, or ``missing``."""


def sent_lines(log: Path, truth: Path, scratch: Path) -> Iterator[Line]:
    """
    Yield the lines about mail that was sent, in order.

    The reader does not tell from which line a delivery comes, and gives them out of order. So it gets a copy of the log
    in which each line has a recipient domain of its own, by which it decides nothing.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    found = {
        f"line-{number}.example": _POSTFIX.fullmatch(line) or _EXIM.fullmatch(line) for number, line in enumerate(lines)
    }
    copy = scratch / "mail.log"
    marked = (
        f"{match[1]}{name}{match[3]}" if match else line
        for line, (name, match) in zip(lines, found.items(), strict=True)
    )
    copy.write_text("\n".join(marked), encoding="utf-8")
    said: dict[str | None, str] = {}
    for one in read_deliveries(str(copy)):
        if _sent(one.result):
            said[one.recipient_domain] = "twice" if one.recipient_domain in said else str(one.tls.security)
    saw = {row.reply_id: "encrypted" if row.tls else "plaintext" for row in read_truth(truth)}
    for name, match in found.items():
        reply = match and _REPLY.search(match[0])
        if match and reply:
            yield Line(match[0], saw[reply[0]], said.get(name, "missing"))


def _sent(result: Result) -> bool:
    return result.outcome is Outcome.SENT
