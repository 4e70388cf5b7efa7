"""
One SMTP conversation up to the handshake: banner, EHLO, STARTTLS, handshake, EHLO, QUIT. Never sends mail.

Three ways to shake hands stand for what Postfix does at its levels (``tls/tls_client.c``, ``tls/tls_misc.c``): at may
and encrypt it takes anonymous ciphers and OpenSSL's security level 0, above that neither.

The chain without verification: ``ssl`` shows it since Python 3.13 (``get_unverified_chain``). CPython 3.11 and 3.12
have the same method on the object below, undocumented; where neither exists only the first certificate is had, by
``getpeercert``, and the answer says so. Whether a chain is trusted is asked of OpenSSL, as mail servers do, in a
handshake with verification; the chain of a failed one cannot be read, so these are two handshakes.
"""

import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from tlsmon.config import SettingError
from tlsmon.probe.connection import Connection, StoppedError, printable
from tlsmon.probe.model import Ending, Trust, Why

MAX_LINES: Final = 100
MAX_CHAIN: Final = 48 << 10
"""Bytes of certificates that are kept. A usual chain has 3 to 6 KB."""
_GREETING_OK: Final = 220
_OK: Final = 250
_UNKNOWN_COMMAND: Final = {500, 502, 504}
_PERMANENT: Final = 500
_TLS_STEP_FAILS: Final = (Why.CLOSED, Why.UNREACHABLE)
_TRUST: Final = {
    9: Trust.NOT_YET_VALID,
    10: Trust.EXPIRED,
    18: Trust.SELF_SIGNED,
    19: Trust.PRIVATE,
    2: Trust.UNKNOWN_ISSUER,
    20: Trust.UNKNOWN_ISSUER,
    21: Trust.UNKNOWN_ISSUER,
}
"""OpenSSL's X509_V_ERR_* (x509_vfy.h); anything else is ``invalid``."""


class CaFileError(SettingError):
    """The file with authorities cannot be used: wrong use."""


class Manner(Enum):
    """How to shake hands."""

    OPPORTUNISTIC = "opportunistic"
    """As Postfix at may and encrypt."""
    AUTHENTICATING = "authenticating"
    """As Postfix above that; the certificate is read, not judged."""
    VERIFYING = "verifying"
    """The same, and OpenSSL judges the chain."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """How one conversation ended."""

    ending: Ending
    words: str
    why: Why | None = None
    greet_delay: float | None = None
    """Seconds."""
    protocol: str | None = None
    cipher: str | None = None
    trust: Trust = Trust.UNTOLD
    trust_words: str = ""
    chain: tuple[bytes, ...] = ()
    chain_whole: bool = True


class Contexts:
    """The TLS settings for each manner; made once, used by all threads. Raises CaFileError."""

    def __init__(self, ca_file: str | None = None) -> None:
        try:
            self._contexts = {manner: _context(manner, ca_file) for manner in Manner}
        except OSError as error:  # ssl.SSLError is one
            raise CaFileError(
                f"{ca_file}: no certificates can be read ({error.strerror or error}).",
                hint="Name a PEM file with the authorities that the mail server trusts.",
            ) from error

    def __getitem__(self, manner: Manner) -> ssl.SSLContext:
        return self._contexts[manner]


def _context(manner: Manner, ca_file: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # which names count is the business of the rungs
    context.verify_mode = ssl.CERT_REQUIRED if manner is Manner.VERIFYING else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED  # Postfix: >=TLSv1
    lax = manner is Manner.OPPORTUNISTIC
    context.set_ciphers("ALL:!eNULL:@SECLEVEL=0" if lax else "DEFAULT:!aNULL:!eNULL:@SECLEVEL=1")
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context


class Converse(Protocol):
    """Anything that holds a conversation; tests bring their own."""

    def __call__(self, ip: str, sni: str | None, manner: Manner) -> Conversation:
        """Return how it ended."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Holds conversations: the settings that are the same for all of them."""

    contexts: Contexts
    port: int
    helo: str
    seconds: float
    """For one conversation."""
    remaining: Callable[[], float]
    """Seconds that are left for all of them."""

    def __call__(self, ip: str, sni: str | None, manner: Manner) -> Conversation:
        """Return how a conversation with an address ended. Raises nothing."""
        seconds = min(self.seconds, self.remaining())
        if seconds <= 0:
            return Conversation(Ending.UNTOLD, "there was no time left", Why.LATE)
        try:
            with Connection(ip, self.port, time.monotonic() + seconds) as connection:
                return _converse(connection, self, sni, manner)
        except StoppedError as stop:
            return _untold(stop)


def _untold(stop: StoppedError, greet_delay: float | None = None) -> Conversation:
    return Conversation(Ending.UNTOLD, stop.answer.words, stop.answer.why, greet_delay)


def _converse(connection: Connection, caller: Caller, sni: str | None, manner: Manner) -> Conversation:
    begin = time.monotonic()
    _expect(_reply(connection), _GREETING_OK)
    delay = time.monotonic() - begin
    try:
        reply = _command(connection, f"EHLO {caller.helo}")
        if reply.code in _UNKNOWN_COMMAND:
            return _bye(connection, Conversation(Ending.NOT_OFFERED, "does not know EHLO", None, delay))
        _expect(reply, _OK)
        if not reply.offers("STARTTLS"):
            return _bye(connection, Conversation(Ending.NOT_OFFERED, "does not offer STARTTLS", None, delay))
        reply = _command(connection, "STARTTLS")
    except StoppedError as stop:
        return _untold(stop, delay)
    if reply.code != _GREETING_OK:
        return _bye(connection, Conversation(Ending.REFUSED, f"refuses STARTTLS: {reply}", None, delay))
    if connection.pending():
        # Postfix drops what is behind the reply, others give up; so what a sender makes of it cannot be told.
        return Conversation(Ending.INJECTED, "sends more in clear behind its reply to STARTTLS", None, delay)
    return _encrypt(connection, caller, (sni, manner), delay)


def _encrypt(connection: Connection, caller: Caller, how: tuple[str | None, Manner], delay: float) -> Conversation:
    sni, manner = how
    try:
        session = connection.start_tls(caller.contexts[manner], sni)
        chain, whole = _chain(session)
        protocol, cipher = session.version() or "", (session.cipher() or ("",))[0]
        # In TLS 1.3 a server that wants our certificate says so only now, and then the mail goes nowhere.
        _expect(_command(connection, f"EHLO {caller.helo}"), _OK)
    except ssl.SSLCertVerificationError as error:
        trust = _TRUST.get(error.verify_code, Trust.INVALID)
        words = printable(error.verify_message)
        return Conversation(Ending.BROKEN, words, None, delay, trust=trust, trust_words=words)
    except ssl.SSLError as error:
        reason = printable((error.reason or "connection lost").replace("_", " ").lower())
        return Conversation(Ending.BROKEN, f"TLS handshake fails: {reason}", None, delay)
    except StoppedError as stop:
        if stop.answer.why in _TLS_STEP_FAILS:
            return Conversation(Ending.BROKEN, f"{stop.answer.words} in the TLS handshake", None, delay)
        return _untold(stop, delay)
    trust = Trust.TRUSTED if manner is Manner.VERIFYING else Trust.UNTOLD
    done = Conversation(Ending.ENCRYPTED, "", None, delay, protocol, cipher, trust, chain=chain, chain_whole=whole)
    return _bye(connection, done)


def _chain(session: ssl.SSLSocket) -> tuple[tuple[bytes, ...], bool]:
    """Return the certificates as sent, DER, and whether these are all."""
    leaf = session.getpeercert(binary_form=True)
    if leaf is None:
        return (), True
    public: Any = getattr(session, "get_unverified_chain", None)
    private: Any = getattr(getattr(session, "_sslobj", None), "get_unverified_chain", None)
    if public is not None:
        chain = tuple(public())
    elif private is not None:
        der = 2  # _ssl.ENCODING_DER
        chain = tuple(certificate.public_bytes(der) for certificate in private())
    else:
        return (leaf,), False
    if sum(map(len, chain)) > MAX_CHAIN:
        raise StoppedError(Why.TOO_MUCH, f"sends more than {MAX_CHAIN >> 10} KB of certificates")
    return chain, True


@dataclass(frozen=True, slots=True)
class _Reply:
    """An SMTP reply (RFC 5321, section 4.2)."""

    code: int
    lines: tuple[str, ...]

    def offers(self, verb: str) -> bool:
        """Return whether a reply to EHLO names an extension; the first line is the greeting."""
        return any(line.split(" ", 1)[0].upper() == verb for line in self.lines[1:])

    def __str__(self) -> str:
        return printable(f"{self.code} {' '.join(self.lines)}")


def _command(connection: Connection, command: str) -> _Reply:
    connection.send(command.encode("ascii") + b"\r\n")
    return _reply(connection)


def _reply(connection: Connection) -> _Reply:
    lines: list[str] = []
    while True:
        line = connection.line()
        code, more, text = line[:3], line[3:4], line[4:]
        if not (code.isdigit() and b"200" <= code <= b"599" and more in b" -"):
            raise StoppedError(Why.GARBLED, f"does not speak SMTP: {printable(line[:80].decode('latin-1'))}")
        lines.append(text.decode("latin-1"))
        if more != b"-":
            return _Reply(int(code), tuple(lines))
        if len(lines) >= MAX_LINES:
            raise StoppedError(Why.TOO_MUCH, f"sent a reply of more than {MAX_LINES} lines")


def _expect(reply: _Reply, code: int) -> None:
    """Pass a reply that lets the conversation go on."""
    if reply.code != code:
        why = Why.TURNED_AWAY if reply.code >= _PERMANENT else Why.BUSY
        raise StoppedError(why, f"answered {reply}")


def _bye(connection: Connection, conversation: Conversation) -> Conversation:
    """Quit politely; how the other side takes it changes nothing."""
    with suppress(StoppedError, ssl.SSLError):
        _command(connection, "QUIT")
    return conversation
