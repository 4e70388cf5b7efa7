"""
Store -> what a report is made from: judgements of now and of a week ago, weeks of traffic, and what the logs leave out.

The store is asked for 13 weeks of sums by week and for the days that verdicts are made from; what lies before is not
read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from tlsmon.evidence import collect, recall
from tlsmon.evidence.columns import Columns
from tlsmon.evidence.history import behaviour
from tlsmon.evidence.looks import Looks
from tlsmon.evidence.model import Observation, Standing
from tlsmon.provider import provider
from tlsmon.report.model import Rung, Week
from tlsmon.report.register import Exemption
from tlsmon.store.positions import Positions
from tlsmon.store.table import NAME, Table
from tlsmon.traffic.model import Period, Silence
from tlsmon.traffic.shares import traffic
from tlsmon.verdict import by_column
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.model import Level, Thresholds, Verdict
from tlsmon.verdict.recommend import Recommendation, Window
from tlsmon.verdict.watch import failed_in, watch
from tlsmon.verdict.window import recommend_window

WEEKS: Final = 13
_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_TRAFFIC: Final = "scope = 'internet' AND direction = 'outbound' AND outcome = 'sent'"
_ENFORCING: Final = frozenset(level.value for level in Level)
_ONLY_ENFORCED: Final = frozenset({"tls_not_offered", "cert_untrusted", "cert_name", "cert_expired", "dane", "policy"})
"""Causes that hold mail up only where TLS is demanded: at ``may`` it is sent all the same (smtp_tls_policy.c)."""
_AT_FAULT: Final = _ONLY_ENFORCED | {"tls_refused", "tls_handshake", "tls_local"}


class Asked(NamedTuple):
    """What the report shall be about."""

    level: Level = Level.ENCRYPT
    days: int = 30
    """Length of the window that verdicts are made from."""
    as_of: datetime | None = None
    """Aware; None: the end of the store."""
    thresholds: Thresholds = Thresholds()
    exemptions: tuple[Exemption, ...] = ()


class FailingHost(NamedTuple):
    """An MX host that the level would refuse, as one domain met it. Times: microseconds since 1970, UTC."""

    host: str
    cause: str
    """A cause of the store; ``plaintext``: it took mail in clear; ``protocol``, ``certificate``: what TLS it has."""
    bad: int
    sessions: int
    since: int
    """When it changed, or its first refused session in the window."""


class EnforcedFailure(NamedTuple):
    """Mail that did not get through because TLS is mandatory already."""

    domain: str
    host: str
    cause: str
    attempts: int
    first: int
    last: int


class Used(NamedTuple):
    """A protocol or a cipher, and how many mails were sent over it within the window."""

    protocol: str | None
    cipher: str | None
    mails: int


class Gap(NamedTuple):
    """Days between others on which a host logged no delivery at all."""

    host: str | None
    first: date
    last: date


class LogsRead(NamedTuple):
    """The logs in the store whose time touches the window."""

    logs: int = 0
    lines: int = 0
    unread_lines: int = 0


class Facts(NamedTuple):
    """Everything that a report is made from."""

    asked: Asked
    now: Recommendation
    before: Recommendation
    """As of a week earlier."""
    ladder: tuple[Rung, ...]
    weeks: tuple[Week, ...]
    running: bool
    """The last of the weeks is not over."""
    failing: Mapping[str, tuple[FailingHost, ...]]
    """By domain, the host with the most refused sessions first."""
    enforced: tuple[EnforcedFailure, ...]
    advice: Mapping[str, str]
    """What to do about domains that fail for TLS since their last success, by domain."""
    used: tuple[Used, ...]
    mtas: tuple[str, ...]
    silences: tuple[Silence, ...]
    gaps: tuple[Gap, ...]
    logs: LogsRead


def gather(table: Table, asked: Asked) -> Facts:
    """Return the facts for a report. Raises StoreError."""
    until = asked.as_of or collect.end(table)
    window = Window(until - timedelta(days=asked.days), until)
    before = _before(table, window, asked)  # first, so that the rows of one window are in memory at a time
    found = collect.observed(table, *window)
    seen = recall.looks(table.location, asked.thresholds.probe_days, until, fixed=asked.as_of is not None)
    now = recommend_window(found, asked.level, window, asked.thresholds, provider, looks=seen)
    weeks, running = _weeks(table, until)
    since = weeks[0].monday
    return Facts(
        asked,
        now,
        before,
        tuple(_rung(now if level is asked.level else _counted(asked, level, found, window, seen)) for level in Level),
        weeks,
        running,
        _failing(found, asked),
        _enforced(found),
        _advice(found, until, asked),
        _used(found),
        tuple(sorted({kind.sender.mta for kind in found.kinds})),
        tuple(traffic(table, Period.WEEK, window=(since, (until - timedelta(microseconds=1)).date())).silences),
        _gaps(table, since, until),
        _logs(table, window),
    )


def _before(table: Table, window: Window, asked: Asked) -> Recommendation:
    earlier = Window(window.since - _WEEK, window.until - _WEEK)
    seen = recall.looks(table.location, asked.thresholds.probe_days, earlier.until, fixed=True)
    return _counted(asked, asked.level, collect.observed(table, *earlier), earlier, seen)


def _counted(asked: Asked, level: Level, found: Columns, window: Window, seen: Looks | None) -> Recommendation:
    """Return a recommendation of which only the verdicts are used."""
    return recommend_window(found, level, window, asked.thresholds, provider, looks=seen, explained=False)


def _rung(found: Recommendation) -> Rung:
    mails = {verdict: sum(item.mails for item in found.verdicts(verdict)) for verdict in Verdict}
    return Rung(
        found.level,
        len(found.judgements),
        len(found.verdicts(Verdict.SAFE)),
        sum(mails.values()),
        mails[Verdict.SAFE],
        mails[Verdict.DELAYS],
        mails[Verdict.LOSES],
        mails[Verdict.UNPROVEN],
    )


def _weeks(table: Table, until: datetime) -> tuple[tuple[Week, ...], bool]:
    """Return 13 weeks, the last one that is over at the end; the running one where it is the only one with mail."""
    moment = until.astimezone(UTC)
    last = (moment - timedelta(microseconds=1)).date()
    monday = last - timedelta(days=last.weekday())
    over = moment >= _midnight(monday + _WEEK)
    counts = _counts_by_week(table, monday - (WEEKS) * _WEEK, moment)
    if not over and any(day < monday for day in counts):
        monday, over = monday - _WEEK, True
    mondays = [monday - number * _WEEK for number in reversed(range(WEEKS))]
    return tuple(Week(day, f"{day:%G-W%V}", **counts.get(day, {})) for day in mondays), not over


def _counts_by_week(table: Table, since: date, until: datetime) -> dict[date, dict[str, int]]:
    rows = table.query(
        "SELECT date_trunc('week', hour) AS monday, security, authentication, CAST(SUM(count) AS BIGINT) AS mails "  # noqa: S608
        f"FROM {NAME} WHERE {_TRAFFIC} AND {_between(_midnight(since), until)} GROUP BY 1, 2, 3"
    ).to_pylist()
    weeks: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        if row["mails"]:
            weeks[row["monday"].date()][_part(row["security"], row["authentication"])] += row["mails"]
    return weeks


def _part(security: str, authentication: str | None) -> str:
    if security == "encrypted":
        return authentication if authentication in ("dane", "verified") else "encrypted"
    return security if security == "plaintext" else "unknown"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _between(since: datetime, until: datetime) -> str:
    return f"hour >= TIMESTAMP '{since.isoformat()}' AND hour < TIMESTAMP '{until.isoformat()}'"


def _failing(found: Columns, asked: Asked) -> dict[str, tuple[FailingHost, ...]]:
    rows = by_column.at_level(found, asked.level, asked.thresholds.oldest_protocol, str)
    pair = found.domain * len(rows.hosts) + rows.host[found.address]
    bad = np.isin(pair, pair[rows.standing == by_column.BAD])
    hosts: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for item in rows.seen(np.flatnonzero(rows.telling & bad)):
        hosts[item.observation.domain, item.observation.address.host].append(item)
    failing: dict[str, list[FailingHost]] = defaultdict(list)
    for (domain, host), items in hosts.items():
        failing[domain].append(_failing_host(host, items))
    return {domain: tuple(sorted(each, key=lambda one: (-one.bad, one.host))) for domain, each in failing.items()}


def _failing_host(host: str, items: Sequence[Seen]) -> FailingHost:
    bad = [item for item, standing in items if standing is Standing.BAD]
    known = behaviour(item.sessions for item in items)
    changed = known.since if known.since is not None and known.bad else None
    return FailingHost(
        host,
        _cause(max(bad, key=lambda item: item.last)),
        sum(item.attempts for item in bad),
        sum(item.attempts for item, _ in items),
        changed or min(item.first for item in bad),
    )


def _cause(item: Observation) -> str:
    if item.cause and item.cause != "unrelated":
        return item.cause
    if item.security == "plaintext":
        return "plaintext"
    return "certificate" if item.authentication in ("anonymous", "untrusted") else "protocol"


def _enforced(found: Columns) -> tuple[EnforcedFailure, ...]:
    groups: dict[tuple[str, str, str], list[Observation]] = defaultdict(list)
    for item in found.observations(found.where(_is_enforced)):
        groups[item.domain, item.address.host, item.cause or ""].append(item)
    failures = (
        EnforcedFailure(
            *key,
            sum(item.attempts for item in items),
            min(item.first for item in items),
            max(item.last for item in items),
        )
        for key, items in groups.items()
    )
    return tuple(sorted(failures, key=lambda one: (-one.attempts, one.domain, one.host, one.cause)))


def _is_enforced(item: Observation) -> bool:
    mandatory = item.cause in _AT_FAULT if item.level in _ENFORCING else item.cause in _ONLY_ENFORCED
    return item.outcome != "sent" and mandatory


def _advice(found: Columns, until: datetime, asked: Asked) -> dict[str, str]:
    failing = watch(failed_in(found), None, int(until.timestamp() * 1_000_000), asked.thresholds.queue_days).failing
    return {item.domain: str(item.advice) for item in failing}


def _used(found: Columns) -> tuple[Used, ...]:
    mails: dict[tuple[str | None, str | None], int] = defaultdict(int)
    attempts = np.bincount(found.kind, found.attempts, len(found.kinds)).astype(np.int64).tolist()
    for item, number in zip(found.kinds, attempts, strict=True):
        if item.outcome == "sent" and item.security == "encrypted":
            mails[item.protocol, item.cipher] += number
    return tuple(Used(*key, number) for key, number in sorted(mails.items(), key=lambda pair: (-pair[1], str(pair[0]))))


def _gaps(table: Table, since: date, until: datetime) -> tuple[Gap, ...]:
    rows = table.query(
        f"SELECT host, date_trunc('day', hour) AS day FROM {NAME} "  # noqa: S608
        f"WHERE direction = 'outbound' AND {_between(_midnight(since), until)} "
        "GROUP BY 1, 2 HAVING SUM(count) > 0 ORDER BY 1, 2"
    ).to_pylist()
    return tuple(gap for host, days in groupby(rows, lambda row: row["host"]) for gap in _host_gaps(host, list(days)))


def _host_gaps(host: str | None, rows: Sequence[Mapping[str, Any]]) -> Iterable[Gap]:
    days = [row["day"].date() for row in rows]
    for before, after in pairwise(days):
        if after - before > _DAY:
            yield Gap(host, before + _DAY, after - _DAY)


def _logs(table: Table, window: Window) -> LogsRead:
    since, until = (int(moment.timestamp() * 1_000_000) for moment in window)
    positions = Positions(table)
    totals = [mark.totals for name in positions.logs() if (mark := positions.bookmark(name))]
    inside = [each for each in totals if (each.last or since) >= since and (each.first or since) < until]
    return LogsRead(len(inside), sum(each.lines for each in inside), sum(each.unread_lines for each in inside))
