"""
Domains of which nothing was refused, nor anything at the servers that they use: by far the most, judged by column.

Whatever the level accepts of their mail would have been delivered, and of the rest the log does not tell; no address
is better or worse than the others. That leaves sums and the bound, which :mod:`tlsmon.verdict.judge` finds in the same
way, only one attempt after the other. Any other domain, and each one about which there is the least doubt whether it
belongs here, is left to it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tlsmon.evidence.columns import Numbers, combined, distinct, starts
from tlsmon.evidence.history import Behaviour
from tlsmon.evidence.model import Address
from tlsmon.evidence.sessions import SECOND
from tlsmon.verdict.by_column import GOOD, SILENT, Keys, Rows, indexed
from tlsmon.verdict.known import Known
from tlsmon.verdict.model import Fates, HostCounts, Judgement, Thresholds, Verdict
from tlsmon.verdict.untold import Untold
from tlsmon.verdict.words import Tally, counted, does_not_tell, not_told, of_worst, too_few

Bounds: TypeAlias = npt.NDArray[np.float64]

_UNTOLD: Final = 2.0
"""In the place of a bound: nobody knows how the address behaves."""
_UNSTEADY: Final = 3.0
_NEVER: Final = 1 << 62
_SECURITIES: Final = {"encrypted": 0, "plaintext": 1, "unknown": 2}


class Way(NamedTuple):
    """The mail of one domain from one sender; as columns, of all."""

    mails: Any
    connections: Any
    accepted: Any
    """By the level; of the others the log does not tell."""
    hosts: Any
    first: Any
    last: Any
    bound: Any
    """``_UNTOLD`` where there is none."""
    address: Any


class Total(NamedTuple):
    """The mail of one domain; as columns, of all."""

    domain: Any
    ways: Any
    """How many of them tell."""
    mails: Any
    connections: Any
    accepted: Any
    last: Any
    bound: Any
    """The greatest."""
    min_mails: Any
    """What is asked of each way."""
    worst: Any
    """The way to speak of: the first one that is not proven, or else the first."""
    proven: Any
    """Whether that one is."""


class Steady:
    """Finds the steady domains of a window at a level, and judges them."""

    def __init__(  # noqa: PLR0913
        self, rows: Rows, by: Keys, level: str, thresholds: Thresholds, bounds: Bounds, *, explained: bool = True
    ) -> None:
        """``bounds`` by key, see :func:`bounds_of`. Not ``explained``: without reasons."""
        self._explained = explained
        self._rows, self._by, self._level, self._thresholds = rows, by, level, thresholds
        self._told = rows.standing != SILENT
        self._mail = self._told & rows.found.where(lambda kind: kind.outcome == "sent")
        senders, sender = indexed([kind.sender for kind in rows.found.kinds])
        domain = rows.found.domain
        codes = combined([(domain, len(rows.found.domains)), (sender[rows.found.kind], len(senders))])
        ways, _, self._way = distinct(codes)
        self._domain = ways // max(len(senders), 1)
        """By way."""
        self._order = np.argsort(self._way, kind="stable")
        self._begin = starts(self._way[self._order])
        self._bound = self._bounds(bounds)
        self._provider_of = {host: rows.provider_of(host) for host in rows.hosts}

    def domains(self) -> npt.NDArray[np.bool_]:
        """Tell of which domains nothing else has to be known."""
        found, size = self._rows.found, len(self._rows.found.domains)
        with_mail = np.bincount(found.domain[self._mail], minlength=size) > 0
        port = np.array([address.port or 0 for address in found.addresses], np.int64)[found.address]
        several = self._least(port) != self._most(port)  # each port is a way of its own
        silent = self._untold()
        unsteady = (self._bound == _UNSTEADY) | several | silent.is_last | silent.is_much
        odd = np.bincount(self._domain[unsteady], minlength=size) > 0
        return with_mail & ~odd

    def _untold(self) -> Untold:
        """Return for each way what :func:`tlsmon.verdict.untold.untold` does."""
        found, rows, way, size = self._rows.found, self._rows, self._way, len(self._domain)
        silent = self._mail & found.where(lambda kind: kind.security == "unknown")
        told = self._mail & found.where(lambda kind: kind.security in ("encrypted", "plaintext"))
        last = self._most(np.where(rows.telling, found.last, 0))
        first = self._least(np.where(told, found.first, _NEVER))
        return Untold(
            rows.sums(way, size, silent & (found.first > last[way])),
            rows.sums(way, size, silent & (found.last > np.where(first == _NEVER, 0, first)[way])),
            rows.sums(way, size, told),
        )

    def judgements(self, which: npt.NDArray[np.bool_]) -> Iterator[Judgement]:
        """Yield the judgements of steady domains."""
        ways = self._ways()
        totals = self._totals(ways, np.flatnonzero(which[self._domain] & (ways.mails > 0)))
        worst = zip(*(column[totals.worst].tolist() for column in ways), strict=True)
        hosts = self._hosts(which)
        rows = zip(*(column.tolist() for column in totals), strict=True)
        for total, way in zip(map(Total._make, rows), map(Way._make, worst), strict=True):
            yield self._judgement(total, way, hosts[total.domain])

    def _totals(self, ways: Way, telling: Numbers) -> Total:
        """Return the sums by domain of ways with mail; a domain's stand side by side."""
        begin = starts(self._domain[telling])
        size = np.diff(begin, append=len(telling))
        domain = self._domain[telling[begin]]
        alone = np.bincount(self._domain, minlength=len(self._rows.found.domains))[domain] == 1
        asked = np.where(alone, self._thresholds.min_mails, 0)
        mails, connections, accepted, bound, last = (
            column[telling] for column in (ways.mails, ways.connections, ways.accepted, ways.bound, ways.last)
        )
        # What is not told is a bound of more than 1.
        proven = (mails >= np.repeat(asked, size)) & (bound <= min(self._thresholds.max_share, 1.0))
        doubtful = np.minimum.reduceat(np.where(proven, len(telling), np.arange(len(telling))), begin)
        worst = np.where(doubtful < len(telling), doubtful, begin)
        return Total(
            domain,
            size,
            np.add.reduceat(mails, begin),
            np.add.reduceat(connections, begin),
            np.add.reduceat(accepted, begin),
            np.maximum.reduceat(last, begin),
            np.maximum.reduceat(bound, begin),
            asked,
            telling[worst],
            proven[worst],
        )

    def _judgement(self, total: Total, worst: Way, hosts: list[HostCounts]) -> Judgement:
        asked = self._thresholds._replace(min_mails=total.min_mails)
        verdict = Verdict.SAFE if total.proven else Verdict.UNPROVEN
        encrypted, plaintext, unknown = map(sum, zip(*(host[1:] for host in hosts), strict=True))
        return Judgement(
            self._rows.found.domains[total.domain],
            verdict if total.mails >= self._thresholds.min_mails else Verdict.UNPROVEN,
            total.mails,
            total.connections,
            encrypted,
            plaintext,
            unknown,
            Fates(delivered=total.accepted, unknown=total.mails - total.accepted),
            None if total.bound == _UNTOLD else total.bound,
            of_worst(tuple(self._reasons(worst, verdict, asked)), total.ways) if self._explained else (),
            tuple(hosts),
            total.last,
            tuple(sorted({self._provider_of[host.host] for host in hosts})),
        )

    def _reasons(self, way: Way, verdict: Verdict, asked: Thresholds) -> Iterator[str]:
        upper = None if way.bound == _UNTOLD else way.bound
        yield counted(Tally(way.mails, way.accepted, way.hosts, way.first), self._level, verdict, upper)
        if upper is None:
            yield does_not_tell(self._rows.found.addresses[way.address].host)
        if way.accepted < way.mails:
            yield not_told(way.mails - way.accepted)
        if verdict is Verdict.UNPROVEN and upper is not None:
            yield from too_few(way.mails, way.connections, upper, asked)

    def _ways(self) -> Way:
        found, rows, size = self._rows.found, self._rows, len(self._domain)
        mail, host = self._mail, rows.host[found.address]
        met, _, _ = distinct(combined([(self._way[mail], size), (host[mail], len(rows.hosts))]))
        return Way(
            rows.sums(self._way, size, mail),
            rows.connections(self._way, size, mail),
            rows.sums(self._way, size, mail & (rows.standing == GOOD)),
            np.bincount(met // max(len(rows.hosts), 1), minlength=size),
            self._least(np.where(mail, found.first, _NEVER)),
            self._most(np.where(mail, found.last, 0)),
            self._bound,
            self._most(np.where(self._told, found.address, 0)),
        )

    def _bounds(self, bounds: Bounds) -> Bounds:
        """
        Return the bound of each way, given those by key: the least of the addresses in use.

        Of these one is known, the last that was used. So where no other that the mail could go to has a lesser bound,
        nothing else needs to be known of them. The other addresses of a host count, whoever sends there.
        """
        place, key = self._places(), self._by.key
        used = np.bincount(key[self._told], minlength=len(bounds)) > 0
        low, high, several = (
            np.full(len(bounds), np.inf),
            np.zeros(len(bounds)),
            np.bincount(place[used], minlength=len(bounds)),
        )
        np.minimum.at(low, place[used], bounds[used])
        np.maximum.at(high, place[used], bounds[used])
        least = self._least(np.where(self._told, low[place[key]], np.inf))
        most = self._most(np.where(self._told, high[place[key]], 0.0))
        second = np.where(self._told, self._rows.found.last // SECOND, -1)
        latest = self._least(np.where(self._told & (second == self._most(second)[self._way]), bounds[key], np.inf))
        address = self._rows.found.address
        one = self._least(np.where(self._told, address, _NEVER)) == self._most(np.where(self._told, address, -1))
        one &= self._most(np.where(self._told, several[place[key]], 0)) == 1
        nobody_knows = (least == _UNTOLD) & (most == _UNTOLD) & (one | (not self._explained))
        silent = most == 0
        sure = (most <= 1) & (latest <= least) & ~silent
        return np.where(sure, latest, np.where(nobody_knows | silent, _UNTOLD, _UNSTEADY))

    def _places(self) -> Numbers:
        """Return for each key which ones are tried together with it: the addresses of an MX host."""
        if not self._by.pooled:
            return np.arange(len(self._by.address))
        addresses = self._rows.found.addresses
        return indexed([(addresses[code].host, addresses[code].port) for code in self._by.address.tolist()])[1]

    def _hosts(self, which: npt.NDArray[np.bool_]) -> dict[int, list[HostCounts]]:
        """Return what each MX host took of the domains' mail."""
        rows, found = self._rows, self._rows.found
        mail = self._mail & which[found.domain]
        size = len(rows.hosts)
        codes, _, where_to = distinct(found.domain[mail] * size + rows.host[found.address[mail]])
        security = np.array([_SECURITIES.get(kind.security, 3) for kind in found.kinds], np.int64)[found.kind[mail]]
        counts = np.bincount(where_to * 4 + security, found.attempts[mail], len(codes) * 4).astype(np.int64)
        hosts: dict[int, list[HostCounts]] = defaultdict(list)
        for code, numbers in zip(codes.tolist(), counts.reshape(-1, 4)[:, :3].tolist(), strict=True):
            hosts[code // size].append(HostCounts(rows.hosts[code % size], *numbers))
        return hosts

    def _least(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.minimum.reduceat(values[self._order], self._begin)

    def _most(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.maximum.reduceat(values[self._order], self._begin)


def bounds_of(rows: Rows, by: Keys, known: Known, behaviours: Sequence[Behaviour | None], confidence: float) -> Bounds:
    """Return the bound of each key; ``_UNSTEADY`` where there is anything but good."""

    def bound(address: Address, found: Behaviour | None) -> float:
        if found is None:
            return _UNTOLD
        steady = found.good and not found.bad and found.since is None
        return known.bound(address, found, rows.provider_of, confidence) if steady else _UNSTEADY

    addresses = (rows.found.addresses[code] for code in by.address.tolist())
    return np.array(list(map(bound, addresses, behaviours)), np.float64)
