"""
One record of Exim -> what happened.

The fixed frame of a line is split off with compiled patterns, each of them linear in the length of the line; what is
left is a phrase, and the grammar says what it means, once for each distinct phrase.

Everybody may write into an Exim log: addresses stand there unquoted, replies and certificate names are what the remote
side chose. So a line is read as a whole or not at all: the address ends where the first field begins, the fields have
to stand in Exim's order up to the free text, and whatever does not fit makes the line unread.
"""

import re
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from maillog.exim.grammar import NO_CONNECTION, Reason, read_fields, read_reason, refine_reason
from maillog.exim.known_hosts import stranger_in
from maillog.exim.notes import Note, read_note
from maillog.model import Outcome, Record, Relay, Scope, Unread
from maillog.phrases import Phrases, domain_of, host_name
from maillog.scope import scope_of


class Flag(StrEnum):
    """The two characters behind the message id (``deliver.c``)."""

    FIRST = "=>"
    FURTHER = "->"
    CUT_THROUGH = ">>"
    DEFERRED = "=="
    FAILED = "**"


class Route(NamedTuple):
    """How an address was delivered; one object for each distinct field block of a log."""

    transport: str | None
    relay: Relay
    continued: bool = False
    encrypted: bool = False
    cipher_logged: bool = False
    protocol: str | None = None
    cipher: str | None = None
    verified: str | None = None
    named: bool = False
    """DN= stands: the server's certificate is known."""
    stranger: str | None = None
    """Whose certificate it is, where DN= names none that is of the same organisation as the host."""


NOWHERE = Route(None, Relay(None, None, None, None))


class Head(NamedTuple):
    """What stands in front of the fields of a delivery line."""

    queue_id: str
    flag: Flag
    address: str


class Attempt(NamedTuple):
    """A delivery line."""

    queue_id: str
    flag: Flag
    address: str
    """The final address as written; never leaves the reader."""
    domain: str | None
    route: Route
    outcome: Outcome
    reason: Reason | None
    """None for ``sent``."""


class HostNote(NamedTuple):
    """A line about a host, without a delivery flag."""

    queue_id: str
    """Empty where the line has none."""
    host: str | None
    ip: str | None
    note: Note


class Arrival(NamedTuple):
    """A message came in over a session whose cipher is logged."""


class Completed(NamedTuple):
    """All recipients of a message are dealt with."""

    queue_id: str


class DaemonStarted(NamedTuple):
    """A daemon read its configuration."""

    version: tuple[int, int]


class Nothing(NamedTuple):
    """A line that is known and says nothing about a delivery."""


Event: TypeAlias = Attempt | HostNote | Arrival | Completed | DaemonStarted | Nothing
NOTHING = Nothing()
_TWO_WAYS = Unread("a delivery line that can be read in two ways, because an address in it looks like such a line")
ARRIVAL = Arrival()

# 4.97 lengthened the id; mail that was in the queue keeps the short one (utils/msgid.frag).
_ID = re.compile(r"([0-9A-Za-z]{6}-(?:[0-9A-Za-z]{11}-[0-9A-Za-z]{4}|[0-9A-Za-z]{6}-[0-9A-Za-z]{2})) ")
_DAEMON = re.compile(r"exim ([0-9]{1,3})\.([0-9]{1,4})\S* daemon started: ")
_OVERFLOW = "**** log string overflowed log buffer ****"

# string_log_address: the final address, with all_parents the ones between in parentheses, the one that came in <>.
_ADDRESS = re.compile(r"(?P<final>[^<>]*?)(?: \([^()]*\))?(?: <(?P<top>[^<>]*)>)?")
# A local part is logged without its quotes and may look like all that follows it. Then the address as it was given
# stands behind it, quotes and all, because the two differ (deliver.c:string_log_address).
_GIVEN = re.compile(r' <"(?P<local>(?:[^"\\]|\\.)*)"@(?P<domain>[^\s<>"]+)>', re.DOTALL)
_QUOTED_PAIR, _SECOND = re.compile(r"\\(.)", re.DOTALL), r"\1"
# An address that an alias or a user's own forwarding made has no such twin. What follows one looks like this.
_BEHIND_ADDRESS = re.compile(r"(?:>|@[^\s@<>]+)(?: [RT]=| (?:routing )?defer(?: \(|:| H=)| ?: retry timeout exceeded$)")
_PARENT = re.compile(r" <([^<>]*)>(?= [A-Z]=|:|$)")
_FIELD = r"(?: [FP]=<| [QRTHS]=| I=\[)"
_DEFER_END = r"(?= \(|:| H=| DT=|$)"
_FIRST_FIELD = {flag: re.compile(_FIELD) for flag in Flag} | {
    Flag.DEFERRED: re.compile(rf"{_FIELD}| (?:routing )?defer{_DEFER_END}"),
    Flag.FAILED: re.compile(rf"{_FIELD}| ?: "),
}
_FLAGS = {f"{flag} ": flag for flag in Flag}
# What differs from line to line: sizes, times, envelope addresses, our own port.
_VARYING = re.compile(
    r'( [IR]=\[[^\s\]]*\]):[0-9]+| [FP]=<(?:"(?:[^"\\]|\\.)*"@[^<>]*|[^<>"][^<>]*)?>'
    r"| S=[0-9]+(?![^ ])| [QD]T=[0-9.wdhms]+(?![^ ])"
)
# The host that took the mail, and what stands for it while the grammar reads the other fields.
_NAMED_HOST = re.compile(r" H=(?P<host>[\x21-\x7e]{1,255})(?P<ds> DS)? \[(?P<ip>[0-9A-Fa-f:.]{2,45})\]")
_LMTP_PORT = 24
_PLACEHOLDER, _ADDRESS_HELD = "host.invalid", "192.0.2.1"
_CONFIRMATION = ' C="'
_CONFIRMED = re.compile(r'(?:[^"\\]|\\.)*"(?: QT=\S+)?(?: DT=\S+)?', re.DOTALL)
# Until 4.99 the error number, and the system's text for it behind a colon; since 4.100 that text alone.
_DEFER = re.compile(rf"(?: routing)? defer{_DEFER_END}(?: \((?:(?P<number>-?[0-9]{{1,6}})|(?P<error>[^()]*))\))?")
_STRERROR = re.compile(r": [^:]*?(?= H=| DT=|: |$)")
_HOST_BLOCK = (
    r" H=[^\s\[\]]+(?: DS)?(?: \[[^\s\]]*\](?::[0-9]+)?\*?)?(?: (?:PRX|I)=\[[^\s\]]*\](?::[0-9]+)?\*?| TFO\*?)*"
)
_AFTER_DEFER = re.compile(rf"(?P<host>(?:{_HOST_BLOCK})?)(?: DT=[\w.]+)?(?:: (?P<message>.*))?", re.DOTALL)
# The message of a failure begins at the first colon with a space that does not stand in DN="…".
_FAILURE = re.compile(
    r'(?P<fields>[^":]*(?::(?! )[^":]*)*(?:"(?:(?! T=).)*?"(?: DSN=[a-z]+)?(?= ?: |$))?) ?(?:: (?P<message>.*))?',
    re.DOTALL,
)
# These go on in our own words; everything else is cut where the remote side may begin to speak.
_TLS_SESSION = "TLS session"
_OWN_WORDS = (f"{_TLS_SESSION}: ", "DANE error: ")
_PHRASE_MAX = 200
_HEX = re.compile(r"error:[0-9A-Fa-f]{2,16}(?=:)")
_QUOTED_NAME = re.compile(r"'[^']*'")
_HOST = re.compile(r"(?<!\S)(?:(?:H=)?(?P<host>[^\s\[\]]+) (?:DS )?)?\[(?P<ip>[0-9A-Fa-f:.]+)\](?::[0-9]+(?![^\s:]))?")
_NOTE_STARTS = ("H=", "[", "TLS ", "DANE attempt failed; ", "SSL verify error", "a TLS session is required for ")
_OLD_NOTE = re.compile(r"[^\s=\[\]]+ \[[0-9A-Fa-f:.]+\](?::[0-9]+)? [A-Z]")  # until 4.84 without H=
# Where a note stops being Exim's: the certificate's name, an address of the envelope, a reply.
_REMOTE = re.compile(r' cert=|: DN=|: "|<|: [2-5][0-9]{2}')
# A session's cipher on an arrival, with all in front of it in Exim's order; a sender or HELO name with odd characters
# makes the line useless as a proof (receive.c:receive_msg, smtp_in.c:add_tls_info_for_log).
_SENDER = r'(?:<>|"(?:[^"\\]|\\.)*"@[^\s"]+|[^\s"<>@]+@[^\s"<>]+)'
_CLIENT = r'(?: DS)? H=(?:[^\s"()]+ )?(?:\([^\s"()]*\) )?\[[^\s"\]]+\](?::[0-9]+)?'
_ENCRYPTED_ARRIVAL = re.compile(
    rf'[<(]= {_SENDER}(?: R=[^\s"]+)?{_CLIENT}(?: I=\[[^\s"\]]+\](?::[0-9]+)?)?(?: TFO\*?)?(?: Ci=[^\s"]+)?'
    r' P=[a-z0-9]+(?: L[*.]?-?)?(?: SPF(?:=[a-z]+)?)? X=(?:TLS|SSL)[^\s"]*:'
)


def fixed_part(fields: str) -> str:
    """Return the fields of a delivery line without what differs from line to line and says nothing."""
    return _VARYING.sub(r"\1", fields)


def read_event(record: Record) -> Event | Unread:
    """Return what the record tells; Nothing where it is none of our business, Unread where it is unreadable."""
    text = record.text.partition("\n")[0]
    found = _ID.match(text)
    if not found:
        return _note("", text) if text.startswith(_TLS_SESSION) else _daemon_event(text)
    queue_id, text = found[1], text[found.end() :]
    flag = _FLAGS.get(text[:3])
    if flag is not None:
        return _delivery_event(queue_id, flag, text)
    if text.startswith(("<= ", "(= ")):
        return ARRIVAL if " X=" in text and _ENCRYPTED_ARRIVAL.match(text) else NOTHING
    if text.startswith("Completed"):
        return Completed(queue_id)
    return _note(queue_id, text)


def cut_through_of(text: str) -> str | None:
    """Return the message that a line in its form tells a cutthrough delivery of."""
    found = _ID.match(text)
    return found[1] if found and text.startswith(Flag.CUT_THROUGH, found.end()) else None


def _daemon_event(text: str) -> Event:
    found = _DAEMON.match(text)
    return DaemonStarted((int(found[1]), int(found[2]))) if found else NOTHING


def _delivery_event(queue_id: str, flag: Flag, text: str) -> Event | Unread:
    twins = _twins(text[3:]) if ' <"' in text else []
    if len(twins) > 1:
        return _TWO_WAYS
    begin = 3 + sum(twins)
    found = _FIRST_FIELD[flag].search(text, begin)
    end = found.start() if found else len(text)
    head, block = Head(queue_id, flag, text[3:end]), text[end:]
    match flag:
        case Flag.DEFERRED:
            return _deferred(head, block)
        case Flag.FAILED:
            return _failed(head, block)
    return _sent(head, block)


def _twins(text: str) -> list[int]:
    """Return where an address ends behind which the same one stands in quotes."""
    given = (_GIVEN.match(text, found.start()) for found in re.finditer(' <"', text))
    return [found.end() for found in given if found and _same_address(text, found)]


def _same_address(text: str, given: re.Match[str]) -> bool:
    """Tell whether the text in front of a quoted address is the same address without its quotes."""
    local, domain, end = given["local"], given["domain"], given.start()
    if not len(local) // 2 <= end - len(domain) - len("@") <= len(local):  # spares copies of long text
        return False
    return text[:end].lower() == f"{_QUOTED_PAIR.sub(_SECOND, local)}@{domain}".lower()


def _sent(head: Head, block: str) -> Event | Unread:
    if block.endswith(_OVERFLOW):  # log.c:log_vwrite cuts at 8192 bytes; X= may have stood there
        return Unread("a delivery line that Exim cut because it was too long")
    fields, confirmed, confirmation = block.partition(_CONFIRMATION)
    if confirmed and not _CONFIRMED.fullmatch(confirmation):
        return Unread('a delivery line whose C="…" does not end where Exim ends it')
    route = _route_of(fixed_part(fields))
    if route is not None:
        return _attempt(head, route, Outcome.SENT, None)
    if _pseudo(head.address + block) and " H=" not in head.address + block:
        # The command of a pipe may hold anything, text that looks like a field included.
        return Attempt(*head, _parent_domain(head.address + block), NOWHERE, Outcome.SENT, None)
    return Unread("a delivery line whose fields do not stand as Exim writes them")


def _deferred(head: Head, block: str) -> Event | Unread:
    found = _DEFER.search(block)
    if not found:
        return Unread("a deferral whose fields do not stand as Exim writes them")
    number, rest = int(found["number"] or 0), block[found.end() :]
    if number > 0:  # an errno of the system, with its text
        rest = _STRERROR.sub("", rest, count=1)
    if _BEHIND_ADDRESS.search(block, found.end()):
        return _TWO_WAYS
    after = _AFTER_DEFER.fullmatch(rest)
    route = after and _route_of(fixed_part(block[: found.start()] + after["host"]))
    if not after or not route:
        return Unread("a deferral whose fields do not stand as Exim writes them")
    reason = refine_reason(_reason(after["message"] or ""), number)
    if after["message"] is None and (number > 0 or found["error"]):
        reason = NO_CONNECTION
    return _attempt(head, route, Outcome.DEFERRED, reason)


def _failed(head: Head, block: str) -> Event | Unread:
    found = _FAILURE.fullmatch(block)
    route = found and _route_of(fixed_part(found["fields"].rstrip(" ")))
    if not found or not route:
        return Unread("a failure whose fields do not stand as Exim writes them")
    if _BEHIND_ADDRESS.search(found["message"] or ""):
        return _TWO_WAYS
    reason = _reason(found["message"] or "")
    return _attempt(head, route, Outcome.EXPIRED if reason.expired else Outcome.BOUNCED, reason)


def _attempt(head: Head, route: Route, outcome: Outcome, reason: Reason | None) -> Attempt | Unread:
    reached = route.relay.ip is not None
    if _pseudo(head.address) and not reached:
        return Attempt(*head, _parent_domain(head.address + " R="), route, outcome, reason)
    parts = _parts_of(head.address)
    if parts is None:
        return Unread("a delivery line whose address cannot be told from what follows it")
    final, top = parts
    domain = domain_of(final)
    if domain is None and top is not None and not reached:
        domain = domain_of(top)  # log_as_local shows the local part alone
    if domain is None and (reached or "@" in final):
        return Unread("a delivery line whose recipient has no readable domain")
    return Attempt(head.queue_id, head.flag, final, domain, route, outcome, reason)


def _parts_of(address: str) -> tuple[str, str | None] | None:
    """Return the final address, with or without its quotes, and the one that came in; None if it is neither."""
    if ' <"' in address and _twins(address) == [len(address)]:
        return address.removesuffix(">"), None
    found = _ADDRESS.fullmatch(address)
    return (found["final"], found["top"]) if found else None


def _pseudo(address: str) -> bool:
    """
    Tell a file, pipe, automatic reply or ``:blackhole:`` (``deliver.c:string_log_address``, af_pfr).

    Behind it stands the address that it was made of; behind an address that only looks like one, nothing or its twin.
    """
    if address.startswith("discarded"):
        return True
    return address.startswith(("/", "|", ">", ":", "save ")) and " <" in address and not _twins(address)


def _parent_domain(text: str) -> str | None:
    found = _PARENT.search(text)
    return domain_of(found[1]) if found else None


def _read_route(phrase: str) -> Route | None:
    """Read the fields; which host it is makes no difference to the grammar, so it is asked once for all of them."""
    found = _NAMED_HOST.search(phrase)
    fields = None
    if found and _PLACEHOLDER not in phrase and scope_of(found["ip"]) is not None:
        begin, end = found.span()
        fields = _fields_of(f"{phrase[:begin]} H={_PLACEHOLDER}{found['ds'] or ''} [{_ADDRESS_HELD}]{phrase[end:]}")
    if found and fields is not None and fields.host == _PLACEHOLDER:
        fields = fields._replace(host=found["host"], ip=found["ip"])
    else:
        fields = _fields_of(phrase)
    if fields is None:
        return None
    relay = _relay(fields.transport, fields.host, fields.ip, fields.port)
    if fields.ip is not None and relay.scope is None:
        return None
    return Route(
        fields.transport,
        relay,
        fields.continued,
        fields.encrypted,
        fields.cipher_logged,
        fields.protocol,
        fields.cipher,
        fields.verified,
        fields.peer is not None,
        stranger_in(fields.peer, relay.host),
    )


def _relay(transport: str | None, host: str | None, ip: str | None, port: int | None) -> Relay:
    """
    Return where the mail went. A name without address is what a local transport was given as its host list.

    LMTP over the smtp driver looks like SMTP; what tells is the name that the administrator gave the transport, or the
    port (``outgoing_port``): LMTP must not be on 25 (RFC 2033 section 5); by custom it has 24, no mail exchanger does.
    """
    if host is None or ip is None:
        return Relay(host and host_name(host), None, None, None)
    scope = scope_of(ip)
    if scope is not None and (port == _LMTP_PORT or "lmtp" in (transport or "").lower()):
        scope = Scope.LOCAL
    return Relay(host_name(host), ip.lower(), port, scope)


def _reason(message: str) -> Reason:
    """Cut out what varies and what the remote side said."""
    message = message[:_PHRASE_MAX]
    if message.startswith(_OWN_WORDS):
        return _reason_of(_HEX.sub("error:HEX", message))
    return _reason_of(_QUOTED_NAME.sub("'D'", _HOST.sub("H[A]", message, count=1)).partition(":")[0])


def _note(queue_id: str, text: str) -> Event:
    if not (text.startswith(_NOTE_STARTS) or _OLD_NOTE.match(text)):
        return NOTHING
    text = _REMOTE.split(text, maxsplit=1)[0][: 2 * _PHRASE_MAX]
    host = _HOST.search(text)
    note = _note_of(_HEX.sub("error:HEX", _HOST.sub("H[A]", text, count=1)))
    if note is None:
        return NOTHING
    name, ip = (host["host"], host["ip"]) if host else (None, None)
    return HostNote(queue_id, name and host_name(name), ip and ip.lower(), note)


_fields_of = Phrases(read_fields)
_route_of = Phrases(_read_route)
_reason_of = Phrases(read_reason)
_note_of = Phrases(read_note)
