"""
Each distinct phrase once.

A day's TLS summaries differ in a handful of ways, so a slow and readable grammar may define what a phrase means: it is
asked once for each distinct phrase, and the answer is kept.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")

# Letters, digits, hyphen, and the underscore that the DNS carries though RFC 1123 does not allow it in host names.
_DOMAIN = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*")
_LITERAL = re.compile(r"\[[0-9A-Za-z.:]{1,64}\]")
_DOMAIN_MAX = 253


class Phrases(Generic[Meaning]):
    """
    A bounded memory of what phrases mean.

    ``read`` is asked on a miss. When ``limit`` distinct phrases are known the memory starts anew: a log that is full of
    one-off phrases then runs at the grammar's speed, in bounded memory.
    """

    def __init__(self, read: Callable[[str], Meaning], limit: int = 20_000) -> None:
        self._read = read
        self._limit = limit
        self._known: dict[str, Meaning] = {}

    def __call__(self, phrase: str) -> Meaning:
        """Return the meaning of the phrase."""
        try:
            return self._known[phrase]
        except KeyError:
            if len(self._known) >= self._limit:
                self._known.clear()
            meaning = self._known[phrase] = self._read(phrase)
            return meaning


@lru_cache(maxsize=65_536)
def domain_name(name: str) -> str | None:
    """
    Return a domain in lower case as A-label without a trailing dot, or None where it can be no domain.

    Non-ASCII names are mapped by UTS 46, non-transitional, as Postfix does (``util/midna_domain.c``).

    >>> domain_name("Example.COM."), domain_name("bücher.example"), domain_name("a b")
    ('example.com', 'xn--bcher-kva.example', None)
    """
    name = name.removesuffix(".")
    if not name.isascii():
        name = _a_label(name) or ""
    name = name.lower()
    return name if len(name) <= _DOMAIN_MAX and _DOMAIN.fullmatch(name) else None


def _a_label(name: str) -> str | None:
    import idna  # noqa: PLC0415 (most logs never need it)

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


def domain_of(address: str) -> str | None:
    """
    Return the domain of a mail address, folded as by :func:`domain_name`.

    An address literal keeps its brackets. None where the address has no domain or no valid one.

    >>> domain_of('"a@b"@Example.com'), domain_of("root"), domain_of("u@[127.0.1.1]")
    ('example.com', None, '[127.0.1.1]')
    """
    _, at, domain = address.rpartition("@")
    if not at or len(domain) > 4 * _DOMAIN_MAX:
        return None
    if domain.startswith("["):
        return domain.lower() if _LITERAL.fullmatch(domain) else None
    return domain_name(domain)


@lru_cache(maxsize=65_536)
def host_name(name: str) -> str:
    """Return the name of a host as logs are compared by: lower case, without a trailing dot."""
    return name.removesuffix(".").lower()
