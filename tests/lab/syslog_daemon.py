"""Debian's rsyslogd as the writer of the log, in the two formats that it can be found with."""

from __future__ import annotations

from tests.lab.machine import Machine
from tests.lab.mta import LogStyle

_TEMPLATES = {
    LogStyle.SYSLOG: "RSYSLOG_TraditionalFileFormat",
    LogStyle.SYSLOG_RFC3339: "RSYSLOG_FileFormat",
}
_CONFIG = """\
module(load="imuxsock" SysSock.Name="/var/log/socket" SysSock.RateLimit.Interval="0")
module(load="builtin:omfile" Template="{template}")
mail.* -/var/log/mail.log
"""


def start_syslog(machine: Machine, style: LogStyle) -> None:
    """Start rsyslogd in a machine whose /var/log is its own; it writes /var/log/mail.log."""
    machine.replace_file("/etc/rsyslog.conf", _CONFIG.format(template=_TEMPLATES[style]))
    machine.start(["rsyslogd", "-n", "-iNONE"])
