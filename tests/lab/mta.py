"""What the lab asks of a mail server, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class LogStyle(StrEnum):
    """Who writes the log, and so how a line begins."""

    OWN = "own"
    """The MTA itself: Postfix's postlogd, Exim's main log."""
    SYSLOG = "syslog"
    """rsyslogd in its traditional file format (RFC 3164 look)."""
    SYSLOG_RFC3339 = "syslog_rfc3339"
    """rsyslogd in its present default format, as Debian 12 writes /var/log/mail.log."""


@dataclass(frozen=True)
class Setup:
    """What differs from one run to another."""

    root: str
    """Name of the Debian root that ``install.sh`` made."""
    settings: tuple[tuple[str, str], ...] = ()
    """
    Postfix: main.cf parameters. Exim: main options; ``remote_smtp`` takes lines for that transport, ``routers`` and
    ``transports`` take whole ones, which come before the lab's own, and ``authenticators`` too.
    """
    log_style: LogStyle = LogStyle.OWN
    content_filter: bool = False
    """Postfix: every mail goes through a filter on loopback first."""
    maps: tuple[tuple[str, str], ...] = ()
    """Files by name, put beside the configuration: policy maps, domain lists."""
    services: str = ""
    """Postfix: further lines of master.cf."""

    def setting(self, name: str, value: str) -> Setup:
        """Return a copy with one more setting."""
        return replace(self, settings=(*self.settings, (name, value)))

    def on(self, root: str) -> Setup:
        """Return a copy on another Debian."""
        return replace(self, root=root)

    def with_services(self, lines: str) -> Setup:
        """Return a copy with more lines in master.cf."""
        return replace(self, services=self.services + lines)

    def with_map(self, name: str, text: str) -> Setup:
        """Return a copy with one more file beside the configuration."""
        return replace(self, maps=(*self.maps, (name, text)))


class MailServer(Protocol):
    """A mail server in the lab. It takes mail by SMTP on 127.0.0.1:25 of its namespace, and finds names by itself."""

    def start(self) -> None:
        """Begin to start; whoever hands in mail waits."""

    def waiting(self) -> set[str]:
        """Return the recipients that are still in the queue."""

    def stop(self, log: Path) -> None:
        """Stop and copy the log to ``log``."""
