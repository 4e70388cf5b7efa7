"""Which Exim lines can matter for mail that comes in: a byte search without meaning, apart from that for outbound."""

import re

_SEARCH = re.compile(rb" [<(]= [^\n]* H=|TLS error on connection from ").search


def inbound_relevant(text: bytes) -> bool:
    """Tell whether one of the lines may tell of mail that comes in."""
    # Most text has neither: that is found faster than a pattern is tried.
    if b"= " not in text and b"TLS error" not in text:
        return False
    return _SEARCH(text) is not None
