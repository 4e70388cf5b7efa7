"""Which delivery ran over TLS: the rules that tie lines together (one process, one request at a time)."""

import json

import pytest
from tests.maillog.postfix.lines import (
    DELAYS,
    LATE,
    MX,
    NOT_OFFERED,
    OK,
    OTHER,
    QID,
    QID2,
    SETTINGS,
    START,
    Clock,
    between,
    deferred,
    deliveries,
    from_start,
    log,
    reading,
    securities,
    tls,
    to,
)

from maillog import Authentication, Evidence, LogReader, Security


class TestOneRequest:
    """The lines of one request in one process."""

    def test_summary_before_delivery(self) -> None:
        """A TLS summary for the relay, by the same process, before the first line of the request: encrypted."""
        delivery = deliveries(*from_start(tls(), to()))[1]
        assert delivery.tls == (
            Security.ENCRYPTED, Authentication.TRUSTED, Evidence.CORRELATED, "TLSv1.3", "TLS_AES_256_GCM_SHA384",
        )  # fmt: skip

    def test_no_summary(self) -> None:
        """No summary, in a log that is complete and whose TLS logging is on: in clear."""
        delivery = deliveries(*from_start(to()))[1]
        assert delivery.tls == (Security.PLAINTEXT, None, Evidence.CORRELATED, None, None)

    def test_host_case(self) -> None:
        """relay= keeps the case of the DNS, the TLS line has it folded since 3.4."""
        assert between(tls(MX), to(relay="MX.good.TEST[203.0.113.1]:25")) == ["encrypted"]

    def test_many_recipients(self) -> None:
        """The summary holds for all recipients of the request."""
        at = Clock()
        lines = [at(to(recipient=f"u{number}@good.test"), 0) for number in range(50)]
        assert securities(at(START, 0), at(tls(), 0), *lines) == ["encrypted"] * 50

    def test_second_request_of_the_same_message(self) -> None:
        """More than 50 recipients are several requests, each with a session of its own, which would have a summary."""
        second = "delay=3, delays=0.02/1.5/0.2/0.05"
        assert between(tls(), to(), to(recipient="z@good.test", delays=second)) == ["encrypted", "plaintext"]

    def test_second_request_that_fails(self) -> None:
        """Of an attempt that failed it is not told whether its session is the one before."""
        failed = to(
            status=deferred("host mx.good.test[203.0.113.1] said: 450 4.2.0 no (in reply to RCPT TO command)"),
            delays="delay=3, delays=0.02/1.5/0.2/0.05", dsn="4.2.0",
        )  # fmt: skip
        assert between(tls(), to(), failed) == ["encrypted", "unknown"]

    @pytest.mark.parametrize(
        "second",
        [
            to(status="status=sent (250 2.0.0 Ok: queued as ABC124)", recipient="z@good.test"),
            to(delays="delay=0.23, delays=0.02/0.03/0.12/0.06", recipient="z@good.test"),
            to(delays="delay=0.32, delays=0.02/0.03/0.22/0.05", recipient="z@good.test"),
        ],
        ids=["answer", "last time", "other times"],
    )
    def test_second_request_at_the_same_time(self, second: str) -> None:
        """One answer ends a mail for all its recipients (smtp_proto.c:smtp_loop); another one is of another mail."""
        assert between(tls(), to(), second) == ["encrypted", "plaintext"]

    @pytest.mark.parametrize("at", [1, 2, 3])
    def test_answer_that_is_cut(self, at: int) -> None:
        """A syslogd that cuts lines leaves more or less of the same answer, according to the address before it."""
        whole = to(recipient="z@good.test")
        cut = [to(status=OK[:end], recipient=f"{end}@good.test") for end in (-1, -5, -19)]
        lines = [*cut[:at], whole, *cut[at:]]
        assert between(tls(), *lines) == ["encrypted"] * 4

    @pytest.mark.parametrize(("answer", "expected"), [(OK, "encrypted"), (OK.replace("ABC123", "ABC124"), "plaintext")])
    def test_answer_over_a_cut(self, answer: str, expected: str) -> None:
        """The server's words are not kept from one piece of a log to the next; whether they are the same is known."""
        at = Clock()
        reader = LogReader(SETTINGS)
        reader.read(log(at(START), at(tls(), 0), at(to(), 0)))
        carry = json.loads(json.dumps(reader.carry()))
        assert "queued" not in json.dumps(carry)
        reader = LogReader(SETTINGS, carry)
        found = reader.read(log(at(to(status=answer, recipient="z@good.test"), 0))).deliveries + reader.held()
        assert [delivery.tls.security for delivery in found] == [expected]

    def test_connection_from_the_cache_for_the_second_request(self) -> None:
        """A session that began in this process is no cached one: what came from the cache unannounced was clear."""
        assert between(tls(), to(), to(use=2, recipient="z@good.test")) == ["encrypted", "plaintext"]

    def test_fresh_connection_after_a_cached_one(self) -> None:
        """Without conn_use= the session is not the cached one that was announced."""
        lines = (tls(kind="reused"), to(use=2), to(recipient="z@good.test"))
        assert between(*lines) == ["encrypted", "plaintext"]

    def test_second_request_with_summary(self) -> None:
        """A new summary begins a new session."""
        second = "delay=3, delays=0.02/1.5/0.2/0.05"
        assert between(tls(), to(), tls(), to(recipient="z@good.test", delays=second)) == ["encrypted"] * 2

    def test_next_request(self) -> None:
        """Another queue id finds the session spent, also with the same relay."""
        assert between(tls(), to(QID), to(QID2)) == ["encrypted", "plaintext"]

    def test_other_process(self) -> None:
        """The summary of another process says nothing."""
        assert between(tls(pid=1), to(pid=2), to(QID2, pid=1)) == ["plaintext", "encrypted"]

    def test_other_relay(self) -> None:
        """The summary of another address or port says nothing."""
        for relay in ("mx.good.test[203.0.113.9]:25", "mx.good.test[203.0.113.1]:26", "mx2.good.test[203.0.113.1]:25"):
            assert between(tls(MX), to(relay=relay)) == ["plaintext"]

    def test_next_mx_in_clear(self) -> None:
        """A 450 over TLS, then the next MX host in clear: the recipient went in clear."""
        soft = f"smtp[1]: {QID}: host mx.good.test[203.0.113.1] said: 450 4.7.1 later (in reply to RCPT TO command)"
        assert between(tls(), to(), soft, to(relay=OTHER, recipient="b@good.test")) == ["encrypted", "plaintext"]

    def test_clear_mx_skipped(self) -> None:
        """A host that fails, then a TLS host: encrypted."""
        assert between(f"smtp[1]: {QID}: {NOT_OFFERED}", tls(OTHER), to(relay=OTHER)) == ["encrypted"]

    def test_reply_over_tls_keeps_session(self) -> None:
        """A refused recipient does not end the session of the others."""
        refused = deferred("host mx.good.test[203.0.113.1] said: 450 4.2.0 no (in reply to RCPT TO command)")
        assert between(tls(), to(status=refused, dsn="4.2.0"), to(recipient="b@good.test")) == ["encrypted"] * 2

    def test_tls_line_of_tlsrpt_between(self) -> None:
        """A TLSRPT line stands where a queue id would, and is none (3.10, tls/tlsrpt_wrapper.c)."""
        report = "smtp[1]: TLSRPT: status=success, domain=good.test, receiving_mx=mx.good.test[203.0.113.1]"
        assert between(tls(), report, to()) == ["encrypted"]


LONG_NAME = ".".join(letter * 60 for letter in "abcd")
FAILURES = {
    "lost": "lost connection with mx.good.test[203.0.113.1] while sending RCPT TO",
    "lost after handshake": "lost connection with mx.good.test[203.0.113.1] while performing the EHLO handshake",
    "timed out": "conversation with mx.good.test[203.0.113.1] timed out while sending MAIL FROM",
    "end of data": (
        "lost connection with mx.good.test[203.0.113.1] while sending end of data -- message may be sent more than once"
    ),
    "handshake": "Cannot start TLS: handshake failure",
    "certificate": "Server certificate not verified",
    "certificate until 3.5": "Server certificate not trusted",
    "not offered": NOT_OFFERED,
    "long host name": f"lost connection with {LONG_NAME}[203.0.113.1] while sending DATA command",
}


def test_which_hosts_failed_before() -> None:
    """Sent or deferred: the other hosts that had failed in the same attempt are named with it."""
    said = f"smtp[1]: {QID}: host mx9.a.test[203.0.113.9] said: 450 4.3.2 Over capacity (in reply to RCPT TO command)"
    busy = to(status=deferred("host mx.good.test[203.0.113.1] said: 450 4.3.2 Busy (in reply to RCPT TO command)"))
    failed = [deliveries(*from_start(said, tls(), last))[1].result.earlier for last in (to(), busy)]
    assert failed == ["203.0.113.9"] * 2
    assert deliveries(*from_start(tls(), busy))[1].result.earlier is None


class TestFallback:
    """After a session that broke, the same host is tried again in clear (smtp.h, PLAINTEXT_FALLBACK_OK)."""

    @pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
    def test_in_clear_after_handshake(self, failure: str) -> None:
        """The summary of the session that broke is not the one of the retry."""
        relay = MX
        if LONG_NAME in failure:
            relay = f"{LONG_NAME}[203.0.113.1]:25"
        assert between(tls(relay), f"smtp[1]: {QID}: {failure}", to(relay=relay, delays=LATE)) == ["plaintext"]

    def test_ssl_error(self) -> None:
        """A handshake that fails leaves no session."""
        error = "smtp[1]: SSL_connect error to mx.good.test[203.0.113.1]:25: lost connection"
        assert between(tls(), error, f"smtp[1]: {QID}: {FAILURES['handshake']}", to()) == ["plaintext"]

    def test_ssl_error_alone(self) -> None:
        """The same where the line of the queue id was lost."""
        error = "smtp[1]: SSL_connect error to mx.good.test[203.0.113.1]:25: lost connection"
        assert between(tls(), error, to()) == ["plaintext"]

    def test_stated(self) -> None:
        """tls= of 3.11 outranks a stale summary."""
        delivery = deliveries(*from_start(tls(), to(tls="may:none")))[1]
        assert (delivery.tls.security, delivery.tls.evidence) == (Security.PLAINTEXT, Evidence.STATED)


class TestUnreadLines:
    """A line that cannot be read must not make its neighbours lie."""

    def test_unreadable_summary(self) -> None:
        """After a TLS line whose cipher cannot be read, silence proves nothing, until the next request."""
        lines = from_start(tls(what="QUIC with nothing"), to(), to(recipient="b@good.test"), to(QID2))
        result = reading(lines)
        assert len(result.unread) == 1
        assert [delivery.tls.security.value for delivery in sorted(result.deliveries)][1:-1] == [
            "unknown", "unknown", "plaintext",
        ]  # fmt: skip

    def test_unreadable_delivery_owns_session(self) -> None:
        """A delivery line that cannot be read still owns the session: the next request does not inherit it."""
        odd = f"smtp[1]: {QID}: to=<x y>, relay=a>, relay=b@good.test>, relay={MX}, {DELAYS}, dsn=2.0.0, {OK}"
        result = reading(from_start(tls(), odd, to(QID2)))
        assert len(result.unread) == 1
        assert [delivery.tls.security.value for delivery in sorted(result.deliveries)][1:-1] == ["plaintext"]

    def test_unreadable_delivery_leaves_session(self) -> None:
        """The other recipients of the same request keep the session."""
        odd = f"smtp[1]: {QID}: to=<x y>, relay=a>, relay=b@good.test>, relay={MX}, {DELAYS}, dsn=2.0.0, {OK}"
        result = reading(from_start(tls(), odd, to(QID)))
        assert [delivery.tls.security.value for delivery in sorted(result.deliveries)][1:-1] == ["encrypted"]


LOSSES = (
    "systemd-journald[77]: Suppressed 917 messages from postfix@-.service",
    "rsyslogd: imuxsock lost 34 messages from pid 11 due to rate-limiting",
    "rsyslogd: imjournal: 84667 messages lost due to rate-limiting (20000 allowed within 600 seconds)",
    "rsyslogd-2177: imuxsock[pid 57]: begin to drop messages due to rate-limiting",
    "rsyslogd-2177: imuxsock begins to drop messages from pid 57 due to rate-limiting",
)


class TestBeginningAndLoss:
    """Where lines are missing, their absence proves nothing."""

    def test_rotated_beginning(self) -> None:
        """An attempt that began before the log did may have had its TLS line in the log before."""
        at = Clock()
        slow = "delay=30, delays=0.02/0.03/20/9"
        lines = [
            at(to("AAAAAA0001", OTHER, pid=9, delays=slow)), at(tls(OTHER, pid=2)), at(to("AAAAAA0002", OTHER, pid=2)),
            at(to("AAAAAA0003", pid=9, delays=slow)), at(to("AAAAAA0004", pid=9), after=40),
            at(tls(OTHER, pid=3)), at(to("AAAAAA0005", OTHER, pid=3)),
        ]  # fmt: skip
        assert securities(*lines) == ["unknown", "encrypted", "unknown", "plaintext", "encrypted"]

    @pytest.mark.parametrize("loss", LOSSES)
    def test_lost_lines(self, loss: str) -> None:
        """Attempts that ran while lines were dropped are unknown."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2))]
        lines += [at("x").replace("postfix/x", loss), at(to("AAAAAA0002", pid=5))]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        slow = [line.replace("0.12/0.05", "3/0.05") for line in lines]
        assert securities(*slow)[1] == "unknown"

    def test_after_the_loss(self) -> None:
        """What begins after the loss is known again."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2))]
        lines += [at("x").replace("postfix/x", LOSSES[0]), at(to("AAAAAA0002", pid=5), after=30)]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        assert securities(*lines) == ["encrypted", "plaintext", "encrypted"]

    def test_dropping_lasts(self) -> None:
        """What begins soon after "begin to drop" is unknown too: nobody says when it ended."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2))]
        lines += [at("x").replace("postfix/x", LOSSES[3]), at(to("AAAAAA0002", pid=5), after=30)]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        assert securities(*lines)[1] == "unknown"

    def test_start_ends_no_dropping(self) -> None:
        """A restart while the logger drops lines does not make the log whole: that of a TLS line may be among them."""
        at = Clock()
        lines = [at(START), at("x").replace("postfix/x", LOSSES[3]), at(START, after=30)]
        lines += [at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2)), at(to("AAAAAA0002", pid=5))]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        assert securities(*lines) == ["encrypted", "unknown", "encrypted"]

    @pytest.mark.parametrize("loss", [(), (LOSSES[0],)])
    def test_start_of_another_instance_is_no_beginning(self, loss: tuple[str, ...]) -> None:
        """Where the log begins anew, at its top or after a loss, the start of an instance says nothing of another."""
        at = Clock()
        slow = "delay=30, delays=0.02/0.03/20/9"
        lines = [at("x").replace("postfix/x", line) for line in loss]
        lines += [
            at(START, instance="postfix-out"), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2)),
            at(to("AAAAAA0002", pid=9, delays=slow)),
            at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3)),
        ]  # fmt: skip
        assert securities(*lines) == ["encrypted", "unknown", "encrypted"]

    def test_start_completes_services_below_the_instance(self) -> None:
        """A service with a name of its own below that of its instance begins with it."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2))]
        lines = [at(START), *(at(line, 0, instance="postfix/relay") for line in (
            tls(OTHER, pid=2), to("AAAAAA0001", OTHER, pid=2), to("AAAAAA0002", pid=5),
            tls(OTHER, pid=3), to("AAAAAA0003", OTHER, pid=3),
        ))]  # fmt: skip
        assert securities(*lines) == ["encrypted", "plaintext", "encrypted"]

    def test_lost_summary_of_next_request(self) -> None:
        """A session whose own delivery line was lost is not the next request's, if the times do not fit."""
        assert between(
            tls(), "smtp[2]: connect to x[203.0.113.5]:25: Connection refused", *["smtp[3]: x"] * 4, to()
        ) == ["unknown"]

    def test_other_instance_starts(self) -> None:
        """The start of another instance's master(8) completes nothing and ends no session here."""
        at = Clock()
        other = {"instance": "postfix-out"}
        lines = [
            at(tls(pid=1)), at(START, 0, **other), at(to(QID, pid=1)),
            at(to("AAAAAA0003", pid=9, delays="delay=30, delays=0.02/0.03/20/9")),
            at(tls(OTHER, pid=3)), at(to("AAAAAA0005", OTHER, pid=3)),
        ]  # fmt: skip
        assert securities(*lines) == ["encrypted", "unknown", "encrypted"]


class TestInstances:
    """Tags, hosts, queue ids."""

    @pytest.mark.parametrize("instance", ["postfix", "postfix/relay", "mta-eu", "postfix-out/relay"])
    def test_syslog_name(self, instance: str) -> None:
        """The instance is everything before the last slash of the tag."""
        at = Clock()
        assert deliveries(at(START), at(to(), instance=instance))[0].source.instance == instance

    def test_same_number_in_two_instances(self) -> None:
        """Two instances, or hosts, may have equal process numbers; their lines are apart."""
        for other in ({"instance": "postfix-out"}, {"host": "mail2"}):
            at = Clock()
            lines = [at(START), at(tls()), at(to(QID2), 0, **other), at(to(QID))]
            assert securities(*lines) == ["unknown", "encrypted"]

    @pytest.mark.parametrize("queue_id", ["C3CD21F3E90", "4jY6Qy279GzLD0G", "BCDFGHJKLMzNPQ", "ABCDEF", "4Q"])
    def test_queue_ids(self, queue_id: str) -> None:
        """Short and long queue ids, with and without digits; a too short one is none."""
        at = Clock()
        got = [delivery.queue_id for delivery in deliveries(at(START), at(to(queue_id)))]
        assert got == ([] if queue_id == "4Q" else [queue_id])


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process numbers and tags without end cost no memory without end, and no delivery is lost."""
    monkeypatch.setattr("maillog.postfix.sessions.PROCESS_LIMIT", 500)
    monkeypatch.setattr("maillog.postfix.deliveries.LOGGING_LIMIT", 50)
    at = Clock()
    reader = LogReader(SETTINGS)
    count = 0
    for number in range(600):
        tag = {"instance": f"p{number % 150}", "host": "mail"}
        lines = log(at(tls(pid=number), 0, **tag), at(to(pid=number), 0, **tag))
        count += len(reader.read(lines).deliveries)
    ((*_, state),) = reader.carry()["readers"]
    assert count + len(reader.held()) == 600
    assert len(state["processes"]["known"]) == 500
    assert len(state["logging"]) == 50
