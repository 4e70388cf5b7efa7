"""Logs that do not state the level in force, with the user's word for it."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.tlsmon.verdict.stories import START, observations

from tlsmon.verdict.model import Thresholds
from tlsmon.verdict.recommend import Window, recommend

BEGIN = datetime.fromtimestamp(START / 1_000_000, UTC)


def verdict(story: str, level: str, in_force: str | None) -> str:
    """Return the verdict on a domain's story, judged by what was seen alone."""
    window = Window(BEGIN, BEGIN + timedelta(days=1))
    asked = Thresholds(max_share=1.0, in_force=in_force)
    (judged,) = recommend(list(observations(story)), level, window, asked, lambda host: host).judgements
    return str(judged.verdict)


@pytest.mark.parametrize(
    ("story", "level", "in_force", "expected"),
    [
        ("a=vvvvvv", "dane-only", None, "unproven"),  # which match there was, nobody says
        ("a=vvvvvv", "dane-only", "dane", "safe"),
        ("a=vvvvvv", "dane-only", "verify", "unproven"),
        ("a=vvvvvv", "verify", "verify", "safe"),
        ("a=vvvvvv", "verify", "secure", "unproven"),  # the names that match= gave there may be others
        ("a=vvvvvv", "secure", "secure", "safe"),
        ("a=vvvvvv", "verify", "dane", "unproven"),  # DANE looks at no authority
        ("a=tttttt b=vvvvvv", "dane-only", "dane", "safe"),
        ("a=tttttt", "dane-only", "dane", "unproven"),  # no word of DANE in the whole log: was it in force?
        ("a=vvvvvv exim", "dane-only", "dane", "unproven"),  # Exim states DANE itself
        ("a=pppppp", "dane-only", "dane", "loses"),
    ],
)
def test_level_in_force(story: str, level: str, in_force: str | None, expected: str) -> None:
    """``Verified`` proves the level in force, and nothing of another one."""
    assert verdict(story, level, in_force) == expected
