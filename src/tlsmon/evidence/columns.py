"""
What was observed in a window, by column: a million attempts as numbers, which become values only where one has to look.

Attempts differ in domain and address, and are alike in most of the rest. So each column of numbers says which of few
values stands there.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tlsmon.evidence.model import Address, Observation, Sender
from tlsmon.garbage import without_collection
from tlsmon.rollup.model import Direction
from tlsmon.store.values import as_numpy, coded, numbers

Numbers: TypeAlias = npt.NDArray[np.int64]

_KIND: Final = (
    *("mta", "host", "instance", "security", "authentication", "protocol", "cipher", "outcome", "cause", "level"),
    "earlier",
)
_MOST_CODES: Final = 1 << 62
_DAY: Final = 86_400_000_000


class Columns(NamedTuple):
    """Attempts of one direction. Each number in ``domain``, ``address`` and ``kind`` is an index."""

    domains: Sequence[str]
    addresses: Sequence[Address]
    kinds: Sequence[Observation]
    """Examples: all that attempts may have in common beside domain, address, number and time."""
    domain: Numbers
    address: Numbers
    kind: Numbers
    attempts: Numbers
    connections: Numbers
    first: Numbers
    """Microseconds since 1970, UTC."""
    last: Numbers

    def part(self, rows: Numbers | npt.NDArray[np.bool_]) -> "Columns":
        """Return some of the attempts."""
        return Columns(*self[:3], *(column[rows] for column in self[3:]))

    def where(self, test: Callable[[Observation], Any]) -> npt.NDArray[np.bool_]:
        """Tell of which attempts something holds that does not depend on domain, address, number or time."""
        return np.array([bool(test(kind)) for kind in self.kinds], np.bool_)[self.kind]

    def of_domains(self, which: npt.NDArray[np.bool_]) -> "Columns":
        """Return all attempts of the domains of which there is one among some of the attempts."""
        return self.part(np.bincount(self.domain[which], minlength=len(self.domains))[self.domain] > 0)

    @without_collection()
    def observations(self, rows: Numbers | npt.NDArray[np.bool_] | slice = slice(None)) -> list[Observation]:
        """Return some of the attempts, or all, as values. Equal texts, addresses and senders are one object."""
        domains, addresses = self.domains, self.addresses
        words, rest = [kind[2:10] for kind in self.kinds], [kind[14:] for kind in self.kinds]
        return [
            Observation._make((domains[domain], addresses[address], *words[kind], *size, *rest[kind]))
            for domain, address, kind, *size in zip(*(column[rows].tolist() for column in self[3:]), strict=True)
        ]

    def merged(self, codes: Numbers) -> "Columns":
        """Return the attempts that have the same code as one, in the order of the codes."""
        _, equal, where = distinct(codes)
        first, last = self.first[equal], self.last[equal]
        np.minimum.at(first, where, self.first)
        np.maximum.at(last, where, self.last)
        return self._replace(
            domain=self.domain[equal],
            address=self.address[equal],
            kind=self.kind[equal],
            attempts=np.bincount(where, self.attempts, len(equal)).astype(np.int64),
            connections=np.bincount(where, self.connections, len(equal)).astype(np.int64),
            first=first,
            last=last,
        )


def columns(found: pa.Table, direction: Direction) -> Columns:
    """
    Return rows of the store by column, equal attempts of a day as one.

    ``found``: the columns of the store that observations are made of, and ``hour``. Inbound the domain is the sender's,
    and a client without a name is known by its address.
    """
    domain, domains = coded(found["sender_domain" if direction is Direction.INBOUND else "recipient_domain"])
    address, places = together([coded(found[name]) for name in ("mx_host", "mx_ip", "mx_port")])
    kind, kinds = together([coded(found[name]) for name in _KIND])
    inbound = direction is Direction.INBOUND
    rows = Columns(
        domains,
        [Address(host or (inbound and ip) or "", ip, port) for host, ip, port in places],
        [_kind(direction, *words) for words in kinds],
        domain,
        address,
        kind,
        *(numbers(found[name]) for name in ("count", "connections", "first", "last")),
    )
    return _by_day(rows, numbers(found["hour"]))


def _kind(direction: Direction, mta: str, host: str | None, instance: str | None, *words: Any) -> Observation:
    *rest, earlier = words
    failed = frozenset(earlier.split(",")) if earlier else frozenset()
    nowhere = Address("", None, None)
    return Observation._make(("", nowhere, Sender(mta, host, instance), *rest, 0, 0, 0, 0, failed, direction))


def together(parts: Sequence[tuple[Numbers, Sequence[Any]]]) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Return coded columns as one whose values are the combinations that occur."""
    codes = combined([(part, len(known)) for part, known in parts])
    _, example, codes = distinct(codes)
    occurring = [[known[code] for code in part[example].tolist()] for part, known in parts]
    return codes, list(zip(*occurring, strict=True))


def combined(parts: Sequence[tuple[Numbers, int]]) -> Numbers:
    """Return one number for each combination of numbers, in their order; each part with a number that it is below."""
    codes, size = np.zeros(len(parts[0][0]), np.int64), 1
    for part, below in parts:
        if size * max(below, 1) > _MOST_CODES:
            occurring, _, codes = distinct(codes)
            size = len(occurring)
        codes, size = codes * below + part, size * max(below, 1)
    return codes


def distinct(codes: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """
    Return the different numbers, sorted, for each one where it stands, and for each of the codes which one it is.

    As ``numpy.unique``, which sorts them all.
    """
    bits = pa.py_buffer(np.ascontiguousarray(codes))
    found = pa.Array.from_buffers(pa.int64(), len(codes), [None, bits]).dictionary_encode()
    different = as_numpy(found.dictionary)
    order = np.argsort(different)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    which = rank[as_numpy(found.indices)]
    example = np.empty_like(order)
    example[which] = np.arange(len(which))
    return different[order], example, which


def starts(codes: Numbers) -> Numbers:
    """Return where in sorted numbers another one begins."""
    return np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))


def _by_day(found: Columns, hour: Numbers) -> Columns:
    """Return equal attempts of a day as one."""
    day = hour // _DAY - hour.min(initial=0) // _DAY
    sizes = len(found.domains), len(found.addresses), len(found.kinds), int(day.max(initial=0)) + 1
    return found.merged(combined(list(zip((found.domain, found.address, found.kind, day), sizes, strict=True))))
