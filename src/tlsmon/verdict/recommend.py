"""Observations of a window -> what can be enforced: all judgements, the plan, and what would make them all wrong."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from tlsmon.evidence.looks import Looks
from tlsmon.evidence.model import Observation
from tlsmon.evidence.standing import sender_facts, standing, with_level_in_force
from tlsmon.rollup.model import Direction
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.hold import held, hold, smarthost
from tlsmon.verdict.judge import judge
from tlsmon.verdict.known import known_of
from tlsmon.verdict.model import Judgement, Thresholds, Verdict
from tlsmon.verdict.own_side import set_aside
from tlsmon.verdict.plan import Wave, plan
from tlsmon.verdict.probed import reviewed, told


class Coverage(NamedTuple):
    """How much of the window's mail the judgements stand on."""

    mails: int
    encrypted: int
    plaintext: int
    unknown: int
    domains: int
    senders: tuple[str, ...]
    """Reporting hosts; ``-`` for logs that name none."""
    first: int | None
    """Microseconds since 1970, UTC."""
    last: int | None


class Recommendation(NamedTuple):
    """What can be enforced at a level."""

    level: str
    since: datetime
    until: datetime
    judgements: list[Judgement]
    """Sorted by domain."""
    waves: list[Wave]
    held: str | None
    """Why no domain is called safe, whatever its own evidence; None in ordinary times."""
    smarthost: str | None
    """The one next hop that takes all mail, as a policy key; the policy then belongs on it."""
    coverage: Coverage
    notes: tuple[str, ...] = ()
    """What else has to be said: evidence that was set aside."""
    direction: Direction = Direction.OUTBOUND
    """Inbound the domains are those that clients claim to send for, and there is no plan: a service has one level."""

    def verdicts(self, verdict: Verdict) -> list[Judgement]:
        """Return the judgements with a verdict."""
        return [item for item in self.judgements if item.verdict is verdict]


class Window(NamedTuple):
    """From when to when, aware."""

    since: datetime
    until: datetime


def recommend(  # noqa: PLR0913
    observations: Sequence[Observation],
    level: str,
    window: Window,
    thresholds: Thresholds,
    provider: Callable[[str], str | None],
    *,
    looks: Looks | None = None,
) -> Recommendation:
    """
    Judge every domain at a level; see :func:`tlsmon.verdict.judge.judge`. The observations are of one direction.

    ``provider`` gives the organisational domain of a host name, or None where the name has none. ``looks``: what probes
    found, see :mod:`tlsmon.verdict.probed`; None: judge by the log alone.
    """

    def provider_of(host: str) -> str:
        return provider(host) or host

    hop = smarthost(observations)
    if hop:
        looks = None  # what lies behind the hop is not what the log speaks of
    observations = with_level_in_force(observations, thresholds.in_force)
    seen = at_level(observations, level, thresholds.oldest_protocol)
    if looks:
        seen = told(seen, level, looks, sender_facts(observations), sender_validates=thresholds.sender_validates)
    aside = set_aside(seen, provider_of)
    known = known_of(aside.seen, level, provider_of, looks.not_offering() if looks else frozenset())
    judgements = judge(aside.seen, level, thresholds, provider_of, known)
    if looks:
        judgements = reviewed(judgements, aside.seen, level, looks)
    reason = hold(seen, provider_of) or aside.hold
    if reason:
        judgements = held(judgements, reason)
    direction = observations[0].direction if observations else Direction.OUTBOUND
    return Recommendation(
        level,
        window.since,
        window.until,
        judgements,
        plan(judgements, thresholds.max_share) if direction is Direction.OUTBOUND else [],
        reason,
        hop,
        coverage_of(observations, judgements),
        (aside.note,) if aside.note else (),
        direction,
    )


def at_level(observations: Sequence[Observation], level: str, oldest_protocol: str) -> list[Seen]:
    """Return the observations with what they say at a level; the senders' settings are told by them together."""
    facts = sender_facts(observations)
    return [Seen(item, standing(item, level, facts[item.sender], oldest_protocol)) for item in observations]


def coverage_of(observations: Sequence[Observation], judgements: Sequence[Judgement]) -> Coverage:
    """Return how much mail judgements stand on."""
    return Coverage(
        sum(item.mails for item in judgements),
        sum(item.encrypted for item in judgements),
        sum(item.plaintext for item in judgements),
        sum(item.unknown for item in judgements),
        len(judgements),
        tuple(sorted({item.sender.host or "-" for item in observations})),
        min((item.first for item in observations), default=None),
        max((item.last for item in observations), default=None),
    )
