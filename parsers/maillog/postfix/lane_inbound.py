"""
The lane's inbound side: smtpd(8), and qmgr(8) where it begins with a mail.

What a line means for its session is for :class:`maillog.postfix.inbound.Inbound` to say. The lane spares it what lines
have in common: whose line it is, what its words mean, and a delivery for each mail.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from maillog.counts import MICROSECONDS_PER_HOUR, microseconds
from maillog.model import NULL_SENDER, Delivery, Found, Scope, Tls
from maillog.phrases import domain_of
from maillog.postfix.inbound import Inbound
from maillog.postfix.lane_lines import BEGUN, CLIENT, MAIL, SAID, SENDER, TAG, Head
from maillog.postfix.servers import Server
from maillog.postfix.smtpd_events import (
    Client,
    ClientHandshake,
    Connected,
    Disconnected,
    MailBegins,
    ServerEvent,
    read_server_event,
)
from maillog.tallies import Tallies, Tally, bounded

_Alike: TypeAlias = tuple[str, Client, Tls | None, Scope | None, str | None, bool]


class InboundLane:
    """The lines of one head that tell of mail that comes in."""

    def __init__(self, head: Head, tallies: Tallies) -> None:
        self._instance = head.instance
        self._tallies = tallies
        self._servers: dict[str, Server] = {}
        self._events: dict[str, ServerEvent] = {}
        self._begins: dict[str, MailBegins] = {}
        self._accepted: dict[_Alike, Tally] = {}

    def line(self, inbound: Inbound, time: datetime, fields: Sequence[str]) -> Sequence[Found]:
        """Take a line of smtpd(8); return what is now known."""
        server = self._servers.get(fields[TAG])
        gone: Sequence[Delivery] = ()
        if server is None or not inbound.servers.goes_on(server, time):
            server, gone = self._server(inbound, time, fields[TAG])
        event: ServerEvent | None
        if fields[BEGUN]:
            event = self._begins.get(fields[CLIENT]) or self._learnt(fields)
            if isinstance(event, MailBegins):
                inbound.mail_begins(server, time, fields[BEGUN], event)
                return gone
        else:
            event = self._events.get(fields[SAID]) or self._learnt(fields)
        found = inbound.session_line(server, time, event)
        return [*gone, *found] if gone else found

    def _server(self, inbound: Inbound, time: datetime, tag: str) -> tuple[Server, Sequence[Delivery]]:
        """Return a process that did not write lately, and what ends with those that are gone."""
        service, _, pid = tag.rpartition("smtpd[")
        instance = f"{self._instance}/{service[:-1]}" if service else self._instance
        server, gone = inbound.server(instance, int(pid), time)
        bounded(self._servers)[tag] = server
        return server, gone

    def _learnt(self, fields: Sequence[str]) -> ServerEvent:
        """Read what a process says, and remember it if it may come again."""
        said = fields[SAID]
        event = read_server_event(said)
        if isinstance(event, MailBegins):
            bounded(self._begins)[fields[CLIENT]] = event
        elif isinstance(event, Connected | Disconnected | ClientHandshake):
            bounded(self._events)[said] = event
        return event

    def accepted(self, inbound: Inbound, time: datetime, fields: Sequence[str]) -> list[Delivery]:
        """Take what qmgr(8) says when it begins with a mail; return what is now known."""
        sender = fields[SENDER]
        return inbound.accepted(time, fields[MAIL], domain_of(sender) if sender else NULL_SENDER)

    def counted(self, inbound: Inbound, at: int, fields: Sequence[str]) -> bool:
        """Count a mail that qmgr(8) begins with, if it came within an hour and all else is known; tell whether."""
        queue_id = fields[MAIL]
        mail = inbound.mails.get(queue_id)
        if mail is None:
            return True
        if mail.tls is None or mail.silent:
            return False
        begun = microseconds(mail.time)
        if not 0 <= at - begun <= MICROSECONDS_PER_HOUR:
            return False
        alike = (fields[SENDER], mail.client, mail.tls, mail.scope, mail.instance, mail.reused)
        tally = self._accepted.get(alike)
        if tally is None:
            mail.sender_domain = domain_of(alike[0]) if alike[0] else NULL_SENDER
            tally = bounded(self._accepted)[alike] = Tally(inbound.delivery(queue_id, mail, mail.tls))
        del inbound.mails[queue_id]
        self._tallies.add(tally, begun)
        return True
