"""What qmgr(8) says of a message."""

import re
from typing import NamedTuple

from maillog.postfix.cut import is_cut

# global/mail_queue.h. A short id is hexadecimal, a long one has no vowels and a z; words such as "warning" and "TLSRPT"
# stand in the same place and have no digit.
_LONG = "[B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]"
QUEUE_ID = re.compile(rf"((?=[A-Za-z]{{0,32}}\d)[0-9A-Za-z]{{5,32}}|[A-F]{{6,21}}|{_LONG}{{10,20}}z{_LONG}{{1,20}}): ")
_ACTIVE = re.compile(r"([0-9A-Za-z]{5,32}): from=<.*>, size=\d{1,20}, nrcpt=\d{1,9} \(queue active\)\Z")
# A whole address, quoted or not: journald takes blanks from the end of a line that was cut within one.
_EXPIRED = re.compile(
    r'from=<(?:(?!")[^<>]*|"(?:[^"\\]|\\.)*"[^<>"]*)>, status=(?:force-)?expired, returned to sender\Z', re.DOTALL
)


class Activated(NamedTuple):
    """A message enters the active queue."""

    queue_id: str


class Expired(NamedTuple):
    """The queue lifetime of a message is over."""

    queue_id: str


def read_queue_event(text: str) -> Activated | Expired | None:
    """
    Return what a line tells; None where that is none of our business.

    ``QID: from=<…>, size=…, nrcpt=… (queue active)`` (``global/opened.c:vopened``) and ``QID: from=<…>,
    status=expired`` (``qmgr/qmgr_active.c:qmgr_active_done_25_generic``).
    """
    active = _ACTIVE.match(text)
    if active:
        return Activated(active[1])
    found = QUEUE_ID.match(text)
    if found and _EXPIRED.match(text, found.end()) and not is_cut(text):
        return Expired(found[1])
    return None
