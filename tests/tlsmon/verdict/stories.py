"""Stories of domains, as ``tests/tables/verdicts.txt`` writes them, to observations."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from tlsmon.evidence.columns import Columns, Numbers
from tlsmon.evidence.model import Address, Observation, Sender

_Value = TypeVar("_Value", bound=Hashable)

MINUTE = 60_000_000
START = 1_700_000_000_000_000

# security, authentication, protocol, outcome, cause
_LETTERS = {
    "e": ("encrypted", None, "TLSv1.3", "sent", None),
    "t": ("encrypted", "trusted", "TLSv1.3", "sent", None),
    "v": ("encrypted", "verified", "TLSv1.3", "sent", None),
    "u": ("encrypted", "untrusted", "TLSv1.3", "sent", None),
    "a": ("encrypted", "anonymous", "TLSv1.2", "sent", None),
    "d": ("encrypted", "dane", "TLSv1.3", "sent", None),
    "1": ("encrypted", "trusted", "TLSv1", "sent", None),
    "p": ("plaintext", None, None, "sent", None),
    "q": ("plaintext", None, None, "sent", None),
    "k": ("plaintext", None, None, "sent", None),
    "?": ("unknown", None, None, "sent", None),
    "h": ("none", None, None, "deferred", "tls_handshake"),
    "n": ("none", None, None, "deferred", "tls_not_offered"),
    "r": ("none", None, None, "bounced", "tls_refused"),
    "x": ("none", None, None, "expired", "tls_not_offered"),
    "b": ("plaintext", None, None, "bounced", "unrelated"),
    "f": ("encrypted", None, "TLSv1.3", "deferred", "unrelated"),
    "g": ("plaintext", None, None, "deferred", "unrelated"),
}


def ip_of(name: str) -> str:
    """Return the address of a story's host."""
    return f"192.0.2.{ord(name[0])}"


_EARLIER = {"q": frozenset({ip_of("a")}), "k": frozenset({"?"})}


def observations(story: str, domain: str = "example.com") -> Iterator[Observation]:
    """Yield the observations of a story: ``a=ee.p b=..e. exim other=t``."""
    words = story.split()
    sender = Sender("exim" if "exim" in words else "postfix", "mail", None)
    for word in words:
        name, found, letters = word.partition("=")
        if not found:
            continue
        other = name == "other"
        address = Address(f"{name}.other.test" if other else f"{name}.{domain}", ip_of(name), 25)
        for minute, letter in enumerate(letters):
            if letter != ".":
                yield _observation("other.test" if other else domain, address, sender, letter, minute)


def _observation(domain: str, address: Address, sender: Sender, letter: str, minute: int) -> Observation:
    security, authentication, protocol, outcome, cause = _LETTERS[letter]
    time = START + minute * MINUTE
    return Observation(
        domain,
        address,
        sender,
        security,
        authentication,
        protocol,
        None,
        outcome,
        cause,
        None,
        1,
        1,
        time,
        time,
        earlier=_EARLIER.get(letter, frozenset()),
    )


def columns_of(every: Iterable[Observation]) -> Columns:
    """Return observations by column."""
    found = list(every)
    domains, domain = _coded([item.domain for item in found])
    addresses, address = _coded([item.address for item in found])
    sizes = [np.array(column, np.int64) for column in zip(*(_size_of(i) for i in found), strict=True)]
    return Columns(domains, addresses, found, domain, address, np.arange(len(found)), *sizes)


def _size_of(item: Observation) -> tuple[int, int, int, int]:
    return item.attempts, item.connections, item.first, item.last


def _coded(values: Sequence[_Value]) -> tuple[list[_Value], Numbers]:
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return list(known), np.array([known[value] for value in values], np.int64)
