"""
Which Postfix lines can matter: a byte search without meaning.

The tag of a line is ``SYSLOG_NAME/PROGRAM[PID]`` (``global/mail_task.c:mail_task``), so the name of the program stands
between ``/`` and ``[``; in RFC 5424 a space follows it, and in JSON of journald a quote.
"""

import re
from collections.abc import Iterator
from itertools import chain

PROGRAMS = frozenset({"smtp", "lmtp", "tlsproxy", "qmgr", "local", "virtual", "pipe", "master"})
"""The programs whose lines say something about a delivery; the others are known and passed over."""

# Each begins with a letter for which Python's search is fast, an alternative at the beginning would make it slow.
_SEARCHES = (
    re.compile(
        rb"/(?:(?:smtp|lmtp|tlsproxy|local|virtual|pipe)[\[\" ]"
        rb"|qmgr(?:\[[^\n]*status=|[\" ])"
        rb"|master(?:\[[^\n]*(?:reload|daemon started)|[\" ]))"
    ),
    re.compile(rb" messages (?:from|lost due to)|drop messages"),
)


def hits(text: bytes) -> Iterator[int]:
    """Yield a position in each line that the Postfix reader may want to see, in any order, some lines twice."""
    return map(re.Match.start, chain.from_iterable(search.finditer(text) for search in _SEARCHES))
