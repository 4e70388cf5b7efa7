"""
Rows of the table to traffic: share encrypted by period, and by domain, provider, client or reporting host.

The table is grouped by the query engine; only what it gives back is looked at here. Traffic is mail to hosts on the
internet, or inbound from them: content filters, LMTP, private relays and our own users are not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from tlsmon.garbage import without_collection
from tlsmon.provider import provider
from tlsmon.rollup.model import Direction
from tlsmon.store.table import NAME, Table
from tlsmon.store.values import moment, values
from tlsmon.traffic.model import Counts, Group, Period, Silence, Traffic, TrafficRow

_TRAFFIC: Final = "scope = 'internet'"
_COUNTS: Final = """
    CAST(SUM(count) AS BIGINT) AS deliveries,
    CAST(SUM(CASE WHEN outcome = 'sent' THEN count ELSE 0 END) AS BIGINT) AS sent,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security = 'encrypted' THEN count ELSE 0 END) AS BIGINT) AS encrypted,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security = 'plaintext' THEN count ELSE 0 END) AS BIGINT) AS plaintext,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security NOT IN ('encrypted', 'plaintext') THEN count ELSE 0 END) AS BIGINT)
        AS unknown
"""
_SPANS: Final = """
    MIN(hour) AS begin, MAX(hour) AS end_,
    MIN(CASE WHEN provisional THEN NULL ELSE "first" END) AS "first",
    MAX(CASE WHEN provisional THEN NULL ELSE "last" END) AS "last"
"""
_BY_HOST: Final = ("host", "mta")
# A client without a name is known by its address.
_CLIENT: Final = ("COALESCE(mx_host, mx_ip)",)
_COLUMNS: Final = {
    Direction.OUTBOUND: {
        Group.DOMAIN: ("recipient_domain",),
        Group.PROVIDER: ("mx_host",),
        Group.CLIENT: ("NULL",),
        Group.HOST: _BY_HOST,
        None: _BY_HOST,
    },
    Direction.INBOUND: {
        Group.DOMAIN: ("sender_domain",),
        Group.PROVIDER: _CLIENT,
        Group.CLIENT: _CLIENT,
        Group.HOST: _BY_HOST,
        None: _BY_HOST,
    },
}
# Without its zone a time is cut to a day or a month at a third of the cost; all of them are UTC.
_UTC_HOUR: Final = "arrow_cast(hour, 'Timestamp(Microsecond, None)')"
_LABEL: Final = {Period.DAY: "%Y-%m-%d", Period.WEEK: "%G-W%V", Period.MONTH: "%Y-%m"}
_HOUR: Final = timedelta(hours=1)


@without_collection()
def traffic(  # noqa: PLR0913, what one asks for
    table: Table,
    by: Period = Period.DAY,
    group: Group | None = None,
    domain: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
    *,
    direction: Direction = Direction.OUTBOUND,
) -> Traffic:
    """
    Return the traffic in the store, oldest period first, the busiest group first within it.

    ``domain``: only this recipient domain, inbound the sender's, as an A-label. ``window``: the first and the last day,
    in UTC, both included. Raises StoreError.
    """
    where = _condition(domain, window, direction)
    columns = _COLUMNS[direction][group]
    found = _sums(table, Period.DAY if columns is _BY_HOST else by, columns, where)
    rows = _rows(found, by, group)
    total = Counts(*map(sum, zip(*(row.counts for row in rows), strict=True))) if rows else Counts()
    first, last = _ends(table, found, where)
    if columns is not _BY_HOST or domain is not None:
        found = _sums(table, Period.DAY, _BY_HOST, _condition(None, window, direction))
    silences = [silence._replace(direction=direction) for silence in _silences(found)]
    return Traffic(by, group, rows, total, first, last, silences, direction)


class _Sum(NamedTuple):
    """The traffic of a day, week or month and one of whatever it was divided by."""

    period: int
    """Its beginning. Like all times here in microseconds since 1970, UTC."""
    parts: tuple[str | None, ...]
    counts: Counts
    begin: int
    """The first hour."""
    end: int
    first: int | None
    """Of attempts that are decided."""
    last: int | None


def _sums(table: Table, by: Period, columns: tuple[str, ...], where: str) -> list[_Sum]:
    names = ", ".join(columns)
    found = table.query(
        f"SELECT date_trunc('{by}', {_UTC_HOUR}) AS period, {names}, {_COUNTS}, {_SPANS} "  # noqa: S608, own words only
        f"FROM {NAME} WHERE {where} GROUP BY 1, {names}"
    )
    periods, *rest = map(values, found.columns)
    parts, counts, spans = rest[: len(columns)], rest[len(columns) : -4], rest[-4:]
    sizes = map(Counts._make, zip(*counts, strict=True))
    return list(map(_Sum._make, zip(periods, zip(*parts, strict=True), sizes, *spans, strict=True)))


def _condition(domain: str | None, window: tuple[date | None, date | None], direction: Direction) -> str:
    since, until = window
    parts = [_TRAFFIC, f"direction = '{direction}'"]
    if domain is not None:
        parts.append(f"{_COLUMNS[direction][Group.DOMAIN][0]} = {_literal(domain)}")
    if since is not None:
        parts.append(f"hour >= {_at(since)}")
    if until is not None:
        parts.append(f"hour < {_at(until + timedelta(days=1))}")
    return " AND ".join(parts)


def _literal(text: str) -> str:
    """Return a SQL string: the quote is the only character with a meaning in it."""
    return "'" + text.replace("'", "''") + "'"


def _at(day: date) -> str:
    return f"TIMESTAMP '{day.isoformat()}T00:00:00Z'"


def _rows(found: Sequence[_Sum], by: Period, group: Group | None) -> list[TrafficRow]:
    labels = {period: moment(period).strftime(_LABEL[by]) for period in {one.period for one in found}}
    if group in (Group.DOMAIN, Group.CLIENT):  # each is there once
        rows = [TrafficRow(labels[one.period], one.parts[0], one.counts) for one in found if any(one.counts)]
    else:
        sums: dict[tuple[str, str | None], Counts] = {}
        for one in found:
            part = None if group is None else one.parts[0]
            key = labels[one.period], provider(part) if group is Group.PROVIDER else part
            before = sums.get(key)
            sums[key] = one.counts if before is None else before + one.counts
        rows = [TrafficRow(period, part, counts) for (period, part), counts in sums.items() if any(counts)]
    return sorted(rows, key=lambda row: (row.period, -row.counts.deliveries, row.group or ""))


def _ends(table: Table, found: Iterable[_Sum], where: str) -> tuple[datetime | None, datetime | None]:
    # A provisional row that was taken back has a twin with the opposite count.
    still_open = table.query(
        f'SELECT MIN("first") AS "first", MAX("last") AS "last" FROM (SELECT "first", "last" FROM {NAME} '  # noqa: S608
        f'WHERE provisional AND {where} GROUP BY "first", "last" HAVING SUM(count) > 0)'
    )
    firsts = [time for time in (*values(still_open["first"]), *(one.first for one in found)) if time is not None]
    lasts = [time for time in (*values(still_open["last"]), *(one.last for one in found)) if time is not None]
    return (moment(min(firsts)), moment(max(lasts))) if firsts else (None, None)


def _silences(found: Iterable[_Sum]) -> list[Silence]:
    """Return the hosts with days on which all that they sent is unknown, for no reason that the log gives."""
    hosts: dict[tuple[str | None, ...], list[_Sum]] = defaultdict(list)
    for one in sorted(found, key=lambda one: one.period):
        hosts[one.parts].append(one)
    silences = (_silence(parts[0], str(parts[1]), days) for parts, days in hosts.items())
    return sorted((each for each in silences if each), key=lambda each: (each.host is None, each.host or "", each.mta))


def _silence(host: str | None, mta: str, days: Iterable[_Sum]) -> Silence | None:
    sending = [day for day in days if day.counts.sent]
    silent = [day for day in sending if day.counts.unknown == day.counts.sent]
    if not silent:
        return None
    return Silence(
        host,
        mta,
        sum(day.counts.sent for day in silent),
        moment(min(day.begin for day in silent)),
        moment(max(day.end for day in silent)) + _HOUR,
        always=len(silent) == len(sending),
    )
