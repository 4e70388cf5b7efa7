"""
One record of Postfix -> what happened.

The fixed frame of a line is split off with compiled patterns, each of them linear in the length of the line; what is
left is a phrase, and the grammar says what it means, once for each distinct phrase.
"""

import re
from typing import NamedTuple, TypeAlias

from maillog.damage import is_merged
from maillog.model import Cause, Outcome, Record, Relay, Scope, Unread
from maillog.phrases import Phrases, domain_of, host_name
from maillog.postfix.grammar import (
    UNRELATED,
    Phase,
    Reason,
    Summary,
    TlsStatus,
    read_reason,
    read_summary,
    read_tls_status,
    read_verify_failure,
)
from maillog.postfix.loss import DROPPING, tells_of_loss
from maillog.postfix.queue_events import QUEUE_ID, Activated, Expired, read_queue_event
from maillog.scope import scope_of


class Peer(NamedTuple):
    """A server as TLS lines name it."""

    host: str | None
    """Lower case; tlsproxy does not know it."""
    ip: str
    port: int | None


class Handshake(NamedTuple):
    """A TLS summary line."""

    peer: Peer
    summary: Summary


class Attempt(NamedTuple):
    """A delivery status line, ``global/log_adhoc.c:log_adhoc``."""

    queue_id: str
    recipient: str
    """The envelope recipient as written; never leaves the reader."""
    domain: str | None
    relay: Relay
    connection_use: int
    """1 for a fresh connection (``conn_use=`` stands from the second use)."""
    times: str
    """The b, c and d parts of ``delays=``."""
    setup: float
    """Seconds in c and d: the attempt's session began at most so long before the line."""
    under_way: float
    """Seconds in b, c and d: so long before the line qmgr(8) took up the mail."""
    tls_status: TlsStatus | None
    dsn: str
    outcome: Outcome
    reason: Reason | None
    """None for ``sent``."""
    answer: str | None
    """What the server said at the end of a mail that was sent, where the line has it whole."""


class Trouble(NamedTuple):
    """``QID: reason`` without a status: a host failed and another one is tried, or the same in clear."""

    queue_id: str
    reason: Reason
    ip: str | None
    """Of the host, where the line names it."""


class QueueLine(NamedTuple):
    """Any other line that names a queue id."""

    queue_id: str


class VerifyFailure(NamedTuple):
    """A certificate was refused."""

    peer: Peer
    cause: Cause


class HostFailure(NamedTuple):
    """There was no connection to a host, or no TLS with it; the line names no queue id (``smtp_connect.c``)."""

    ip: str


class LocalFault(NamedTuple):
    """TLS cannot be used because of our own settings."""


class ProxyConnect(NamedTuple):
    """A tlsproxy(8) process begins a connection for an smtp(8) process."""

    peer: Peer


class ConfigurationRead(NamedTuple):
    """A reload or start of master(8)."""

    started: bool


class LinesLost(NamedTuple):
    """The system's logger says that it dropped lines."""

    lasting: bool
    """It has begun to drop them, and does so from here on; else it has ended."""


class Nothing(NamedTuple):
    """A line that is known and says nothing about a delivery."""


Event: TypeAlias = (
    Handshake
    | Attempt
    | Trouble
    | QueueLine
    | VerifyFailure
    | HostFailure
    | LocalFault
    | ProxyConnect
    | Activated
    | Expired
    | ConfigurationRead
    | LinesLost
    | Nothing
)
NOTHING = Nothing()

# An address: quoted local part since 3.5 (info_log_address_format = external), else nothing that could end it early.
_ADDRESS = r'(?:[^<>"]*|"(?:[^"\\]|\\.)*"@[^<>"]*)'
_STATUS_LINE = re.compile(
    rf"to=<(?P<recipient>{_ADDRESS})>, (?:orig_to=<{_ADDRESS}>, )?"
    r"relay=(?P<host>[^\s\[\],]{1,300})(?:\[(?P<address>[^\]\s]{0,300})\](?::(?P<port>\d{1,5}))?)?, "
    r"(?:conn_use=(?P<use>\d{1,9}), )?delay=[\d.]+, delays=[\d.]+/(?P<b>[\d.]+)/(?P<c>[\d.]+)/(?P<d>[\d.]+), "
    r"(?:tls=(?P<tls>[^\s,]+), )?dsn=(?P<dsn>\d\.\d{1,3}\.\d{1,3}), status=(?P<status>[\w-]+)(?: (?P<reason>\(.*)?)?\Z",
    re.DOTALL,
)
# Until 3.4, or with info_log_address_format = internal, a local part is not quoted and may hold anything: also a whole
# line of its own. The real one then stands in what looks like the reason.
_SECOND_LINE = re.compile(r">, relay=[^\s,]+, (?:conn_use=\d+, )?delay=[\d.]+, delays=[\d./]+, (?:tls=[^\s,]+, )?dsn=")
_HANDSHAKE = re.compile(
    r"(?P<trust>Anonymous|Untrusted|Trusted|Verified) TLS connection (?P<kind>established|reused) to "
    r"(?P<host>[^\s\[\]]{0,300})\[(?P<ip>[^\]\s]{0,300})\](?::(?P<port>\d{1,5}))?: (?P<what>.*)",
    re.DOTALL,
)
_PEER = re.compile(r"(?P<host>[^\s\[\],]{0,300})\[(?P<ip>[^\]\s]{0,300})\](?::(?P<port>\d{1,5}))?")
_HOST_FAILURE = re.compile(rf"(?:SSL_connect error|connect) to {_PEER.pattern}")
_PROXY_CONNECT = re.compile(r"CONNECT to \[(?P<ip>[^\]\s]*)\]:(?P<port>\d{1,5})")
# From here on the remote server speaks: smtp_proto.c, smtp_trouble.c, smtp_sasl_glue.c.
_REMOTE = re.compile(r"H\[A\] (?:said|refused to talk to me|refused to start TLS): ")
_REPLY_TO = re.compile(r" \(in reply to [^()]{1,60}\)\)?$")
_PHRASE_MAX = 200
_WORDS_OF_OWN = 30
"""So far no line of smtp(8) holds text of others, but for an address."""
_HEAD_MAX = 600  # holds the longest host name, in front of which nothing of the remote server stands
_REFUSED = "certificate verification failed for "
_SUSPENDED = "delivery temporarily suspended: "

_summary_of = Phrases(read_summary)
_tls_status_of = Phrases(read_tls_status)
_reason_of = Phrases(read_reason)
_verify_failure_of = Phrases(read_verify_failure)

_OUTCOMES = {
    "sent": Outcome.SENT,
    "deferred": Outcome.DEFERRED,
    "bounced": Outcome.BOUNCED,
    # soft_bounce = yes: it would have bounced, and stays in the queue (global/bounce.c).
    "SOFTBOUNCE": Outcome.DEFERRED,
}
# Address probes move no mail (global/verify.c).
_PROBES = frozenset({"deliverable", "undeliverable", "undeliverable-but-not-cached"})


def read_event(record: Record) -> Event | Unread:
    """Return what the record tells, ``Nothing`` where it is none of our business, ``Unread`` where it is unreadable."""
    match record.program:
        case "smtp" | "lmtp":
            return _client_event(record.text, lmtp=record.program == "lmtp")
        case "local" | "virtual" | "pipe":
            return _local_event(record.text)
        case "tlsproxy":
            return _tlsproxy_event(record.text)
        case "qmgr":
            return read_queue_event(record.text) or NOTHING
        case "master":
            return _master_event(record.text)
    return LinesLost(DROPPING in record.text) if tells_of_loss(record) else NOTHING


def queue_id_of(text: str) -> str | None:
    """Return the queue id that the text begins with, if it does."""
    found = QUEUE_ID.match(text)
    return found[1] if found else None


def _client_event(text: str, *, lmtp: bool) -> Event | Unread:
    found = QUEUE_ID.match(text)
    begin = found.end() if found else 0
    if not text.startswith("to=<", begin) and is_merged(text, within=_WORDS_OF_OWN):
        return Unread("a line into which another one was written")
    if found:
        return _queue_event(found[1], text[begin:], local=lmtp)
    return _tls_event(text)


def _tls_event(text: str) -> Event | Unread:
    """Read a line of the TLS library, which names no queue id."""
    if " TLS connection " in text and " to " in text and text[0] in "AUTV":
        return _handshake(text)
    failure = _HOST_FAILURE.match(text)
    if failure:
        return HostFailure(failure["ip"].lower())
    if _REFUSED in text:
        return _verify_failure(text)
    if text.startswith("warning: connect to private/tlsproxy"):
        return LocalFault()
    if text.endswith("disabling TLS support") and not _PEER.search(text):  # a server may say so, too
        return LocalFault()
    return NOTHING


def _handshake(text: str) -> Event | Unread:
    found = _HANDSHAKE.fullmatch(text)
    if not found:
        return Unread("a TLS connection line whose peer cannot be read")
    summary = _summary_of(f"{found['trust']} TLS connection {found['kind']} to H[A]: {found['what'][:_PHRASE_MAX]}")
    if summary is None:
        return Unread("a TLS connection line whose protocol or cipher cannot be read")
    return Handshake(_peer(found), summary)


def _peer(found: re.Match[str]) -> Peer:
    port = found["port"]
    return Peer(host_name(found["host"]), found["ip"].lower(), int(port) if port else None)


def _verify_failure(text: str) -> Event:
    head, refused, tail = text.partition(_REFUSED)
    found = _PEER.match(tail)
    if not found:
        return NOTHING
    cause = _verify_failure_of(f"{head[:_PHRASE_MAX]}{refused}H[A]{tail[found.end() :][:_PHRASE_MAX]}")
    return VerifyFailure(_peer(found), cause) if cause else NOTHING


def _queue_event(queue_id: str, text: str, *, local: bool) -> Event | Unread:
    if text.startswith("to=<"):
        return _attempt(queue_id, text, local=local)
    if "status=" in text and text.startswith("from=<"):
        return NOTHING
    reason = _reason(text)
    if not reason.ends_session and reason.phase is Phase.BEFORE_MAIL:
        return QueueLine(queue_id)
    host = _PEER.search(text[:_HEAD_MAX])
    return Trouble(queue_id, reason, host["ip"].lower() if host else None)


def _reason(text: str) -> Reason:
    """Cut out what varies: the queue manager's prefix, the host, the remote server's words."""
    text = text.removeprefix(_SUSPENDED)
    head = _PEER.sub("H[A]", text[:_HEAD_MAX], count=1)
    remote = _REMOTE.search(head)
    if remote:
        head = head[: remote.end() - 1] + _reply_to(text)
    return _reason_of(head[:_PHRASE_MAX])


def _reply_to(text: str) -> str:
    """Return which command the remote server answered: Postfix says it behind the answer, at the very end."""
    found = _REPLY_TO.search(text[-_PHRASE_MAX:])
    if found:
        return found[0]
    return "" if text.endswith(")") else " (cut off"


def _parted(text: str) -> re.Match[str] | Unread:
    """Return the fields of a delivery line, or why they are not certain."""
    found = _STATUS_LINE.match(text)
    if not (found and text.endswith(")")) and is_merged(text):
        return Unread("a delivery line into which another line was written")
    found = found or _unquoted_status_line(text)
    if not found:
        return Unread("a delivery line that does not read to=<…>, relay=…, delay=…, delays=…, dsn=…, status=…")
    if ">, " in (found["reason"] or "") and _SECOND_LINE.search(found["reason"]):
        return Unread("a delivery line that can be read in two ways, because an address in it looks like such a line")
    return found


def _attempt(queue_id: str, text: str, *, local: bool) -> Event | Unread:
    found = _parted(text)
    if isinstance(found, Unread):
        return found
    status, reason = found["status"], found["reason"] or ""
    if status in _PROBES:
        return QueueLine(queue_id)
    outcome = _OUTCOMES.get(status)
    if outcome is None:
        return Unread("a delivery line whose status= is none that Postfix writes")
    tls = found["tls"]
    tls_status = _tls_status_of(tls) if tls else None
    if tls and tls_status is None:
        return Unread("a delivery line whose tls= is none that Postfix writes")
    return Attempt(
        queue_id,
        found["recipient"],
        domain_of(found["recipient"]),
        _relay(found["host"], found["address"], found["port"], local=local),
        int(found["use"] or 1),
        f"{found['b']}/{found['c']}/{found['d']}",
        _seconds(found["c"]) + _seconds(found["d"]),
        _seconds(found["b"]) + _seconds(found["c"]) + _seconds(found["d"]),
        tls_status,
        found["dsn"],
        outcome,
        None if outcome is Outcome.SENT else _reason(reason.removeprefix("(")),
        reason if outcome is Outcome.SENT and reason.endswith(")") else None,
    )


def _unquoted_status_line(text: str) -> re.Match[str] | None:
    """Read an address with odd characters, if there is only one way to read the line."""
    if text.count(" relay=") != 1 or text.count(">, orig_to=<") > 1:
        return None
    addresses, _, tail = text.partition(">, relay=")
    recipient, _, _ = addresses.partition(">, orig_to=<")
    if '=<"' in addresses:  # a quoted one that does not end: the line is cut
        return None
    _, _, domain = recipient.rpartition("@")
    return _STATUS_LINE.match(f"to=<@{domain}>, relay={tail}")


_relays: dict[tuple[str, str | None, str | None, bool], Relay] = {}
_RELAYS_LIMIT = 50_000


def _relay(host: str, address: str | None, port: str | None, *, local: bool) -> Relay:
    """Return the relay of ``relay=``, one object for each distinct one (``smtp/smtp_session.c:smtp_session_alloc``)."""
    key = (host, address, port, local)
    relay = _relays.get(key)
    if relay is None:
        if len(_relays) >= _RELAYS_LIMIT:
            _relays.clear()
        relay = _relays[key] = _new_relay(host, address, port, local=local)
    return relay


def _new_relay(host: str, address: str | None, port: str | None, *, local: bool) -> Relay:
    if address is None:
        return Relay(None, None, None, Scope.LOCAL if local else None)
    scope = Scope.LOCAL if local else scope_of(address)
    if scope_of(address) is None:
        return Relay(host_name(host), None, None, Scope.LOCAL)  # a UNIX socket
    return Relay(host_name(host), address.lower(), int(port) if port else None, scope)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _local_event(text: str) -> Event | Unread:
    found = QUEUE_ID.match(text)
    if not found or not text.startswith("to=<", found.end()):
        return NOTHING
    event = _attempt(found[1], text[found.end() :], local=True)
    # What a mailbox or a command says is no word of Postfix about TLS.
    return event._replace(reason=UNRELATED) if isinstance(event, Attempt) and event.reason else event


def _tlsproxy_event(text: str) -> Event | Unread:
    found = _PROXY_CONNECT.match(text)
    if found:
        return ProxyConnect(Peer(None, found["ip"].lower(), int(found["port"])))
    # A client of postscreen(8) that showed it can do STARTTLS; it comes again with its mail (postscreen_starttls.c).
    return NOTHING if " TLS connection established from " in text else _tls_event(text)


def _master_event(text: str) -> Event:
    if text.startswith("daemon started -- "):
        return ConfigurationRead(started=True)
    if text.startswith("reload -- "):
        return ConfigurationRead(started=False)
    return NOTHING
