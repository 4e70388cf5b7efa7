"""
What Postfix's phrases about TLS mean.

One statement for each thing that Postfix can say, with the place in its source that says it and samples. The phrases
come with their variable parts cut out (see ``events``): host names read ``H[A]``, text of the remote server is gone.
The rest of the reader never interprets a phrase; it asks :func:`read_summary`, :func:`read_tls_status` and
:func:`read_reason`.
"""

from enum import StrEnum
from typing import NamedTuple

import pyparsing as pp

from maillog.model import Authentication, Cause, Level


class Summary(NamedTuple):
    """A TLS handshake that succeeded, or a cached TLS connection that is used again."""

    trust: Authentication
    reused: bool
    protocol: str
    cipher: str


class TlsStatus(NamedTuple):
    """The tls= attribute: how the level in force was met."""

    level: Level | None
    """After DANE lookup; None where Postfix says ``unknown``."""
    final: Level | None
    """What the connection really had; the same as ``level`` where Postfix prints no second word."""
    violated: bool
    undecided: bool
    refused: bool
    """REQUIRETLS was asked for and not given, so the connection was not used."""


class Phase(StrEnum):
    """How far an SMTP session came before it failed."""

    BEFORE_MAIL = "before_mail"
    """No mail transaction: no connection, greeting, EHLO, STARTTLS, certificate."""
    MAIL = "mail"
    """MAIL FROM or later: by then TLS is decided."""
    NOT_TOLD = "not_told"
    """The line was cut off before it says which command the server answered."""


class Reason(NamedTuple):
    """Why an attempt failed."""

    cause: Cause
    phase: Phase
    ends_session: bool = True
    """False for a reply to one recipient: the others may still be delivered in this session."""


class Statement(NamedTuple):
    """One thing that Postfix can say."""

    name: str
    source: str
    """File and function of Postfix that writes it."""
    samples: tuple[str, ...]
    expression: pp.ParserElement


_peer = pp.Suppress("H[A]")


def _text(sentence: str) -> pp.ParserElement:
    """Match a sentence word by word; ``H[A]`` in it stands for a host."""
    return pp.Suppress(pp.And([pp.Literal(word) for word in sentence.split()]))


# --- tls/tls_misc.c:tls_log_summary --------------------------------------------------------------------------------
_trust = pp.one_of("Anonymous Untrusted Trusted Verified").set_parse_action(
    lambda tokens: Authentication(str(tokens[0]).lower())
)
_kind = pp.one_of("established reused").set_parse_action(lambda tokens: tokens[0] == "reused")
_protocol = pp.Regex(r"(?:TLSv1(?:\.[0-9])?|SSLv[23])")
_cipher = pp.Regex(r"[A-Za-z0-9_-]+")
_bits = pp.Suppress(pp.Regex(r"\(\d+/\d+ bits\)"))

SUMMARY = Statement(
    "tls_summary",
    "tls/tls_misc.c:tls_log_summary, since 2.3; reused since 3.4; key-exchange and signatures since 3.4",
    (
        ("Trusted TLS connection established to H[A]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
        "key-exchange x25519 server-signature ECDSA (prime256v1) server-digest SHA256"),
        "Untrusted TLS connection reused to H[A]: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
        "Anonymous TLS connection established to H[A]: TLSv1 with cipher ADH-AES256-SHA (256/256 bits)",
    ),
    _trust + _text("TLS connection") + _kind + pp.Suppress("to") + _peer + pp.Suppress(":")
    + _protocol + _text("with cipher") + _cipher + _bits,
)  # fmt: skip

SERVER_SUMMARY = Statement(
    "server_tls_summary",
    "tls/tls_misc.c:tls_log_summary, by smtpd",
    (
        ("Anonymous TLS connection established from H[A]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
        "key-exchange x25519 server-signature ECDSA (prime256v1) server-digest SHA256"),
        "Trusted TLS connection established from H[A]: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)",
    ),
    _trust + _text("TLS connection") + _kind + pp.Suppress("from") + _peer + pp.Suppress(":")
    + _protocol + _text("with cipher") + _cipher + _bits,
)  # fmt: skip


def read_summary(phrase: str) -> Summary | None:
    """Return what a TLS summary says, or None where the phrase is none."""
    tokens = _parse(SUMMARY, phrase)
    return Summary(*tokens) if tokens is not None else None


def read_server_summary(phrase: str) -> Summary | None:
    """Return what smtpd's TLS summary says, or None where the phrase is none."""
    tokens = _parse(SERVER_SUMMARY, phrase)
    return Summary(*tokens) if tokens is not None else None


# --- global/pol_stats.c:pol_stats_format, smtp/smtp_connect.c:smtp_get_effective_tls_level --------------------------
_level = pp.Regex("|".join(sorted((level.value for level in Level), key=len, reverse=True)) + "|unknown")
_feature = (
    pp.Opt("!")("violated") + _level("level") + pp.Opt(pp.Suppress(":") + _level("final")) + pp.Opt("?")("undecided")
)
_requiretls = (
    pp.Suppress("/")
    + pp.Opt("!")("refused")
    + pp.Literal("requiretls")
    + pp.Opt(pp.Suppress(":") + pp.one_of("nocertmatch nostarttls noencryption none"))
    + pp.Opt("?")
)

TLS_STATUS = Statement(
    "tls_status",
    "global/pol_stats.c:pol_stats_format, since 3.11",
    (
        "may", "may:none", "may?", "encrypt", "!encrypt", "secure?", "unknown?", "dane:encrypt", "halfdane",
        "dane-only", "verify/requiretls", "may?/!requiretls:nocertmatch", "!verify/requiretls:nocertmatch",
        "secure?/requiretls?", "fingerprint",
    ),
    _feature + pp.Opt(_requiretls),
)  # fmt: skip


def read_tls_status(phrase: str) -> TlsStatus | None:
    """Return what a tls= value says, or None where it is none that Postfix writes."""
    tokens = _parse(TLS_STATUS, phrase, whole=True)
    if tokens is None:
        return None
    said = tokens.as_dict()
    level, final = (_level_of(said.get(name)) for name in ("level", "final"))
    return TlsStatus(
        level,
        final if "final" in said else level,
        "violated" in said,
        "undecided" in said,
        "refused" in said,
    )


def _level_of(word: str | None) -> Level | None:
    return None if word in (None, "unknown") else Level(word)


# --- the reason in parentheses, and the same text behind a queue id -------------------------------------------------
class _Why(NamedTuple):
    sentence: str
    source: str
    reason: Reason


_BEFORE = Phase.BEFORE_MAIL
_WHYS = (
    _Why("TLS is required, but was not offered by host H[A]", "smtp/smtp_proto.c:smtp_helo",
         Reason(Cause.TLS_NOT_OFFERED, _BEFORE)),
    _Why("TLS is required, but host H[A] refused to start TLS", "smtp/smtp_proto.c:smtp_start_tls",
         Reason(Cause.TLS_REFUSED, _BEFORE)),
    _Why("Cannot start TLS: handshake failure", "smtp/smtp_proto.c:smtp_start_tls",
         Reason(Cause.TLS_HANDSHAKE, _BEFORE)),
    _Why("Server certificate not verified", "smtp/smtp_proto.c:smtp_start_tls", Reason(Cause.CERT_UNTRUSTED, _BEFORE)),
    _Why("Server certificate not trusted", "smtp/smtp_proto.c:smtp_start_tls, until 3.5",
         Reason(Cause.CERT_UNTRUSTED, _BEFORE)),
    _Why("TLS is required, but our TLS engine is unavailable", "smtp/smtp_proto.c:smtp_helo",
         Reason(Cause.TLS_LOCAL, _BEFORE)),
    _Why("TLS is required, but unavailable", "smtp/smtp_proto.c:smtp_helo", Reason(Cause.TLS_LOCAL, _BEFORE)),
    _Why("client TLS configuration problem", "smtp/smtp_tls_policy.c", Reason(Cause.TLS_LOCAL, _BEFORE)),
    _Why("Temporary lookup error", "smtp/smtp_tls_policy.c", Reason(Cause.TLS_LOCAL, _BEFORE)),
    _Why("non DNSSEC destination", "smtp/smtp_tls_policy.c:dane_init", Reason(Cause.DANE, _BEFORE)),
    _Why("no TLSA records found", "smtp/smtp_tls_policy.c:dane_init", Reason(Cause.DANE, _BEFORE)),
    _Why("TLSA records unusable", "smtp/smtp_tls_policy.c:dane_init", Reason(Cause.DANE, _BEFORE)),
    _Why("TLSA lookup error for", "smtp/smtp_tls_policy.c:dane_init", Reason(Cause.DANE, _BEFORE)),
    _Why("server unavailable or unable to receive mail", "smtp/smtp_connect.c", Reason(Cause.POLICY, _BEFORE)),
    _Why("Sender requested REQUIRETLS, but", "smtp/smtp_proto.c, smtp_connect.c, since 3.11",
         Reason(Cause.POLICY, _BEFORE)),
    # In front of an attempt that goes on all the same: to a host without REQUIRETLS, or without a look at certificates.
    _Why("Sender requested REQUIRETLS, but REQUIRETLS support was not offered by host H[A]",
         "smtp/smtp_proto.c:smtp_helo, since 3.11", Reason(Cause.UNRELATED, _BEFORE, ends_session=False)),
    _Why("Sender requested REQUIRETLS, but my configured TLS security level",
         "smtp/smtp_connect.c:smtp_get_effective_tls_level, since 3.11",
         Reason(Cause.POLICY, _BEFORE, ends_session=False)),
    _Why("REQUIRETLS policy configuration error", "smtp/smtp_connect.c, since 3.11", Reason(Cause.TLS_LOCAL, _BEFORE)),
    _Why("lost connection with H[A] while receiving the STARTTLS response", "smtp/smtp_trouble.c:smtp_stream_except",
         Reason(Cause.TLS_HANDSHAKE, _BEFORE)),
    _Why("conversation with H[A] timed out while receiving the STARTTLS response",
         "smtp/smtp_trouble.c:smtp_stream_except", Reason(Cause.TLS_HANDSHAKE, _BEFORE)),
    _Why("lost connection with H[A] while receiving", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("lost connection with H[A] while performing", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("lost connection with H[A] while sending", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, Phase.MAIL)),
    _Why("conversation with H[A] timed out while receiving", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("conversation with H[A] timed out while performing", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("conversation with H[A] timed out while sending", "smtp/smtp_trouble.c", Reason(Cause.UNRELATED, Phase.MAIL)),
    _Why("host H[A] refused to talk to me", "smtp/smtp_proto.c:smtp_helo", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("host H[A] said: (in reply to EHLO", "smtp/smtp_proto.c:smtp_helo", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("host H[A] said: (in reply to HELO", "smtp/smtp_proto.c:smtp_helo", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("host H[A] said: (in reply to LHLO", "smtp/smtp_proto.c:smtp_helo", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("host H[A] said: (cut off", "util/msg_syslog.c: a line ends at 2000 bytes",
         Reason(Cause.UNRELATED, Phase.NOT_TOLD, ends_session=False)),
    _Why("host H[A] said", "smtp/smtp_proto.c:smtp_loop", Reason(Cause.UNRELATED, Phase.MAIL, ends_session=False)),
    _Why("SASL authentication failed", "smtp/smtp_sasl_glue.c", Reason(Cause.UNRELATED, _BEFORE)),
    _Why("connect to H[A]", "smtp/smtp_connect.c:smtp_connect_sock", Reason(Cause.UNRELATED, _BEFORE)),
)  # fmt: skip

REASONS = tuple(
    Statement(
        why.sentence, why.source, (why.sentence,), _text(why.sentence).set_parse_action(pp.replace_with(why.reason))
    )
    for why in _WHYS
)
# The longest sentence wins, so a more exact statement need not stand before a shorter one.
_reason = pp.Or([statement.expression for statement in REASONS])
UNRELATED = Reason(Cause.UNRELATED, Phase.BEFORE_MAIL, ends_session=False)


def read_reason(phrase: str) -> Reason:
    """Return why an attempt failed; everything that is not known to be about TLS is ``unrelated``."""
    try:
        return _reason.parse_string(phrase)[0]  # type: ignore[no-any-return]
    except pp.ParseException:
        return UNRELATED


# --- tls/tls_verify.c, tls/tls_client.c:verify_x509 ------------------------------------------------------------------
_VERIFY_CAUSES = (
    ("num=62:", Cause.CERT_NAME),  # X509_V_ERR_HOSTNAME_MISMATCH
    ("num=64:", Cause.CERT_NAME),  # X509_V_ERR_IP_ADDRESS_MISMATCH
    ("num=65:", Cause.DANE),  # X509_V_ERR_DANE_NO_MATCH
    ("not trusted by local or TLSA policy", Cause.DANE),
    ("certificate has expired", Cause.CERT_EXPIRED),
    ("certificate not yet valid", Cause.CERT_EXPIRED),
    ("", Cause.CERT_UNTRUSTED),
)
_verify_failure = pp.Suppress(
    pp.Opt(pp.one_of("server CA")) + "certificate verification failed for H[A]" + pp.Literal(":")
)
_verify_cause = pp.MatchFirst(
    [
        pp.Suppress(pp.Literal(text) if text else pp.Empty()).set_parse_action(pp.replace_with(cause))
        for text, cause in _VERIFY_CAUSES
    ]
)

VERIFY_FAILURE = Statement(
    "verify_failure",
    "tls/tls_verify.c:tls_log_verify_error",
    (
        "certificate verification failed for H[A]: self-signed certificate",
        "server certificate verification failed for H[A]: num=62:hostname mismatch",
        "server certificate verification failed for H[A]: certificate has expired",
        "certificate verification failed for H[A]: untrusted issuer /CN=Some CA",
    ),
    _verify_failure + _verify_cause,
)


def read_verify_failure(phrase: str) -> Cause | None:
    """Return why a certificate was refused, or None where the phrase does not say that one was."""
    tokens = _parse(VERIFY_FAILURE, phrase)
    return tokens[0] if tokens is not None else None


def _parse(statement: Statement, phrase: str, *, whole: bool = False) -> pp.ParseResults | None:
    try:
        return statement.expression.parse_string(phrase, parse_all=whole)
    except pp.ParseException:
        return None
