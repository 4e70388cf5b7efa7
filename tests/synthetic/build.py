"""
Draw a world: providers with shared hosts or a host name for each customer, hosters, own servers, and their changes.

The shares and rates below are choices, not measurements; they stand in ``docs/model.md`` with what they lead to.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from tests.synthetic.world import DAY, HOUR, NEVER, Domain, Home, Host, Interval, Spell, World

MONTH = 30 * DAY
FLAPPING = (1 / 2, 1 / 3, 1 / 10, 1 / 30, 1 / 100, 1 / 300)
BIG_RANK = 30
"""The domains with the most mail are with the big providers."""


class Rates(NamedTuple):
    """Changes of one host, or moves of one domain, in a month."""

    lost: float = 0.002
    """STARTTLS is gone for good."""
    interrupted: float = 0.004
    """It is gone for hours or a few days."""
    gained: float = 0.05
    """A host in clear gets STARTTLS."""
    expired: float = 0.03
    """The certificate expires, and is renewed within two weeks."""
    outage: float = 0.3
    """A primary with a backup is down for hours."""
    moved: float = 0.01
    """A domain moves to other servers."""


class Size(NamedTuple):
    """How large the world is."""

    days: int = 120
    domains: int = 2_000
    rates: Rates = Rates()
    firewall: Interval = NEVER
    silence: Interval = NEVER


def build(size: Size, seed: int) -> World:
    """Return a world; the same for the same size and seed."""
    draw = Draw(Random(seed), size)
    domains = tuple(draw.domain(rank) for rank in range(size.domains))
    return World(size.days, domains, size.firewall, size.silence)


class Draw:
    """Draws hosts, homes and domains, one after the other."""

    def __init__(self, random: Random, size: Size) -> None:
        self._random = random
        self._size = size
        self._addresses = 0
        self._big = [self._shared(f"big{number}.test", 4, self._steady) for number in range(5)]
        self._hosters = [
            self._shared(
                f"hoster{number}.test", 2, random.choices((self._good, self._clear, self._flapping), (90, 6, 4))[0]
            )
            for number in range(max(size.domains // 40, 5))
        ]
        self._homes: tuple[Callable[[str], Home], ...] = (
            lambda _: random.choice(self._big),
            lambda name: self._named(name, "named.test", self._steady),
            lambda name: self._named(name, "mixed.test", self._good if random.random() < 0.8 else self._clear),
            lambda _: random.choice(self._hosters),
            lambda name: self._own(name, self._good),
            lambda name: self._own(name, self._clear),
            lambda name: self._own(name, self._flapping),
            lambda name: self._pair(name, self._good, self._clear, equal=True),
            lambda name: self._pair(name, self._clear, self._good, equal=False),
            lambda name: self._pair(name, self._failing_over, self._clear, equal=False),
        )

    def domain(self, rank: int) -> Domain:
        """Return a domain; those of low rank have the most mail (Zipf)."""
        name = f"d{rank:05}.test"
        homes = [Home(0, *self._home(name, rank)[1:])]
        if rank >= BIG_RANK and (start := self._moment(self._size.rates.moved)) is not None:
            homes.append(Home(start, *self._home(f"new-{name}", rank)[1:]))
        return Domain(name, 1 / (rank + 3), tuple(homes))

    def _home(self, name: str, rank: int) -> Home:
        weights = (80, 20, 0, 0, 0, 0, 0, 0, 0, 0) if rank < BIG_RANK else (40, 12, 3, 20, 16, 3, 2, 1, 1, 2)
        return self._random.choices(self._homes, weights)[0](name)

    def _shared(self, provider: str, number: int, kind: Callable[[], Iterable[Spell]]) -> Home:
        return Home(0, tuple(self._host(f"mx{index}.{provider}", kind) for index in range(number)))

    def _named(self, name: str, provider: str, kind: Callable[[], Iterable[Spell]]) -> Home:
        return Home(0, (self._host(f"{name.replace('.', '-')}.mail.{provider}", kind),))

    def _own(self, name: str, kind: Callable[[], Iterable[Spell]]) -> Home:
        return Home(0, (self._host(f"mail.{name}", kind),))

    def _pair(
        self, name: str, one: Callable[[], Iterable[Spell]], other: Callable[[], Iterable[Spell]], *, equal: bool
    ) -> Home:
        return Home(0, (self._host(f"mx1.{name}", one), self._host(f"mx2.{name}", other)), equal)

    def _host(self, name: str, kind: Callable[[], Iterable[Spell]]) -> Host:
        self._addresses += 1
        high, low = divmod(self._addresses, 250)
        return Host(name, f"198.{18 + high // 250}.{high % 250}.{low + 1}", tuple(kind()), self._random.random() < 0.2)

    def _steady(self) -> list[Spell]:
        return [Spell(0)]

    def _good(self) -> list[Spell]:
        rates = self._size.rates
        spells = [Spell(0)]
        if (start := self._moment(rates.lost)) is not None:
            return [*spells, Spell(start, 1.0)]
        if (start := self._moment(rates.interrupted)) is not None:
            return [*spells, Spell(start, 1.0), Spell(start + self._random.uniform(HOUR, 3 * DAY))]
        if (start := self._moment(rates.expired)) is not None:
            return [*spells, Spell(start, certificate=False), Spell(start + self._random.uniform(HOUR, 14 * DAY))]
        return spells

    def _clear(self) -> list[Spell]:
        start = self._moment(self._size.rates.gained)
        return [Spell(0, 1.0)] if start is None else [Spell(0, 1.0), Spell(start)]

    def _flapping(self) -> list[Spell]:
        return [Spell(0, self._random.choice(FLAPPING))]

    def _failing_over(self) -> list[Spell]:
        start = self._moment(self._size.rates.outage)
        if start is None:
            return [Spell(0)]
        return [Spell(0), Spell(start, up=False), Spell(start + self._random.uniform(HOUR, DAY))]

    def _moment(self, rate: float) -> float | None:
        """Return when something happens that has a monthly rate, or None where it does not."""
        time = self._random.expovariate(rate / MONTH) if rate else self._size.days * DAY
        return time if time < self._size.days * DAY else None
