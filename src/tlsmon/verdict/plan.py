"""In which order to enforce: waves by gain against risk."""

from collections.abc import Sequence
from typing import NamedTuple

from tlsmon.verdict.model import Judgement, Verdict

FIRST_WAVE = 0.1
"""Part of the accepted share up to which a domain's bound puts it into the first wave."""


class Wave(NamedTuple):
    """Domains to be enforced together."""

    number: int
    domains: tuple[str, ...]
    mails: int
    traffic_share: float
    """Of all mails of the window, 0 to 1."""
    affected: int
    """Mails of the window that would have come late or not at all."""
    note: str


def plan(judgements: Sequence[Judgement], max_share: float) -> list[Wave]:
    """
    Return the waves: the surest domains, the other safe ones, then those that are only delayed.

    Domains that lose mail, and those of which too little is known, are in none. Empty waves are left out. Within a wave
    the domains with the most mail stand first.
    """
    total = sum(item.mails for item in judgements)
    sure = [item for item in judgements if item.verdict is Verdict.SAFE and _bound(item) <= max_share * FIRST_WAVE]
    other = [item for item in judgements if item.verdict is Verdict.SAFE and _bound(item) > max_share * FIRST_WAVE]
    delayed = [item for item in judgements if item.verdict is Verdict.DELAYS]
    parts = (
        (sure, "much evidence, nothing refused"),
        (other, "safe, with less evidence: watch the first days"),
        (delayed, "nothing is lost, some mail comes late: only if that is acceptable"),
    )
    waves = [_wave(items, total, note) for items, note in parts if items]
    return [wave._replace(number=number) for number, wave in enumerate(waves, 1)]


def _bound(item: Judgement) -> float:
    return 1.0 if item.affected_upper_bound is None else item.affected_upper_bound


def _wave(items: Sequence[Judgement], total: int, note: str) -> Wave:
    mails = sum(item.mails for item in items)
    ordered = sorted(items, key=lambda item: (-item.mails, item.domain))
    affected = sum(item.fates.affected for item in items)
    return Wave(0, tuple(item.domain for item in ordered), mails, mails / total if total else 0.0, affected, note)
