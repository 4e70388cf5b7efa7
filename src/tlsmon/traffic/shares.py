"""
Rows of the table to traffic: share encrypted by period, and by domain, provider or reporting host.

The table is grouped by the query engine; only what it gives back is looked at here. Traffic is outbound mail to hosts
on the internet: content filters, LMTP and private relays are not.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from tlsmon.provider import provider
from tlsmon.store.table import NAME, Table
from tlsmon.traffic.model import Counts, Group, Period, Silence, Traffic, TrafficRow

_TRAFFIC: Final = "scope = 'internet' AND direction = 'outbound'"
_COUNTS: Final = """
    CAST(SUM(count) AS BIGINT) AS deliveries,
    CAST(SUM(CASE WHEN outcome = 'sent' THEN count ELSE 0 END) AS BIGINT) AS sent,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security = 'encrypted' THEN count ELSE 0 END) AS BIGINT) AS encrypted,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security = 'plaintext' THEN count ELSE 0 END) AS BIGINT) AS plaintext,
    CAST(SUM(CASE WHEN outcome = 'sent' AND security NOT IN ('encrypted', 'plaintext') THEN count ELSE 0 END) AS BIGINT)
        AS unknown
"""
_COLUMN: Final = {None: "NULL", Group.DOMAIN: "recipient_domain", Group.PROVIDER: "mx_host", Group.HOST: "host"}
_LABEL: Final = {Period.DAY: "%Y-%m-%d", Period.WEEK: "%G-W%V", Period.MONTH: "%Y-%m"}
_HOUR: Final = timedelta(hours=1)


def traffic(
    table: Table,
    by: Period = Period.DAY,
    group: Group | None = None,
    domain: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
) -> Traffic:
    """
    Return the traffic in the store, oldest period first, the busiest group first within it.

    ``domain``: only this recipient domain, as an A-label. ``window``: the first and the last day, in UTC, both
    included. Raises StoreError.
    """
    where = _condition(domain, window)
    rows = _rows(table, by, group, where)
    total = sum((row.counts for row in rows), Counts())
    first, last = _ends(table, where)
    return Traffic(by, group, rows, total, first, last, _silences(table, _condition(None, window)))


def _condition(domain: str | None, window: tuple[date | None, date | None]) -> str:
    since, until = window
    parts = [_TRAFFIC]
    if domain is not None:
        parts.append(f"recipient_domain = {_literal(domain)}")
    if since is not None:
        parts.append(f"hour >= {_moment(since)}")
    if until is not None:
        parts.append(f"hour < {_moment(until + timedelta(days=1))}")
    return " AND ".join(parts)


def _literal(text: str) -> str:
    """Return a SQL string: the quote is the only character with a meaning in it."""
    return "'" + text.replace("'", "''") + "'"


def _moment(day: date) -> str:
    return f"TIMESTAMP '{day.isoformat()}T00:00:00Z'"


def _rows(table: Table, by: Period, group: Group | None, where: str) -> list[TrafficRow]:
    found = table.query(
        f"SELECT date_trunc('{by}', hour) AS period, {_COLUMN[group]} AS part, {_COUNTS} "  # noqa: S608, own words only
        f"FROM {NAME} WHERE {where} GROUP BY 1, 2"
    ).to_pylist()
    sums: dict[tuple[str, str | None], Counts] = defaultdict(Counts)
    for row in found:
        part = provider(row["part"]) if group is Group.PROVIDER else row["part"]
        sums[row["period"].strftime(_LABEL[by]), part] += _counts(row)
    rows = [TrafficRow(period, part, counts) for (period, part), counts in sums.items() if any(counts)]
    return sorted(rows, key=lambda row: (row.period, -row.counts.deliveries, row.group or ""))


def _counts(row: dict[str, Any]) -> Counts:
    return Counts(*(row[name] for name in Counts._fields))


def _ends(table: Table, where: str) -> tuple[datetime | None, datetime | None]:
    # A provisional row that was taken back has a twin with the opposite count.
    (row,) = table.query(
        f'SELECT MIN("first") AS "first", MAX("last") AS "last" FROM (SELECT "first", "last" FROM {NAME} '  # noqa: S608
        f'WHERE {where} GROUP BY "first", "last" HAVING SUM(count) > 0)'
    ).to_pylist()
    return row["first"], row["last"]


def _silences(table: Table, where: str) -> list[Silence]:
    """Return the hosts with days on which all that they sent is unknown, for no reason that the log gives."""
    found = table.query(
        f"SELECT host, mta, date_trunc('day', hour) AS day, {_COUNTS}, MIN(hour) AS begin, MAX(hour) AS end_ "  # noqa: S608
        f"FROM {NAME} WHERE {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).to_pylist()
    silences = (
        _silence(host, mta, list(days)) for (host, mta), days in groupby(found, lambda row: (row["host"], row["mta"]))
    )
    return [silence for silence in silences if silence]


def _silence(host: str | None, mta: str, days: Iterable[dict[str, Any]]) -> Silence | None:
    sending = [(row, _counts(row)) for row in days if row["sent"]]
    silent = [row for row, counts in sending if counts.unknown == counts.sent]
    if not silent:
        return None
    return Silence(
        host,
        mta,
        sum(row["sent"] for row in silent),
        min(row["begin"] for row in silent),
        max(row["end_"] for row in silent) + _HOUR,
        always=len(silent) == len(sending),
    )
