"""Failures of the sender's own side are known by how many unrelated providers fail together."""

import pytest
from tests.tlsmon.verdict.test_aftermath import days

from tlsmon.provider import provider
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.own_side import set_aside

STRUCK = "a=eeepeee"
CASES = {
    "three of three": (3, 0, True),
    "three of ten": (3, 7, True),
    "three of eleven is less than 30 %": (3, 8, False),
    "two of two are too few to tell": (2, 0, False),
}


def seen(struck: int, others: int, story: str = STRUCK) -> list[Seen]:
    """Return providers with a story, and others that are in order."""
    stories = [story] * struck + ["a=eeeeeee"] * others
    every = [days(words, f"number{number}.example") for number, words in enumerate(stories)]
    return [item for domain in every for day in domain for item in day]


@pytest.mark.parametrize(("struck", "others", "ours"), CASES.values(), ids=CASES.keys())
def test_how_many(struck: int, others: int, ours: bool) -> None:
    """At least three providers, and 30 % of those that are in order on most days, fail on one day."""
    found = set_aside(seen(struck, others), lambda host: provider(host) or host)
    assert found.attempts == (struck if ours else 0)
    assert (found.note is not None) == ours
    assert found.hold is None


def test_failing_for_long_is_no_episode() -> None:
    """Providers that fail as often as not are not in order, so their failures stay."""
    found = set_aside(seen(5, 0, "a=eppepppe"), lambda host: provider(host) or host)
    assert found.attempts == 0


def test_last_day() -> None:
    """As long as no day in order was seen since, every verdict is held."""
    assert set_aside(seen(5, 5, "a=eeeeeep"), lambda host: provider(host) or host).hold is not None
    assert set_aside(seen(5, 5, "a=eeeeepe"), lambda host: provider(host) or host).hold is None
