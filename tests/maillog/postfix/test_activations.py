"""Lines that are missing without a word, seen by mail that was delivered and that qmgr(8) never took up."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.maillog.postfix.lines import MX, OTHER, SETTINGS, Clock, log, tls, to

from maillog.model import Delivery, Outcome, Security
from maillog.postfix.activations import _LIMIT, KEPT, SECOND, Activations
from maillog.reader import LogReader, read_deliveries

# Written by rsyslogd 8.2302 on a disk of 24 MB that was full from 20:29:33 to 20:29:37, under a real Postfix 3.7.
DISK_FULL = Path("tests/tables/disk_full.log")
IN_CLEAR = {
    *(192, 197, 198, 203, 204, 205, 206, 208, 210, 211, 330, 331, 332, 333, 335, 336, 337, 338, 339, 340, 343),
    *(344, 346, 347, 352, 354, 355, 359, 361, 362, 368, 369, 370, 377, 378, 386, 391, 392, 393, 397, 400, 401),
    *(403, 404, 405),
}
"""The mails of it that its receivers saw in clear, by the number in their reply."""
ACTIVE = "(queue active)"
_REPLY = re.compile(r"/smtp\[\d+\]: (\w+): .*status=sent .*LAB-(\d{6})")
SAMPLE = Path("sample_logs/postfix-3.7/mail.log").read_text(encoding="utf-8").split("\n")


def taken_up(queue_id: str) -> str:
    """Return what qmgr(8) says when a mail becomes active."""
    return f"qmgr[9]: {queue_id}: from=<s@our.test>, size=400, nrcpt=1 (queue active)"


def read(text: bytes) -> list[Delivery]:
    """Return the deliveries of a log."""
    reader = LogReader(SETTINGS)
    reading = reader.read(text)
    return reading.deliveries + reader.held(text[reading.consumed :])


def securities(text: bytes) -> dict[str, str]:
    """Return what is said of each mail that was sent, by queue id."""
    return {each.queue_id: str(each.tls.security) for each in read(text) if each.result.outcome is Outcome.SENT}


def test_a_full_disk() -> None:
    """The TLS lines of three mails were lost while the disk was full; none of them is called plaintext."""
    text = DISK_FULL.read_text(encoding="utf-8")
    ids = dict(_REPLY.findall(text))
    said = {
        each.queue_id: each.tls.security
        for each in read_deliveries(str(DISK_FULL))
        if each.result.outcome is Outcome.SENT and each.queue_id in ids
    }
    wrong = {
        queue_id
        for queue_id, security in said.items()
        if security is not Security.UNKNOWN and (security is Security.PLAINTEXT) != (int(ids[queue_id]) in IN_CLEAR)
    }
    assert wrong == set()
    assert sum(security is Security.PLAINTEXT for security in said.values()) > 10


@pytest.mark.parametrize("lost", [[], [0], [0, 1]], ids=["nothing", "taking it up", "that and TLS"])
def test_a_mail_that_nobody_took_up(lost: list[int]) -> None:
    """Where that line is missing and those of mails before are not, a silent delivery is unknown."""
    at = Clock()
    lines = [at("master[1]: daemon started -- version 3.7.11, configuration /etc/postfix"), at(tls(pid=9))]
    for number in range(4):
        lines += [at(taken_up(f"AAAAAA000{number}")), at(to(f"AAAAAA000{number}", OTHER, pid=number))]
    mail = [at(taken_up("BBBBBB0001")), at(tls(pid=7)), at(to("BBBBBB0001", MX, pid=7))]
    lines += [line for number, line in enumerate(mail) if number not in lost]
    lines += [at(tls(pid=8), after=3), at(taken_up("CCCCCC0001")), at(to("CCCCCC0001", OTHER, pid=10)), at(tls(pid=11))]
    said = securities(log(*lines))
    assert said["BBBBBB0001"] == ("unknown" if 1 in lost else "encrypted")
    assert {said["AAAAAA0000"], said["AAAAAA0003"], said["CCCCCC0001"]} == {"plaintext"}


def test_a_log_without_such_lines() -> None:
    """A logger may leave out what qmgr(8) says; then nothing follows from its absence."""
    without = [line for line in SAMPLE if ACTIVE not in line]
    assert read("\n".join(without).encode()) == read("\n".join(SAMPLE).encode())


@pytest.fixture(scope="module")
def whole() -> dict[str, str]:
    """Return what is said of the mails of a sample log."""
    return securities("\n".join(SAMPLE).encode())


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=st.integers(2_000, 4_400), size=st.integers(1, 80))
def test_a_block_of_lines_is_lost(whole: dict[str, str], begin: int, size: int) -> None:
    """Encrypted mail is called plaintext after that only if the block lay between taking it up and its delivery."""
    left = SAMPLE[:begin] + SAMPLE[begin + size :]
    said = securities("\n".join(left).encode())
    wrong = {one for one, security in said.items() if (security, whole[one]) == ("plaintext", "encrypted")}
    assert wrong == {one for one in wrong if any(f"{one}: from=<" in line and ACTIVE in line for line in left)}


def test_small_holes_one_after_the_other() -> None:
    """A disk that is full again and again: whatever is called plaintext was so, but for very few."""
    whole, wrong = securities("\n".join(SAMPLE).encode()), 0
    for seed in range(4):
        draw, left, at = Random(seed), SAMPLE[:600], 600
        while at < len(SAMPLE):
            size = draw.randint(20, 80)
            left += SAMPLE[at : at + size]
            at += size + draw.randint(3, 12)
        said = securities("\n".join(left).encode())
        wrong += sum(security == "plaintext" and whole[one] == "encrypted" for one, security in said.items())
    assert wrong <= 4  # 55 without this


def activations() -> Activations:
    """Return what is known when a log of ten seconds has shown a mail in each."""
    found = Activations()
    for number in range(10):
        found.add(f"A{number}", number * SECOND)
        assert found.lacks(f"A{number}", number * SECOND, 0.1) is None
    return found


def test_a_hole_is_told_once() -> None:
    """What one hole explains is no other; one that comes soon after it says that lines are lost all the time."""
    found = activations()
    assert found.lacks("B", 10 * SECOND, 0.1) == 0
    assert found.lacks("C", 10 * SECOND, 0.1) is None
    assert found.lacks("D", 11 * SECOND, 5) is None
    assert found.lacks("E", 14 * SECOND, 0.1) == 60
    assert found.lacks("F", 80 * SECOND, 0.1) == 0


def test_a_logger_may_be_told_to_leave_them_out() -> None:
    """Where such lines are missing of all mails from some time on, that is taken for a hole a few times only."""
    found = activations()
    told = [found.lacks("B", (20 + 10 * number) * SECOND, 0.1) for number in range(9)]
    assert [one is not None for one in told] == [True] * 3 + [False] * 6


def test_how_long_they_are_kept() -> None:
    """A mail that was under way for long is not judged by this, nor one of before the log."""
    found = activations()
    assert found.lacks("B", 10 * SECOND, 9) is None
    found.add("C", 12 * SECOND + KEPT)
    assert found.lacks("B", 12 * SECOND + KEPT, KEPT / SECOND) is None
    assert found.lacks("B", 12 * SECOND + KEPT, 1) == 0


def test_they_are_not_without_bound() -> None:
    """Of very many mails in a few seconds the first are forgotten, and then nothing follows from it."""
    found = Activations()
    for number in range(_LIMIT + 10):
        found.add(f"A{number}", number)
    assert len(found.carry()[3]) == _LIMIT
    for number in range(20, 23):
        found.lacks(f"A{number}", _LIMIT, 0)
    assert found.lacks("A1", _LIMIT, 0) is None
