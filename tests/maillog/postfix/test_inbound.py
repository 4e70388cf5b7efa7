"""What comes in by smtpd(8): over TLS, in clear, refused, handed in by our own, or not known."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.postfix.lines import SETTINGS, START, Clock, log, reading

from maillog import Cause, Delivery, Direction, LogReader, Outcome, ReadSettings, Scope, read_piece

CLIENT = "mail.partner.test[198.51.100.7]"
OTHER = "unknown[203.0.113.9]"
TLS13 = (
    "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) "
    "server-digest SHA256"
)
WITH_TLS = "ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
CLEAR = "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"


def connect(client: str = CLIENT, pid: int = 1) -> str:
    """Return the first line of a session."""
    return f"smtpd[{pid}]: connect from {client}"


def established(client: str = CLIENT, pid: int = 1, trust: str = "Anonymous", sni: str = "") -> str:
    """Return a TLS summary of smtpd(8)."""
    return f"smtpd[{pid}]: {trust} TLS connection established from {client}{sni}: {TLS13}"


def mail(queue_id: str = "A7DBC242A08", client: str = CLIENT, pid: int = 1, more: str = "") -> str:
    """Return the line that gives a mail its queue id."""
    return f"smtpd[{pid}]: {queue_id}: client={client}{more}"


def queued(queue_id: str = "A7DBC242A08", sender: str = "ann@partner.test") -> str:
    """Return the line with which qmgr(8) takes a mail from the queue."""
    return f"qmgr[98]: {queue_id}: from=<{sender}>, size=404, nrcpt=1 (queue active)"


def disconnect(commands: str = WITH_TLS, client: str = CLIENT, pid: int = 1) -> str:
    """Return the last line of a session."""
    return f"smtpd[{pid}]: disconnect from {client} {commands}".rstrip()


def inbound(*texts: str, settings: ReadSettings = SETTINGS, instance: str = "postfix") -> list[Delivery]:
    """Return what comes in by the lines of a log, all of which can be read."""
    at = Clock()
    result = reading(
        [at(text, instance=instance if text.startswith("smtpd") else "postfix") for text in texts], settings
    )
    assert result.unread == []
    assert {delivery.direction for delivery in result.deliveries} <= {Direction.INBOUND}
    return result.deliveries


def said(*texts: str, **settings: Any) -> list[str]:
    """Return the security of what comes in."""
    return [delivery.tls.security.value for delivery in inbound(*texts, **settings)]


def session(pid: int = 50, queue_id: str = "F0000000001") -> list[str]:
    """Return a whole session with TLS of another client; its line shows that TLS logging is on."""
    return [
        connect(OTHER, pid), established(OTHER, pid), mail(queue_id, OTHER, pid), queued(queue_id, "x@other.test"),
        disconnect(WITH_TLS, OTHER, pid),
    ]  # fmt: skip


def unlogged(queue_id: str = "F0000000001") -> list[str]:
    """Return a whole session with TLS where TLS logging is off."""
    return [connect(), mail(queue_id), queued(queue_id), disconnect()]


class TestEncrypted:
    """A TLS line within the session, or the count of STARTTLS at its end."""

    def test_by_the_line(self) -> None:
        """All that the line and the session tell stands in the delivery."""
        (found,) = inbound(connect(), established(), mail(), queued(), disconnect())
        assert (found.relay.host, found.relay.ip, found.relay.port) == ("mail.partner.test", "198.51.100.7", None)
        assert found.relay.scope is Scope.INTERNET
        assert (found.sender_domain, found.recipient_domain, found.queue_id) == ("partner.test", None, "A7DBC242A08")
        assert found.tls == ("encrypted", "anonymous", "correlated", "TLSv1.3", "TLS_AES_256_GCM_SHA384")
        assert found.result[:3] == (Outcome.SENT, None, None)

    def test_by_the_count(self) -> None:
        """With smtpd_tls_loglevel = 0 the counts at the end tell, though neither protocol nor cipher."""
        (found,) = inbound(connect(), mail(), queued(), disconnect())
        assert found.tls == ("encrypted", None, "inferred", None, None)

    @pytest.mark.parametrize("sni", ["", " to mx.our.test"])
    @pytest.mark.parametrize("trust", ["Anonymous", "Untrusted", "Trusted"])
    def test_words(self, trust: str, sni: str) -> None:
        """A client certificate changes the word, tls_server_sni_maps adds a name."""
        (found,) = inbound(connect(), established(trust=trust, sni=sni), mail(), queued(), disconnect())
        assert found.tls.authentication == trust.lower()

    def test_several_mails(self) -> None:
        """One session brings many mails; their senders stand in lines of qmgr(8), also long after."""
        texts = [connect(), established(), mail("AAAAAA0001"), queued("AAAAAA0001"), mail("AAAAAA0002"), disconnect()]
        found = inbound(*texts, queued("AAAAAA0002", "b@Second.TEST"))
        assert [(one.sender_domain, one.tls.security) for one in found] == [
            ("partner.test", "encrypted"), ("second.test", "encrypted"),
        ]  # fmt: skip

    def test_client_port(self) -> None:
        """smtpd_client_port_logging adds the client's port, which says nothing about it."""
        client = f"{CLIENT}:41234"
        (found,) = inbound(connect(client), established(client), mail(client=client), queued(), disconnect())
        assert found.relay[:3] == ("mail.partner.test", "198.51.100.7", None)

    def test_a_mail_before_starttls_was_clear(self) -> None:
        """What began before the TLS line of a session came in clear."""
        texts = [connect(), mail("AAAAAA0001"), queued("AAAAAA0001"), established(), mail(), queued(), disconnect()]
        assert said(*texts) == ["plaintext", "encrypted"]

    def test_the_same_queue_id_in_another_session(self) -> None:
        """STARTTLS after a mail tells nothing of a later mail under its queue id."""
        lines = [connect(), mail(), connect(OTHER, 2), established(OTHER, 2), mail(client=OTHER, pid=2), established()]
        assert said(*lines, queued()) == ["encrypted"]


class TestClear:
    """No STARTTLS in a session, where the log proves that there was none."""

    def test_by_the_count_of_a_process_that_did_starttls(self) -> None:
        """A process that did STARTTLS before is of no service in wrapper mode: no count is no TLS."""
        texts = [connect(OTHER), mail(client=OTHER), queued(), disconnect(CLEAR, OTHER)]
        assert said(*unlogged(), *texts) == ["encrypted", "plaintext"]

    def test_tls_logging_on(self) -> None:
        """Between two proofs of TLS logging a session without a TLS line is clear, with counts or without (2.x)."""
        for end in (CLEAR, ""):
            texts = [connect(), mail(), queued(), disconnect(end)]
            found = said(*session(), *texts, *session(51, "F0000000002"))
            assert sorted(found) == ["encrypted", "encrypted", "plaintext"]

    def test_starttls_refused_by_ourselves(self) -> None:
        """454 to STARTTLS for a reason of our own; the mail comes in clear."""
        texts = [
            connect(),
            mail(),
            queued(),
            disconnect("ehlo=1 starttls=0/1 mail=1 rcpt=1 data=1 quit=1 commands=5/6"),
        ]
        assert said(*unlogged(), *texts)[1] == "plaintext"


class TestUnknown:
    """What the log does not tell is not said."""

    def test_loglevel_0(self) -> None:
        """No STARTTLS counted and no TLS line: it may be a service in wrapper mode."""
        assert said(connect(), mail(), queued(), disconnect(CLEAR)) == ["unknown"]

    def test_wrapper_mode(self) -> None:
        """Other processes did STARTTLS, this one did not: it may be one of port 465."""
        texts = [connect(pid=2), mail(pid=2), queued(), disconnect(CLEAR, pid=2)]
        assert sorted(said(*unlogged(), *texts, *unlogged("F0000000009"))) == ["encrypted", "encrypted", "unknown"]

    def test_no_counts(self) -> None:
        """Postfix 2.11 without TLS logging."""
        assert said(connect(), mail(), queued(), disconnect("")) == ["unknown"]

    def test_the_beginning_was_not_seen(self) -> None:
        """The TLS line may have stood before the beginning of the log."""
        texts = [mail(pid=2), queued(), disconnect("", pid=2)]
        assert sorted(said(*session(), *texts, *session(51, "F0000000002"))) == ["encrypted", "encrypted", "unknown"]

    def test_the_end_was_not_seen(self) -> None:
        """The log ends within the session."""
        assert said(connect(), mail(), queued()) == ["unknown"]

    def test_another_session_began(self) -> None:
        """The line of the end was lost; the next session has nothing to do with the TLS line of this one."""
        texts = [connect(), established(), connect(OTHER), mail(client=OTHER), queued()]
        assert said(*texts) == ["unknown"]

    def test_lines_were_lost(self) -> None:
        """After lines were dropped nobody knows what a process holds."""
        texts = [*session(), connect(), mail(), "LOST", queued(), disconnect(""), *session(51, "F0000000002")]
        at = Clock()
        lost = "Nov  3 10:00:07 mail rsyslogd: imuxsock lost 34 messages from pid 11 due to rate-limiting"
        found = reading([lost if text == "LOST" else at(text) for text in texts]).deliveries
        assert sorted(one.tls.security for one in found) == ["encrypted", "encrypted", "unknown"]

    def test_xclient(self) -> None:
        """A proxy hands the mail of somebody else on: its own TLS says nothing about the other's."""
        texts = [
            connect(),
            established(),
            mail(client=OTHER),
            queued(),
            mail("AAAAAA0002", OTHER),
            queued("AAAAAA0002"),
        ]
        assert said(*texts, disconnect()) == ["unknown", "unknown"]

    def test_unread_tls_line(self) -> None:
        """A TLS line that cannot be read is reported; without counts the mail after it is not known to be clear."""
        at = Clock()
        odd = f"smtpd[1]: Anonymous TLS connection established from {CLIENT}: QUIC with cipher X"
        texts = [*session(), connect(), odd, mail(), queued(), disconnect(""), *session(51, "F0000000002")]
        result = reading([at(text) for text in texts])
        assert len(result.unread) == 1
        assert sorted(one.tls.security for one in result.deliveries) == ["encrypted", "encrypted", "unknown"]


class TestWho:
    """Who sends, and what is none of others' mail."""

    @pytest.mark.parametrize(
        ("sender", "domain"),
        [
            ("", "<>"), ("root", None), ("a@B.Example", "b.example"), ('"a b>, size=1"@x.test', "x.test"),
            ("josé@дом.test", "xn--d1aqf.test"), ("u@[192.0.2.7]", "[192.0.2.7]"), ("a@b c", None),
        ],
    )  # fmt: skip
    def test_sender(self, sender: str, domain: str | None) -> None:
        """The domain that is claimed; the null sender has a sign of its own."""
        (found,) = inbound(connect(), established(), mail(), queued(sender=sender), disconnect())
        assert found.sender_domain == domain

    def test_unknown_name(self) -> None:
        """A client whose address has no name."""
        (found,) = inbound(*session()[:4])
        assert (found.relay.host, found.relay.ip) == (None, "203.0.113.9")

    @pytest.mark.parametrize("instance", ["postfix/submission", "postfix/smtps", "postfix/submissions", "submission"])
    def test_submission_service(self, instance: str) -> None:
        """A service for our own users, by its syslog_name."""
        (found,) = inbound(connect(), established(), mail(), queued(), disconnect(), instance=instance)
        assert found.relay.scope is Scope.SUBMISSION

    def test_login(self) -> None:
        """A client that logs in is one of our own users at any service."""
        login = mail(more=", sasl_method=PLAIN, sasl_username=ann@our.test")
        (found,) = inbound(connect(), established(), login, queued(), disconnect())
        assert found.relay.scope is Scope.SUBMISSION

    def test_a_name_is_no_login(self) -> None:
        """What the filter passes on of another client is behind all else."""
        more = mail(more=", orig_queue_id=AAAA, orig_client=x[1.2.3.4]")
        (found,) = inbound(connect(), established(), more, queued(), disconnect())
        assert found.relay.scope is Scope.INTERNET

    @pytest.mark.parametrize("client", ["localhost[127.0.0.1]", "localhost[::1]"])
    def test_reinjection(self, client: str) -> None:
        """A filter on loopback that gives mail back is no client of others, and neither is a program here."""
        texts = [connect(client), mail(client=client, more=", orig_queue_id=AAAA"), queued(), disconnect(CLEAR, client)]
        assert said(*texts) == []

    def test_private(self) -> None:
        """Private networks are apart, unless they are said to be the internet."""
        from ipaddress import ip_network  # noqa: PLC0415

        client = "pc.our.test[192.168.7.7]"
        texts = [connect(client), established(client), mail(client=client), queued(), disconnect(WITH_TLS, client)]
        (found,) = inbound(*texts)
        assert found.relay.scope is Scope.PRIVATE
        (found,) = inbound(*texts, settings=SETTINGS._replace(internet=(ip_network("192.168.0.0/16"),)))
        assert found.relay.scope is Scope.INTERNET

    def test_only_accepted_mail_counts(self) -> None:
        """A mail that never came to qmgr(8) was not accepted: the client gave up, a milter rejected it."""
        assert said(connect(), established(), mail(), disconnect()) == []

    def test_each_mail_once(self) -> None:
        """qmgr(8) writes its line again at each retry."""
        assert said(connect(), established(), mail(), queued(), queued(), disconnect(), queued()) == ["encrypted"]

    def test_mail_of_this_machine(self) -> None:
        """Mail by sendmail(1) has no client."""
        assert said("pickup[3]: A7DBC242A08: uid=0 from=<root>", queued()) == []

    def test_postscreen(self) -> None:
        """postscreen(8) and its tlsproxy(8) take no mail; the client comes again."""
        texts = [
            "postscreen[4]: CONNECT from [198.51.100.7]:4711 to [192.0.2.1]:25",
            "tlsproxy[5]: CONNECT from [198.51.100.7]:4711",
            f"tlsproxy[5]: Anonymous TLS connection established from [198.51.100.7]:4711: {TLS13}",
            f"tlsproxy[5]: Anonymous TLS connection established from [198.51.100.7]:4711 to mx.our.test: {TLS13}",
            "postscreen[4]: PASS NEW [198.51.100.7]:4711",
            "tlsproxy[5]: DISCONNECT [198.51.100.7]:4711",
            "postscreen[4]: DISCONNECT [198.51.100.7]:4711",
        ]
        assert said(*texts) == []


class TestRefused:
    """Sessions that failed for TLS bring no mail, so their sender is not known."""

    def test_handshake(self) -> None:
        """A failed handshake counts once, however many lines tell of it."""
        texts = [
            connect(), f"smtpd[1]: SSL_accept error from {CLIENT}: -1",
            "smtpd[1]: warning: TLS library problem: error:0A000076:SSL routines::no shared cipher:x.c:1:",
            f"smtpd[1]: lost connection after STARTTLS from {CLIENT}", disconnect("ehlo=1 starttls=0/1 commands=1/2"),
        ]  # fmt: skip
        (found,) = inbound(*texts)
        assert (found.result.outcome, found.result.cause) == (Outcome.DEFERRED, Cause.TLS_HANDSHAKE)
        assert (found.tls.security, found.sender_domain, found.relay.ip) == ("none", None, "198.51.100.7")

    @pytest.mark.parametrize("prefix", ["", "NOQUEUE: ", "A7DBC242A08: "])
    def test_gone_after_starttls(self, prefix: str) -> None:
        """Postfix 3.10 puts a queue id in front."""
        texts = [connect(), f"smtpd[1]: {prefix}lost connection after STARTTLS from {CLIENT}", disconnect("ehlo=1")]
        assert [one.result.cause for one in inbound(*texts)] == [Cause.TLS_HANDSHAKE]

    REFUSED = "ehlo=1 mail=0/1 quit=1 commands=2/3"

    def test_demanded(self) -> None:
        """Where all mail comes over TLS, a MAIL that fails for no reason in the log was refused for want of TLS."""
        found = inbound(*unlogged(), connect(OTHER), disconnect(self.REFUSED, OTHER))
        assert [(one.result.outcome, one.result.cause) for one in found] == [
            (Outcome.SENT, None), (Outcome.BOUNCED, Cause.TLS_NOT_OFFERED),
        ]  # fmt: skip

    def test_not_demanded(self) -> None:
        """Where mail comes in clear, too, it failed for something else."""
        texts = [connect(), mail(), queued(), disconnect(CLEAR), connect(OTHER), disconnect(self.REFUSED, OTHER)]
        assert said(*unlogged(), *texts) == ["encrypted", "plaintext"]

    def test_rejected_sender(self) -> None:
        """A sender that is rejected by name."""
        reject = f"smtpd[1]: NOQUEUE: reject: MAIL from {OTHER}: 554 5.7.1 <x@y>: Sender address rejected; from=<x@y>"
        assert said(*unlogged(), connect(OTHER), reject, disconnect(self.REFUSED, OTHER)) == ["encrypted"]

    def test_our_own_machine(self) -> None:
        """What a program on this machine fails at is no client's matter."""
        here = "localhost[127.0.0.1]"
        assert said(connect(here), f"smtpd[1]: SSL_accept error from {here}: -1", disconnect("", here)) == []


# --- over cuts, and hostile ------------------------------------------------------------------------------------------
_TEXTS = st.sampled_from(
    [
        line
        for pid in (1, 2)
        for client in (CLIENT, OTHER, "localhost[127.0.0.1]")
        for queue_id in ("A7DBC242A08", "AAAAAA0002")
        for line in (
            connect(client, pid), established(client, pid), mail(queue_id, client, pid), queued(queue_id),
            disconnect(WITH_TLS, client, pid), disconnect(CLEAR, client, pid), disconnect("", client, pid),
            f"smtpd[{pid}]: SSL_accept error from {client}: -1", START,
            disconnect("ehlo=1 mail=0/1 commands=1/2", client, pid),
            "master[1]: reload -- version 3.7.11, configuration /etc/postfix",
        )
    ]
)  # fmt: skip


def test_no_process_numbers() -> None:
    """Where a logger leaves process numbers out, nobody knows which session a mail came by."""
    texts = [START]
    for number in range(100):
        texts += [connect(), connect(OTHER), established(), mail(f"A{number:09}"), mail(f"B{number:09}", OTHER)]
        texts += [queued(f"A{number:09}"), queued(f"B{number:09}"), disconnect(), disconnect("ehlo=1 mail=0/1", OTHER)]
    assert said(*(text.replace("[1]", "", 1) for text in texts)) == ["unknown"] * 200


def _pieces(data: bytes, cuts: list[int]) -> list[Delivery]:
    carry: Any = None
    found, rest = list[Delivery](), b""
    for begin, end in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        piece = rest + data[begin:end]
        one, carry = read_piece(piece, carry, SETTINGS)
        carry = json.loads(json.dumps(carry))
        rest = piece[one.consumed :]
        found += one.deliveries
    return found + LogReader(SETTINGS, carry).held(rest)


@given(st.lists(st.tuples(_TEXTS, st.sampled_from([0, 1, 60, 200, 4000])), max_size=25), st.lists(st.integers(0, 3000)))
def test_cut_anywhere(lines: list[tuple[str, int]], cuts: list[int]) -> None:
    """Any order of lines, cut anywhere with the state written and read at each cut, gives what the whole gives."""
    at = Clock()
    data = log(*(at(text, after) for text, after in lines))
    assert _pieces(data, cuts) == _pieces(data, [])


@given(st.lists(_TEXTS, max_size=40))
def test_clear_only_with_proof(lines: list[str]) -> None:
    """In any order of lines: no mail is clear without a line of TLS or a count of STARTTLS somewhere in the log."""
    found = said(*lines)
    if not any("TLS connection" in line or "starttls=1" in line for line in lines):
        assert set(found) <= {"unknown", "none"}


@given(_TEXTS, st.data())
def test_any_text(text: str, data: st.DataObject) -> None:
    """Whatever stands in a line, the reader never fails."""
    at = data.draw(st.integers(0, len(text)))
    spoilt = text[:at] + data.draw(st.text(max_size=8)) + text[at + data.draw(st.integers(0, 3)) :]
    reading([f"Nov  3 10:00:00 mail postfix/{line}" for line in (connect(), spoilt.replace("\n", " "), disconnect())])
