"""Which Exim lines can matter for mail that comes in: a byte search without meaning, apart from that for outbound."""

import re

_ARRIVAL = re.compile(rb" [<(]= ").search
_TLS_ERROR = b"TLS error on connection "
_CLIENT = b" H="


def inbound_relevant(text: bytes) -> bool:
    """Tell whether one of the lines may tell of mail that comes in. Takes time in proportion to their length."""
    # Most text has none of both, and plain bytes are found faster than a pattern.
    arrival = _ARRIVAL(text) if b"= " in text else None
    return (arrival is not None and text.find(_CLIENT, arrival.end()) >= 0) or _TLS_ERROR in text
