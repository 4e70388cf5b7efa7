"""Silent deliveries are in clear only where TLS logging is proven to have been on."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.postfix.lines import MX, OTHER, START, Clock, securities, tls, to

from maillog.model import Delivery, Direction, Evidence, Mta, Outcome, Relay, Result, Scope, Security, Source, Tls
from maillog.tls_logging import EDGE_LIMIT, EDGE_TIME, HELD_LIMIT, HELD_TIME, TlsLogging

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
RELOAD = "master[1]: reload -- version 3.7.11, configuration /etc/postfix"


def delivery(after: timedelta = timedelta(), name: str = "AAAAAA0001") -> Delivery:
    """Return a delivery without a TLS line, as it reads if logging was on."""
    return Delivery(
        NOON + after,
        Source(Mta.POSTFIX, "mail", "postfix"),
        name,
        Direction.OUTBOUND,
        "good.test",
        Relay("mx.good.test", "203.0.113.1", 25, Scope.INTERNET),
        Tls(Security.PLAINTEXT, evidence=Evidence.CORRELATED),
        Result(Outcome.SENT, "2.0.0"),
    )


def told(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    """Return security and evidence of each."""
    return [(item.tls.security.value, item.tls.evidence.value) for item in deliveries]


CLEAR, EDGE, UNKNOWN = ("plaintext", "correlated"), ("plaintext", "inferred"), ("unknown", "none")


class TestProofs:
    """A process born between two whose settings are proven had the same."""

    def test_between(self) -> None:
        """Between two proofs: in clear, decided with the second one."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        assert logging.silent(delivery(), 2, "b") == []
        assert told(logging.proof(3, NOON, "a")) == [CLEAR]

    def test_at_once(self) -> None:
        """What is born between two proofs that are known already is decided at once."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        logging.proof(5, NOON, "a")
        assert told(logging.silent(delivery(), 3, "b")) == [CLEAR]

    def test_never_proven(self) -> None:
        """Without any proof nothing is said."""
        logging = TlsLogging()
        logging.silent(delivery(), 1, "a")
        assert told(logging.held()) == [UNKNOWN]

    def test_own_process(self) -> None:
        """The proof counts from the birth of its process, not from its line."""
        logging = TlsLogging()
        logging.silent(delivery(), 3, "b")
        logging.proof(1, NOON, "a")
        assert told(logging.held()) == [EDGE]
        assert told(logging.proof(3, NOON, "c")) == [CLEAR]

    def test_boundary(self) -> None:
        """After a reload the proofs of before count no more."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        assert logging.boundary() == []
        logging.silent(delivery(), 2, "b")
        assert told(logging.held()) == [UNKNOWN]

    def test_fall_silent_together(self) -> None:
        """Three relays that did TLS fall silent between two proofs: logging was off in between."""
        logging = TlsLogging()
        for relay in "abc":
            logging.proof(1, NOON, relay)
        for relay in "abcd":
            logging.silent(delivery(), 2, relay)
        assert told(logging.proof(3, NOON, "z")) == [UNKNOWN] * 4

    def test_born_while_logging_was_off(self) -> None:
        """What these processes send later, or another one that was born then, is not known either."""
        logging = TlsLogging()
        for relay in "abc":
            logging.proof(1, NOON, relay)
        for relay in "abc":
            logging.silent(delivery(), 3, relay)
        logging.proof(5, NOON, "z")
        assert [told(logging.silent(delivery(), born, "d")) for born in range(1, 6)] == [
            [CLEAR], [UNKNOWN], [UNKNOWN], [UNKNOWN], [CLEAR]
        ]  # fmt: skip

    def test_one_falls_silent(self) -> None:
        """A single relay that stops to offer TLS is seen."""
        logging = TlsLogging()
        for relay in "abc":
            logging.proof(1, NOON, relay)
        for _ in range(5):
            logging.silent(delivery(), 2, "a")
        assert told(logging.proof(3, NOON, "z")) == [CLEAR] * 5


class TestEdges:
    """Before the first proof and behind the last one."""

    def test_short(self) -> None:
        """A short end is believed, as inferred."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        logging.silent(delivery(timedelta(minutes=5)), 2, "b")
        assert told(logging.held()) == [EDGE]

    def test_late(self) -> None:
        """An end long after the last proof is not."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        logging.silent(delivery(EDGE_TIME + timedelta(seconds=1)), 2, "b")
        assert told(logging.held()) == [UNKNOWN]

    def test_many(self) -> None:
        """Nor is a crowded one."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        for _ in range(EDGE_LIMIT + 1):
            logging.silent(delivery(), 2, "b")
        assert told(logging.held()) == [UNKNOWN] * (EDGE_LIMIT + 1)

    def test_contradicted(self) -> None:
        """Nor one where a relay that did TLS is silent."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        logging.silent(delivery(), 2, "b")
        logging.silent(delivery(), 2, "a")
        assert told(logging.held()) == [UNKNOWN] * 2

    def test_beginning(self) -> None:
        """The beginning is judged by the first proof, the end by the last one."""
        logging = TlsLogging()
        logging.silent(delivery(-timedelta(hours=3)), 1, "x")
        logging.proof(2, NOON, "a")
        logging.proof(3, NOON + timedelta(hours=3), "a")
        logging.silent(delivery(timedelta(hours=3)), 4, "y")
        assert told(logging.held()) == [UNKNOWN, EDGE]

    def test_waits_no_longer_than(self) -> None:
        """What waits too long, or is too much, is given up, and nothing of it is lost."""
        logging = TlsLogging()
        logging.proof(1, NOON, "a")
        assert logging.silent(delivery(), 2, "b") == []
        assert told(logging.silent(delivery(HELD_TIME + timedelta(seconds=1)), 2, "b")) == [UNKNOWN]
        given_up = [item for _ in range(HELD_LIMIT + 9) for item in logging.silent(delivery(HELD_TIME), 2, "b")]
        assert len(given_up) == 10
        assert len(logging.held()) == HELD_LIMIT


steps = st.lists(
    st.tuples(st.sampled_from(["silent", "proof", "boundary"]), st.integers(1, 6), st.sampled_from("abcdef")),
    max_size=40,
)


@given(steps, st.data())
def test_all_come_out_once(script: list[tuple[str, int, str]], data: st.DataObject) -> None:
    """Each delivery comes out exactly once, a cut through JSON anywhere changes nothing, and proofs are needed."""
    cut = data.draw(st.integers(0, len(script)))
    whole, pieces = TlsLogging(), TlsLogging()
    out: tuple[list[Delivery], list[Delivery]] = ([], [])
    for number, (step, born, relay) in enumerate(script):
        if number == cut:
            state = json.loads(json.dumps(pieces.carry()))
            pieces = TlsLogging()
            pieces.restore(state)
        time = timedelta(minutes=number)
        for logging, found in zip((whole, pieces), out, strict=True):
            match step:
                case "silent":
                    found.extend(logging.silent(delivery(time, f"A{number}"), born, relay))
                case "proof":
                    found.extend(logging.proof(born, NOON + time, relay))
                case _:
                    found.extend(logging.boundary(born - 4))
    out[0].extend(whole.held())
    out[1].extend(pieces.held())
    assert out[0] == out[1]
    silent = [f"A{number}" for number, (step, _, _) in enumerate(script) if step == "silent"]
    assert sorted(item.queue_id for item in out[0]) == sorted(silent)
    if not any(step == "proof" for step, _, _ in script):
        assert {item.tls.security for item in out[0]} <= {Security.UNKNOWN}


class TestSwitching:
    """smtp_tls_loglevel changed in the middle of a Postfix log; nobody notes it."""

    @staticmethod
    def phase(at: Clock, number: int, *, logged: bool, count: int = 8) -> list[str]:
        """Return encrypted deliveries to ``count`` relays, each by a process of its own."""
        lines = []
        for index in range(count):
            relay, pid = f"mx{index}.test[203.0.113.{index}]:25", number * 1000 + index
            lines += [at(tls(relay, pid))] if logged else []
            lines.append(at(to(f"ABCDEF{pid}", relay, pid)))
        return lines

    def test_on_with_reload(self) -> None:
        """What was sent before the reload stays unknown."""
        at = Clock()
        lines = [at(START), *self.phase(at, 1, logged=False), at(RELOAD), *self.phase(at, 2, logged=True)]
        assert securities(*lines) == ["unknown"] * 8 + ["encrypted"] * 8

    def test_on_without_reload(self) -> None:
        """Relays that do TLS later and were silent before: unknown."""
        at = Clock()
        lines = [at(START), *self.phase(at, 1, logged=False), *self.phase(at, 2, logged=True)]
        assert securities(*lines) == ["unknown"] * 8 + ["encrypted"] * 8

    def test_off_with_reload(self) -> None:
        """What was sent after the reload is unknown."""
        at = Clock()
        lines = [at(START), *self.phase(at, 1, logged=True), at(RELOAD), *self.phase(at, 2, logged=False)]
        assert securities(*lines) == ["encrypted"] * 8 + ["unknown"] * 8

    def test_off_without_reload(self) -> None:
        """Relays that did TLS and fall silent at the end: unknown."""
        at = Clock()
        lines = [at(START), *self.phase(at, 1, logged=True), *self.phase(at, 2, logged=False)]
        assert securities(*lines) == ["encrypted"] * 8 + ["unknown"] * 8

    def test_off_and_on(self) -> None:
        """Off for a while: unknown."""
        at = Clock()
        lines = [at(START)]
        for number, logged in enumerate((True, False, True)):
            lines += self.phase(at, number + 1, logged=logged)
        assert securities(*lines) == ["encrypted"] * 8 + ["unknown"] * 8 + ["encrypted"] * 8

    def test_old_process_after_switch(self) -> None:
        """A process that was born before goes on without logging while newer ones log."""
        at = Clock()
        lines = [at(START), at(to("AAAAAA0001", MX, pid=1))]
        lines += [at(tls(OTHER, pid=2)), at(to("AAAAAA0002", OTHER, pid=2)), at(to("AAAAAA0003", OTHER, pid=1))]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0004", OTHER, pid=3))]
        assert securities(*lines) == ["unknown", "encrypted", "unknown", "encrypted"]

    def test_reload_reads_afresh(self) -> None:
        """A process of before the reload proves nothing for those after it."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=1)), at(to("AAAAAA0001", OTHER, pid=1)), at(RELOAD)]
        lines += [at(to("AAAAAA0002", MX, pid=2)), at(tls(OTHER, pid=1)), at(to("AAAAAA0003", OTHER, pid=1))]
        assert securities(*lines) == ["encrypted", "unknown", "encrypted"]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0004", OTHER, pid=3))]
        assert securities(*lines) == ["encrypted", "plaintext", "encrypted", "encrypted"]

    def test_loglevel_0(self) -> None:
        """Without any TLS line nothing is known."""
        at = Clock()
        assert securities(at(START), *self.phase(at, 1, logged=False)) == ["unknown"] * 8
