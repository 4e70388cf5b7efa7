"""What is said of enforced domains that fail."""

from typing import NamedTuple

import pytest
from tests.tlsmon.verdict.stories import MINUTE, START, observations

from tlsmon.verdict.watch import DAY, Advice, Rule, watch

HOUR = 60 * MINUTE


class Case(NamedTuple):
    """A story of a domain, and what is said an hour count after its beginning."""

    story: str
    hours: float
    advice: Advice | None
    deferred: int = 0
    lost: int = 0
    oldest: int | None = None
    """Minute of the story."""


CASES = {
    "all is well": Case("a=eeee", 1, None),
    "a failure before the last success is over": Case("a=nnne", 1, None),
    "fails for minutes": Case("a=eeenn", 1, Advice.WAIT, deferred=2, oldest=3),
    "fails for a day": Case("a=eeenn", 25, Advice.REMOVE, deferred=2, oldest=3),
    "bounced": Case("a=eeenr", 1, Advice.REMOVE, deferred=1, lost=1, oldest=3),
    "expired": Case("a=nnnx", 1, Advice.REMOVE, deferred=3, lost=1, oldest=0),
    "never a success": Case("a=nnn", 30, Advice.REMOVE, deferred=3, oldest=0),
    "a bounce before the last success is over": Case("a=ere", 1, None),
    "another host takes the mail": Case("a=n.n.n. b=.e.e.e", 1, None),
    "greylisting has nothing to do with TLS": Case("a=egggg", 30, None),
    "what was deferred long ago is no longer in the queue": Case("a=nn", 24 * 8, Advice.WAIT, deferred=2, oldest=0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_story(case: Case) -> None:
    """Only failures for TLS since the last success count; what is lost or fails for a day is to be taken out."""
    found = watch(observations(case.story), None, START + int(case.hours * HOUR))
    if case.advice is None:
        assert found.failing == ()
        assert not found.alarm
        return
    (failing,) = found.failing
    assert (failing.advice, failing.deferred, failing.lost) == (case.advice, case.deferred, case.lost)
    assert abs(failing.oldest - (START + (case.oldest or 0) * MINUTE)) <= MINUTE
    assert found.alarm == (case.advice is Advice.REMOVE)


def test_projected_bounce() -> None:
    """The first waiting mail bounces when the oldest failure is as old as the queue lifetime."""
    (failing,) = watch(observations("a=eenn"), None, START + 30 * HOUR, queue_days=3).failing
    assert failing.bounce_at == START + 2 * MINUTE + 3 * DAY


def test_only_enforced_domains() -> None:
    """A domain without a mandatory policy is not named, unless all are asked for."""
    story = list(observations("a=nnnx"))
    assert watch(story, lambda _: None, START + HOUR).failing == ()
    (under,) = watch(story, lambda _: Rule(3, "x"), START + HOUR).failing
    assert under.rule == Rule(3, "x")
    assert len(watch(story, None, START + HOUR).failing) == 1


def test_most_urgent_first() -> None:
    """Lines to be taken out come first, those that bounce soonest at the top."""
    waiting = observations("a=" + "." * 1500 + "n", "waiting.example")
    late = observations("a=" + "." * 60 + "n", "late.example")
    early = observations("a=n", "early.example")
    found = watch([*waiting, *late, *early], None, START + 26 * HOUR)
    assert [item.domain for item in found.failing] == ["early.example", "late.example", "waiting.example"]


def test_local_faults_are_no_domains_fault() -> None:
    """A fault of our own names no domain, and is an alarm of its own."""
    broken = [item._replace(cause="tls_local") for item in observations("a=hhh")]
    found = watch(broken, None, START + HOUR)
    assert found.failing == ()
    assert [(fault.cause, fault.attempts, fault.domains) for fault in found.local] == [("tls_local", 3, 1)]
    assert found.alarm
