"""
A line of Exim about a mail that came in, or about a client whose TLS failed -> an inbound delivery.

Everything stands on the line itself: X= is the session's cipher, and P= tells of TLS whatever the log selectors are
(``smtp_in.c``, protocols[]). A mail without H= was handed in on this machine, and one from loopback as well.

The client chose the sender, its HELO name, its ident, the name that it asks for and the subject. So what is read is
read from the left, in Exim's order, up to X=; a line that could be read in two ways is not read.
"""

import re
from typing import NamedTuple

from maillog.exim.grammar import read_fields
from maillog.model import (
    NULL_SENDER,
    Cause,
    Delivery,
    Direction,
    Evidence,
    Outcome,
    Record,
    Relay,
    Result,
    Scope,
    Security,
    Source,
    Tls,
    Unread,
)
from maillog.phrases import Phrases, domain_of, host_name
from maillog.scope import IpNetwork, in_networks, scope_of

ENCRYPTED = frozenset({"smtps", "esmtps", "esmtpsa", "ssmtp", "essmtp", "essmtpa"})
CLEAR = frozenset({"smtp", "esmtp", "esmtpa"})
AUTHENTICATED = frozenset({"esmtpa", "esmtpsa", "essmtpa"})
_SUBMISSION_PORTS = frozenset({465, 587})

_ID = r"(?P<queue_id>[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})) "
_SENDER = r'(?P<sender><>|"(?:[^"\\]|\\.)*"@[^\s"]+|[^\s"<>@]+(?:@[^\s"<>]+)?)'
# host_and_ident: the verified name, the HELO name in parentheses, either or both; the address comes last.
_CLIENT = (
    r'(?:(?P<host>[^\s"()\[\]]+) )?(?:\([^\s"()]*\) )?\[(?P<ip>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?'
    r"(?: I=\[[0-9A-Fa-f:.]+\](?::(?P<port>[0-9]{1,5}))?)?"
)
_ARRIVAL = re.compile(
    rf"{_ID}[<(]= {_SENDER}(?: R=\S+)?(?: DS)? H={_CLIENT}(?: TFO\*?)?(?: U=(?P<user>\S+))?(?: Ci=\S+)?"
    r" P=(?P<protocol>[A-Za-z0-9-]{1,32})(?: L[*.]?-?)?(?: SPF(?:=[a-z]+)?)?(?: X=(?P<x>[\x21-\x7e]{1,200}))?(?![^ ])"
)
_FROM_ELSEWHERE = re.compile(rf"{_ID}[<(]= [^\n]* H=")
# smtp_in.c:smtp_get_connection_info
_TLS_ERROR = re.compile(r"TLS error on connection (?:Ci=\S{1,64} )?from ")
_HANDSHAKE = re.compile(
    rf"{_TLS_ERROR.pattern}(?:H=)?{_CLIENT}(?: TFO\*?)?(?: \(via inetd\))? "
    r"\((?:SSL_accept|gnutls_handshake|tls lib accept fn)[^()]*\)"
)
_ACCEPTED = Result(Outcome.SENT)
_HANDSHAKE_FAILED = Result(Outcome.DEFERRED, None, Cause.TLS_HANDSHAKE)
_UNREADABLE = Unread("an arrival whose fields do not stand as Exim writes them")
_NO_QUEUE = "NOQUEUE"

_cipher_of = Phrases(read_fields)


def only_inbound(text: str) -> bool:
    """Tell whether the line is of a client that came over the network."""
    return _TLS_ERROR.match(text) is not None or _from_elsewhere(text)


def _from_elsewhere(text: str) -> bool:
    # Plain text is found faster than a pattern, and most lines have none of it.
    return "= " in text and _FROM_ELSEWHERE.match(text) is not None


class Arrivals:
    """Reads the lines of one Exim; they need no memory. ``internet``: networks that count as internet anyway."""

    def __init__(self, source: Source, internet: tuple[IpNetwork, ...] = ()) -> None:
        self._source = source
        self._internet = internet

    def read(self, record: Record) -> Delivery | Unread | None:
        """Return what the line tells; None where it is none of a client that came over the network."""
        text = record.text.partition("\n")[0]
        if not _from_elsewhere(text):
            found = _HANDSHAKE.match(text)
            return self._failed(record, found) if found else None
        found = _ARRIVAL.match(text)
        # An ident, or a sender that is logged without its quotes, may look like fields of ours.
        if not found or text.count(" P=") > 1:
            return _UNREADABLE
        return self._arrived(record, found)

    def _arrived(self, record: Record, found: re.Match[str]) -> Delivery | None:
        protocol = found["protocol"].removeprefix("utf8")
        if protocol.startswith("local"):
            return None
        own = protocol in AUTHENTICATED or int(found["port"] or 0) in _SUBMISSION_PORTS
        relay = self._client(found, own=own)
        if relay is None:
            return None
        sender = found["sender"]
        return self._delivery(
            record,
            Line(
                found["queue_id"],
                relay,
                _tls(protocol, found["x"], named=found["user"] is not None),
                _ACCEPTED,
                NULL_SENDER if sender == "<>" else domain_of(sender),
            ),
        )

    def _failed(self, record: Record, found: re.Match[str]) -> Delivery | None:
        relay = self._client(found, own=int(found["port"] or 0) in _SUBMISSION_PORTS)
        if relay is None:
            return None
        return self._delivery(record, Line(_NO_QUEUE, relay, Tls(Security.NONE), _HANDSHAKE_FAILED, None))

    def _client(self, found: re.Match[str], *, own: bool) -> Relay | None:
        """Return the client; None for this machine itself."""
        host, ip = found["host"], found["ip"]
        scope = scope_of(ip)
        if scope in (Scope.LOOPBACK, Scope.PRIVATE) and in_networks(ip, self._internet):
            scope = Scope.INTERNET
        if scope is Scope.LOOPBACK or scope is None:
            return None
        return Relay(host and host_name(host), ip.lower(), None, Scope.SUBMISSION if own else scope)

    def _delivery(self, record: Record, line: "Line") -> Delivery:
        return Delivery(
            record.time,
            self._source,
            line.queue_id,
            Direction.INBOUND,
            None,
            line.client,
            line.tls,
            line.result,
            sender_domain=line.sender_domain,
        )


class Line(NamedTuple):
    """What a line says."""

    queue_id: str
    client: Relay
    tls: Tls
    result: Result
    sender_domain: str | None


def _tls(protocol: str, cipher: str | None, *, named: bool) -> Tls:
    """
    Return what the mail came over.

    CV= is about the client's certificate, and until 4.98 stands on every line, so it says nothing here.

    ``named``: there is a U=, which is the client's ident, or the user of this machine who hands on another host's mail
    (-oMa, seen with 4.96). The latter comes through a pipe, whatever P= says.
    """
    if cipher is not None:
        fields = _cipher_of(f" X={cipher}")
        known = (fields.protocol, fields.cipher) if fields else (None, None)
        return Tls(Security.ENCRYPTED, None, Evidence.STATED, *known)
    if named:
        return Tls(Security.UNKNOWN)
    if protocol in ENCRYPTED:
        return Tls(Security.ENCRYPTED, None, Evidence.STATED)
    # Trusted callers may name any protocol (-oMr): then the line does not tell.
    return Tls(Security.PLAINTEXT, None, Evidence.STATED) if protocol in CLEAR else Tls(Security.UNKNOWN)
