"""What tls= says since 3.11, and connections from the cache, where it does not."""

import pytest
from tests.maillog.postfix.lines import (
    OTHER,
    QID,
    QID2,
    START,
    Clock,
    between,
    deferred,
    deliveries,
    from_start,
    securities,
    tls,
    to,
)

from maillog import Authentication, Evidence, Security


class TestReuse:
    """Connections from the cache."""

    @pytest.mark.parametrize("stated", ["may?", None], ids=["stated", "not stated"])
    def test_reused_under_another_name(self, stated: str | None) -> None:
        """A connection is found by its address: the summary has the name of before, relay= the one of now."""
        texts = from_start(tls("mx.customer.test[203.0.113.1]:25", kind="reused"), to(use=2, tls=stated))
        assert deliveries(*texts)[1].tls[:3] == (Security.ENCRYPTED, Authentication.TRUSTED, Evidence.CORRELATED)

    def test_reused_at_another_address(self) -> None:
        """Another address is another connection, and so is another port, unless the name is the same."""
        for relay in ("mx.good.test[203.0.113.9]:25", "mx.customer.test[203.0.113.1]:26"):
            assert between(tls(relay, kind="reused"), to(use=2)) == ["plaintext"]

    @pytest.mark.parametrize("stated", ["may?", None], ids=["stated", "not stated"])
    def test_reused_fallback_relay(self, stated: str | None) -> None:
        """Found by its next hop, a connection has the port of that one in relay=; the summary has its own."""
        one = deliveries(*from_start(tls("mx.good.test[203.0.113.1]:587", kind="reused"), to(use=2, tls=stated)))[1]
        assert (one.tls.security, one.relay.port) == (Security.ENCRYPTED, 587)

    def test_reused_line(self) -> None:
        """A cached TLS connection is announced by "reused": encrypted, though tls= is undecided."""
        texts = from_start(tls(kind="reused"), to(use=2, tls="may?"))
        assert deliveries(*texts)[1].tls[:3] == (Security.ENCRYPTED, Authentication.TRUSTED, Evidence.CORRELATED)

    def test_clear(self) -> None:
        """A cached connection without that line is clear, at any log level."""
        at = Clock()
        lines = [at(START), at(to(QID, tls="may:none")), at(to(QID2, use=2, tls="may?"))]
        assert [delivery.tls[::2][:2] for delivery in deliveries(*lines)] == [
            (Security.PLAINTEXT, Evidence.STATED), (Security.PLAINTEXT, Evidence.INFERRED),
        ]  # fmt: skip

    def test_lost_reused_line(self) -> None:
        """Where the relay's last fresh connection was encrypted, the missing line may be lost: unknown."""
        at = Clock()
        lines = [at(START), at(to(QID, tls="may")), at(to(QID2, use=2, tls="may?"))]
        assert securities(*lines) == ["encrypted", "unknown"]

    def test_clear_among_encrypted(self) -> None:
        """Where a clear one may still be open, encrypted ones beside it make no doubt: they would be announced."""
        at = Clock()
        lines = [at(START), at(to(QID, tls="may:none")), at(to(QID, tls="may")), at(to(QID2, use=2, tls="may?"))]
        assert securities(*lines) == ["plaintext", "encrypted", "plaintext"]

    def test_clear_by_next_hop(self) -> None:
        """A connection that was found by its next hop has no tls= at all: clear, if it was stated to begin so."""
        at = Clock()
        assert securities(at(START), at(to(QID, tls="may:none")), at(to(QID2, use=2))) == ["plaintext", "plaintext"]
        assert securities(at(START), at(to(QID, tls="may")), at(to(QID2, use=2))) == ["encrypted", "unknown"]

    def test_mandatory(self) -> None:
        """A mandatory level cannot be served by a clear connection."""
        at = Clock()
        delivery = deliveries(at(START), at(to(use=2, tls="encrypt?")))[0]
        assert delivery.tls == (Security.ENCRYPTED, None, Evidence.INFERRED, None, None)

    def test_rotated_beginning(self) -> None:
        """At the beginning of a log the "reused" line may stand in the log before."""
        at = Clock()
        assert securities(at(to(use=2, tls="may?"))) == ["unknown"]

    def test_old_postfix(self) -> None:
        """Before 3.11 it is clear under the same condition as a fresh connection."""
        assert between(to(use=2)) == ["plaintext"]

    def test_tlsproxy_copy(self) -> None:
        """tlsproxy(8) writes each handshake a second time; its copy ties to nothing and counts for nothing."""
        texts = [
            "tlsproxy[7]: CONNECT to [203.0.113.1]:25",
            tls().replace("smtp[1]", "tlsproxy[7]"),
            tls(),
            to(),
            to(QID2),
        ]
        assert between(*texts) == ["encrypted", "plaintext"]

    def test_smtp_line_at_level_0(self) -> None:
        """With connection reuse smtp(8) writes the summary at any level: only tlsproxy's copy proves logging."""
        at = Clock()
        texts = [
            START,
            "tlsproxy[7]: CONNECT to [203.0.113.1]:25",
            tls(),
            to(),
            to(QID2, OTHER, pid=2),
            tls(pid=3),
            to("AAAAAA0001", pid=3),
        ]
        assert securities(*[at(text) for text in texts]) == ["encrypted", "unknown", "encrypted"]


STATED = {
    "may": ("encrypted", None),
    "may:none": ("plaintext", None),
    "none": ("plaintext", None),
    "encrypt": ("encrypted", None),
    "verify": ("encrypted", "verified"),
    "secure": ("encrypted", "verified"),
    "fingerprint": ("encrypted", "verified"),
    "dane": ("encrypted", "dane"),
    "dane-only": ("encrypted", "dane"),
    "halfdane": ("encrypted", "trusted"),
    "dane:encrypt": ("encrypted", None),
    "verify/requiretls": ("encrypted", "verified"),
    "may/requiretls:none": ("encrypted", None),
    "may/requiretls:nocertmatch": ("encrypted", None),
    "unknown": ("unknown", None),
    "may?": ("unknown", None),
    "encrypt?": ("unknown", None),
    "unknown?": ("unknown", None),
}


class TestStated:
    """tls= since 3.11, which needs no other line."""

    @pytest.mark.parametrize(("value", "expected"), STATED.items(), ids=STATED)
    def test_sent(self, value: str, expected: tuple[str, str | None]) -> None:
        """What each value says of a mail that was sent over a fresh connection."""
        at = Clock()
        delivery = deliveries(at(START), at(to(tls=value)))[0]
        assert (delivery.tls.security, delivery.tls.authentication) == expected

    @pytest.mark.parametrize(
        "value", ["!encrypt", "!secure", "may?/!requiretls:nocertmatch", "!verify/!requiretls:nocertmatch"]
    )
    def test_violated(self, value: str) -> None:
        """A connection that did not satisfy its level was not used."""
        at = Clock()
        line = to(tls=value, status=deferred("Server certificate not verified"), dsn="4.7.5")
        assert securities(at(START), at(tls()), at(line)) == ["none"]

    def test_trust_word_of_summary(self) -> None:
        """The trust word comes from the summary, where there is one; under DANE "Verified" is DANE."""
        at = Clock()
        lines = [
            at(START),
            at(tls(trust="Untrusted")),
            at(to(tls="may")),
            at(tls(trust="Verified")),
            at(to(QID2, tls="dane")),
        ]
        assert [d.tls.authentication for d in deliveries(*lines)] == [Authentication.UNTRUSTED, Authentication.DANE]

    def test_level(self) -> None:
        """The level in force is the one after the DANE lookup."""
        at = Clock()
        assert deliveries(at(START), at(to(tls="dane:encrypt")))[0].level == "dane"

    def test_broke_after_handshake(self) -> None:
        """tls=may also stands where the session broke after the handshake: no mail transaction before MAIL FROM."""
        at = Clock()
        lost = deferred("lost connection with mx.good.test[203.0.113.1] while performing the EHLO handshake")
        lost_later = deferred("lost connection with mx.good.test[203.0.113.1] while sending RCPT TO")
        lines = [at(START), at(to(tls="may", status=lost)), at(to(QID2, tls="may", status=lost_later))]
        assert securities(*lines) == ["none", "encrypted"]

    def test_logging_off(self) -> None:
        """With tls= no TLS line is needed for either word."""
        at = Clock()
        lines = [at(START), at(to(tls="may")), at(to(QID2, tls="may:none"))]
        assert securities(*lines) == ["encrypted", "plaintext"]


@pytest.mark.parametrize("stated", ["may/requiretls:none", None], ids=["stated", "not stated"])
def test_requiretls_that_is_not_enforced(stated: str | None) -> None:
    """What Postfix 3.12 says in front of an attempt that goes on all the same ends no session and is no failure."""
    wanted = f"smtp[1]: {QID}: Sender requested REQUIRETLS, but"
    delivery = deliveries(
        *from_start(
            f"{wanted} my configured TLS security level 'may' disables certificate matching. "
            "The last attempted server was mx.good.test",
            tls(),
            f"{wanted} REQUIRETLS support was not offered by host mx.good.test[203.0.113.1]",
            to(tls=stated),
        )
    )[1]
    assert delivery.tls[:2] == (Security.ENCRYPTED, Authentication.TRUSTED)
    assert delivery.result.earlier is None
