"""
Which Postfix lines can matter for mail that comes in: a byte search without meaning, apart from the one for outbound.

In RFC 5424 and in JSON the text does not follow the tag, so there every line of the program is let through, as where
there is no process number.
"""

import re
from collections.abc import Iterator

PROGRAM = "smtpd"

_SEARCH = re.compile(
    rb"/smtpd(?:\[[0-9]*\](?::?\"|: (?:\[ID [^\n\]]*\] )?"
    rb"(?:(?:dis)?connect from |[AUTV][a-z]+ TLS connection |SSL_accept error "
    rb"|[0-9A-Za-z]+: (?:client=|(?:milter-)?reject: |lost connection after STARTTLS)"
    rb"|lost connection after STARTTLS))|[\" :])"
    rb"|/qmgr(?:\[[0-9]*\])?(?::?\"|: (?:\[ID [^\n\]]*\] )?[0-9A-Za-z]+: from=<)"
)


def inbound_hits(text: bytes) -> Iterator[int]:
    """Yield a position in each line that tells of mail that comes in, in order."""
    return map(re.Match.start, _SEARCH.finditer(text))
