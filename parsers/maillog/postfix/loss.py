"""What the system's logger says where it drops lines; other programs may quote such words of whom they talk to."""

import re

from maillog.model import Record

DROPPING = "begin to drop messages"
# systemd-journald and rsyslog (runtime/ratelimit.c, and imuxsock before it), when they limit the rate.
_LOGGERS = re.compile(r"rsyslogd(?:-\d{1,5})?|systemd-journald?|journal")
_LOST = re.compile(rf"(?:[Ss]uppressed|lost) \d{{1,9}} messages|\d messages lost due to|{DROPPING}")


def tells_of_loss(record: Record) -> bool:
    """Tell whether the record is the logger's word that lines were lost."""
    return record.instance is None and bool(_LOGGERS.fullmatch(record.program) and _LOST.search(record.text))
