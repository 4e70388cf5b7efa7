"""
Which Postfix lines can matter: a byte search without meaning.

The tag of a line is ``SYSLOG_NAME/PROGRAM[PID]`` (``global/mail_task.c:mail_task``), so the name of the program stands
between ``/`` and ``[``. In JSON of journald the identifier stands in quotes.
"""

import re

PROGRAMS = frozenset({"smtp", "lmtp", "tlsproxy", "qmgr", "local", "virtual", "pipe", "master"})
"""The programs whose lines say something about a delivery; the others are known and passed over."""

_SEARCH = re.compile(
    rb"/(?:(?:smtp|lmtp|tlsproxy|local|virtual|pipe)\[|qmgr\[[^\n]*status=|master\[[^\n]*(?:reload|daemon started))"
    rb"|(?:uppressed|lost) \d{1,9} messages"
).search


def relevant(line: bytes) -> bool:
    """Tell whether the line may be one that the Postfix reader wants to see."""
    return _SEARCH(line) is not None
