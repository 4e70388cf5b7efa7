"""The mail servers and settings that sample logs are made with."""

from __future__ import annotations

from typing import NamedTuple

from tests.lab.mta import LogStyle, Setup

_NO_TLS_LOGGING = "+smtp_protocol_error +smtp_syntax_error -tls_cipher -tls_certificate_verified -tls_peerdn"


class Variant(NamedTuple):
    """One sample."""

    setup: Setup
    about: str
    """One sentence for the sample's README."""


VARIANTS = {
    "postfix-3.7": Variant(
        Setup("postfix-bookworm"), "Postfix 3.7, `smtp_tls_loglevel = 1`, written by postlogd (RFC 3164 look)."
    ),
    "postfix-3.7-loglevel0": Variant(
        Setup("postfix-bookworm").setting("smtp_tls_loglevel", "0"),
        "Postfix 3.7 with its default `smtp_tls_loglevel = 0`: the log does not tell what was encrypted.",
    ),
    "postfix-3.7-tlsproxy": Variant(
        Setup("postfix-bookworm").setting("smtp_tls_connection_reuse", "yes"),
        "Postfix 3.7 with `smtp_tls_connection_reuse = yes`: tlsproxy(8) holds the TLS sessions.",
    ),
    "postfix-3.7-rfc3339": Variant(
        Setup("postfix-bookworm", log_style=LogStyle.SYSLOG_RFC3339),
        "Postfix 3.7 through rsyslogd with RFC 3339 time stamps, as Debian 12 writes /var/log/mail.log.",
    ),
    "postfix-3.7-filter": Variant(
        Setup("postfix-bookworm", content_filter=True),
        "Postfix 3.7 with a content filter on loopback: every mail passes 127.0.0.1:10024 first.",
    ),
    "postfix-3.11": Variant(Setup("postfix-sid"), "Debian sid's Postfix with the `tls=` attribute on every delivery line."),
    "postfix-3.11-loglevel0": Variant(
        Setup("postfix-sid").setting("smtp_tls_loglevel", "0"),
        "The same with `smtp_tls_loglevel = 0`: only `tls=` tells.",
    ),
    "exim-4.96": Variant(Setup("exim-bookworm"), "Exim 4.96 (GnuTLS), Debian's log_selector, its own main log."),
    "exim-4.96-notlscipher": Variant(
        Setup("exim-bookworm").setting("log_selector", _NO_TLS_LOGGING),
        "Exim 4.96 with the TLS selectors off: the log does not tell what was encrypted.",
    ),
    "exim-4.96-syslog": Variant(
        Setup("exim-bookworm", log_style=LogStyle.SYSLOG), "Exim 4.96 through syslog, long entries in parts."
    ),
    "exim-4.100": Variant(Setup("exim-sid"), "Debian sid's Exim, its own main log."),
}
