"""
The verbs of tlsmon, for the commands and for notebooks.

>>> import tlsmon.api as tlsmon
>>> tlsmon.open("/var/lib/tlsmon").traffic()  # doctest: +SKIP

Heavy packages are imported inside the functions that need them, so that importing this module costs nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tlsmon import config
from tlsmon.config import Config
from tlsmon.errors import TlsmonError
from tlsmon.ingest.report import LogReport, NoProgress, Progress, Report
from tlsmon.ingest.stop import Stop
from tlsmon.report.model import Form, Paper
from tlsmon.report.model import Report as WeeklyReport
from tlsmon.report.render import render
from tlsmon.traffic.model import Group, Period, Traffic, TrafficRow
from tlsmon.traffic.summary import advice, percent, sentence
from tlsmon.verdict.backtest import Backtest, Day, Tally, Walk, Week, backtest
from tlsmon.verdict.backtest import document as backtest_document
from tlsmon.verdict.model import Judgement, Level, Thresholds, Verdict
from tlsmon.verdict.recommend import Recommendation, Window, recommend
from tlsmon.verdict.summary import headline, last_seen
from tlsmon.verdict.watch import Advice, Failing, LocalFault, Watch, watch

if TYPE_CHECKING:
    import pandas as pd

    from maillog.model import Delivery as Delivery  # noqa: PLC0414, the commands name this type, too
    from maillog.reader import ReadSettings
    from maillog.reader import UnreadLine as UnreadLine  # noqa: PLC0414
    from tlsmon.evidence.model import Observation
    from tlsmon.ingest.one import Listeners
    from tlsmon.policy.canary import Canary as Canary  # noqa: PLC0414
    from tlsmon.policy.diff import Difference as Difference  # noqa: PLC0414
    from tlsmon.policy.exim import Configuration as Configuration  # noqa: PLC0414
    from tlsmon.policy.model import Enforcement
    from tlsmon.policy.postfix import Written as Written  # noqa: PLC0414
    from tlsmon.store.table import Table

__all__ = [
    "Advice",
    "Backtest",
    "Failing",
    "Form",
    "Group",
    "Judgement",
    "Level",
    "LocalFault",
    "LogReport",
    "NoProgress",
    "Paper",
    "Period",
    "Progress",
    "Proposal",
    "Recommendation",
    "Report",
    "Stop",
    "Store",
    "Tally",
    "Thresholds",
    "Traffic",
    "TrafficRow",
    "UnreadableError",
    "Verdict",
    "Walk",
    "Watch",
    "Week",
    "WeeklyReport",
    "advice",
    "backtest_document",
    "backtest_figure",
    "canary",
    "compare",
    "compared",
    "exim_policy",
    "follow",
    "headline",
    "ingest",
    "last_seen",
    "listeners",
    "open",
    "parse",
    "percent",
    "postfix_policy",
    "render",
    "sentence",
]


class UnreadableError(TlsmonError):
    """A log could not be read, or only in part."""


class Proposal(NamedTuple):
    """What a policy is made from."""

    recommendation: Recommendation
    losing: Mapping[str, str]
    """Domain -> why mail is lost under any mandatory level, or is being lost under the line in use."""
    refusing: frozenset[str]
    """Domains with a server that bounced mail by refusing STARTTLS: a canary would lose mail there."""
    mtas: frozenset[str]
    """The programs whose logs the verdicts rest on."""

    @property
    def safe(self) -> list[Judgement]:
        """The only domains that go into a policy; none while all is held or goes to a smarthost."""
        found = self.recommendation
        return [] if found.held or found.smarthost else found.verdicts(Verdict.SAFE)


class Store:
    """The store at one place; opened anew by each call, so that it always tells what is there now."""

    def __init__(self, location: str) -> None:
        self.location = location

    def traffic(
        self,
        by: Period = Period.DAY,
        group: Group | None = None,
        domain: str | None = None,
        window: tuple[date | None, date | None] = (None, None),
    ) -> Traffic:
        """Return the traffic, see :func:`tlsmon.traffic.shares.traffic`."""
        from tlsmon.traffic import shares

        return shares.traffic(self._table(), by, group, domain and _a_label(domain), window)

    def recommend(
        self,
        level: Level = Level.ENCRYPT,
        thresholds: Thresholds | None = None,
        days: int = 30,
        as_of: datetime | None = None,
    ) -> Recommendation:
        """
        Judge every recipient domain at a level, see :func:`tlsmon.verdict.recommend.recommend`.

        The window are the ``days`` before ``as_of`` (aware); None: the end of what is in the store.
        """
        from tlsmon.provider import provider

        window, found = self._observations(days, as_of)
        return recommend(found, level, window, thresholds or Thresholds(), provider)

    def policy(
        self,
        level: Level = Level.ENCRYPT,
        thresholds: Thresholds | None = None,
        days: int = 30,
        as_of: datetime | None = None,
    ) -> Proposal:
        """
        Return what a policy at a level is made from; :func:`postfix_policy` and the like write it.

        The window is that of :meth:`recommend`. Raises StoreError.
        """
        from tlsmon.provider import provider

        window, found = self._observations(days, as_of)
        asked = thresholds or Thresholds()
        at_level = recommend(found, level, window, asked, provider)
        # A line in use may be at another level: only what loses at the lowest mandatory one loses under every line.
        lowest = at_level if level is Level.ENCRYPT else recommend(found, Level.ENCRYPT, window, asked, provider)
        losing = {} if lowest.held else _losing(lowest, found, window, asked.queue_days)
        return Proposal(at_level, losing, _refusing(found), frozenset(item.sender.mta for item in found))

    def report(
        self,
        level: Level = Level.ENCRYPT,
        days: int = 30,
        as_of: datetime | None = None,
        exceptions: Path | None = None,
    ) -> WeeklyReport:
        """
        Return the weekly readiness report, see :func:`tlsmon.report.facts.gather`; :func:`render` makes a file of it.

        ``exceptions``: the register, see :mod:`tlsmon.report.register`. Raises StoreError, RegisterError.
        """
        from tlsmon.report import compose, facts, register

        exemptions = register.read(exceptions) if exceptions else ()
        asked = facts.Asked(level, days, as_of, exemptions=exemptions)
        return compose.compose(facts.gather(self._table(), asked))

    def deliveries(self) -> pd.DataFrame:
        """Return the rows of the store as a DataFrame, see :func:`tlsmon.store.frame.deliveries`."""
        from tlsmon.store import frame

        return frame.deliveries(self._table())

    def watch(self, days: int = 14, as_of: datetime | None = None, queue_days: float = 5.0) -> Watch:
        """Return which domains fail for TLS now; ``days``, as in :meth:`recommend`, must exceed the queue lifetime."""
        window, found = self._observations(days, as_of)
        return watch(found, None, int(window.until.timestamp() * 1_000_000), queue_days)

    def backtest(self, walk: Walk) -> Backtest:
        """Walk over all days (UTC) in the store, and compare verdicts with what came after. Raises StoreError."""
        from tlsmon.provider import provider

        return backtest(self._days(), walk, provider)

    def _days(self) -> Iterator[Day]:
        """Yield all days from the first mail to the last, also those without any."""
        from tlsmon.evidence import collect
        from tlsmon.traffic import shares

        table = self._table()
        first, end = shares.traffic(table, Period.MONTH).first, collect.end(table)
        if first is None:
            return
        start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while start < end:
            following = start + timedelta(days=1)
            yield Day(start, collect.observations(table, start, following))
            start = following

    def _observations(self, days: int, as_of: datetime | None) -> tuple[Window, list[Observation]]:
        from tlsmon.evidence import collect

        table = self._table()
        until = as_of or collect.end(table)
        window = Window(until - timedelta(days=days), until)
        return window, collect.observations(table, window.since, window.until)

    def _table(self) -> Table:
        from tlsmon.store.table import Table

        return Table.open(self.location)


def open(store: str | None = None) -> Store:  # noqa: A001, read as tlsmon.open
    """Return the store at a place; None: ``TLSMON_STORE`` or the default. Nothing is read yet."""
    return Store(config.resolve(store=store).store)


def backtest_figure(found: Backtest, form: str) -> bytes:
    """Return the figure of a backtest as a file, ``form``: ``pdf``, ``png`` or ``svg``; without a date in it."""
    from io import BytesIO

    from tlsmon.report import backtest as figures

    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    file = BytesIO()
    figures.backtest_figure(found).savefig(file, format=form, metadata=dates.get(form, {}))
    return file.getvalue()


def postfix_policy(proposal: Proposal, path: str | None = None) -> Written:
    """Return the table for smtp_tls_policy_maps; no path: the usual one. Raises PolicyError for one Postfix rejects."""
    from tlsmon.policy import postfix

    return postfix.render(_enforcements(proposal), path=path or postfix.TABLE)


def exim_policy(proposal: Proposal, folder: str | None = None) -> Configuration:
    """Return lists, routers and transports; None: the usual folder. Raises PolicyError for one Exim reads otherwise."""
    from tlsmon.policy import exim

    return exim.render(_enforcements(proposal), folder=folder or exim.FOLDER)


def compare(proposal: Proposal, mta: str, text: str) -> Difference:
    """Return the difference to a Postfix table, or to Exim's list of domains for the level, that is in use."""
    from maillog.model import Level as AnyLevel
    from tlsmon.policy import diff

    wishes = _enforcements(proposal)
    if mta == "exim":
        return diff.against_exim(text, AnyLevel(proposal.recommendation.level), wishes, proposal.losing)
    return diff.against_postfix(text, wishes, proposal.losing)


def compared(difference: Difference) -> str:
    """Return a difference for people, see :func:`tlsmon.policy.diff.render`."""
    from tlsmon.policy import diff

    return diff.render(difference)


def canary(proposal: Proposal, share: float, path: str | None = None, in_use: str = "") -> Canary:
    """
    Return tables that enforce for a share of connections, see :func:`tlsmon.policy.canary.canary`.

    Only domains that ``in_use``, the text of the table in use, says nothing about, and none that may bounce at once.
    Raises PolicyError for a share or path that cannot be.
    """
    from tlsmon.policy import canary as canaries
    from tlsmon.policy.diff import Kind

    difference = compare(proposal, "postfix", in_use)
    new = {change.key for change in difference.changes if change.kind is Kind.ADD} - proposal.refusing
    chosen = [each for each in _enforcements(proposal) if each.domain.lower() in new]
    return canaries.canary(chosen, share, path=path or canaries.PATH)._replace(rejected=difference.rejected)


def _enforcements(proposal: Proposal) -> list[Enforcement]:
    from tlsmon.policy.model import Enforcement

    level = proposal.recommendation.level
    return [Enforcement(item.domain, level, "; ".join(item.reasons)) for item in proposal.safe]


def _losing(
    lowest: Recommendation, found: Sequence[Observation], window: Window, queue_days: float
) -> Mapping[str, str]:
    """Return what no mandatory level could deliver, and what a line in use is losing right now."""
    failing = watch(found, None, int(window.until.timestamp() * 1_000_000), queue_days).failing
    reasons = {item.domain: item.reason for item in failing if item.advice is Advice.REMOVE}
    return reasons | {item.domain: "; ".join(item.reasons) for item in lowest.verdicts(Verdict.LOSES)}


def _refusing(found: Sequence[Observation]) -> frozenset[str]:
    """Return the domains that use an address which bounced anybody's mail by refusing STARTTLS."""
    refused = {item.address for item in found if item.cause == "tls_refused" and item.outcome == "bounced"}
    return frozenset(item.domain for item in found if item.address in refused)


def listeners(
    progress: Progress | None = None, unread: Callable[[str, UnreadLine], None] | None = None, stop: Stop | None = None
) -> Listeners:
    """Return who is told what during an ingest; None: nobody."""
    from tlsmon.ingest.one import Listeners

    nobody = Listeners()
    return Listeners(progress or nobody.progress, unread or nobody.unread, stop or nobody.stop)


def ingest(settings: Config, names: Sequence[str], told: Listeners | None = None, cluster: str | None = None) -> Report:
    """
    Bring what is new in logs into the store; make the store where there is none.

    ``names``: files, patterns, ``-`` for standard input. Problems of single logs stand in the report. ``cluster``: a
    Dask scheduler, see :mod:`tlsmon.ingest.fleet`. Raises StoreError, TlsmonError where the cluster does not answer.
    """
    from tlsmon.ingest import cluster as dask
    from tlsmon.ingest.many import Ingest
    from tlsmon.store.table import Table

    table, reading, told = Table.open_or_create(settings.store), _read_settings(settings), told or listeners()
    if cluster is not None:
        return dask.ingest_on_cluster(cluster, table, reading, names, told.progress)
    return Ingest(table, reading, told).run(names)


def follow(
    settings: Config, names: Sequence[str], listeners: Listeners, told: Callable[[Report], None], seconds: float = 1.0
) -> None:
    """
    Ingest logs again whenever they change, until ``listeners.stop``; ``told`` gets the report of each round.

    ``seconds``: how often to look. Raises StoreError.
    """
    from tlsmon.ingest.follow import follow as follow_changes

    follow_changes(names, lambda: told(ingest(settings, names, listeners)), listeners.stop, seconds)


def parse(
    settings: Config, names: Sequence[str], unread: Callable[[str, UnreadLine], None] = lambda _name, _line: None
) -> Iterator[Delivery]:
    """
    Yield the deliveries of logs; nothing is stored, and memory stays bounded.

    Raises UnreadableError after everything that could be read was given.
    """
    from tlsmon.ingest.parse import parse as parse_logs

    problems: list[str] = []
    yield from parse_logs(names, _read_settings(settings), unread, problems.append)
    if problems:
        raise UnreadableError("\n".join(problems))


def _read_settings(settings: Config) -> ReadSettings:
    from maillog.reader import ReadSettings

    return ReadSettings(zone=settings.zone, host=settings.host, internet=settings.internet)


def _a_label(domain: str) -> str:
    """Return a domain as the store spells it: lower case, A-label (RFC 5891, section 4)."""
    import idna

    with contextlib.suppress(idna.IDNAError, UnicodeError):
        return idna.encode(domain.strip().rstrip("."), uts46=True).decode("ascii").lower()
    return domain.strip().lower()
