"""Lines as real Exims wrote them, with other names and addresses: the whole way from text to delivery."""

# ruff: noqa: E501, because the lines of a log stay whole

from typing import NamedTuple

import pytest
from tests.maillog.exim.samples import ID, read

from maillog.model import Authentication, Cause, Outcome, Scope, Security

ENCRYPTED, NONE, UNKNOWN = Security.ENCRYPTED, Security.NONE, Security.UNKNOWN
GNUTLS = "X=TLS1.3:ECDHE_SECP256R1__RSA_PSS_RSAE_SHA256__AES_256_GCM:256"


class Case(NamedTuple):
    """A line without its id, and what it says."""

    line: str
    domain: str | None
    host: str | None
    outcome: Outcome
    security: Security
    authentication: Authentication | None = None
    cause: Cause | None = None
    scope: Scope | None = Scope.INTERNET


CASES = {
    "4.96 GnuTLS, Debian": Case(
        f'=> a@good.example R=m T=remote_smtp H=mx.good.example [198.51.100.2] {GNUTLS} CV=yes DN="CN=good" C="250 2.0.0 Ok: \\"queued\\" as 12345 X=TLS1.3:FAKE:256"',
        "good.example", "mx.good.example", Outcome.SENT, ENCRYPTED, Authentication.VERIFIED),
    "4.96 GnuTLS, many selectors": Case(
        f'=> a@selfs.example F=<s@relay.example.org> P=<s@relay.example.org> R=m T=remote_smtp S=300 H=mx.selfs.example [198.51.100.8]:2525 {GNUTLS} CV=no L C="250 2.0.0 Ok" QT=0.140s DT=0.136s',
        "selfs.example", "mx.selfs.example", Outcome.SENT, ENCRYPTED, Authentication.UNTRUSTED),
    "4.96 GnuTLS, in clear": Case(
        '=> b@plain.example F=<s@relay.example.org> P=<s@relay.example.org> R=m T=remote_smtp S=322 H=mx.plain.example [198.51.100.4]:2525 L C="250 2.0.0 Ok: \\"queued\\" as 12345 X=TLS1.3:FAKE:256" QT=0.098s DT=0.094s',
        "plain.example", "mx.plain.example", Outcome.SENT, UNKNOWN),
    "4.96 quoted local part": Case(
        f'=> quo ted@good.example <"quo ted"@good.example> R=m T=remote_smtp H=mx.good.example [198.51.100.2] {GNUTLS} CV=yes DN="CN=good" C="250 2.0.0 Ok"',
        "good.example", "mx.good.example", Outcome.SENT, ENCRYPTED, Authentication.VERIFIED),
    "4.96 user unknown": Case(
        f'** unknown@good.example R=m T=remote_smtp H=mx.good.example [198.51.100.2] {GNUTLS} CV=yes DN="CN=good": SMTP error from remote mail server after RCPT TO:<unknown@good.example>: 550 5.1.1 unknown',
        "good.example", "mx.good.example", Outcome.BOUNCED, ENCRYPTED, Authentication.VERIFIED, Cause.UNRELATED),
    "4.96 user unknown, deliver_time": Case(
        f"** unknown@selfs.example F=<s@relay.example.org> P=<s@relay.example.org> R=m T=remote_smtp H=mx.selfs.example [198.51.100.8]:2525 {GNUTLS} CV=no: SMTP error from remote mail server after RCPT TO:<unknown@selfs.example>: 550 5.1.1 unknown DT=0.000s",
        "selfs.example", "mx.selfs.example", Outcome.BOUNCED, ENCRYPTED, Authentication.UNTRUSTED, Cause.UNRELATED),
    "4.96 greylisted, hostile reply": Case(
        "== a@grey.example R=m T=remote_smtp defer (-44) H=mx.grey.example [198.51.100.7]: SMTP error from remote mail server after RCPT TO:<a@grey.example>: 450 4.2.0 TLS session: greylisted X=TLS1.3:F:1",
        "grey.example", "mx.grey.example", Outcome.DEFERRED, UNKNOWN, None, Cause.UNRELATED),
    "4.96 not offered": Case(
        "== q@plain.example R=m T=remote_smtp defer (-38) H=mx.plain.example [198.51.100.4]: a TLS session is required, but the server did not offer TLS support",
        "plain.example", "mx.plain.example", Outcome.DEFERRED, NONE, None, Cause.TLS_NOT_OFFERED),
    "4.96 454 to STARTTLS": Case(
        "== q@temp.example R=m T=remote_smtp defer (-38) H=mx.temp.example [198.51.100.6]: a TLS session is required, but an attempt to start TLS failed",
        "temp.example", "mx.temp.example", Outcome.DEFERRED, NONE, None, Cause.TLS_REFUSED),
    "4.96 garbage": Case(
        "== q@garbage.example R=m T=remote_smtp defer (-37) H=mx.garbage.example [198.51.100.5]: TLS session: (gnutls_handshake): An unexpected TLS packet was received.",
        "garbage.example", "mx.garbage.example", Outcome.DEFERRED, NONE, None, Cause.TLS_HANDSHAKE),
    "4.96 host lookup, deliver_time": Case(
        "== a@lost.example R=m defer (-36) DT=0.000s: host lookup for mx.lost.example did not complete (DNS timeout?)",
        "lost.example", None, Outcome.DEFERRED, NONE, None, Cause.UNRELATED, None),
    "4.97 and later, cPanel": Case(
        '=> victim@dane.example R=lookuphost T=remote_smtp H=mail.dane.example [203.0.113.217] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=dane C="250 2.0.0 Ok: queued as 4W1k6v0P0Rz3hhcd"',
        "dane.example", "mail.dane.example", Outcome.SENT, ENCRYPTED, Authentication.DANE),
    "4.9x, name with commas and equals": Case(
        f'=> x@big.example R=dnslookup T=remote_smtp H=mx.big.example [203.0.113.249] {GNUTLS} CV=yes DN="C=XX,ST=Some City,L=Some City,O=BIG LLC,CN=mx.big.example" C="250 2.0.0 Ok: queued on mail-front-42.big.example 1725672891-oYTsOiJLGSw0"',
        "big.example", "mx.big.example", Outcome.SENT, ENCRYPTED, Authentication.VERIFIED),
    "4.7x, no fields behind the host": Case(
        "=> j@old.example R=dnslookup T=remote_smtp H=mail.old.example [203.0.113.86]",
        "old.example", "mail.old.example", Outcome.SENT, UNKNOWN),
    "4.7x, continued": Case(
        '=> a@old.example R=dnslookup T=remote_smtp H=mx.old.example [203.0.113.89]* C="250 2.0.0 Ok: queued on mxfront35 as 0J4u9PaF"',
        "old.example", "mx.old.example", Outcome.SENT, UNKNOWN),
    "old OpenSSL with a version it does not know": Case(
        "=> y@old.example R=dnslookup T=remote_smtp H=MXBIZ1.old.example [203.0.113.176] X=UNKNOWN:AES128-SHA256:128",
        "old.example", "mxbiz1.old.example", Outcome.SENT, ENCRYPTED),
    "until 4.84, host in the text": Case(
        "== test@slow.example R=lookuphost T=remote_smtp defer (-44): SMTP error from remote mail server after RCPT TO:<t@slow.example>: host slow.example [203.0.113.69]: 451 Temporary local problem - please try later",
        "slow.example", None, Outcome.DEFERRED, UNKNOWN, None, Cause.UNRELATED, None),
    "FreeBSD errno": Case(
        "== r@slow.example R=dnslookup T=remote_smtp defer (60): Operation timed out",
        "slow.example", None, Outcome.DEFERRED, NONE, None, Cause.UNRELATED, None),
    "4.100 not offered": Case(
        "== q@plain.example R=dnslookup T=remote_smtp defer H=mx1.plain.example [203.0.113.10]: a TLS session is required, but the server did not offer TLS support",
        "plain.example", "mx1.plain.example", Outcome.DEFERRED, NONE, None, Cause.TLS_NOT_OFFERED),
    "4.100 handshake": Case(
        "== q@drops.example R=dnslookup T=remote_smtp defer H=mx1.drops.example [203.0.113.12]: TLS session: error on first read",
        "drops.example", "mx1.drops.example", Outcome.DEFERRED, NONE, None, Cause.TLS_HANDSHAKE),
    "4.100 certificate": Case(
        "== q@self-signed.example R=dnslookup T=remote_smtp defer H=mx1.self-signed.example [203.0.113.14]: TLS session: (certificate verification failed): certificate invalid",
        "self-signed.example", "mx1.self-signed.example", Outcome.DEFERRED, NONE, None, Cause.CERT_UNTRUSTED),
    "4.100 refused connection": Case(
        "== q@refused.example R=dnslookup T=remote_smtp defer (Connection refused)",
        "refused.example", None, Outcome.DEFERRED, NONE, None, Cause.UNRELATED, None),
    "4.100 refused connection with its host": Case(
        "== q@down.example R=dnslookup T=remote_smtp defer (Connection refused) H=mx1.down.example [203.0.113.16]",
        "down.example", "mx1.down.example", Outcome.DEFERRED, NONE, None, Cause.UNRELATED),
    "4.96 refused connection with its host, the other one without TLS": Case(
        "== u@mix.example R=req T=req_smtp defer (111): Connection refused H=b.mix.example [203.0.113.14]",
        "mix.example", "b.mix.example", Outcome.DEFERRED, NONE, None, Cause.UNRELATED),
    "4.96 no connection, deliver_time": Case(
        "== u@mix.example R=dnslookup T=remote_smtp defer (110): Connection timed out H=b.mix.example [203.0.113.14]:25 DT=3.001s",
        "mix.example", "b.mix.example", Outcome.DEFERRED, NONE, None, Cause.UNRELATED),
    "4.96 an empty line for a greeting": Case(
        "== u@odd.example R=dnslookup T=remote_smtp defer (-19) H=mx.odd.example [203.0.113.14]: Malformed SMTP reply (an empty line) in response to initial connection",
        "odd.example", "mx.odd.example", Outcome.DEFERRED, NONE, None, Cause.UNRELATED),
    "4.100 greylisted": Case(
        "== q@greylist.example R=dnslookup T=remote_smtp defer H=mx1.greylist.example [203.0.113.64]: SMTP error from remote mail server after RCPT TO:<q@greylist.example>: 450 4.2.0 Greylisted, see http://postgrey.example/help",
        "greylist.example", "mx1.greylist.example", Outcome.DEFERRED, UNKNOWN, None, Cause.UNRELATED),
    "4.100.1 failed, no success notice": Case(
        '** u@good.example F=<s@x.example> P=<s@x.example> R=dnslookup T=remote_smtp H=mx.good.example [203.0.113.6]:25 I=[192.0.2.1]:52338 PS=ese X=TLS1.3:ECDHE_SECP256R1__ECDSA_SECP256R1_SHA256__AES_256_GCM:256:SECP256R1 CV=yes DN="CN=mx.good.example" DSN=notpeer : SMTP error from remote mail server after RCPT TO:<u@good.example>: 550 5.1.1 no DT=0.000s',
        "good.example", "mx.good.example", Outcome.BOUNCED, ENCRYPTED, Authentication.VERIFIED, Cause.UNRELATED),
    "4.100.1 success notice asked for": Case(
        '=> u@good.example R=dnslookup T=remote_smtp H=mx.good.example [203.0.113.52]:25 PS=ese X=TLS1.3:A:256:SECP256R1 CV=yes DN="CN=mx.good.example" L DSN=notpeer C="250 2.0.0 Ok" QT=0.028s DT=0.008s',
        "good.example", "mx.good.example", Outcome.SENT, ENCRYPTED, Authentication.VERIFIED),
    "4.100.1 further recipient of a cutthrough": Case(
        '>> u@good.example R=dnslookup T=remote_smtp S=331 H=mx.good.example [203.0.113.133]:25 I=[192.0.2.1]:35904 PS= C="250 2.0.0 Ok" QT=0.002s DT=0.000s',
        "good.example", "mx.good.example", Outcome.SENT, UNKNOWN),
    "4.100 STARTTLS refused for now, tls_tempfail_tryclear = false": Case(
        "== u@r454.example R=dnslookup T=remote_smtp defer H=mx.r454.example [203.0.113.195]: SMTP error from remote mail server after STARTTLS: 454 4.7.0 no",
        "r454.example", "mx.r454.example", Outcome.DEFERRED, NONE, None, Cause.TLS_REFUSED),
    "4.96 STARTTLS refused for now, tls_tempfail_tryclear = false": Case(
        "== u@r454.example R=dnslookup T=remote_smtp defer (0) H=mx.r454.example [203.0.113.195]: SMTP error from remote mail server after STARTTLS: 454 4.7.0 no",
        "r454.example", "mx.r454.example", Outcome.DEFERRED, NONE, None, Cause.TLS_REFUSED),
    "4.96 closed on STARTTLS": Case(
        "== u@hang.example R=dnslookup T=remote_smtp defer (-18) H=mx.hang.example [203.0.113.164]: Remote host closed connection in response to STARTTLS",
        "hang.example", "mx.hang.example", Outcome.DEFERRED, NONE, None, Cause.TLS_HANDSHAKE),
    "4.100 host lookup": Case(
        "== q@broken-mx.example R=dnslookup defer: host lookup did not complete",
        "broken-mx.example", None, Outcome.DEFERRED, NONE, None, Cause.UNRELATED, None),
    "cPanel, all parents": Case(
        "** r@big.example (c@home.example) <c@home.example> R=dkim_lookuphost : 550-5.7.1 big.example has detected that this message is spam",
        "big.example", None, Outcome.BOUNCED, NONE, None, Cause.UNRELATED, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_real_line(case: Case) -> None:
    """A real line, alone in its log, gives exactly what it says; without X= and without a proof that is: unknown."""
    [delivery] = read(f"{ID} {case.line}")
    assert (delivery.recipient_domain, delivery.relay.host, delivery.relay.scope) == (
        case.domain,
        case.host,
        case.scope,
    )
    assert (delivery.result.outcome, delivery.result.cause) == (case.outcome, case.cause)
    assert (delivery.tls.security, delivery.tls.authentication) == (case.security, case.authentication)


NO_ATTEMPT = {
    "routing": "== a@b.example routing defer (-52): retry time not reached",
    "every host": "== i@b.example R=lookuphost T=remote_smtp defer (-54): retry time not reached for any host for 'b.example'",
    "queued": "== a@b.example R=dnslookup T=remote_smtp defer (-1): domain matches queue_smtp_domains, or -odqs set",
    "held": "== a@b.example defer (-23): domain is held",
    "routing, 4.100": "== a@b.example routing defer: retry time not reached",
    "every host, 4.100": "== a@b.example R=dnslookup T=remote_smtp defer: retry time not reached for any host for 'b.example'",
    "queued, 4.100": "== a@b.example R=dnslookup T=remote_smtp defer: first-pass only routing due to -odqs, queue_smtp_domains or control=queue",
}


@pytest.mark.parametrize("line", NO_ATTEMPT.values(), ids=NO_ATTEMPT)
def test_no_attempt(line: str) -> None:
    """Mail that only waited was not attempted, so there is no delivery."""
    assert read(f"{ID} {line}") == []
