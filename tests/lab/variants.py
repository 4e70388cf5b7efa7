"""The mail servers and settings that sample logs are made with."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tests.lab.cases import CASES, LMTP_CASE, Case
from tests.lab.mta import LogStyle, Setup
from tests.lab.scenario import LMTP_HOST, LMTP_PORT, SMARTHOST

_POSTFIX = Setup("postfix-bookworm")
# Debian sid's Postfix has no Berkeley DB any more.
_NEW_POSTFIX = Setup("postfix-sid", (("smtp_tls_session_cache_database", "lmdb:${data_directory}/smtp_scache"),))
BUILT_ROOT = "postfix-3.12"
"""No Debian has it: whoever wants to run it builds it."""
_EXIM = Setup("exim-bookworm")
_NO_TLS_LOGGING = "+smtp_protocol_error +smtp_syntax_error -tls_cipher -tls_certificate_verified -tls_peerdn"


def _less(cases: tuple[Case, ...] = CASES) -> tuple[Case, ...]:
    """Return the cases with a third of their mail, which keeps the many variants small."""
    return tuple(replace(case, traffic=replace(case.traffic, mails=-(-case.traffic.mails // 3))) for case in cases)


class Variant(NamedTuple):
    """One sample."""

    setup: Setup
    about: str
    """One sentence for the sample's README."""
    cases: tuple[Case, ...] = _less()


def _keeping_connections(setup: Setup) -> Setup:
    """Return the set-up with few deliveries at a time to busy domains, and their connections kept in any case."""
    busy = " ".join(case.domain for case in CASES if case.traffic.bursts)
    return setup.setting("smtp_connection_cache_destinations", busy).setting("smtp_destination_concurrency_limit", "3")


VARIANTS = {
    "postfix-3.7": Variant(
        _POSTFIX, "Postfix 3.7, `smtp_tls_loglevel = 1`, written by postlogd (RFC 3164 look).", CASES
    ),
    "postfix-3.7-loglevel0": Variant(
        _POSTFIX.setting("smtp_tls_loglevel", "0"),
        "Postfix 3.7 with its default `smtp_tls_loglevel = 0`: the log does not tell what was encrypted.",
    ),
    "postfix-3.7-tlsproxy": Variant(
        _keeping_connections(_POSTFIX).setting("smtp_tls_connection_reuse", "yes"),
        "Postfix 3.7 with `smtp_tls_connection_reuse = yes`: tlsproxy(8) holds the TLS sessions.",
        CASES,
    ),
    "postfix-3.7-rfc3339": Variant(
        replace(_POSTFIX, log_style=LogStyle.SYSLOG_RFC3339),
        "Postfix 3.7 through rsyslogd with RFC 3339 time stamps, as Debian 12 writes /var/log/mail.log.",
    ),
    "postfix-3.7-syslog": Variant(
        replace(_POSTFIX, log_style=LogStyle.SYSLOG),
        "Postfix 3.7 through rsyslogd in its traditional format (RFC 3164).",
    ),
    "postfix-3.7-filter": Variant(
        replace(_POSTFIX, content_filter=True).setting(
            "transport_maps", f"inline:{{lmtp.example=lmtp:[{LMTP_HOST}]:{LMTP_PORT}}}"
        ),
        "Postfix 3.7 with a content filter on 127.0.0.1:10024 for every mail, and lmtp.example delivered by LMTP.",
        (*_less(), LMTP_CASE),
    ),
    "postfix-3.7-smarthost": Variant(
        _POSTFIX.setting("relayhost", f"[{SMARTHOST}]:587"), "Postfix 3.7 that sends everything through one relay."
    ),
    "postfix-3.11": Variant(
        _NEW_POSTFIX, "Debian sid's Postfix with the `tls=` attribute on every delivery line.", CASES
    ),
    "postfix-3.11-tlsproxy": Variant(
        _keeping_connections(_NEW_POSTFIX).setting("smtp_tls_connection_reuse", "yes"),
        "The same with `smtp_tls_connection_reuse = yes`.",
    ),
    "postfix-3.11-loglevel0": Variant(
        _keeping_connections(_NEW_POSTFIX).setting("smtp_tls_loglevel", "0"),
        "The same with `smtp_tls_loglevel = 0`: only `tls=` tells.",
        CASES,
    ),
    "postfix-3.12": Variant(
        Setup(BUILT_ROOT),
        "Postfix 3.12-20260821, a snapshot of the version in the making, built from its source with OpenSSL 3.0 and "
        "put over the Postfix of a copy of the Debian 12 root, in the same folders. `make lab` has no such root.",
    ),
    "exim-4.96": Variant(_EXIM, "Exim 4.96 (GnuTLS), Debian's log_selector, its own main log.", CASES),
    "exim-4.96-notlscipher": Variant(
        _EXIM.setting("log_selector", _NO_TLS_LOGGING),
        "Exim 4.96 with the TLS selectors off: the log does not tell what was encrypted.",
    ),
    "exim-4.96-syslog": Variant(
        replace(_EXIM, log_style=LogStyle.SYSLOG), "Exim 4.96 through syslog, long entries in parts."
    ),
    "exim-4.100": Variant(Setup("exim-sid"), "Debian sid's Exim, its own main log."),
}
