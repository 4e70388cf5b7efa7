"""Which process writes: numbers that return, clocks that are set, and what is forgotten."""

import pytest
from tests.maillog.postfix.lines import (
    MX,
    OTHER,
    QID,
    QID2,
    SETTINGS,
    START,
    Clock,
    deliveries,
    log,
    securities,
    tls,
    to,
)

from maillog import LogReader, Security
from maillog.postfix.sessions import PROCESS_LIMIT, SWEEP_BIRTHS


class TestProcessNumbers:
    """Process numbers return."""

    def test_number_returns_within_minutes(self) -> None:
        """A number that was silent for longer than max_idle may be another process, of unknown birth."""
        at = Clock()
        lines = [
            at(START),
            at(tls(pid=1)),
            at(to(QID, pid=1)),
            at(tls(OTHER, pid=3), 60),
            at(to("AAAAAA0005", OTHER, pid=3)),
        ]
        assert securities(*lines, at(to(QID2, pid=1), 200)) == ["encrypted", "encrypted", "unknown"]

    def test_long_attempt_is_no_silence(self) -> None:
        """The time that an attempt took is no idleness."""
        at = Clock()
        slow = "delay=200, delays=0.02/0.03/190/9"
        lines = [
            at(START),
            at(tls(OTHER, pid=3)),
            at(to("AAAAAA0005", OTHER, pid=3)),
            at(tls(pid=1)),
            at(to(QID, pid=1)),
        ]
        lines += [at(to(QID2, pid=1, delays=slow), 220), at(tls(OTHER, pid=4)), at(to("AAAAAA0006", OTHER, pid=4))]
        assert securities(*lines) == ["encrypted", "encrypted", "plaintext", "encrypted"]

    def test_stale_session_of_earlier_process(self) -> None:
        """A session that no line claimed is not that of a later process under the same number."""
        at = Clock()
        lines = [
            at(START),
            at(tls(pid=1)),
            at(to(QID, pid=1), 90),
            at(tls(OTHER, pid=3)),
            at(to("AAAAAA0005", OTHER, pid=3)),
        ]
        assert securities(*lines) == ["unknown", "encrypted"]


class TestNoNumbers:
    """RFC 5424 has ``-`` for a number that a logger leaves out; others write the tag alone."""

    @pytest.mark.parametrize(("said", "known"), [(None, "unknown"), ("may?", "unknown"), ("may", "encrypted")])
    def test_sessions_side_by_side(self, said: str | None, known: str) -> None:
        """No line is tied to another one: it may be of any process."""
        at, lines = Clock(), []
        for number in range(100):
            one = [tls(MX), tls(OTHER), to(f"AAAAAA{number:04}", MX, tls=said)]
            lines += [at(text.replace("[1]", "", 1)) for text in [*one, to(f"BBBBBB{number:04}", OTHER, tls=said)]]
        assert securities(*lines) == [known] * 200

    def test_other_host_is_not_named(self) -> None:
        """Nor is it known which hosts failed before."""
        (one,) = deliveries(Clock()(to(tls="may").replace("[1]", "", 1)))
        assert one.result.earlier == "?"


class TestSweep:
    """Processes that left long ago are forgotten, and no process in the middle of its work becomes a new one."""

    def test_forgotten(self) -> None:
        """What is carried of processes does not grow with the day, nor does it change what is read."""
        at, reader = Clock("00:00:00"), LogReader(SETTINGS)
        lines = [at(START)]
        for number in range(5_000):
            lines += [at(tls(pid=number), 59), at(to(pid=number))]
        found = reader.read(log(*lines)).deliveries
        ((*_, state),) = reader.carry()["readers"]
        assert len(state["processes"]["known"]) < 4 * SWEEP_BIRTHS
        assert {delivery.tls.security for delivery in found} == {Security.ENCRYPTED}

    @pytest.mark.parametrize("back", [0, 4, 19])
    @pytest.mark.parametrize("wrong", [1, 2, 3])
    def test_clock_goes_ahead_and_back(self, back: int, wrong: int) -> None:
        """A wrong clock sweeps out no process in the middle of its work."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2)), at(tls(pid=1))]
        for number in range(wrong):
            lines += [Clock(f"2{number}:00:00")(to("AAAAAA0009", OTHER, pid=77 + number))]
            lines += [at(to("AAAAAA0008", OTHER, pid=87 + number))]
        lines += [at(to(f"BBBBBB{number:04}", OTHER, pid=9_000 + number), 0) for number in range(2 * SWEEP_BIRTHS)]
        lines += [Clock("23:30:00")(to("AAAAAA0007", OTHER, pid=99))]
        lines += [at(to(pid=1), back * 60), at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        (one,) = (delivery for delivery in deliveries(*lines) if delivery.queue_id == QID)
        assert one.tls.security.value == ("unknown" if back else "encrypted")

    @pytest.mark.parametrize("step", [-3 * 3600, -1800, 1800, 3 * 3600])
    @pytest.mark.parametrize("other_line", [False, True])
    def test_clock_is_set_within_a_session(self, step: int, other_line: bool) -> None:
        """Where the clock is set between the lines of a request, its later ones do not look silent."""
        at = Clock("14:00:00")
        lines = [at(START, -6 * 3600), at(tls(OTHER, pid=2), 6 * 3600), at(to("AAAAAA0001", OTHER, pid=2))]
        lines += [at(tls(pid=1)), at(tls(pid=5)), at(to(QID2, pid=5))]
        lines += [at(to("AAAAAA0004", OTHER, pid=66), step)] * other_line
        lines += [at(to(pid=1), 0 if other_line else step), at(to(QID2, pid=5, recipient="z@good.test"))]
        lines += [at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        found = [one.tls.security.value for one in deliveries(*lines) if one.queue_id in (QID, QID2)]
        assert len(found) == 3
        assert "plaintext" not in found

    def test_two_clocks(self) -> None:
        """A service in a chroot may log in UTC, another one in local time; each is read as if it were alone."""
        here, there = Clock("02:00:00"), Clock("10:00:00")
        lines = [here(START)]
        for number in range(1_500):
            lines += [here(tls(pid=number), 20), there(tls(OTHER, pid=2000 + number), 20)]
            lines += [there(to(QID2, OTHER, pid=2000 + number)), here(to(QID, pid=number))]
            lines += [here(to("AAAAAA0001", pid=number)), there(to("AAAAAA0002", OTHER, pid=2000 + number))]
        found = deliveries(*lines)
        assert {one.tls.security.value for one in found if one.queue_id in (QID, QID2)} == {"encrypted"}
        assert [one.tls.security.value for one in found if one.queue_id == "AAAAAA0001"][1:-1] == ["plaintext"] * 1_498

    def test_too_many_processes(self) -> None:
        """Nor does the session of a process that had to be forgotten because there are too many."""
        at = Clock()
        lines = [at(START), at(tls(OTHER, pid=2)), at(to("AAAAAA0001", OTHER, pid=2)), at(tls(pid=1))]
        lines += [at(to("AAAAAA0002", OTHER, pid=100 + number), 0) for number in range(PROCESS_LIMIT)]
        lines += [at(to(pid=1)), at(tls(OTHER, pid=3)), at(to("AAAAAA0003", OTHER, pid=3))]
        assert securities(*lines)[-2] == "unknown"
