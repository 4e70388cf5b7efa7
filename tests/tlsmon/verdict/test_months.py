"""Verdicts over generated months, against what enforcement would really have done."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from tests.synthetic.build import Size, build
from tests.synthetic.observed import START, by_day
from tests.synthetic.observed import Day as Observed
from tests.synthetic.traffic import mails
from tests.synthetic.truth import affected_share, fate
from tests.synthetic.world import DAY, Interval, World

from tlsmon.evidence.model import Observation
from tlsmon.provider import provider
from tlsmon.report.backtest import backtest_figure
from tlsmon.verdict.backtest import Backtest, Day, Walk, backtest, document
from tlsmon.verdict.model import Fate, Thresholds, Verdict
from tlsmon.verdict.recommend import Recommendation, Window, recommend

BEGIN = datetime.fromtimestamp(START / 1_000_000, UTC)
FIREWALL = Interval(66.25 * DAY, 67.75 * DAY)
SILENCE = Interval(40 * DAY, 42 * DAY)
SIZE = Size(days=84, domains=1_000, firewall=FIREWALL, silence=SILENCE)


class Months(NamedTuple):
    """Generated months, and the walk over what their log says."""

    world: World
    observed: list[Observed]
    days: list[Day]
    walk: Backtest


@lru_cache(maxsize=2)
def months(level: str = "encrypt", seed: int = 11) -> Months:
    """Return the months of a seed; Exim's log where the level asks for a certificate, as its CV=yes tells the name."""
    world = build(SIZE, seed)
    observed = list(by_day(world, mails(world, 1_500, seed + 1), "postfix" if level == "encrypt" else "exim"))
    days = [Day(BEGIN + timedelta(days=day.number), day.observations) for day in observed]
    return Months(world, observed, days, backtest(days, Walk(level), provider))


def as_of(found: Months, number: int) -> Recommendation:
    """Return the verdicts of a day."""
    window = [item for day in found.days[number - 30 : number] for item in day.observations]
    since, until = found.days[number - 30].start, found.days[number - 1].start + timedelta(days=1)
    return recommend(window, found.walk.walk.level, Window(since, until), Thresholds(), provider)


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_precision(level: str) -> None:
    """Of the mail to domains called safe, at least 0.999 would have arrived in time, and most mail is covered."""
    total = months(level).walk.total
    assert total.mails > 10_000
    assert total.precision is not None
    assert total.precision >= 0.999
    assert total.coverage is not None
    assert total.coverage > 0.5


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_precision_by_truth(level: str) -> None:
    """The same holds for what really would have happened, which the walk over the log cannot see."""
    found = months(level)
    good = bad = 0
    for number in range(30, 77, 7):
        safe = {item.domain for item in as_of(found, number).verdicts(Verdict.SAFE)}
        for mail in (mail for day in found.observed[number : number + 7] for mail in day.mails):
            if mail.domain.name in safe and not FIREWALL.holds(mail.attempts[-1].time):
                affected = fate(found.world, mail, level) in (Fate.DELAYED, Fate.LOST)
                good, bad = good + (not affected), bad + affected
    assert good > 10_000
    assert bad <= 0.001 * (good + bad)


def test_bound_covers_the_truth() -> None:
    """The true share of mail affected lies below the stated bound at least as often as the confidence says."""
    found = months()
    domains = {domain.name: domain for domain in found.world.domains}
    held = [
        affected_share(domains[item.domain], number * DAY) <= item.affected_upper_bound
        for number in range(30, 65, 7)
        for item in as_of(found, number).judgements
        if item.affected_upper_bound is not None
    ]
    assert len(held) > 2_000
    assert sum(held) >= 0.95 * len(held)


def test_hold() -> None:
    """All is held while our own firewall strips STARTTLS, until a day in order was seen; neither before nor after."""
    found = months()
    held = {number: as_of(found, number).held is not None for number in (34, 45, 60, 66, 67, 68, 69, 72, 80)}
    assert [number for number, is_held in held.items() if is_held] == [67, 68]


def test_own_side_is_set_aside() -> None:
    """Failures of our own firewall are counted apart, and cost no domain its verdict when it is over."""
    found = months()
    assert found.walk.total.own_side > 0
    before, after = as_of(found, 66), as_of(found, 70)
    assert after.notes
    assert not before.notes
    assert len(after.verdicts(Verdict.SAFE)) > 0.97 * len(before.verdicts(Verdict.SAFE))


def test_silence_counts_neither_way() -> None:
    """While TLS logging is off mail is unknown: no evidence for a verdict and none against it."""
    weeks = months().walk.weeks
    silent = [week for week in weeks if week.as_of <= BEGIN + timedelta(days=40) < week.until]
    assert [week.tally.unknown > 0 for week in silent] == [True]
    assert all(week.tally.unknown == 0 for week in weeks if week not in silent)


def test_nothing_later_reaches_a_verdict() -> None:
    """What is called safe does not change when all that came after is different."""
    days = months().days
    without = [*days[:30], *(day._replace(observations=()) for day in days[30:44])]
    walk = backtest(without, Walk("encrypt"), provider)
    assert walk.weeks[0].tally.mails == 0
    spoilt = [*days[:30], *(day._replace(observations=_in_clear(day)) for day in days[30:44])]
    failed = backtest(spoilt, Walk("encrypt"), provider).weeks[0]
    assert failed.tally.domains == months().walk.weeks[0].tally.domains
    assert failed.tally.precision in (0.0, None)
    assert failed.tally.own_side + failed.tally.lost > 0


def _in_clear(day: Day) -> list[Observation]:
    return [item._replace(security="plaintext", protocol=None, authentication=None) for item in day.observations]


def test_weeks_follow_each_other() -> None:
    """Each step begins where the last one ended, and the total is the sum of the weeks."""
    walk = months().walk
    assert all(one.until == next_.as_of for one, next_ in pairwise(walk.weeks))
    assert len(walk.weeks) == (84 - 30) // 7
    written = document(walk)
    assert written["total"]["mails"] == sum(week["mails"] for week in written["weeks"])


def test_figure() -> None:
    """The figure draws each week's shares as they are."""
    walk = months().walk
    above = backtest_figure(walk).axes[0]
    assert list(np.asarray(above.lines[0].get_ydata())) == [week.tally.precision for week in walk.weeks]
    assert list(np.asarray(above.lines[2].get_ydata())) == [week.tally.coverage for week in walk.weeks]
