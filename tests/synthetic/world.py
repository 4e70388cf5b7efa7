"""
Who receives mail, on which servers, and how these change over months.

Times are seconds since the beginning of the world. Nothing here is drawn at random; :mod:`tests.synthetic.build` does.
"""

from typing import NamedTuple

HOUR = 3_600.0
DAY = 86_400.0


class Spell(NamedTuple):
    """How a host behaves from a moment on, until its next spell."""

    start: float
    refusing: float = 0.0
    """Share of the sessions without usable STARTTLS, 0 to 1."""
    certificate: bool = True
    """Whether its certificate is valid and names the host."""
    up: bool = True


class Host(NamedTuple):
    """One address of an MX host."""

    name: str
    ip: str
    spells: tuple[Spell, ...]
    """In order of time; the first one begins at 0."""
    handshake: bool = False
    """It offers STARTTLS and fails in the handshake, where others do not offer it."""

    def at(self, time: float) -> Spell:
        """Return the spell in force at a time."""
        for spell in reversed(self.spells):
            if spell.start <= time:
                return spell
        return self.spells[0]


class Home(NamedTuple):
    """Where a domain receives its mail from a moment on."""

    start: float
    hosts: tuple[Host, ...]
    equal: bool = True
    """All of the same preference, tried in random order; else in the order given."""


class Domain(NamedTuple):
    """A recipient domain."""

    name: str
    weight: float
    """Its part of the traffic; parts need not add up to 1."""
    homes: tuple[Home, ...]

    def home(self, time: float) -> Home:
        """Return where the domain receives its mail at a time."""
        return next(home for home in reversed(self.homes) if home.start <= time)


class Interval(NamedTuple):
    """From, inclusive, to, exclusive."""

    start: float
    end: float

    def holds(self, time: float) -> bool:
        """Tell whether a time lies in it."""
        return self.start <= time < self.end


NEVER = Interval(0, 0)


class World(NamedTuple):
    """All that there is to know."""

    days: int
    domains: tuple[Domain, ...]
    firewall: Interval = NEVER
    """When the sender's own firewall strips STARTTLS."""
    silence: Interval = NEVER
    """When TLS logging is off."""
