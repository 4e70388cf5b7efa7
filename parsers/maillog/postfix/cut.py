"""Lines that Postfix cuts: the last thing on them may be an address, of which the last words are chosen by others."""

RECORD_MAX = 2_000
"""Bytes behind the tag (``util/msg_syslog.c``, MSG_SYSLOG_RECLEN; ``util/msg_logger.c``, MSG_LOGGER_RECLEN)."""
_SURELY_WHOLE = RECORD_MAX // 4
"""Characters, of up to four bytes, below which nothing can have been cut."""


def is_cut(text: str) -> bool:
    """Tell whether the end of a record's text may be missing."""
    return len(text) >= _SURELY_WHOLE and len(text.encode("utf-8", "surrogatepass")) >= RECORD_MAX
