"""Which delivery had a connection of its own, and which went over that of one before."""

import json

import pytest
from tests.maillog.postfix.lines import (
    LATE,
    OTHER,
    QID,
    QID2,
    SETTINGS,
    START,
    Clock,
    deferred,
    deliveries,
    from_start,
    log,
    tls,
    to,
)
from tests.maillog.postfix.test_inbound import CLIENT, connect, disconnect, established, inbound, mail, queued

from maillog import Delivery, LogReader

AGAIN = "z@good.test"
LATER = "delay=3, delays=0.02/1.5/0.2/0.05"
PUT_OFF = deferred("host mx.good.test[203.0.113.1] said: 450 4.2.0 no (in reply to RCPT TO command)")


def reused(*texts: str) -> list[bool]:
    """Return of each delivery in the texts whether it went over the connection of one before."""
    return [delivery.reused for delivery in deliveries(*from_start(*texts))[1:-1]]


@pytest.mark.parametrize("session", [[tls()], []], ids=["over TLS", "in clear"])
class TestOut:
    """What goes out."""

    def test_first_recipient(self, session: list[str]) -> None:
        """The first line of a request is of a connection of its own."""
        assert reused(*session, to()) == [False]

    def test_further_recipients(self, session: list[str]) -> None:
        """All recipients of a transaction share one."""
        assert reused(*session, to(), to(recipient=AGAIN), to(recipient="y@good.test")) == [False, True, True]

    def test_recipient_that_is_put_off(self, session: list[str]) -> None:
        """Also one whose line says another thing, so that it is read in another way."""
        put_off = to(recipient=AGAIN, status=PUT_OFF, dsn="4.2.0", delays="delay=0.19, delays=0.02/0.03/0.12/0.02")
        assert reused(*session, put_off, to()) == [False, True]
        assert reused(*session, to(), put_off) == [False, True]

    def test_second_request_of_the_same_message(self, session: list[str]) -> None:
        """More than 50 recipients are several requests, each with a connection."""
        assert reused(*session, to(), *session, to(recipient=AGAIN, delays=LATER)) == [False, False]

    def test_next_message(self, session: list[str]) -> None:
        """Another mail has its own, also in the same process and at the same host."""
        assert reused(*session, to(QID), *session, to(QID2)) == [False, False]

    def test_retry(self, session: list[str]) -> None:
        """The same mail, tried again by the same process, and it takes as long as before."""
        at = Clock()
        lines = [*session, to(status=PUT_OFF, dsn="4.2.0")], [*session, to(delays=LATE)]
        again = [at(text, 0 if number else 300) for part in lines for number, text in enumerate(part)]
        assert [one.reused for one in deliveries(at(START), *again)] == [False, False]

    def test_other_host(self, session: list[str]) -> None:
        """The rest of a mail's recipients, at the next host."""
        over_tls = [tls(OTHER)] if session else []
        assert reused(*session, to(), *over_tls, to(relay=OTHER, recipient=AGAIN)) == [False, False]

    def test_other_process(self, session: list[str]) -> None:
        """Two requests of one mail at the same time are in two processes."""
        assert reused(*session, to(), to(pid=2, recipient=AGAIN)) == [False, False]


def test_second_request_in_clear() -> None:
    """What went in clear has a connection of its own, though its request took as long, to the digits."""
    in_clear = to(recipient=AGAIN, delays="delay=0.31, delays=0.02/0.03/0.12/0.14")
    assert reused(tls(), to(), in_clear) == [False, False]
    stated = to(tls="may:none", recipient=AGAIN, delays="delay=0.31, delays=0.02/0.03/0.12/0.14")
    assert reused(tls(), to(tls="may"), stated) == [False, False]


def test_kept_connection() -> None:
    """conn_use= counts the mails of a connection (``smtp/smtp_rcpt.c``); that of the first is not written."""
    assert reused(tls(), to(), tls(kind="reused"), to(QID2, use=2), to(QID2, use=2, recipient=AGAIN)) == [
        False, True, True,
    ]  # fmt: skip


def test_over_a_cut() -> None:
    """What the line before said is carried from one piece of a log to the next."""
    at = Clock()
    reader = LogReader(SETTINGS)
    reader.read(log(at(START), at(tls(), 0), at(to(), 0)))
    reader = LogReader(SETTINGS, json.loads(json.dumps(reader.carry())))
    found = reader.read(log(at(to(recipient=AGAIN), 0))).deliveries + reader.held()
    assert [delivery.reused for delivery in found] == [True]


def test_held_over_a_cut() -> None:
    """A delivery that waits keeps what is known of its connection."""
    at = Clock()
    reader = LogReader(SETTINGS)
    reader.read(log(at(START), at(to(), 0), at(to(recipient=AGAIN), 0)))
    reader = LogReader(SETTINGS, json.loads(json.dumps(reader.carry())))
    assert [delivery.reused for delivery in reader.held()] == [False, True]


class TestIn:
    """What comes in."""

    def of_mails(self, found: list[Delivery]) -> list[bool]:
        """Return it of each mail."""
        return [delivery.reused for delivery in found]

    def test_one_session(self) -> None:
        """All mails but the first of a session came over a connection that was used before."""
        texts = [text for name in ("AAAAAA0001", "AAAAAA0002") for text in (mail(name), queued(name))]
        assert self.of_mails(inbound(connect(), established(), *texts, disconnect())) == [False, True]
        assert self.of_mails(inbound(connect(), *texts, disconnect())) == [False, True]

    def test_two_sessions(self) -> None:
        """The next session has one of its own."""
        one = [connect(), established(), mail("AAAAAA0001"), queued("AAAAAA0001"), disconnect()]
        other = [connect(), established(), mail("AAAAAA0002"), queued("AAAAAA0002"), disconnect()]
        assert self.of_mails(inbound(*one, *other)) == [False, False]

    def test_over_a_cut(self) -> None:
        """A mail after a cut within a session, and one that waits over it."""
        at = Clock()
        texts = [at(connect(CLIENT)), at(established()), at(mail("AAAAAA0001")), at(mail("AAAAAA0002"))]
        reader = LogReader(SETTINGS)
        reader.read(log(*texts))
        reader = LogReader(SETTINGS, json.loads(json.dumps(reader.carry())))
        rest = [queued("AAAAAA0002"), queued("AAAAAA0001"), mail("AAAAAA0003"), queued("AAAAAA0003")]
        assert self.of_mails(reader.read(log(*map(at, rest))).deliveries) == [True, False, True]
