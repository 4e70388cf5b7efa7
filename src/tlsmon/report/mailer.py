"""Who gets a report by mail, from whom, and on which way: checked before the work begins."""

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tlsmon.report import message, post
from tlsmon.report.model import Form, Report


class Way(NamedTuple):
    """How mail leaves."""

    sendmail: str = "/usr/sbin/sendmail"
    """The program, where there is no server."""
    smtp: str | None = None
    """``HOST`` or ``HOST:PORT``."""
    starttls: bool = True
    user: str | None = None
    """Logs in with the password in ``TLSMON_SMTP_PASSWORD``: other users of a machine see options."""


class Mailer(NamedTuple):
    """Sends reports; made by :func:`mailer`."""

    envelope: message.Envelope
    by: post.Server | str

    def send(self, report: Report, content: bytes, form: Form) -> None:
        """Mail a report with its file ``content``. Raises PostError where it cannot be handed over."""
        written = message.compose(report, content, form, self.envelope, datetime.now(UTC))
        if isinstance(self.by, str):
            post.by_sendmail(written, self.by)
        else:
            post.by_smtp(written, self.by)


def mailer(recipients: Sequence[str], sender: str | None, way: Way) -> Mailer:
    """Return what mails reports; no sender: tlsmon at this machine. Raises SettingError for what cannot be."""
    own = message.address(sender or f"tlsmon@{socket.getfqdn()}")
    envelope = message.Envelope(own, tuple(map(message.address, recipients)))
    if way.smtp is None:
        return Mailer(envelope, way.sendmail)
    password = os.environ.get("TLSMON_SMTP_PASSWORD")
    return Mailer(envelope, post.server(way.smtp, starttls=way.starttls, user=way.user, password=password))
