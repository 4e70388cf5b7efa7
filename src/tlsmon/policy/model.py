"""What a policy is made of, and the gate that everything written into one has passed."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from maillog.model import Level
from tlsmon.errors import TlsmonError
from tlsmon.policy.names import match_name

LEVELS = (Level.ENCRYPT, Level.VERIFY, Level.SECURE, Level.DANE_ONLY)
"""The levels that tlsmon writes: those that make TLS mandatory without a fingerprint."""

_SHOWN = 120


class PolicyError(TlsmonError):
    """A policy cannot be written as asked."""


class Enforcement(NamedTuple):
    """TLS shall be mandatory for one domain."""

    domain: str
    """A recipient domain as the log named it, so not to be trusted; for a smarthost its next hop."""
    level: str
    """``encrypt``, ``verify``, ``secure`` or ``dane-only``."""
    reason: str
    """Why, in words for the administrator."""
    match: tuple[str, ...] = ()
    """``secure``: what the certificates were proven to name instead of the domain; ``.example.net``: all below it."""


class Rejected(NamedTuple):
    """An enforcement that was left out."""

    name: str
    """The domain, made printable."""
    reason: str


class Accepted(NamedTuple):
    """Enforcements that are fit to be written: one a domain, in lower case, sorted by domain."""

    enforcements: tuple[Enforcement, ...]
    rejected: tuple[Rejected, ...]


def accept(enforcements: Iterable[Enforcement], key: Callable[[str], str], levels: Iterable[str] = LEVELS) -> Accepted:
    """
    Keep what may be written.

    ``key`` makes the table's key from a domain and raises ValueError with the reason where it must not be one.
    Two enforcements of one domain that disagree are both left out: which of them is safe cannot be known here.
    """
    allowed = frozenset(levels)
    kept: dict[str, Enforcement] = {}
    rejected: set[Rejected] = set()
    disputed: set[str] = set()
    for enforcement in sorted(enforcements):
        try:
            clean = _clean(enforcement, key, allowed)
        except ValueError as error:
            rejected.add(Rejected(printable(enforcement.domain), str(error)))
            continue
        first = kept.setdefault(clean.domain, clean)
        if (first.level, first.match) != (clean.level, clean.match):
            disputed.add(clean.domain)
    rejected |= {Rejected(domain, "asked for with two different policies") for domain in disputed}
    agreed = (kept[domain] for domain in sorted(kept.keys() - disputed))
    return Accepted(tuple(agreed), tuple(sorted(rejected)))


def _clean(enforcement: Enforcement, key: Callable[[str], str], levels: frozenset[str]) -> Enforcement:
    domain = key(enforcement.domain)
    if enforcement.level not in levels:
        raise ValueError(f"level {printable(enforcement.level)} cannot be written here")
    if enforcement.match and enforcement.level != Level.SECURE:
        # Postfix takes match= at verify and fingerprint too, but only secure needs one from evidence.
        raise ValueError(f"names to match make no sense at level {enforcement.level}")
    match = tuple(sorted({match_name(name) for name in enforcement.match}))
    return Enforcement(domain, str(enforcement.level), printable(enforcement.reason), match)


def printable(text: str) -> str:
    """Return text from a log on one line, without control characters, and cut to a length that people read."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def plain_path(path: str) -> str:
    """
    Return the path of a table as it may stand in a configuration.

    Raises PolicyError where it has a character that means something to Postfix or Exim.
    """
    if not re.fullmatch(r"/[A-Za-z0-9._/+-]+", path):
        raise PolicyError(
            f"a table cannot be named {printable(path)!r} in the configuration of a mail server",
            "Give a full path of letters, digits and . _ / + - only.",
        )
    return path
