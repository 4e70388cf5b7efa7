"""
One record of smtpd(8), or of qmgr(8) about a mail that came in -> what happened.

Names of clients come from DNS and are checked by Postfix; what a client says itself (HELO name, sender, login) never
stands in front of what is read here.
"""

import re
from typing import NamedTuple, TypeAlias

from maillog.model import NULL_SENDER, Unread
from maillog.phrases import Phrases, domain_of, host_name
from maillog.postfix.cut import is_cut
from maillog.postfix.grammar import Summary, read_server_summary


class Client(NamedTuple):
    """A client as smtpd(8) names it."""

    host: str | None
    """Lower case; None where its address has no name that leads back to it (``unknown``)."""
    ip: str


class Connected(NamedTuple):
    """A session begins."""

    client: Client


class ClientHandshake(NamedTuple):
    """A client did STARTTLS, or came to a service in wrapper mode."""

    client: Client
    summary: Summary


class HandshakeFailed(NamedTuple):
    """The TLS handshake with a client failed."""

    client: Client


class MailBegins(NamedTuple):
    """The first recipient of a mail was accepted: it has a queue id now (``smtpd.c:mail_open_stream``)."""

    queue_id: str
    client: Client
    logged_in: bool
    """With SASL, so it is one of our own users."""


class Rejected(NamedTuple):
    """A sender was rejected for a reason that the log gives."""


class Commands(NamedTuple):
    """How many commands of a kind a client gave, and how many of them were accepted (``smtpd_format_cmd_stats``)."""

    accepted: int
    given: int


class Disconnected(NamedTuple):
    """A session ends."""

    counted: bool
    """The line counts the commands, as it does since 3.0."""
    starttls: Commands
    mail: Commands
    only_greeted: bool
    """The client said EHLO or HELO, and no command was accepted that a server which demands TLS refuses without it."""


class Nothing(NamedTuple):
    """A line that says nothing about a session's mail."""


ServerEvent: TypeAlias = (
    Connected | ClientHandshake | HandshakeFailed | MailBegins | Rejected | Disconnected | Nothing | Unread
)
NOTHING = Nothing()
NO_COMMANDS = Commands(0, 0)

_CLIENT = r"(?P<host>[^\s\[\],]{1,300})\[(?P<ip>[0-9A-Fa-f:.%a-z]{2,60})\](?::\d{1,5})?"
_CONNECT = re.compile(rf"connect from {_CLIENT}$")
_DISCONNECT = re.compile(rf"disconnect from {_CLIENT}(?P<commands>(?: [a-z_]+=[a-z0-9/]+)*)")
_COMMAND = re.compile(r" ([a-z]+)=(\d{1,9})(?:/(\d{1,9}))?(?= |$)")
_COUNTED = " commands="
_GREETINGS = frozenset({"ehlo", "helo"})
# smtpd.c: SMTPD_CMD_FLAG_PRE_TLS. "commands" is their sum.
_WITHOUT_TLS = _GREETINGS | {"starttls", "noop", "quit", "xclient", "commands"}
_MAIL = re.compile(rf"(?P<queue_id>[0-9A-Za-z]{{5,32}}): client={_CLIENT}(?P<more>, [a-z_]+=.*)?$", re.DOTALL)
_NO_QUEUE = "NOQUEUE"
# With tls_server_sni_maps the name that the client asked for follows its address (tls_misc.c:tls_log_summary).
_HANDSHAKE = re.compile(
    rf"(?P<trust>Anonymous|Untrusted|Trusted|Verified) TLS connection established from {_CLIENT}(?: to \S{{1,300}})?"
    r": (?P<what>.*)",
    re.DOTALL,
)
_FAILED = re.compile(rf"(?:SSL_accept error from|(?:[0-9A-Za-z]+: )?lost connection after STARTTLS from) {_CLIENT}")
# What a milter rejects has a word of its own: "NOQUEUE: milter-reject: MAIL from".
_REJECTED = re.compile(r"(?:[0-9A-Za-z]+: )?(?:milter-)?reject: ((?:MAIL|EHLO|HELO|CONNECT) from )?")
# qmgr(8) reads the sender from the queue file, so it has no comma of ours in front (opened.c:vopened).
_SENDER = re.compile(
    r"(?P<queue_id>[0-9A-Za-z]{5,32}): from=<(?P<sender>.*)>, size=\d{1,20}, nrcpt=\d{1,9} \(queue active\)$", re.DOTALL
)
_SENDER_BEGINS = re.compile(r"(?P<queue_id>[0-9A-Za-z]{5,32}): from=<")
_PHRASE_MAX = 200
_UNKNOWN = "unknown"

_summary_of = Phrases(read_server_summary)


def read_server_event(text: str) -> ServerEvent:
    """Return what a line of smtpd(8) tells."""
    match text[:1]:
        case "c" if text.startswith("connect from "):
            found = _CONNECT.match(text)
            return Connected(_client(found)) if found else NOTHING
        case "d" if text.startswith("disconnect from "):
            return _disconnected(text)
        case "A" | "U" | "T" | "V" if " TLS connection established from " in text:
            return _handshake(text)
    rejected = _REJECTED.match(text)
    if rejected:
        return Rejected() if rejected[1] else NOTHING
    if ": client=" in text:
        return _mail(text)
    found = _FAILED.match(text)
    return HandshakeFailed(_client(found)) if found else NOTHING


def read_sender(text: str) -> tuple[str, str | None] | None:
    """
    Return queue id and sender domain of a mail that qmgr(8) begins to deliver; None where the line is another.

    A line that is cut holds nothing but a long sender; a mail is in the queue all the same. How long it was cannot
    always be seen: journald takes the blanks from the end.
    """
    found = None if is_cut(text) else _SENDER.match(text)
    if not found:
        begins = _SENDER_BEGINS.match(text)
        return (begins["queue_id"], None) if begins else None
    sender = found["sender"]
    return found["queue_id"], domain_of(sender) if sender else NULL_SENDER


def _client(found: re.Match[str]) -> Client:
    host = found["host"]
    return Client(None if host == _UNKNOWN else host_name(host), found["ip"].lower())


def _disconnected(text: str) -> Disconnected | Nothing:
    found = _DISCONNECT.match(text)
    if not found:
        return NOTHING
    commands = found["commands"]
    given = {
        name: Commands(int(accepted), int(total or accepted)) for name, accepted, total in _COMMAND.findall(commands)
    }
    accepted = {name for name, command in given.items() if command.accepted}
    return Disconnected(
        _COUNTED in commands,
        given.get("starttls", NO_COMMANDS),
        given.get("mail", NO_COMMANDS),
        only_greeted=bool(accepted & _GREETINGS) and accepted <= _WITHOUT_TLS,
    )


def _handshake(text: str) -> ClientHandshake | Unread:
    found = _HANDSHAKE.match(text)
    if not found:
        return Unread("a TLS connection line whose client cannot be read")
    summary = _summary_of(f"{found['trust']} TLS connection established from H[A]: {found['what'][:_PHRASE_MAX]}")
    if summary is None:
        return Unread("a TLS connection line whose protocol or cipher cannot be read")
    return ClientHandshake(_client(found), summary)


def _mail(text: str) -> ServerEvent:
    found = _MAIL.match(text)
    if not found or found["queue_id"] == _NO_QUEUE:
        return NOTHING
    # smtpd.c:mail_open_stream writes what the login gave before all else.
    return MailBegins(found["queue_id"], _client(found), (found["more"] or "").startswith(", sasl_"))
