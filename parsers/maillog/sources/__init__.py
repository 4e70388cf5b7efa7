"""Bytes in: log files, plain or compressed, rotated sets, pipes and standard input."""

from maillog.sources.log import FIRST_LINE_LIMIT, PIECE, Log, first_line, open_log
from maillog.sources.rotation import adjacent, expand, family, rotated_siblings

__all__ = [
    "FIRST_LINE_LIMIT",
    "PIECE",
    "Log",
    "adjacent",
    "expand",
    "family",
    "first_line",
    "open_log",
    "rotated_siblings",
]
