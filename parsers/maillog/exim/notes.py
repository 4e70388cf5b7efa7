"""
What lines about a host mean that stand without a delivery flag.

They tell of a host that was tried and did not take the mail, or not over TLS, before the delivery line tells of the one
that did, or of the last one. They come as phrases, see ``grammar``, with the host as ``H[A]``.
"""

from enum import StrEnum
from typing import NamedTuple

import pyparsing as pp

from maillog.exim.grammar import AFTER, COMMANDS_BEFORE, COMMANDS_MAIL, SMTP_TROUBLE, Statement
from maillog.model import Cause


class NoteKind(StrEnum):
    """What a line without a delivery flag tells about a host."""

    CLEAR = "clear"
    """TLS failed and the same host gets the mail in clear."""
    CALLOUT_CLEAR = "callout_clear"
    """The same, on a connection that a callout or cutthrough makes; the message may have no id yet."""
    FAILED = "failed"
    """TLS failed, with a cause that the delivery line may not repeat."""
    SESSION = "session"
    """There may have been an SMTP session that came as far as a mail transaction, also on a connection kept open."""
    HOST = "host"
    """The host failed before, such as that there was no connection."""


class Note(NamedTuple):
    """A line about a host, without a delivery flag."""

    kind: NoteKind
    cause: Cause
    barred: bool = False
    """The host gets no mail because of that cause."""


def _note(name: str, source: str, note: Note, pattern: str, *samples: str) -> Statement:
    expression = pp.Regex(pattern).leave_whitespace().set_parse_action(pp.replace_with(note))
    return Statement(name, source, samples, expression)


_OLD_TLS_ERROR = (
    r"(?:TLS error on connection to H\[A\]|H\[A\] TLS error on connection)"
    r" \((?:SSL_connect|gnutls_handshake|certificate verification failed)\)"
)
_REQUIRED = r"(?:H\[A\]: a TLS session is required|a TLS session is required for H\[A\])"
# strerror(3) as connect(2), bind(2) and select(2) set it, in the words of glibc, of the BSDs, and of musl.
_NO_CONNECTION = (
    r"Connection (?:refused|timed out|reset by peer|aborted)|Operation (?:timed out|not permitted)|No route to host|"
    r"Host is (?:down|unreachable)|Network (?:is )?(?:unreachable|down)|Protocol (?:error|not available)|"
    r"(?:Cannot|Can't) assign requested address|Address (?:not available|(?:already )?in use)|Permission denied|"
    r"No buffer space available|Invalid argument|Address family not supported by protocol(?: family)?"
)

NOTES = (
    _note("clear", "transports/smtp.c:smtp_transport_entry",
          Note(NoteKind.CLEAR, Cause.UNRELATED),
          r"TLS session(?: failure)?: (?:.*: )?delivering unencrypted to H\[A\] \(not in hosts_require_tls\)$",
          "TLS session: (gnutls_handshake): rxd alert: Internal error: delivering unencrypted to H[A]"
          " (not in hosts_require_tls)",
          "TLS session failure: delivering unencrypted to H[A] (not in hosts_require_tls)"),
    _note("callout_clear", "verify.c:do_callout",
          Note(NoteKind.CALLOUT_CLEAR, Cause.UNRELATED),
          r"TLS session(?: failure)?: (?:.*: )?callout unencrypted to H\[A\] \(not in hosts_require_tls\)$",
          "TLS session: error on first read: callout unencrypted to H[A] (not in hosts_require_tls)",
          "TLS session failure: callout unencrypted to H[A] (not in hosts_require_tls)"),
    _note("dane_failed", "transports/smtp.c:smtp_setup_conn, since 4.88",
          Note(NoteKind.FAILED, Cause.DANE, barred=True), r"DANE attempt failed; (?:no )?TLS connection to H\[A\]",
          "DANE attempt failed; TLS connection to H[A]: (SSL_connect): error:HEX:x::certificate verify failed",
          "DANE attempt failed; no TLS connection to H[A]"),
    _note("verify_name", "tls-openssl.c:verify_callback",
          Note(NoteKind.FAILED, Cause.CERT_NAME), r"(?:H\[A\] )?SSL verify error: certificate name mismatch",
          "H[A] SSL verify error: certificate name mismatch", "SSL verify error: certificate name mismatch"),
    _note("verify_expired", "tls-openssl.c:verify_callback",
          Note(NoteKind.FAILED, Cause.CERT_EXPIRED),
          r"(?:H\[A\] )?SSL verify error: depth=[0-9]+ error=certificate (?:has expired|is not yet valid)",
          "H[A] SSL verify error: depth=0 error=certificate has expired"),
    _note("verify", "tls-openssl.c:verify_callback",
          Note(NoteKind.FAILED, Cause.CERT_UNTRUSTED),
          r"(?:H\[A\] )?SSL verify error: depth=[0-9]+ error=",
          "H[A] SSL verify error: depth=0 error=self-signed certificate",
          "SSL verify error: depth=0 error=unable to get local issuer certificate"),
    _note("tls_error_certificate", "tls-openssl.c:tls_error, tls-gnu.c:tls_error, until 4.89",
          Note(NoteKind.FAILED, Cause.CERT_UNTRUSTED),
          rf"(?=.*certificate veri(?:fy|fication) failed){_OLD_TLS_ERROR}",
          "H[A] TLS error on connection (SSL_connect): error:HEX:SSL routines:x:certificate verify failed",
          "TLS error on connection to H[A] (certificate verification failed): certificate invalid"),
    _note("tls_error", "tls-openssl.c:tls_error, tls-gnu.c:tls_error, until 4.89",
          Note(NoteKind.FAILED, Cause.TLS_HANDSHAKE),
          _OLD_TLS_ERROR,
          "H[A] TLS error on connection (SSL_connect): error:HEX:SSL routines:x:unknown protocol",
          "TLS error on connection to H[A] (gnutls_handshake): A TLS packet with unexpected length was received."),
    _note("required", "transports/smtp.c:smtp_setup_conn; until 4.84 without H=",
          Note(NoteKind.HOST, Cause.TLS_NOT_OFFERED, barred=True),
          rf"{_REQUIRED}, but the server did not offer TLS",
          "H[A]: a TLS session is required, but the server did not offer TLS support",
          "a TLS session is required for H[A], but the server did not offer TLS support"),
    _note("required_refused", "transports/smtp.c:smtp_setup_conn",
          Note(NoteKind.HOST, Cause.TLS_REFUSED, barred=True),
          rf"{_REQUIRED}, but an attempt to start TLS failed",
          "H[A]: a TLS session is required, but an attempt to start TLS failed"),
    _note("tlsa", "transports/smtp.c:smtp_setup_conn, check_force_dane_conn",
          Note(NoteKind.HOST, Cause.DANE, barred=True), r"H\[A\]: DANE error: ",
          "H[A]: DANE error: tlsa lookup DEFER"),
    _note("starttls_put_off", "transports/smtp.c:write_logs, check_response: with tls_tempfail_tryclear = false",
          Note(NoteKind.HOST, Cause.TLS_REFUSED, barred=True),
          rf"H\[A\]:? SMTP error from remote mail server {AFTER}STARTTLS",
          "H[A]: SMTP error from remote mail server after STARTTLS"),
    _note("starttls_unanswered", "transports/smtp.c:write_logs, check_response: no answer, or none that is one",
          Note(NoteKind.HOST, Cause.TLS_HANDSHAKE, barred=True), rf"H\[A\]:? {SMTP_TROUBLE}STARTTLS",
          "H[A]: Remote host closed connection in response to STARTTLS",
          "H[A]: SMTP timeout after STARTTLS (10 bytes written)"),
    _note("before_session", "transports/smtp.c:write_logs, check_response: on a connection of its own",
          Note(NoteKind.HOST, Cause.UNRELATED), rf"H\[A\]:? {SMTP_TROUBLE}{COMMANDS_BEFORE}",
          "H[A]: SMTP timeout after initial connection: Connection timed out"),
    _note("no_connection", "transports/smtp.c:write_logs",
          Note(NoteKind.HOST, Cause.UNRELATED), rf"H\[A\] (?:{_NO_CONNECTION})$",
          "H[A] Connection refused", "H[A] Operation timed out", "H[A] Can't assign requested address"),
    _note("session", "transports/smtp.c:write_logs, sync_responses: the rest may be of a connection kept open",
          Note(NoteKind.SESSION, Cause.UNRELATED), rf"H\[A\](?:: | {SMTP_TROUBLE}{COMMANDS_MAIL})",
          "H[A]: SMTP error from remote mail server after end of data",
          "H[A] SMTP error from remote mail server after RCPT TO",
          "H[A]: smtp send to mx.example.com [192.0.2.1] failed: Broken pipe"),
)  # fmt: skip
_any_note = pp.MatchFirst([statement.expression for statement in NOTES])


def read_note(phrase: str) -> Note | None:
    """Return what a line without a delivery flag tells about a host, or None where it tells nothing that matters."""
    try:
        return _any_note.parse_string(phrase)[0]  # type: ignore[no-any-return]
    except pp.ParseException:
        return None
