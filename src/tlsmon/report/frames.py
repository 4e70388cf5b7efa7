"""
Answers as tidy DataFrames: one row a thing, one column a value, with the types that are written here.

Words are categories, counts ``Int64``, shares ``Float64`` from 0 to 1, times aware and in UTC; ``<NA>`` is what cannot
be said.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final, NamedTuple

import pandas as pd

from tlsmon.report.words import name
from tlsmon.traffic.model import Period, Traffic
from tlsmon.verdict.backtest import Backtest, numbers
from tlsmon.verdict.model import Verdict
from tlsmon.verdict.recommend import Recommendation
from tlsmon.verdict.summary import headline, last_seen
from tlsmon.wording import count, percent

_TIME: Final = "datetime64[us, UTC]"
_SHOWN: Final = 25
_LEFT: Final = ' style="text-align:left;overflow-wrap:anywhere;max-width:32em"'
_LONGEST_HEADLINE: Final = 1000
"""Characters; it may name some providers."""
_COLORS: Final = {
    Verdict.SAFE: ("#08306b", "white"),
    Verdict.DELAYS: ("#f2b866", "black"),
    Verdict.LOSES: ("#d9680f", "black"),
    Verdict.UNPROVEN: ("#dedede", "black"),
}


class Column(NamedTuple):
    """What stands in a column."""

    dtype: Any
    meaning: str


_COUNT: Final = Column("Int64", "Mails, of those sent.")

TRAFFIC: Final = {
    "start": Column(_TIME, "When the period begins."),
    "period": Column("string", "`2026-11-14`, `2026-W46` or `2026-11`."),
    "deliveries": Column("Int64", "Attempts, whatever became of them."),
    "sent": Column("Int64", "Mails that another host took."),
    "encrypted": _COUNT,
    "plaintext": _COUNT,
    "unknown": Column("Int64", "Mails sent of which the log does not tell."),
    "share_encrypted": Column("Float64", "Of the mails sent of which the log tells."),
}
"""The columns of :func:`traffic`; where a group was asked for, it stands as a category after ``period``."""

VERDICTS: Final = {
    "domain": Column("string", "The recipient domain, as an A-label."),
    "verdict": Column(pd.CategoricalDtype([str(verdict) for verdict in Verdict]), "At the level asked for."),
    "mails": Column("Int64", "Mails that were delivered, or lost for TLS."),
    "encrypted": _COUNT,
    "plaintext": _COUNT,
    "unknown": Column("Int64", "Mails sent of which the log does not tell."),
    "delivered": Column("Int64", "Mails that the level would have let through."),
    "rerouted": Column("Int64", "Mails that another MX host would have taken."),
    "delayed": Column("Int64", "Mails that a later attempt would have brought."),
    "lost": Column("Int64", "Mails that would have bounced."),
    "undecided": Column("Int64", "Mails of which the log does not tell what the level would have done to them."),
    "affected_upper_bound": Column("Float64", "Of the share of mail that would be late or lost."),
    "last_seen": Column(_TIME, "The last mail."),
    "mx_hosts": Column("string", "Names, separated by spaces."),
    "providers": Column("string", "Names, separated by spaces."),
    "reasons": Column("string", "In words, separated by semicolons."),
}
"""The columns of :func:`verdicts`."""

REPLAY: Final = {
    "as_of": Column(_TIME, "When the verdicts were made."),
    "until": Column(_TIME, "The end of the days by which they are judged."),
    "domains": Column("Int64", "Domains called safe that received mail afterwards."),
    "domains_failed": Column("Int64", "Of these, how many had mail that would have been delayed or lost."),
    "mails": Column("Int64", "Their mails of which the fate is known."),
    "delayed": Column("Int64", "Of these, how many would have come late."),
    "lost": Column("Int64", "Of these, how many would not have arrived."),
    "unknown": Column("Int64", "Their mails of which the log does not tell; they count neither way."),
    "own_side": Column("Int64", "Their mails on days when the sender's own side failed; they count neither way."),
    "all_mails": Column("Int64", "Mails to all domains."),
    "safe_mails": Column("Int64", "Mails to the domains called safe."),
    "bounds": Column("Int64", "Domains with a stated bound and mails afterwards."),
    "bounds_held": Column("Int64", "Of these, how many stayed within the bound."),
    "precision": Column("Float64", "Share of the mails to safe domains that would have arrived in time."),
    "domain_precision": Column("Float64", "Share of the safe domains whose mail would all have arrived in time."),
    "coverage": Column("Float64", "Share of all mails that went to domains called safe."),
    "calibration": Column("Float64", "Share of the bounds that held."),
    "held": Column("string", "Why nothing was called safe."),
}
"""The columns of :func:`replay`."""


class Verdicts(pd.DataFrame):
    """The verdicts on all domains at a level. What is selected from it is an ordinary DataFrame."""

    _metadata = ["headline"]  # noqa: RUF012, as pandas wants it
    headline: str
    """What can be enforced, in a sentence."""

    def _repr_html_(self) -> str:
        """Return the headline and the domains with the most mail; names of strangers are escaped."""
        top = self.sort_values(["mails", "domain"], ascending=[False, True]).head(_SHOWN)
        rows = "".join(map(_row, top.to_dict("records")))
        more = f"<p>and {count(len(self) - _SHOWN, 'more domain')}</p>" if len(self) > _SHOWN else ""
        titles = (("domain", _LEFT), ("verdict", ""), ("mails", ""), ("at most affected", ""), ("why", _LEFT))
        heads = "".join(f"<th{style}>{title}</th>" for title, style in titles)
        headline = escape(name(self.headline, _LONGEST_HEADLINE))
        return f"<p><b>{headline}</b></p><table><thead><tr>{heads}</tr></thead>{rows}</table>{more}"


def _row(row: dict[Any, Any]) -> str:
    back, front = _COLORS[Verdict(row["verdict"])]
    bound = row["affected_upper_bound"]
    badge = f'<span style="background:{back};color:{front};padding:0 .5em;border-radius:.3em">{row["verdict"]}</span>'
    cells = (
        (escape(name(row["domain"])), _LEFT),
        (badge, ""),
        (f"{row['mails']:,}", ""),
        ("-" if pd.isna(bound) else escape(percent(bound)), ""),
        (escape(name(row["reasons"], _LONGEST_HEADLINE)), _LEFT),
    )
    return f"<tr>{''.join(f'<td{style}>{cell}</td>' for cell, style in cells)}</tr>"


def traffic(found: Traffic) -> pd.DataFrame:
    """Return traffic with the columns ``TRAFFIC``, oldest period first."""
    rows = [(_start(row.period, found.by), row.period, *row.counts, row.counts.share_encrypted) for row in found.rows]
    frame = _frame(rows, TRAFFIC)
    if found.group:
        frame.insert(2, str(found.group), pd.Series([row.group for row in found.rows], dtype="category"))
    return frame


def _start(period: str, by: Period) -> datetime:
    text, form = (f"{period}-1", "%G-W%V-%u") if by is Period.WEEK else (period, "%Y-%m-%d")
    return datetime.strptime(f"{text}-01" if by is Period.MONTH else text, form).replace(tzinfo=UTC)


def verdicts(found: Recommendation) -> Verdicts:
    """Return the judgements with the columns ``VERDICTS``, sorted by domain."""
    rows = [
        (
            item.domain,
            str(item.verdict),
            item.mails,
            item.encrypted,
            item.plaintext,
            item.unknown,
            *item.fates,
            item.affected_upper_bound,
            last_seen(item.last_seen),
            " ".join(host.host for host in item.mx_hosts),
            " ".join(item.providers),
            "; ".join(item.reasons),
        )
        for item in found.judgements
    ]
    frame = Verdicts(_frame(rows, VERDICTS))
    frame.headline = f"Held: {found.held}. {headline(found)}" if found.held else headline(found)
    return frame


def replay(found: Backtest) -> pd.DataFrame:
    """Return a walk through the past with the columns ``REPLAY``, one row a step."""
    rows = [(week.as_of, week.until, *numbers(week.tally).values(), week.held) for week in found.weeks]
    return _frame(rows, REPLAY)


def _frame(rows: Sequence[Iterable[object]], columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return rows with the types of the columns, also where there is no row or a column is empty."""
    values: list[tuple[object, ...]] = list(zip(*rows, strict=True)) or [() for _ in columns]
    typed = zip(columns.items(), values, strict=True)
    return pd.DataFrame({key: pd.Series(list(column), dtype=kind.dtype) for (key, kind), column in typed})
