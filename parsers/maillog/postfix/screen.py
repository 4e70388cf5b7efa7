"""
Which Postfix lines can matter: a byte search without meaning.

The tag of a line is ``SYSLOG_NAME/PROGRAM[PID]`` (``global/mail_task.c:mail_task``), so the name of the program stands
between ``/`` and ``[``; in RFC 5424 a space follows it, in JSON of journald a quote, and ``:`` if there is no number.
"""

import re
from collections.abc import Iterator
from itertools import chain

PROGRAMS = frozenset({"smtp", "lmtp", "tlsproxy", "qmgr", "local", "virtual", "pipe", "master"})
"""The programs whose lines say something about a delivery; the others are known and passed over."""

# Each begins with a letter for which Python's search is fast, an alternative at the beginning would make it slow.
_SEARCHES = (
    re.compile(
        rb"/(?:(?:smtp|lmtp|tlsproxy|local|virtual|pipe)[\[\" :]"
        rb"|qmgr(?:\[[^\n]*status=|\[[0-9]*\]:?\"|[\" :])"
        rb"|master(?:\[[^\n]*(?:reload|daemon started)|\[[0-9]*\]:?\"|[\" :]))"
    ),
    re.compile(rb" messages (?:from|lost due to)|drop messages"),
)


# Programs that are no business of ours. They write much of a log, and what remote servers make them write must not be
# taken for the words of another.
OTHERS = (
    r"(?:cleanup|pickup|bounce|error|anvil|scache|trivial-rewrite)\[|qmgr\[\d{1,10}\]: [0-9A-Za-z]{5,32}: removed\n|"
    r"(?:(?:submissions?|smtps)/)?smtpd\[[0-9]*\]: (?!\[ID )"
    r"(?!(?:dis)?connect from |[AUTV][a-z]+ TLS connection |SSL_accept error "
    r"|[0-9A-Za-z]+: (?:client=|(?:milter-)?reject: |lost connection after STARTTLS)|lost connection after STARTTLS)"
)
# The stamp is spelt out: a looser one would let an address further on in a line pass for the tag.
_OF_OTHERS = re.compile(
    rb"(?:<\d{1,3}>)?"
    rb"(?:[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\dT[\d:.,]{8,19}(?:Z|[+-]\d\d:?\d\d)?)"
    rb" [^\s\[\]]{1,300} (?:[a-z0-9]{1,10}\.[a-z]{1,7} )?[^\s\[\]:]{1,128}/(?:" + OTHERS.encode() + rb")"
)


def of_others(text: bytes, begin: int) -> bool:
    """Tell whether the line that begins there, as syslog writes it, is of a program that tells nothing."""
    return _OF_OTHERS.match(text, begin) is not None


def hits(text: bytes) -> Iterator[int]:
    """Yield a position in each line that the Postfix reader may want to see, in any order, some lines twice."""
    return map(re.Match.start, chain.from_iterable(search.finditer(text) for search in _SEARCHES))
