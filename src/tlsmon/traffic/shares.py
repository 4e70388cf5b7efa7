"""
Rows of the table to traffic: share encrypted by period, and by domain, provider, client or reporting host.

The table is grouped by the query engine; only what it gives back is looked at here. Traffic is mail to hosts on the
internet, or inbound from them: content filters, LMTP, private relays and our own users are not.
"""

from collections import defaultdict
from collections.abc import Iterable
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
# A client without a name is known by its address.
_CLIENT: Final = "COALESCE(mx_host, mx_ip)"
_DOMAIN: Final = {Direction.OUTBOUND: "recipient_domain", Direction.INBOUND: "sender_domain"}
_COLUMN: Final = {
    Direction.OUTBOUND: {
        Group.DOMAIN: _DOMAIN[Direction.OUTBOUND],
        Group.PROVIDER: "mx_host",
        Group.CLIENT: "CAST(NULL AS VARCHAR)",
    },
    Direction.INBOUND: {Group.DOMAIN: _DOMAIN[Direction.INBOUND], Group.PROVIDER: _CLIENT, Group.CLIENT: _CLIENT},
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
    days = _days(table, where)
    column = _COLUMN[direction].get(group) if group else None
    rows = _by_host(days, by, group) if column is None else _by_column(table, by, column, where)
    if group is Group.PROVIDER:
        rows = _added((row.period, row.group and provider(row.group), row.counts) for row in rows)
    total = sum((day.counts for day in days), Counts())
    first, last = _ends(table, days, where)
    all_days = days if domain is None else _days(table, _condition(None, window, direction))
    silences = [silence._replace(direction=direction) for silence in _silences(all_days)]
    return Traffic(by, group, rows, total, first, last, silences, direction)


class _Day(NamedTuple):
    """What a reporting host sent on a day. Times are microseconds since 1970, UTC."""

    day: int
    host: str | None
    mta: str
    counts: Counts
    begin: int
    """The first hour."""
    end: int
    first: int | None
    """Of attempts that are decided."""
    last: int | None


def _days(table: Table, where: str) -> list[_Day]:
    found = table.query(
        f"SELECT date_trunc('day', {_UTC_HOUR}) AS day, host, mta, {_COUNTS}, {_SPANS} "  # noqa: S608, own words only
        f"FROM {NAME} WHERE {where} GROUP BY 1, host, mta"
    )
    rows = zip(*map(values, found.columns), strict=True)
    return [_Day(day, host, mta, Counts(*sums[:5]), *sums[5:]) for day, host, mta, *sums in rows]


def _by_host(days: Iterable[_Day], by: Period, group: Group | None) -> list[TrafficRow]:
    return _added((_label(day.day, by), day.host if group else None, day.counts) for day in days)


def _by_column(table: Table, by: Period, column: str, where: str) -> list[TrafficRow]:
    # In the order of _added(), by the query engine: there may be a million.
    found = table.query(
        f"SELECT date_trunc('{by}', {_UTC_HOUR}) AS period, {column} AS part, {_COUNTS} "  # noqa: S608, own words only
        f"FROM {NAME} WHERE {where} GROUP BY 1, 2 ORDER BY 1, deliveries DESC, COALESCE({column}, '')"
    )
    periods, parts, *counts = map(values, found.columns)
    labels = {period: _label(period, by) for period in set(periods)}
    sizes = map(Counts._make, zip(*counts, strict=True))
    names = map(labels.__getitem__, periods)
    return [row for row in map(TrafficRow._make, zip(names, parts, sizes, strict=True)) if any(row.counts)]


def _added(parts: Iterable[tuple[str, str | None, Counts]]) -> list[TrafficRow]:
    """Return rows of which each period and part is one, oldest period first, the busiest part first within it."""
    sums: dict[tuple[str, str | None], Counts] = {}
    for period, part, counts in parts:
        before = sums.get((period, part))
        sums[period, part] = counts if before is None else before + counts
    rows = [TrafficRow(period, part, counts) for (period, part), counts in sums.items() if any(counts)]
    return sorted(rows, key=lambda row: (row.period, -row.counts.deliveries, row.group or ""))


def _label(period: int, by: Period) -> str:
    return moment(period).strftime(_LABEL[by])


def _condition(domain: str | None, window: tuple[date | None, date | None], direction: Direction) -> str:
    since, until = window
    parts = [_TRAFFIC, f"direction = '{direction}'"]
    if domain is not None:
        parts.append(f"{_DOMAIN[direction]} = {_literal(domain)}")
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


def _ends(table: Table, days: Iterable[_Day], where: str) -> tuple[datetime | None, datetime | None]:
    # A provisional row that was taken back has a twin with the opposite count.
    still_open = table.query(
        f'SELECT MIN("first") AS "first", MAX("last") AS "last" FROM (SELECT "first", "last" FROM {NAME} '  # noqa: S608
        f'WHERE provisional AND {where} GROUP BY "first", "last" HAVING SUM(count) > 0)'
    )
    firsts = [time for time in (*values(still_open["first"]), *(day.first for day in days)) if time is not None]
    lasts = [time for time in (*values(still_open["last"]), *(day.last for day in days)) if time is not None]
    return (moment(min(firsts)), moment(max(lasts))) if firsts else (None, None)


def _silences(days: Iterable[_Day]) -> list[Silence]:
    """Return the hosts with days on which all that they sent is unknown, for no reason that the log gives."""
    hosts: dict[tuple[str | None, str], list[_Day]] = defaultdict(list)
    for day in sorted(days, key=lambda day: day.day):
        hosts[day.host, day.mta].append(day)
    silences = (_silence(host, mta, of_host) for (host, mta), of_host in hosts.items())
    return sorted((each for each in silences if each), key=lambda each: (each.host is None, each.host or "", each.mta))


def _silence(host: str | None, mta: str, days: Iterable[_Day]) -> Silence | None:
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
