"""
What Exim's phrases about a delivery mean.

One statement for each thing that Exim can say, with the place in its source that says it and samples. The phrases come
with their variable parts cut out (see ``events``): sizes, times and envelope addresses are gone from the fields, a host
in a sentence reads ``H[A]``, and what the remote server said is gone. The rest of the reader never interprets a phrase.
"""

import re
from enum import StrEnum
from typing import NamedTuple

import pyparsing as pp

from maillog.model import Cause


class Fields(NamedTuple):
    """The ``KEY=value`` part of a delivery line."""

    transport: str | None
    host: str | None
    ip: str | None
    port: int | None
    continued: bool
    """A ``*`` behind the address: a further message on a connection that was open already."""
    encrypted: bool
    """X=, CV= or DN= stands: each is written only where a TLS session was recorded."""
    cipher_logged: bool
    """X= stands, so the log selector ``tls_cipher`` is on."""
    protocol: str | None
    """``TLSv1.3``; None where the name is none of a TLS version."""
    cipher: str | None
    verified: str | None
    """The word behind CV=: ``yes``, ``no``, ``dane``."""
    peer: str | None
    """What stands in DN="…", the subject of the server's certificate."""


class Phase(StrEnum):
    """How far an SMTP session came before it failed."""

    BEFORE_MAIL = "before_mail"
    """No mail transaction: no connection, greeting, EHLO, STARTTLS, AUTH."""
    MAIL = "mail"
    """MAIL FROM or later: by then TLS is decided."""
    UNCLEAR = "unclear"


class Reason(NamedTuple):
    """Why an attempt failed."""

    cause: Cause
    phase: Phase = Phase.BEFORE_MAIL
    attempted: bool = True
    """False where nothing was tried because the time for it has not come."""
    expired: bool = False
    """The retry time is over: the cause is the one of the attempts before."""


class Statement(NamedTuple):
    """One thing that Exim can say."""

    name: str
    source: str
    """File and function of Exim that writes it."""
    samples: tuple[str, ...]
    expression: pp.ParserElement


# --- deliver.c:delivery_log, d_hostlog, d_tlslog; failure_log since 4.83, deferral_log since 4.85 --------------------
# The order is fixed, which is what keeps text of others out: a field that stands where it cannot stand is no field.
def _token(pattern: str) -> pp.ParserElement:
    return pp.Regex(pattern).leave_whitespace()


_KNOWN = "R|T|H|ST|PRX|I|PS|X|CV|DN|A|DKIM|C"
# Fields that a later Exim may add. They hold no quotes, so they cannot swallow what follows.
_more = pp.ZeroOrMore(_token(rf' (?!(?:{_KNOWN})=)[A-Za-z][A-Za-z0-9_-]*=[^\s"]*'))
_local_interface = pp.Opt(_token(r" I=\[[0-9A-Fa-f:.]+\](?::[0-9]+)?(?P<continued_i>\*)?"))
_router = pp.Opt(_token(r" R=\S+"))
_transport = pp.Opt(_token(r" T=(?P<transport>\S+)"))
_address = _token(r" \[(?P<ip>[0-9A-Fa-f:.]{2,45})\](?::(?P<port>[0-9]{1,5}))?(?P<continued>\*)?")
_host = pp.Opt(_token(r" H=(?P<host>[\x21-\x7e]{1,255})") + pp.Opt(_token(" DS(?![^ ])")) + pp.Opt(_address))
_shadow = pp.Opt(_token(r" ST=\S+(?: \((?:[^()]|\([^()]*\))*\))?"))
_proxy = pp.Opt(_token(r" PRX=\[[0-9A-Fa-f:.]+\](?::[0-9]+)?(?P<continued_prx>\*)?"))
_fast_open = pp.Opt(_token(r" TFO(?P<continued_tfo>\*)?(?![^ ])"))
_sequence = pp.Opt(_token(r" PS=\S*"))  # empty with a further recipient of a cutthrough
_cipher = pp.Opt(_token(r" X=(?P<protocol>[\x21-\x39\x3b-\x7e]+)(?::(?P<cipher>[\x21-\x39\x3b-\x7e]*)[\x21-\x7e]*)?"))
_verified = pp.Opt(_token(r" CV=(?P<verified>yes|no|dane)(?![^ ])"))
# string_printing() leaves inner quotes as they are, and the server chose the text: it ends where nothing but the last
# fields follows. " T=" in it would mean that somebody else opened the quotes.
_LAST = r"(?: (?:A=|L\*?(?![^ ])|PRDR(?![^ ])|K(?![^ ])|DKIM=|DSN=)|$)"
_peer_name = pp.Opt(_token(rf' DN="(?P<dn>(?:(?! T=).)*?)"(?={_LAST})'))
_authenticated = pp.Opt(_token(r" A=\S+"))
_words = pp.Opt(_token(r" L\*?(?![^ ])")) + pp.Opt(_token(" PRDR(?![^ ])")) + pp.Opt(_token(" K(?![^ ])"))
_signed = pp.Opt(_token(r" DKIM=\S+"))

FIELDS = Statement(
    "fields",
    "deliver.c:delivery_log, failure_log, deferral_log; d_hostlog, d_tlslog",
    (
        " R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes",
        ' R=dns T=smtp H=mx.example.com DS [2001:db8::1]:25* X=TLS1.2:A:1 CV=no DN="CN=x,O=\\"X\\"" A=plain:x L PRDR K',
        " I=[198.51.100.1] R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]",
        " R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] I=[198.51.100.1]* TFO X=TLSv1:AES256-SHA:256*",
        " R=local_user T=mail_spool",
        " R=virtual T=lmtp H=store.example.com ST=shadow (failed)",
        " R=virtual T=lmtp ST=shadow (mailbox /var/mail/x has too many links (2))",
        " Q=bulk R=smarthost T=smarthost H=mx.example.com [192.0.2.1]:587 PRX=[192.0.2.9]:1080 PS=ese CV=dane",
    ),
    _local_interface + _more + _router + _more + _transport + _more + _host + _shadow + _more + _proxy
    + _local_interface + _fast_open + _more + _sequence + _cipher + _verified + _peer_name + _more
    + _authenticated + _words + _signed + _more,
)  # fmt: skip


def read_fields(phrase: str) -> Fields | None:
    """Return what the fields of a delivery line say, or None where they are not as Exim writes them."""
    found = _parse(FIELDS, phrase, whole=True)
    if found is None:
        return None
    said: dict[str, str] = found.as_dict()
    continued = any(said.get(name) for name in ("continued", "continued_i", "continued_prx", "continued_tfo"))
    port = said.get("port")
    return Fields(
        said.get("transport"),
        said.get("host"),
        said.get("ip"),
        int(port) if port else None,
        continued,
        "protocol" in said or "verified" in said or "dn" in said,
        "protocol" in said,
        _protocol(said.get("protocol")),
        (said.get("cipher") or "").rstrip("*") or None,
        said.get("verified"),
        said.get("dn"),
    )


# tls-openssl.c:tlsver_name writes TLSv1.2 until 4.92, then TLS1.2; tls-gnu.c:peer_status TLS1.2, TLS1.0, TLS1.2-PKIX,
# and until 4.76 TLS-1.0.
_VERSION = re.compile(r"(TLS|SSL)[v-]?([1-3])(?:\.([0-9]))?(?![0-9.])")


def _protocol(name: str | None) -> str | None:
    """
    Return the TLS version as Postfix spells it.

    >>> _protocol("TLS1.3"), _protocol("TLSv1.2"), _protocol("TLS1.0"), _protocol("UNKNOWN")
    ('TLSv1.3', 'TLSv1.2', 'TLSv1', None)
    """
    found = _VERSION.match(name or "")
    if not found:
        return None
    family, major, minor = found.groups()
    return f"{family}v{major}" + (f".{minor}" if minor and minor != "0" else "")


# --- the reason of a deferral, a failure, or a note about a host ------------------------------------------------------
def _why(name: str, source: str, reason: Reason, pattern: str, *samples: str) -> Statement:
    expression = pp.Regex(pattern).leave_whitespace().set_parse_action(pp.replace_with(reason))
    return Statement(name, source, samples or (pattern,), expression)


_SESSION_SOURCE = "transports/smtp.c:smtp_setup_conn, since 4.90"
# Everything here fails before a byte of TLS was exchanged: tls-openssl.c:tls_init, tls-gnu.c:tls_init, creds_load_*.
_LOCAL_WHY = (
    r"SSL_CTX_|SSL_new|X509_STORE_|RAND_status|set ex_data|hostnames load|openssl_options|library init|context init|"
    r"alpn init|cert/key setup|gnutls_(?!handshake)|setting certificate trust|could not read|overlong filename"
)
COMMANDS_BEFORE = r"(?:initial connection|TLS-on-connect|EHLO|HELO|LHLO|AUTH|[A-Z-]*AUTH\b|PROXY)"
COMMANDS_MAIL = r"(?:MAIL|RCPT|DATA|BDAT|end of data|sending data|writing|QUIT|RSET|XCLIENT)"
AFTER = "(?:after )?(?:pipelined )?"
SMTP_TROUBLE = (
    r"(?:SMTP error from remote mail server|SMTP timeout|Remote host closed connection in response to|"
    r"Malformed SMTP reply(?: \(an empty line\))? in response to|Malformed SMTP reply from H\[A\] in response to)"
    rf" {AFTER}"
)

REASONS = (
    _why("certificate_name_gnutls", "tls-gnu.c:verify_certificate: the name check alone sets no text",
         Reason(Cause.CERT_NAME), r"TLS session: \(certificate verification failed\)$",
         "TLS session: (certificate verification failed)"),
    _why("certificate_expired_gnutls", "tls-gnu.c:verify_certificate",
         Reason(Cause.CERT_EXPIRED), r"TLS session: \(certificate verification failed\): .*\bexpired",
         "TLS session: (certificate verification failed): certificate expired"),
    _why("certificate_gnutls", "tls-gnu.c:verify_certificate",
         Reason(Cause.CERT_UNTRUSTED), r"TLS session: \(certificate verification failed\): ",
         "TLS session: (certificate verification failed): certificate invalid"),
    _why("certificate_openssl", "tls-openssl.c:tls_client_start",
         Reason(Cause.CERT_UNTRUSTED), r"TLS session: \(SSL_connect\): error:.*:certificate verify failed",
         "TLS session: (SSL_connect): error:HEX:SSL routines::certificate verify failed"),
    _why("certificate_status", "tls-openssl.c:tls_client_stapling_cb, tls-gnu.c:tls_client_start",
         Reason(Cause.CERT_UNTRUSTED),
         r"TLS session: (?:\(SSL_connect\) (?:Required TLS c|Server c)ertificate |\(certificate status check failed\))",
         "TLS session: (SSL_connect) Server certificate revoked",
         "TLS session: (SSL_connect) Required TLS certificate status not received",
         "TLS session: (certificate status check failed)"),
    _why("tls_local", "tls-openssl.c:tls_init, tls-gnu.c:tls_init",
         Reason(Cause.TLS_LOCAL), rf"TLS session: \((?:{_LOCAL_WHY})|TLS support not available",
         "TLS session: (cert/key setup: cert=/etc/exim/x.crt key=/etc/exim/x.key)",
         "TLS support not available"),
    _why("handshake", _SESSION_SOURCE,
         Reason(Cause.TLS_HANDSHAKE),
         "TLS session: ",
         "TLS session: (SSL_connect): error:HEX:SSL routines::wrong version number",
         "TLS session: (gnutls_handshake): rxd alert: Certificate is expired",
         "TLS session: error on first read"),
    _why("handshake_old", "transports/smtp.c:smtp_deliver, until 4.89",
         Reason(Cause.TLS_HANDSHAKE), "failure while setting up TLS session"),
    _why("not_offered", "transports/smtp.c:smtp_setup_conn",
         Reason(Cause.TLS_NOT_OFFERED), r"a TLS session is required(?: for H\[A\])?, but the server did not offer TLS",
         "a TLS session is required, but the server did not offer TLS support",
         "a TLS session is required for H[A], but the server did not offer TLS support"),
    _why("refused", "transports/smtp.c:smtp_setup_conn",
         Reason(Cause.TLS_REFUSED), r"a TLS session is required(?: for H\[A\])?, but an attempt to start TLS failed",
         "a TLS session is required, but an attempt to start TLS failed"),
    _why("dane", "transports/smtp.c:smtp_setup_conn, check_force_dane_conn; host.c:tlsa_lookup",
         Reason(Cause.DANE), "DANE error: ",
         "DANE error: tlsa lookup FAIL", "DANE error: mx.example.com lookup not DNSSEC"),
    _why("starttls_deferred", "transports/smtp.c:smtp_setup_conn: with tls_tempfail_tryclear = false",
         Reason(Cause.TLS_REFUSED), rf"SMTP error from remote mail server {AFTER}STARTTLS",
         "SMTP error from remote mail server after STARTTLS"),
    _why("starttls", "transports/smtp.c:check_response: no answer to STARTTLS, or none that is one",
         Reason(Cause.TLS_HANDSHAKE), rf"{SMTP_TROUBLE}STARTTLS",
         "Remote host closed connection in response to STARTTLS", "SMTP timeout after STARTTLS"),
    _why("before_mail", "transports/smtp.c:check_response",
         Reason(Cause.UNRELATED), rf"{SMTP_TROUBLE}{COMMANDS_BEFORE}",
         "SMTP error from remote mail server after initial connection",
         "Remote host closed connection in response to EHLO relay.example.org",
         "SMTP timeout after initial connection",
         "Remote host closed connection in response to TLS-on-connect"),
    _why("mail", "transports/smtp.c:check_response, sync_responses",
         Reason(Cause.UNRELATED, Phase.MAIL), rf"{SMTP_TROUBLE}{COMMANDS_MAIL}",
         "SMTP error from remote mail server after pipelined MAIL FROM",
         "SMTP error from remote mail server after RCPT TO",
         "SMTP timeout after end of data (12 bytes written)",
         "Remote host closed connection in response to pipelined DATA"),
    _why("retry_timeout", "retry.c:retry_update",
         Reason(Cause.UNRELATED, expired=True), "retry timeout exceeded"),
    _why("hosts_expired", "transports/smtp.c:smtp_transport_entry",
         Reason(Cause.UNRELATED, expired=True),
         r"all hosts(?: for 'D')? have been failing for a long time|"
         r"retry time not reached for any host after a long failure period",
         "all hosts for 'D' have been failing for a long time (and retry time not reached)",
         "retry time not reached for any host after a long failure period"),  # until 4.87
    _why("not_tried", "deliver.c:deliver_message, do_local_deliveries; transports/smtp.c:smtp_transport_entry",
         Reason(Cause.UNRELATED, attempted=False),
         r"[Rr]etry time not (?:yet )?reached|some host address lookups failed and retry time not reached",
         "retry time not reached for any host for 'D'", "Retry time not yet reached",
         "some host address lookups failed and retry time not reached for other hosts or connection limit reached"),
    _why("no_host", "transports/smtp.c:smtp_transport_entry, beside not_tried",
         Reason(Cause.UNRELATED, attempted=False),
         r"all host address lookups(?: for 'D')? failed|connection limit reached for all hosts|"
         r"no host found for existing SMTP connection|concurrency limit reached for transport",
         "all host address lookups for 'D' failed permanently", "connection limit reached for all hosts for 'D'",
         "no host found for existing SMTP connection", "concurrency limit reached for transport"),
    _why("queued", "deliver.c:do_remote_deliveries, deliver_message; transports/smtp.c:smtp_transport_entry",
         Reason(Cause.UNRELATED, attempted=False),
         r"domain matches queue_smtp_domains|first-pass only routing due to|SMTP delivery explicitly queued|"
         r"domain is held$|domain (?:matches|is in) queue_domains|remote deliveries suppressed",
         "domain matches queue_smtp_domains, or -odqs set", "first-pass only routing due to -odqs, ",
         "SMTP delivery explicitly queued", "domain is held", "domain is in queue_domains",
         "remote deliveries suppressed"),
)  # fmt: skip
# The first that fits: a more exact statement stands before a wider one.
_reason = pp.MatchFirst([statement.expression for statement in REASONS])
_OTHER = Reason(Cause.UNRELATED, Phase.UNCLEAR)


def read_reason(phrase: str) -> Reason:
    """Return why an attempt failed; everything that is not known to be about TLS is ``unrelated``."""
    try:
        return _reason.parse_string(phrase)[0]  # type: ignore[no-any-return]
    except pp.ParseException:
        return _OTHER


NO_CONNECTION = Reason(Cause.UNRELATED)
"""An error of the system without a message: a session's end always has one (``transports/smtp.c:check_response``)."""

# deliver.c:deferral_log writes the error number; macros.h names it. The text, where it is known, says more.
_ERRNO_TLSFAILURE = -37
_ERRNO_TLSREQUIRED = -38
_RETRY_LAST = -52
"""The first number that means "no attempt" in every version (-51 was one until 4.94 and is tainted data since)."""


def refine_reason(reason: Reason, code: int) -> Reason:
    """
    Return the reason of a deferral with its error number taken into account (``macros.h``, ERRNO_xxx).

    A number of 0 tells nothing more; since 4.100 none is logged.
    """
    if code <= _RETRY_LAST:
        return reason._replace(attempted=False)
    if reason.cause is not Cause.UNRELATED:
        return reason
    if code == _ERRNO_TLSFAILURE:
        return Reason(Cause.TLS_HANDSHAKE)
    if code == _ERRNO_TLSREQUIRED:
        return Reason(Cause.TLS_NOT_OFFERED)
    return reason


def _parse(statement: Statement, phrase: str, *, whole: bool) -> pp.ParseResults | None:
    try:
        return statement.expression.parse_string(phrase, parse_all=whole)
    except pp.ParseException:
        return None
