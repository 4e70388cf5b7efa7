"""An expired message is told by the domains of the recipients that its last attempt deferred."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.maillog.postfix.lines import MX, NOT_OFFERED, OTHER, QID, QID2, START, Clock, deferred, deliveries, to

from maillog.model import Cause, Outcome, Relay, Scope, Security
from maillog.postfix.queue import QUEUE_LIMIT, RECIPIENTS_LIMIT, Queue, Waiting

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
RELAY = Relay("mx.good.test", "203.0.113.1", 25, Scope.INTERNET)
EXPIRED = f"qmgr[9]: {QID}: from=<s@our.test>, status=expired, returned to sender"
LATER = deferred("host mx.good.test[203.0.113.1] said: 450 4.2.0 later (in reply to RCPT TO command)")


def waiting(domain: str = "good.test", after: timedelta = timedelta()) -> Waiting:
    """Return a deferred recipient."""
    return Waiting(NOON + after, domain, RELAY, Cause.UNRELATED)


class TestLines:
    """``QID: from=<…>, status=expired`` in a log."""

    def test_expired(self) -> None:
        """All recipients still deferred are lost, each with the cause of its last attempt."""
        at = Clock()
        lines = [
            at(START), at(to(status=deferred(NOT_OFFERED), tls="!encrypt")),
            at(to(recipient="b@other.test", relay=OTHER, status=LATER)), at(to(recipient="c@other.test", relay=OTHER)),
            at(EXPIRED),
        ]  # fmt: skip
        expired = [d for d in deliveries(*lines) if d.result.outcome is Outcome.EXPIRED]
        assert [(d.recipient_domain, d.result.cause, d.relay.host) for d in expired] == [
            ("good.test", Cause.TLS_NOT_OFFERED, "mx.good.test"), ("other.test", Cause.UNRELATED, "mx.other.test"),
        ]  # fmt: skip
        assert {d.tls.security for d in expired} == {Security.NONE}

    def test_forced(self) -> None:
        """The command postsuper -e expires too (3.5)."""
        at = Clock()
        lines = [at(START), at(to(status=LATER)), at(EXPIRED.replace("expired", "force-expired"))]
        assert [d.result.outcome for d in deliveries(*lines)] == [Outcome.DEFERRED, Outcome.EXPIRED]

    @pytest.mark.parametrize("sender", ["", "mailer", '"a b"@our.test', '"a >\\""@our.test', '"a b"', 'a"b@our.test'])
    def test_senders(self, sender: str) -> None:
        """Whoever sent it: nobody, an address without a domain, one in quotes or, before 3.5, with one within."""
        at = Clock()
        lines = [at(START), at(to(status=LATER)), at(EXPIRED.replace("s@our.test", sender))]
        assert [d.result.outcome for d in deliveries(*lines)] == [Outcome.DEFERRED, Outcome.EXPIRED]

    def test_retried(self) -> None:
        """A recipient that was deferred several times is lost once; one that got its mail is not lost."""
        at = Clock()
        lines = [
            at(START),
            at(to(status=LATER)),
            at(to(status=LATER), 300),
            at(to(recipient="b@good.test", status=LATER)),
        ]
        lines += [at(to(recipient="b@good.test"), 300), at(EXPIRED)]
        assert [d.result.outcome for d in deliveries(*lines)].count(Outcome.EXPIRED) == 1

    def test_other_message(self) -> None:
        """The recipients of other messages stay."""
        at = Clock()
        lines = [at(START), at(to(QID2, status=LATER)), at(EXPIRED)]
        assert [d.result.outcome for d in deliveries(*lines)] == [Outcome.DEFERRED]

    def test_hostile_sender(self) -> None:
        """A sender address that contains the words is no expiry."""
        at = Clock()
        hostile = (
            f'qmgr[9]: {QID}: from=<"x>, status=expired, returned to sender"@a.test>, size=1, nrcpt=1 (queue active)'
        )
        lines = [at(START), at(to(status=LATER, relay=MX)), at(hostile)]
        assert [d.result.outcome for d in deliveries(*lines)] == [Outcome.DEFERRED]


class TestQueue:
    """The memory behind it."""

    def test_recycled_id(self) -> None:
        """A queue id comes back: what an older message left under it is not lost again."""
        queue = Queue()
        queue.defer(QID, "a@old.test", waiting("old.test"))
        queue.defer(QID, "b@new.test", waiting("new.test", timedelta(hours=5)))
        assert [lost.domain for lost in queue.expire(QID)] == ["new.test"]

    def test_expires_once(self) -> None:
        """A second line about the same message finds nothing."""
        queue = Queue()
        queue.defer(QID, "a@good.test", waiting())
        assert (len(queue.expire(QID)), queue.expire(QID)) == (1, [])

    def test_bounded(self) -> None:
        """Neither messages nor recipients of one message grow without end; the oldest messages are forgotten."""
        queue = Queue()
        for number in range(QUEUE_LIMIT + 5):
            queue.defer(f"A{number}", "a@good.test", waiting())
        assert len(queue.carry()) == QUEUE_LIMIT
        for number in range(RECIPIENTS_LIMIT + 5):
            queue.defer(QID, f"a{number}@good.test", waiting())
        assert sum(map(len, queue.carry().values())) <= RECIPIENTS_LIMIT

    def test_carry(self) -> None:
        """The state survives JSON, and holds no address."""
        before, after = Queue(), Queue()
        before.defer(QID, "secret@good.test", waiting())
        text = json.dumps(before.carry())
        assert "secret" not in text
        after.restore(json.loads(text))
        assert after.expire(QID) == [waiting()]
