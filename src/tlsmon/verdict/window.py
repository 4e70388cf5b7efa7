"""
A window of the store by column -> what can be enforced: as :mod:`tlsmon.verdict.recommend`, for very many attempts.

Most domains are steady and judged by :mod:`tlsmon.verdict.steady`; the others one attempt after the other.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tlsmon.evidence.columns import Columns
from tlsmon.evidence.looks import Looks
from tlsmon.evidence.standing import with_level_in_force
from tlsmon.garbage import without_collection
from tlsmon.rollup.model import Direction
from tlsmon.verdict import by_column
from tlsmon.verdict.by_column import Rows
from tlsmon.verdict.hold import held
from tlsmon.verdict.judge import judge
from tlsmon.verdict.model import Judgement, Thresholds
from tlsmon.verdict.plan import plan
from tlsmon.verdict.probed import reviewed
from tlsmon.verdict.recommend import Coverage, Recommendation, Window, coverage_of, recommend
from tlsmon.verdict.steady import Steady, bounds_of


@without_collection()
def recommend_window(  # noqa: PLR0913
    found: Columns,
    level: str,
    window: Window,
    thresholds: Thresholds,
    provider: Callable[[str], str | None],
    *,
    looks: Looks | None = None,
    explained: bool = True,
) -> Recommendation:
    """
    Return what :func:`recommend` does, of attempts by column: a window with a million of them takes seconds.

    Only the domains that need it are judged by their single attempts. Not ``explained``: most judgements lack their
    reasons, which is quicker where verdicts are only counted.
    """
    inbound = any(kind.direction is Direction.INBOUND for kind in found.kinds[:1])
    if inbound or found.attempts.min(initial=1) <= 0 or not len(found.attempts):
        return recommend(found.observations(), level, window, thresholds, provider, looks=looks)
    hop = by_column.smarthost(found)
    found = found._replace(kinds=with_level_in_force(found.kinds, thresholds.in_force))
    rows = by_column.at_level(found, level, thresholds.oldest_protocol, lambda host: provider(host) or host)
    if looks and not hop:
        rows = by_column.told(rows, level, looks, sender_validates=thresholds.sender_validates)
    reason = by_column.held(rows)
    rows, aside = by_column.set_aside(rows)
    judgements = _judged(rows, level, thresholds, None if hop else looks, explained=explained)
    reason = reason or aside.hold
    if reason:
        judgements = held(judgements, reason)
    return Recommendation(
        level,
        window.since,
        window.until,
        judgements,
        plan(judgements, thresholds.max_share),
        reason,
        hop,
        _coverage(found, judgements),
        (aside.note,) if aside.note else (),
    )


def _judged(rows: Rows, level: str, thresholds: Thresholds, looks: Looks | None, *, explained: bool) -> list[Judgement]:
    by = by_column.keys(rows, level)
    known, behaviours = by_column.known_of(rows, by, looks.not_offering() if looks else frozenset())
    bounds = bounds_of(rows, by, known, behaviours, thresholds.confidence)
    steady = Steady(rows, by, level, thresholds, bounds, explained=explained)
    looked_at = looks.by_domain if looks else {}
    steadily = steady.domains() & np.array([domain not in looked_at for domain in rows.found.domains], np.bool_)
    others = rows.seen(np.flatnonzero(~steadily[rows.found.domain]))
    judgements = judge(others, level, thresholds, rows.provider_of, known)
    if looks:
        judgements = reviewed(judgements, others, level, looks)
    return sorted([*judgements, *steady.judgements(steadily)], key=lambda item: item.domain)


def _coverage(found: Columns, judgements: Sequence[Judgement]) -> Coverage:
    first, last = int(found.first.min()), int(found.last.max())
    return coverage_of(found.kinds, judgements)._replace(first=first, last=last)
