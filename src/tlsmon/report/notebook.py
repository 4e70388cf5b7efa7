"""The store for notebooks: every answer is a tidy DataFrame, typed as :mod:`tlsmon.report.frames` says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from tlsmon.evidence import collect, recall
from tlsmon.provider import provider
from tlsmon.report import frames
from tlsmon.store import frame
from tlsmon.store.table import Table
from tlsmon.traffic.model import Group, Period
from tlsmon.traffic.shares import traffic
from tlsmon.verdict.backtest import Day, Walk, backtest
from tlsmon.verdict.model import Level, Thresholds
from tlsmon.verdict.recommend import Window
from tlsmon.verdict.window import recommend_window

_DAY = timedelta(days=1)


class Notebook:
    """The store at one place; opened anew by each call, so that it always tells what is there now."""

    def __init__(self, location: str) -> None:
        self.location = location

    def deliveries(self) -> pd.DataFrame:
        """
        Return all rows of the store, see :func:`tlsmon.store.frame.deliveries`: one row for equal attempts of an hour.

        The whole store has to fit into memory. Raises StoreError.
        """
        return frame.deliveries(self._table())

    def traffic(
        self,
        by: str = "day",
        group: str | None = None,
        domain: str | None = None,
        window: tuple[date | None, date | None] = (None, None),
    ) -> pd.DataFrame:
        """
        Return the mail sent to the internet, one row a period and group, with the columns ``frames.TRAFFIC``.

        ``by``: day, week or month. ``group``: domain, provider or host. ``domain``: only this one, as an A-label.
        ``window``: first and last day, UTC. Raises StoreError.
        """
        asked = Group(group) if group else None
        return frames.traffic(traffic(self._table(), Period(by), asked, domain, window))

    def recommend(
        self,
        level: str = "encrypt",
        days: int = 30,
        as_of: datetime | None = None,
        thresholds: Thresholds | None = None,
    ) -> frames.Verdicts:
        """
        Return the verdict on each domain at a level, with the columns ``frames.VERDICTS``.

        The window are the ``days`` before ``as_of`` (aware); None: the end of the store. Raises StoreError.
        """
        table = self._table()
        until = as_of or collect.end(table)
        window = Window(until - timedelta(days=days), until)
        found = collect.observed(table, *window)
        asked = thresholds or Thresholds()
        seen = recall.looks(self.location, asked.probe_days, until, fixed=as_of is not None)
        return frames.verdicts(recommend_window(found, Level(level), window, asked, provider, looks=seen))

    def replay(
        self, level: str = "encrypt", days: int = 30, horizon: int = 7, thresholds: Thresholds | None = None
    ) -> pd.DataFrame:
        """
        Return how past verdicts held, one row a step, with the columns ``frames.REPLAY``.

        See :func:`tlsmon.verdict.backtest.backtest`; a store shorter than ``days`` and ``horizon`` together gives no
        row. Raises StoreError.
        """
        walk = Walk(Level(level), thresholds or Thresholds(), days, horizon)
        return frames.replay(backtest(self._days(), walk, provider))

    def _days(self) -> Iterator[Day]:
        """Yield the days of the store, one query each, so that a long store is never in memory as a whole."""
        table = self._table()
        first = traffic(table, Period.MONTH).first
        if first is None:
            return
        day, end = datetime(first.year, first.month, first.day, tzinfo=UTC), collect.end(table)
        while day < end:
            yield Day(day, collect.observations(table, day, day + _DAY))
            day += _DAY

    def _table(self) -> Table:
        return Table.open(self.location)
