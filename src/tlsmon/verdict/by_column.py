"""
A window at a level, by column: what :mod:`hold`, :mod:`own_side` and :mod:`known` say, of a million attempts at once.

Each function here gives what the one of the same purpose over there gives; tests/tlsmon/verdict/test_steady.py holds
them together. What has both good and bad sessions is left to the functions over there.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tlsmon.evidence.columns import Columns, Numbers, combined, distinct
from tlsmon.evidence.history import Behaviour, behaviour
from tlsmon.evidence.looks import Looks
from tlsmon.evidence.model import Standing
from tlsmon.evidence.sessions import Sessions
from tlsmon.evidence.standing import sender_facts, standing
from tlsmon.verdict import hold, own_side, probed
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.known import POOLED_LEVELS, Known, pools_of, put_off, siblings_of

STANDINGS: Final = (Standing.GOOD, Standing.BAD, Standing.OPEN, Standing.SILENT)
GOOD, BAD, OPEN, SILENT = range(4)
_DAY: Final = 86_400_000_000
_Value = TypeVar("_Value", bound=Hashable)


class Rows(NamedTuple):
    """The attempts of a window with their standing at a level."""

    found: Columns
    standing: Numbers
    """An index of ``STANDINGS``."""
    provider_of: Callable[[str], str]
    providers: Sequence[str]
    provider: Numbers
    """By address."""
    hosts: Sequence[str]
    host: Numbers
    """By address."""

    @property
    def telling(self) -> npt.NDArray[np.bool_]:
        """Tell which attempts are good or bad."""
        return self.standing <= BAD

    def seen(self, rows: Numbers) -> list[Seen]:
        """Return some of the attempts as values."""
        standings = (STANDINGS[index] for index in self.standing[rows].tolist())
        return list(map(Seen, self.found.observations(rows), standings))

    def sums(self, codes: Numbers, size: int, which: npt.NDArray[np.bool_]) -> Numbers:
        """Return how many attempts there are under each code, of those that are asked for."""
        return np.bincount(codes[which], self.found.attempts[which], size).astype(np.int64)

    def connections(self, codes: Numbers, size: int, which: npt.NDArray[np.bool_]) -> Numbers:
        """Return how many connections there are under each code, of the attempts that are asked for."""
        return np.bincount(codes[which], self.found.connections[which], size).astype(np.int64)

    def sessions(self, codes: Numbers, which: npt.NDArray[np.bool_]) -> dict[int, list[Sessions]]:
        """Return attempts by code as the history of addresses takes them."""
        found: dict[int, list[Sessions]] = defaultdict(list)
        columns = (codes, self.standing == GOOD, self.found.connections, self.found.first, self.found.last)
        for code, *size in zip(*(column[which].tolist() for column in columns), strict=True):
            found[code].append(Sessions(*size))
        return found


def at_level(found: Columns, level: str, oldest_protocol: str, provider_of: Callable[[str], str]) -> Rows:
    """Return attempts with what they say at a level; the senders' settings are told by them together."""
    facts = sender_facts(found.kinds)
    said = [STANDINGS.index(standing(kind, level, facts[kind.sender], oldest_protocol)) for kind in found.kinds]
    names = [address.host for address in found.addresses]
    return Rows(
        found,
        np.array(said, np.int64)[found.kind],
        provider_of,
        *indexed(list(map(provider_of, names))),
        *indexed(names),
    )


def told(rows: Rows, level: str, looks: Looks, *, sender_validates: bool) -> Rows:
    """Return what :func:`tlsmon.verdict.probed.told` does."""
    found = rows.found
    domains = np.array([domain in looks.by_domain for domain in found.domains], np.bool_)
    hosts = np.array([address.host in looks.by_host for address in found.addresses], np.bool_)
    which = np.flatnonzero(domains[found.domain] | hosts[found.address])
    facts = sender_facts(found.kinds)
    decided = probed.told(rows.seen(which), level, looks, facts, sender_validates=sender_validates)
    standings = rows.standing.copy()
    standings[which] = [STANDINGS.index(item.standing) for item in decided]
    return rows._replace(standing=standings)


def indexed(values: Sequence[_Value]) -> tuple[list[_Value], Numbers]:
    """Return the different values, sorted by their text, and for each one its index."""
    distinct = sorted(set(values), key=str)
    index = {value: number for number, value in enumerate(distinct)}
    return distinct, np.array([index[value] for value in values], np.int64)


def smarthost(found: Columns) -> str | None:
    """Return what :func:`tlsmon.verdict.hold.smarthost` does."""
    sent = found.where(lambda kind: kind.outcome == "sent")
    if not sent.any():
        return None
    places, place = indexed([(address.host, address.port) for address in found.addresses])
    taken = np.bincount(place[found.address[sent]], found.attempts[sent], len(places))
    most = int(taken.argmax())
    host, port = places[most]
    domains = len(np.unique(found.domain[sent & (place[found.address] == most)]))
    many = domains >= hold.SMARTHOST_DOMAINS or port in hold.SUBMISSION_PORTS
    return f"[{host}]:{port or 25}" if many and taken[most] >= hold.SMARTHOST_SHARE * int(taken.sum()) else None


def held(rows: Rows) -> str | None:
    """Return what :func:`tlsmon.verdict.hold.hold` does."""
    provider, size = rows.provider[rows.found.address], len(rows.providers)
    good, bad = (np.bincount(provider[rows.standing == what], minlength=size) > 0 for what in (GOOD, BAD))
    last = np.zeros(size, np.int64)
    np.maximum.at(last, provider[rows.telling], rows.found.last[rows.telling])
    mixed = rows.telling & (good & bad)[provider]
    changing = rows.sessions(provider, mixed & _ends_badly(rows, provider, np.flatnonzero(mixed))[provider])
    return hold.of_sessions(
        {rows.providers[code]: items for code, items in changing.items()}, last[good | bad].tolist()
    )


def _ends_badly(rows: Rows, provider: Numbers, which: Numbers) -> npt.NDArray[np.bool_]:
    """
    Tell of which providers, given their attempts, more than half of the sessions may be bad after a change; few are.

    Whatever the change is: of several good sessions that ended after it at least one counts, and of bad ones at most
    all (see ``_since`` in :mod:`tlsmon.evidence.history`). So it is enough to count back from the end.
    """
    which = which[np.lexsort((-rows.found.last[which], provider[which]))]
    whose, last, number = provider[which], rows.found.last[which], rows.found.connections[which]
    sure = (number > 1) | ((number == 1) & (rows.found.first[which] == last))
    lead = np.cumsum(np.where(rows.standing[which] == BAD, number, -1 * sure))
    before = np.concatenate(([0], lead))[np.searchsorted(whose, whose)]
    complete = np.append((np.diff(whose) != 0) | (np.diff(last) != 0), True)[: len(which)]
    found = np.zeros(len(rows.providers), np.bool_)
    found[whose[complete & (lead >= before)]] = True
    return found


def set_aside(rows: Rows) -> tuple[Rows, own_side.SetAside]:
    """Return what :func:`tlsmon.verdict.own_side.set_aside` does; what was seen as rows."""
    day = rows.found.first // _DAY
    wrong = _own_days(rows, day)
    ours = (rows.standing == BAD) & np.isin(day, wrong)
    newest = int(day[rows.telling].max(initial=0))
    aside = own_side.SetAside([], tuple(wrong.tolist()), int(rows.found.attempts[ours].sum()), newest)
    return rows._replace(standing=np.where(ours, OPEN, rows.standing)), aside


def _own_days(rows: Rows, day: Numbers) -> Numbers:
    """Return the days on which so many of the providers that are in order failed that it was our own side."""
    telling = rows.telling
    days, _, row_day = distinct(day[telling])
    size = len(rows.providers)
    code, _, where_to = distinct(row_day * size + rows.provider[rows.found.address[telling]])
    good, bad = (
        np.bincount(
            where_to[rows.standing[telling] == what], rows.found.attempts[telling & (rows.standing == what)], len(code)
        )
        for what in (GOOD, BAD)
    )
    failing = bad >= own_side.FAILING_AT * (good + bad)
    provider = code % size
    fails, fine = (np.bincount(provider[which], minlength=size) for which in (failing, ~failing))
    voting = (fine >= np.maximum(own_side.DAYS_IN_ORDER, 2 * fails))[provider]
    voters, together = (np.bincount(code[which] // size, minlength=len(days)) for which in (voting, voting & failing))
    wrong: Numbers = days[together >= np.maximum(own_side.PROVIDERS_TOGETHER, own_side.SHARE_TOGETHER * voters)]
    return wrong


class Keys(NamedTuple):
    """What behaves as one at a level: an address, or what it does for one domain."""

    key: Numbers
    """By row."""
    domain: Numbers
    """By key; any of its domains where it is an address."""
    address: Numbers
    """By key."""
    pooled: bool


def keys(rows: Rows, level: str) -> Keys:
    """Return what behaves as one, see :data:`tlsmon.verdict.known.POOLED_LEVELS`."""
    pooled = level in POOLED_LEVELS
    found = rows.found
    code = (
        found.address
        if pooled
        else combined([(found.domain, len(found.domains)), (found.address, len(found.addresses))])
    )
    _, example, key = distinct(code)
    return Keys(key, found.domain[example], found.address[example], pooled)


def known_of(rows: Rows, by: Keys, not_offering: frozenset[str]) -> tuple[Known, list[Behaviour | None]]:
    """Return what :func:`tlsmon.verdict.known.known_of` does, and the behaviours by key."""
    behaviours = _behaviours(rows, by)
    found = rows.found
    names: list[Hashable] = [found.addresses[code] for code in by.address.tolist()]
    if not by.pooled:
        names = list(zip((found.domains[code] for code in by.domain.tolist()), names, strict=True))
    named = {name: known for name, known in zip(names, behaviours, strict=True) if known is not None}
    pools = pools_of(named, rows.provider_of) if by.pooled else {}
    siblings = siblings_of(_days_of_several(rows)) if by.pooled else {}
    return Known(named, pools, by.pooled, _failed(rows), not_offering, siblings), behaviours


def _behaviours(rows: Rows, by: Keys) -> list[Behaviour | None]:
    size = len(by.address)
    good, bad = (rows.standing == what for what in (GOOD, BAD))
    any_good, any_bad = (np.bincount(by.key[which], minlength=size) > 0 for which in (good, bad))
    number = np.maximum(rows.connections(by.key, size, good), any_good)
    found = [Behaviour(sessions, 0, None) if sessions else None for sessions in number.tolist()]
    for key, sessions in rows.sessions(by.key, rows.telling & any_bad[by.key]).items():
        found[key] = behaviour(sessions)
    return found


def _failed(rows: Rows) -> dict[str, int]:
    """Return the connections of attempts that failed for another reason than TLS, by address (IP)."""
    found = rows.found
    failed: dict[str, int] = defaultdict(int)
    put_off_at = rows.connections(found.address, len(found.addresses), found.where(put_off)).tolist()
    for address, number in zip(found.addresses, put_off_at, strict=True):
        if number and address.ip:
            failed[address.ip] += number
    before = rows.connections(found.kind, len(found.kinds), found.where(lambda kind: kind.earlier)).tolist()
    for kind, number in zip(found.kinds, before, strict=True):
        for ip in kind.earlier if number else ():
            failed[ip] += number
    return failed


def _days_of_several(rows: Rows) -> list[Seen]:
    """Return the attempts at hosts with several addresses, those of one sender, address and day as one."""
    found = rows.found
    _, host = indexed([(address.host, address.port) for address in found.addresses])
    several = (np.bincount(host) > 1)[host] if len(host) else np.zeros(0, np.bool_)
    which = np.flatnonzero((rows.standing != SILENT) & several[found.address])
    senders, sender = indexed([kind.sender for kind in found.kinds])
    part = found.part(which)
    codes = combined(
        [(sender[part.kind], len(senders)), (part.address, len(found.addresses)), (part.first // _DAY, 1 << 24)]
    )
    return [Seen(item, Standing.GOOD) for item in part.merged(codes).observations()]
