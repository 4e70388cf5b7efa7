"""What became of a mail, why, and which hops are no traffic."""

import pytest
from tests.maillog.postfix.lines import (
    NOT_OFFERED,
    QID,
    QID2,
    START,
    Clock,
    between,
    deferred,
    deliveries,
    from_start,
    tls,
    to,
)

from maillog import Cause, Outcome, Scope, Security

REASONS = {
    NOT_OFFERED: ("tls_not_offered", "none"),
    "TLS is required, but host mx.good.test[203.0.113.1] refused to start TLS: 454 4.7.0 no": ("tls_refused", "none"),
    "Cannot start TLS: handshake failure": ("tls_handshake", "none"),
    "Server certificate not verified": ("cert_untrusted", "none"),
    "Server certificate not trusted": ("cert_untrusted", "none"),
    "TLS is required, but our TLS engine is unavailable": ("tls_local", "none"),
    "TLS is required, but unavailable": ("tls_local", "none"),
    "client TLS configuration problem": ("tls_local", "none"),
    "Temporary lookup error": ("tls_local", "none"),
    "non DNSSEC destination": ("dane", "none"),
    "no TLSA records found": ("dane", "none"),
    "TLSA records unusable": ("dane", "none"),
    "TLSA lookup error for mx.good.test:25": ("dane", "none"),
    "server unavailable or unable to receive mail": ("policy", "none"),
    "delivery temporarily suspended: Server certificate not verified": ("cert_untrusted", "none"),
    "lost connection with mx.good.test[203.0.113.1] while receiving the STARTTLS response": ("tls_handshake", "none"),
    "host mx.good.test[203.0.113.1] refused to talk to me: 554 TLS is required, but was not offered by host x": (
        "unrelated", "none",
    ),
    "host mx.good.test[203.0.113.1] said: 450 TLS is required, but was not offered (in reply to RCPT TO command)": (
        "unrelated", "plaintext",
    ),
    "host mx.good.test[203.0.113.1] said: 450 (in reply to EHLO command) (in reply to MAIL FROM command)": (
        "unrelated", "plaintext",
    ),
    "host mx.good.test[203.0.113.1] said: 502 5.5.1 no (in reply to EHLO command)": ("unrelated", "none"),
    "connect to mx.good.test[203.0.113.1]:25: Connection refused": ("unrelated", "none"),
    "Host or domain name not found. Name service error for name=x type=MX: Host not found": ("unrelated", "none"),
}  # fmt: skip


STATUSES = {
    "sent": Outcome.SENT, "deferred": Outcome.DEFERRED, "bounced": Outcome.BOUNCED, "SOFTBOUNCE": Outcome.DEFERRED,
}  # fmt: skip


CERTIFICATES = {
    "server certificate verification failed for mx.good.test[203.0.113.1]:25: num=62:hostname mismatch": "cert_name",
    "server certificate verification failed for mx.good.test[203.0.113.1]:25: certificate has expired": "cert_expired",
    "certificate verification failed for mx.good.test[203.0.113.1]:25: self-signed certificate": "cert_untrusted",
    "certificate verification failed for mx.good.test[203.0.113.1]:25: untrusted issuer /CN=expired": "cert_untrusted",
    "certificate verification failed for mx.good.test[203.0.113.1]:25: not trusted by local or TLSA policy": "dane",
}


class TestOutcomes:
    """What became of the mail, and why."""

    @pytest.mark.parametrize(("reason", "expected"), REASONS.items(), ids=[reason[-50:] for reason in REASONS])
    def test_reason(self, reason: str, expected: tuple[str, str]) -> None:
        """Each reason of facts 2.3, and remote replies that quote one: the leading words of Postfix decide."""
        delivery = deliveries(*from_start(to(status=deferred(reason), dsn="4.7.5")))[1]
        assert (delivery.result.cause, delivery.tls.security) == expected

    def test_cut_off_reply(self) -> None:
        """A line cut off at 2000 bytes does not tell which command was answered; words in the reply do not count."""
        reply = "host mx.good.test[203.0.113.1] said: 550 (in reply to EHLO command) " + "x" * 1700
        line = to(status=f"status=bounced ({reply}", dsn="5.0.0")
        assert between(line) == ["unknown"]
        assert between(tls(), line, to(recipient="b@good.test")) == ["encrypted", "encrypted"]

    @pytest.mark.parametrize(("word", "outcome"), STATUSES.items(), ids=STATUSES)
    def test_status(self, word: str, outcome: Outcome) -> None:
        """Each status word that moves or keeps mail."""
        assert deliveries(*from_start(to(status=f"status={word} (x)")))[1].result.outcome is outcome

    @pytest.mark.parametrize("word", ["deliverable", "undeliverable", "undeliverable-but-not-cached"])
    def test_probe(self, word: str) -> None:
        """An address probe moves no mail; its session is spent."""
        assert between(tls(), to(status=f"status={word} (x)"), to(QID2)) == ["plaintext"]

    def test_bounced_at_once(self) -> None:
        """A 5xx to STARTTLS bounces."""
        reason = (
            "status=bounced (TLS is required, but host mx.good.test[203.0.113.1] refused to start TLS: 554 5.7.0 no)"
        )
        assert deliveries(*from_start(to(status=reason, dsn="5.7.0", tls="!encrypt")))[1].result[:3] == (
            Outcome.BOUNCED, "5.7.0", Cause.TLS_REFUSED,
        )  # fmt: skip

    def test_hidden_cause(self) -> None:
        """The first MX host fails for TLS, the last one is down: the cause is TLS."""
        down = deferred("connect to mx1.multi.test[127.0.1.99]:25: Connection refused")
        texts = [f"smtp[1]: {QID}: {NOT_OFFERED}", to(relay="none", tls="encrypt?", status=down, dsn="4.4.1")]
        assert deliveries(*from_start(*texts))[1].result.cause is Cause.TLS_NOT_OFFERED

    @pytest.mark.parametrize(
        ("line", "cause"), CERTIFICATES.items(), ids=["name", "expired", "self-signed", "issuer", "tlsa"]
    )
    @pytest.mark.parametrize("program", ["smtp[1]", "tlsproxy[7]"])
    def test_certificate(self, program: str, line: str, cause: str) -> None:
        """Why a certificate was refused stands on the line before, by smtp(8) or tlsproxy(8)."""
        texts = [
            f"{program}: {line}",
            tls(trust="Untrusted"),
            to(tls="!secure", status=deferred("Server certificate not verified")),
        ]
        assert deliveries(*from_start(*texts))[1].result.cause == cause

    def test_local_fault(self) -> None:
        """Our own tlsproxy(8) was not there: no fault of the server."""
        texts = ["smtp[1]: warning: connect to private/tlsproxy service: Connection refused"]
        texts += [to(status=deferred("Cannot start TLS: handshake failure"))]
        assert deliveries(*from_start(*texts))[1].result.cause is Cause.TLS_LOCAL


RELAYS = {
    "127.0.0.1[127.0.0.1]:10024": Scope.LOOPBACK,
    "::1[::1]:25": Scope.LOOPBACK,
    "relay.lan[10.1.2.3]:587": Scope.PRIVATE,
    "mx.example[2001:db8::1]:25": Scope.INTERNET,
    "mail.good.test[private/dovecot-lmtp]": Scope.LOCAL,
    "none": None,
}


class TestScopes:
    """Hops that are no traffic."""

    @pytest.mark.parametrize(("relay", "scope"), RELAYS.items(), ids=RELAYS)
    def test_relay(self, relay: str, scope: Scope | None) -> None:
        """The relay's address says where it stands; a filter hop is clear text on loopback."""
        assert deliveries(*from_start(to(relay=relay)))[1].relay.scope is scope

    @pytest.mark.parametrize("program", ["local", "virtual", "pipe"])
    def test_local_agents(self, program: str) -> None:
        """A mailbox or a command is no SMTP session, whatever it says."""
        line = to(relay=program, program=program, status="status=bounced (TLS is required, but unavailable)")
        delivery = deliveries(*from_start(line))[1]
        assert (delivery.relay.scope, delivery.tls.security, delivery.result.cause) == ("local", "none", "unrelated")

    def test_lmtp(self) -> None:
        """LMTP is local, over TCP too, and its TLS lines are its own."""
        at = Clock()
        lmtp = tls("store.lan[203.0.113.7]:24").replace("smtp[1]", "lmtp[1]")
        lines = [at(START), at(lmtp), at(to(relay="store.lan[203.0.113.7]:24", program="lmtp")), at(to(QID2, pid=2))]
        assert [(d.relay.scope, d.tls.security) for d in deliveries(*lines)] == [
            (Scope.LOCAL, Security.ENCRYPTED), (Scope.INTERNET, Security.UNKNOWN),
        ]  # fmt: skip

    def test_error_service(self) -> None:
        """The retry service writes of attempts that never happened: no delivery."""
        at = Clock()
        line = to(relay="none", program="error", status=deferred(f"delivery temporarily suspended: {NOT_OFFERED}"))
        assert deliveries(at(START), at(line)) == []
