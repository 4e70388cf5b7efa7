"""
Measure verdicts over generated months, as ``docs/model.md`` shows them: ``python -m tests.synthetic.measure``.

Prints one row for each level and seed of the table, then how often the bounds cover the truth. Takes several minutes.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.synthetic.build import Rates, Size, build
from tests.synthetic.observed import START, by_day
from tests.synthetic.observed import Day as Observed
from tests.synthetic.traffic import mails
from tests.synthetic.truth import affected_share, fate
from tests.synthetic.world import DAY, Interval, World

from tlsmon.provider import provider
from tlsmon.verdict.backtest import Day, Walk, backtest
from tlsmon.verdict.model import Fate, Judgement, Thresholds, Verdict
from tlsmon.verdict.recommend import Window, recommend

BEGIN = datetime.fromtimestamp(START / 1_000_000, UTC)
FIREWALL = Interval(66.25 * DAY, 67.75 * DAY)
SILENCE = Interval(40 * DAY, 43 * DAY)
TRULY_SAFE = 0.002
"""Share of mail affected up to which a domain truly is safe at a moment."""
CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99)
LEVELS = ("encrypt", "verify")
AS_OF = range(30, 114, 7)


class Generated(NamedTuple):
    """A world, and what its log says day by day."""

    world: World
    observed: list[Observed]
    days: list[Day]
    level: str

    def judged(self, number: int, thresholds: Thresholds) -> list[Judgement]:
        """Return the verdicts as of a day, by the 30 days before it."""
        before = [item for day in self.days[number - 30 : number] for item in day.observations]
        window = Window(self.days[number - 30].start, self.days[number].start)
        return recommend(before, self.level, window, thresholds, provider).judgements


def generated(level: str, size: Size, a_day: int, seed: int) -> Generated:
    """Return the months of a seed: Postfix's log, or Exim's where the level asks for a certificate."""
    world = build(size, seed)
    observed = list(by_day(world, mails(world, a_day, seed + 1), "postfix" if level == "encrypt" else "exim"))
    days = [Day(BEGIN + timedelta(days=day.number), day.observations) for day in observed]
    return Generated(world, observed, days, level)


def precision(found: Generated) -> str:
    """Return the row of a world: mails to safe domains, those affected by log and by truth, coverage, domains named."""
    total = backtest(found.days, Walk(found.level), provider).total
    good, bad = _by_truth(found)
    named = [_named(found, thresholds) for thresholds in (Thresholds(), Thresholds(max_share=1.0))]
    affected = total.delayed + total.lost
    return (
        f"{total.mails:,} | {affected} | {1 - affected / total.mails:.6f} | {bad} | {1 - bad / (good + bad):.7f} | "
        f"{total.coverage or 0:.0%} | bounds held {total.calibration or 0:.2%} | "
        f"truly safe called safe {named[0]:.1%}, by what was seen alone {named[1]:.1%}"
    )


def _by_truth(found: Generated) -> tuple[int, int]:
    good = bad = 0
    for number in AS_OF:
        safe = {item.domain for item in found.judged(number, Thresholds()) if item.verdict is Verdict.SAFE}
        for mail in (mail for day in found.observed[number : number + 7] for mail in day.mails):
            if mail.domain.name in safe and not FIREWALL.holds(mail.attempts[-1].time):
                affected = fate(found.world, mail, found.level) in (Fate.DELAYED, Fate.LOST)
                good, bad = good + (not affected), bad + affected
    return good, bad


def _named(found: Generated, thresholds: Thresholds) -> float:
    """Return the share of the truly safe domains that are called so, over all moments out of the episode."""
    domains = {domain.name: domain for domain in found.world.domains}
    safe = named = 0
    for number in (number for number in AS_OF if not FIREWALL.start / DAY - 1 < number < FIREWALL.end / DAY + 2):
        for item in found.judged(number, thresholds):
            if affected_share(domains[item.domain], number * DAY, found.level) <= TRULY_SAFE:
                safe, named = safe + 1, named + (item.verdict is Verdict.SAFE)
    return named / safe


def calibration(found: Generated) -> Iterator[str]:
    """Yield for each confidence how often the bound covers the truth: over all domains, and over flapping ones."""
    domains = {domain.name: domain for domain in found.world.domains}
    for confidence in CONFIDENCES:
        held: list[tuple[float, bool]] = []
        for number in range(30, 65, 7):
            for item in found.judged(number, Thresholds(confidence=confidence)):
                share = affected_share(domains[item.domain], number * DAY, found.level)
                if item.affected_upper_bound is not None:
                    held.append((share, share <= item.affected_upper_bound))
        flapping = [covered for share, covered in held if 0 < share < 1]
        every = [covered for _, covered in held]
        yield f"{confidence} | {_share(every)} of {len(every):,} | flapping {_share(flapping)} of {len(flapping)}"


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values) / len(values):.4f}"


def main() -> None:
    """Print what was asked for on the command line: ``precision``, ``calibration``, and levels; without any all."""
    asked = {"precision", "calibration"} & {*sys.argv[1:]} or {"precision", "calibration"}
    for level in [level for level in LEVELS if level in sys.argv] or LEVELS:
        for seed, times in ((21, 1), (22, 1), (23, 5)) if "precision" in asked else ():
            rates = Rates(*(rate * times for rate in Rates()))
            size = Size(rates=rates, firewall=FIREWALL, silence=SILENCE)
            print(f"{level} | {seed} | x{times} |", precision(generated(level, size, 3_000, seed)), flush=True)
        if "calibration" in asked:
            size = Size(days=84, domains=1_000, firewall=FIREWALL, silence=SILENCE)
            for row in calibration(generated(level, size, 1_500, 31)):
                print(f"{level} | {row}", flush=True)


if __name__ == "__main__":
    main()
