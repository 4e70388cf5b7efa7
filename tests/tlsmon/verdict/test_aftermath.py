"""What became of mail, told day by day: one letter of a story is one day here."""

from typing import NamedTuple

import pytest
from tests.tlsmon.verdict.stories import MINUTE, START, observations

from tlsmon.evidence.model import Observation
from tlsmon.provider import provider
from tlsmon.verdict.aftermath import Aftermath, Later, aftermath
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.model import Fates
from tlsmon.verdict.own_side import DAY
from tlsmon.verdict.recommend import at_level

# Mails of the first seven days by fate: delivered, rerouted, delayed, lost, unknown.
CASES = {
    "all encrypted": ("a=eeeeeee", (7, 0, 0, 0, 0)),
    "clear for good": ("a=eeepppppppppp", (3, 0, 0, 4, 0)),
    "clear for a day": ("a=eeepeee", (6, 0, 1, 0, 0)),
    "clear for longer than the queue holds": ("a=pppppppe", (0, 0, 5, 2, 0)),
    "in order before the oldest mail expires": ("a=ppppppe", (1, 0, 5, 1, 0)),
    "the other host took mail on those days": ("a=e.p.p.p b=.e.e.e.e", (4, 3, 0, 0, 0)),
    "the other host took mail only much later": ("a=pp b=.......e", (0, 0, 0, 2, 0)),
    "the other host took mail only days before": ("a=....pp b=e", (1, 0, 0, 2, 0)),
    "bounced at once, whatever came later": ("a=eereeee", (6, 0, 0, 1, 0)),
    "the log does not tell": ("a=ee???ee", (4, 0, 0, 0, 3)),
    "greylisting is no mail": ("a=eegeee", (5, 0, 0, 0, 0)),
    "what comes after the horizon is not judged": ("a=eeeeeeepppp", (7, 0, 0, 0, 0)),
}


class Step(NamedTuple):
    """A day's observations."""

    day: int
    found: Observation


def days(story: str, domain: str = "example.com") -> list[list[Seen]]:
    """Return a story with its letters a day apart, at noon."""
    steps = [_stretched(item) for item in observations(story, domain)]
    seen = at_level([step.found for step in steps], "encrypt", "TLSv1")
    return [[item for item, step in zip(seen, steps, strict=True) if step.day == day] for day in range(12)]


def _stretched(item: Observation) -> Step:
    day = (item.first - START) // MINUTE
    time = (START // DAY + day) * DAY + DAY // 2
    return Step(day, item._replace(first=time, last=time))


@pytest.mark.parametrize(("story", "fates"), CASES.values(), ids=CASES.keys())
def test_story(story: str, fates: tuple[int, ...]) -> None:
    """A mail counts by its own session, the other hosts of that day, and the days that it could wait."""
    found = aftermath(Later(days(story), 7, "encrypt", 5.0), frozenset(), lambda host: provider(host) or host)
    assert found["example.com"] == Aftermath(Fates(*fates))


def test_own_side_is_apart() -> None:
    """Where three providers that were in order fail together on a day, their mails of that day count neither way."""
    together = [days("a=eepeeee", f"{name}.example") for name in ("one", "two", "three")]
    merged = [[*one, *two, *three] for one, two, three in zip(*together, strict=True)]
    in_order = frozenset({"one.example", "two.example", "three.example"})
    found = aftermath(Later(merged, 7, "encrypt", 5.0), in_order, lambda host: provider(host) or host)
    assert found["one.example"] == Aftermath(Fates(delivered=6), own_side=1)
    strangers = aftermath(Later(merged, 7, "encrypt", 5.0), frozenset(), lambda host: provider(host) or host)
    assert strangers["one.example"] == Aftermath(Fates(delivered=6, delayed=1))
