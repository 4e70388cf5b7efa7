"""
Days on which the sender's own side failed: many unrelated providers, in order on other days, failed together.

What the log shows of such a day says nothing about the recipients. It is set aside, and said so. This never makes a
verdict better by itself: while the trouble lasts, every ``safe`` is taken back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from tlsmon.evidence.model import Standing
from tlsmon.verdict.fates import Seen

PROVIDERS_TOGETHER: Final = 3
SHARE_TOGETHER: Final = 0.3
FAILING_AT: Final = 0.2
"""Share of bad sessions from which a provider fails on a day."""
DAYS_IN_ORDER: Final = 2
DAY: Final = 86_400_000_000

ProviderOf = Callable[[str], str]


class Sessions(NamedTuple):
    """A provider's sessions of one day. They add."""

    good: int = 0
    bad: int = 0

    @property
    def failing(self) -> bool:
        """Tell whether the provider fails on this day."""
        return self.bad >= FAILING_AT * (self.good + self.bad)


class SetAside(NamedTuple):
    """What was seen, without the failures of our own side."""

    seen: list[Seen]
    """With those failures as ``open``: what the recipient would have done cannot be told."""
    days: tuple[int, ...]
    """Days since 1970, UTC."""
    attempts: int
    """How many attempts were set aside."""
    newest: int
    """The last day on which anything was seen."""

    @property
    def hold(self) -> str | None:
        """Return why every verdict is to be held: no day in order was seen yet since our own side failed."""
        if self.newest not in self.days:
            return None
        return (
            "many unrelated providers failed together on the last day that was seen: look for the reason on your own "
            "side first (a firewall that strips STARTTLS, the CA bundle); until then no domain is called safe"
        )

    @property
    def note(self) -> str | None:
        """Return what was set aside, in words; None where nothing was."""
        if not self.attempts:
            return None
        days = ", ".join(f"{datetime.fromtimestamp(day * 86_400, UTC):%d %b %Y}" for day in self.days)
        return (
            f"{self.attempts:,} failures of {days} are set aside: many unrelated providers failed together "
            "and are in order on other days, so the reason was on your own side"
        )


def set_aside(seen: Iterable[Seen], provider_of: ProviderOf) -> SetAside:
    """Return what was seen with the failures of our own side set aside."""
    every = list(seen)
    days = by_day(every, provider_of)
    newest = max(days, default=0)
    wrong = own_days(days, in_order(days))
    if not wrong:
        return SetAside(every, (), 0, newest)
    ours = {id(item) for item in every if item.standing is Standing.BAD and day_of(item) in wrong}
    found = [item._replace(standing=Standing.OPEN) if id(item) in ours else item for item in every]
    attempts = sum(item.observation.attempts for item in every if id(item) in ours)
    return SetAside(found, tuple(sorted(wrong)), attempts, newest)


def day_of(item: Seen) -> int:
    """Return the day on which an observation began, in days since 1970, UTC."""
    return item.observation.first // DAY


def by_day(seen: Iterable[Seen], provider_of: ProviderOf) -> dict[int, dict[str, Sessions]]:
    """Return the sessions by day and provider."""
    found: dict[int, dict[str, Sessions]] = defaultdict(dict)
    for item in seen:
        observation, what = item
        if what is Standing.GOOD or what is Standing.BAD:
            today = found[observation.first // DAY]
            name = provider_of(observation.address.host)
            good, bad = today.get(name, (0, 0))
            size = observation.attempts
            today[name] = Sessions(good + size, bad) if what is Standing.GOOD else Sessions(good, bad + size)
    return found


def in_order(days: Mapping[int, Mapping[str, Sessions]]) -> frozenset[str]:
    """Return the providers that were in order on at least two days, and on most."""
    good: dict[str, int] = defaultdict(int)
    failing: dict[str, int] = defaultdict(int)
    for today in days.values():
        for name, sessions in today.items():
            (failing if sessions.failing else good)[name] += 1
    return frozenset(name for name, number in good.items() if number >= max(DAYS_IN_ORDER, 2 * failing[name]))


def own_days(days: Mapping[int, Mapping[str, Sessions]], known: frozenset[str]) -> frozenset[int]:
    """Return the days on which so many of the known good providers failed that it was our own side."""
    return frozenset(day for day, today in days.items() if _together(today, known))


def _together(today: Mapping[str, Sessions], known: frozenset[str]) -> bool:
    voters = [sessions for name, sessions in today.items() if name in known]
    failing = sum(sessions.failing for sessions in voters)
    return failing >= max(PROVIDERS_TOGETHER, SHARE_TOGETHER * len(voters))
