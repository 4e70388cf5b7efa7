"""
The verbs of tlsmon, for the commands and for notebooks.

>>> import tlsmon.api as tlsmon
>>> tlsmon.open("/var/lib/tlsmon").traffic()  # doctest: +SKIP

Heavy packages are imported inside the functions that need them, so that importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsmon import config
from tlsmon.config import Config
from tlsmon.doctor.model import Diagnosis, Finding
from tlsmon.errors import TlsmonError
from tlsmon.ingest.report import LogReport, NoProgress, Progress, Report, TlsReport
from tlsmon.ingest.stop import Stop
from tlsmon.report.model import Form, Paper
from tlsmon.report.model import Report as WeeklyReport
from tlsmon.report.render import render
from tlsmon.rollup.model import Direction
from tlsmon.store.spelling import a_label
from tlsmon.traffic.exposition import exposition
from tlsmon.traffic.model import Group, Period, Traffic, TrafficRow
from tlsmon.traffic.summary import advice, sentence
from tlsmon.verdict.backtest import Backtest, Tally, Walk, Week, backtest
from tlsmon.verdict.backtest import document as backtest_document
from tlsmon.verdict.model import Judgement, Level, Probed, Thresholds, Verdict
from tlsmon.verdict.recommend import Recommendation, Window
from tlsmon.verdict.summary import headline, last_seen
from tlsmon.verdict.watch import Advice, Failing, Governing, LocalFault, Watch, failed_in, watch

if TYPE_CHECKING:
    import pandas as pd

    from maillog.model import Delivery as Delivery  # noqa: PLC0414, the commands name this type, too
    from maillog.reading import ReadSettings
    from maillog.reading import UnreadLine as UnreadLine  # noqa: PLC0414
    from tlsmon.evidence.columns import Columns
    from tlsmon.evidence.looks import Looks
    from tlsmon.evidence.model import Observation
    from tlsmon.ingest.listeners import Listeners
    from tlsmon.policy.canary import Canary as Canary  # noqa: PLC0414
    from tlsmon.policy.diff import Difference
    from tlsmon.policy.in_use import InUse
    from tlsmon.policy.proposal import Proposal as Proposal  # noqa: PLC0414
    from tlsmon.report.letter import Letter
    from tlsmon.report.mailer import Mailer
    from tlsmon.store.table import Table
    from tlsmon.tlsrpt.model import TlsrptSummary as TlsrptSummary  # noqa: PLC0414

__all__ = [
    "Advice",
    "Backtest",
    "Diagnosis",
    "Direction",
    "Failing",
    "Finding",
    "Form",
    "Group",
    "Judgement",
    "Level",
    "LocalFault",
    "LogReport",
    "NoProgress",
    "Paper",
    "Period",
    "Probed",
    "Progress",
    "Recommendation",
    "Report",
    "Stop",
    "Store",
    "Tally",
    "Thresholds",
    "TlsReport",
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
    "compared",
    "diagnose",
    "exposition",
    "follow",
    "headline",
    "in_use",
    "ingest",
    "last_seen",
    "listeners",
    "mailer",
    "open",
    "parse",
    "render",
    "sentence",
]


class UnreadableError(TlsmonError):
    """A log could not be read, or only in part."""


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
        *,
        direction: Direction = Direction.OUTBOUND,
    ) -> Traffic:
        """Return the traffic, see :func:`tlsmon.traffic.shares.traffic`."""
        from tlsmon.traffic import shares

        return shares.traffic(self._table(), by, group, domain and a_label(domain), window, direction=direction)

    def recommend(
        self,
        level: Level = Level.ENCRYPT,
        thresholds: Thresholds | None = None,
        days: int = 30,
        as_of: datetime | None = None,
        *,
        direction: Direction = Direction.OUTBOUND,
    ) -> Recommendation:
        """
        Judge every recipient domain at a level, see :func:`tlsmon.verdict.window.recommend_window`.

        The window are the ``days`` before ``as_of`` (aware); None: the end of what is in the store. Inbound the domains
        are those that clients claim to send for, and only ``encrypt`` can be asked: what would refuse them is
        smtpd_tls_security_level. Raises TlsmonError for another level.
        """
        from tlsmon.provider import provider
        from tlsmon.verdict.window import recommend_window

        if direction is Direction.INBOUND and level is not Level.ENCRYPT:
            raise TlsmonError("Inbound only the level encrypt can be judged: clients need no certificate.")
        window, found = self._observed(days, as_of, direction)
        asked = thresholds or Thresholds()
        # Probes look at servers that take mail; of clients they know nothing.
        looks = None if direction is Direction.INBOUND else self._looks(asked, window, as_of)
        return recommend_window(found, level, window, asked, provider, looks=looks)._replace(direction=direction)

    def policy(
        self,
        level: Level = Level.ENCRYPT,
        thresholds: Thresholds | None = None,
        days: int = 30,
        as_of: datetime | None = None,
    ) -> Proposal:
        """
        Return what a policy at a level is made from; its methods write it.

        The window is that of :meth:`recommend`. Raises StoreError.
        """
        from tlsmon.policy import proposal
        from tlsmon.provider import provider

        window, found = self._observed(days, as_of)
        asked = thresholds or Thresholds()
        return proposal.propose(found, level, window, asked, provider, looks=self._looks(asked, window, as_of))

    def report(
        self,
        level: Level = Level.ENCRYPT,
        days: int = 30,
        as_of: datetime | None = None,
        exceptions: Path | None = None,
        thresholds: Thresholds | None = None,
    ) -> WeeklyReport:
        """
        Return the weekly readiness report, see :func:`tlsmon.report.facts.gather`; :func:`render` makes a file of it.

        ``exceptions``: the register, see :mod:`tlsmon.report.register`. Raises StoreError, RegisterError.
        """
        from tlsmon.report import compose, facts, register

        exemptions = register.read(exceptions) if exceptions else ()
        asked = facts.Asked(level, days, as_of, thresholds or Thresholds(), exemptions)
        return compose.compose(facts.gather(self._table(), asked))

    def letter(
        self,
        domain: str,
        level: Level = Level.ENCRYPT,
        thresholds: Thresholds | None = None,
        days: int = 30,
        as_of: datetime | None = None,
    ) -> Letter:
        """Return a letter to the postmaster of a domain, or why there is none to write. Raises StoreError."""
        from tlsmon.provider import provider
        from tlsmon.report import letter

        window, found = self._observations(days, as_of)
        asked = letter.Asked(level, (thresholds or Thresholds()).oldest_protocol)
        seen = letter.evidence(found, a_label(domain), asked, window, lambda host: provider(host) or host)
        return letter.letter(seen)

    def deliveries(self) -> pd.DataFrame:
        """Return the rows of the store as a DataFrame, see :func:`tlsmon.store.frame.deliveries`."""
        from tlsmon.store import frame

        return frame.deliveries(self._table())

    def tlsrpt(self, domain: str | None = None) -> TlsrptSummary:
        """Return what others saw when they sent to a domain, or to all, see :func:`tlsmon.tlsrpt.summary`."""
        from tlsmon import tlsrpt

        return tlsrpt.summary(self.location, domain and a_label(domain))

    def watch(
        self,
        days: int = 14,
        as_of: datetime | None = None,
        queue_days: float = 5.0,
        governing: Governing | None = None,
    ) -> Watch:
        """
        Return which domains fail for TLS now; ``days``, as in :meth:`recommend`, must exceed the queue lifetime.

        ``governing``: the policy in use, see :func:`in_use`; None: all domains, whatever they are held to.
        """
        window, found = self._observed(days, as_of)
        return watch(failed_in(found), governing, int(window.until.timestamp() * 1_000_000), queue_days)

    def backtest(self, walk: Walk) -> Backtest:
        """Walk over all days (UTC) in the store, and compare verdicts with what came after. Raises StoreError."""
        from tlsmon.provider import provider
        from tlsmon.verdict.days import days

        return backtest(days(self._table()), walk, provider)

    def _observations(self, days: int, as_of: datetime | None) -> tuple[Window, list[Observation]]:
        window, found = self._observed(days, as_of)
        return window, found.observations()

    def _observed(
        self, days: int, as_of: datetime | None, direction: Direction = Direction.OUTBOUND
    ) -> tuple[Window, Columns]:
        from tlsmon.evidence import collect

        table = self._table()
        until = as_of or collect.end(table, direction)
        window = Window(until - timedelta(days=days), until)
        return window, collect.observed(table, window.since, window.until, direction)

    def _looks(self, asked: Thresholds, window: Window, as_of: datetime | None) -> Looks | None:
        from tlsmon.evidence import recall

        return recall.looks(self.location, asked.probe_days, window.until, fixed=as_of is not None)

    def _table(self) -> Table:
        from tlsmon.store.table import Table

        return Table.open(self.location)


def open(store: str | None = None) -> Store:  # noqa: A001, read as tlsmon.open
    """Return the store at a place; None: ``TLSMON_STORE`` or the default. Nothing is read yet."""
    return Store(config.resolve(store=store).store)


def mailer(recipients: Sequence[str], sender: str | None = None, **way: Any) -> Mailer:
    """Return what mails reports; ``way``: the fields of :class:`tlsmon.report.mailer.Way`. Raises SettingError."""
    from tlsmon.report import mailer

    return mailer.mailer(recipients, sender, mailer.Way(**way))


def backtest_figure(found: Backtest, form: str) -> bytes:
    """Return the figure of a backtest as a file, ``form``: ``pdf``, ``png`` or ``svg``; without a date in it."""
    from tlsmon.report import backtest as figures

    return figures.figure_file(found, form)


def compared(difference: Difference) -> str:
    """Return a difference for people, see :func:`tlsmon.policy.diff.render`."""
    from tlsmon.policy import diff

    return diff.render(difference)


def in_use(mta: str, text: str) -> InUse:
    """Return which line of a Postfix table, or of an Exim list of domains, an attempt is under: for Store.watch."""
    from tlsmon.policy.in_use import InUse

    return InUse.of_exim(text) if mta == "exim" else InUse.of_postfix(text)


def listeners(
    progress: Progress | None = None, unread: Callable[[str, UnreadLine], None] | None = None, stop: Stop | None = None
) -> Listeners:
    """Return who is told what during an ingest; None: nobody."""
    from tlsmon.ingest.listeners import Listeners

    nobody = Listeners()
    return Listeners(progress or nobody.progress, unread or nobody.unread, stop or nobody.stop)


def ingest(settings: Config, names: Sequence[str], told: Listeners | None = None, cluster: str | None = None) -> Report:
    """
    Bring what is new in logs into the store; make the store where there is none.

    ``names``: files, patterns, ``-`` for standard input; TLSRPT reports (RFC 8460) among them go into a table of their
    own. Problems of single files stand in the report. ``cluster``: a Dask scheduler, see :mod:`tlsmon.ingest.fleet`.
    Raises StoreError, TlsmonError where the cluster does not answer.
    """
    from tlsmon.ingest import cluster as dask
    from tlsmon.ingest.many import Ingest
    from tlsmon.store.table import Table
    from tlsmon.tlsrpt import files

    table, reading, told = Table.open_or_create(settings.store), _read_settings(settings), told or listeners()
    tls, logs = files.sort(names)
    tls_reports, problems = files.bring_in(settings.store, tls)
    if cluster is not None:
        report = dask.ingest_on_cluster(cluster, table, reading, logs, told.progress)
    else:
        report = Ingest(table, reading, told).run(logs)
    return replace(report, tls_reports=tls_reports, problems=[*problems, *report.problems])


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


def diagnose(
    settings: Config, logs: Sequence[str], level: Level, postconf: str | None = None, exim: str | None = None
) -> tuple[Diagnosis, list[str]]:
    """
    Return what logs and configurations lack for a verdict, and which logs could not be read, in words.

    ``postconf``, ``exim``: what these programs printed; None: they are run, where the logs are of this machine.
    """
    from tlsmon.doctor.diagnose import Asked
    from tlsmon.doctor.diagnose import diagnose as look

    return look(Asked(level, logs, postconf, exim), _read_settings(settings))


def _read_settings(settings: Config) -> ReadSettings:
    from maillog.reading import ReadSettings

    return ReadSettings(zone=settings.zone, host=settings.host, internet=settings.internet)
