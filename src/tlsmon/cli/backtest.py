"""``tlsmon backtest``: would past recommendations have held?"""

from math import floor
from pathlib import Path
from typing import Annotated, Final

import typer

from tlsmon import api, config
from tlsmon.api import Backtest, Tally, Walk, Week
from tlsmon.cli import files
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import Store
from tlsmon.cli.output import Cell, say, say_json, say_table, tell
from tlsmon.config import SettingError
from tlsmon.wording import percent

_FORMS: Final = ("pdf", "png", "svg")
_COUNTS: Final = ("domains", "domains_failed", "mails", "delayed", "lost", "unknown", "own_side")
_SHARES: Final = ("coverage", "calibration")
_HEADER: Final = (
    *("as of", "safe domains", "of these failed", "mails", "delayed", "lost", "unknown", "own side"),
    *("precision", "coverage", "bounds held"),
)


@judging("as_of", "no_probe", "probe_days", "sender_validates")
def backtest(
    *,
    store: Store = None,
    asked: Asked,
    horizon: Annotated[int, typer.Option(min=1, help="Days after each verdict whose mail is compared with it.")] = 7,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a figure, too: .pdf, .png or .svg.")] = None,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """Walk through the store, and compare what was called safe with what came after."""
    form = _form(figure) if figure else ""
    walk = Walk(asked.level, asked.thresholds, asked.days, horizon)
    found = api.open(config.resolve(store=store).store).backtest(walk)
    if format_ is Format.JSON:
        say_json(api.backtest_document(found))
    elif found.weeks:
        _show(found)
    if not found.weeks:
        tell(f"tlsmon: the store holds fewer than {asked.days + horizon} days, so nothing can be compared.")
        tell("Give smaller --days and --horizon, or ingest older logs.")
        raise typer.Exit(Exit.NO)
    if figure:
        files.write(figure, api.backtest_figure(found, form))


def _form(figure: Path) -> str:
    form = figure.suffix.lower().lstrip(".")
    if form not in _FORMS:
        raise SettingError(f"{figure}: which format is that to be?", hint="Name it .pdf, .png or .svg.")
    return form


def _show(found: Backtest) -> None:
    say(_headline(found))
    say("")
    weeks = [_cells(f"{week.as_of:%Y-%m-%d}", week.tally) for week in found.weeks]
    say_table(_HEADER, [*weeks, _cells("total", found.total)])
    for week in found.weeks:
        _show_remarks(week)


def _headline(found: Backtest) -> str:
    total, walk = found.total, found.walk
    if total.precision is None:
        return f"In {len(found.weeks):,} steps no domain that received mail afterwards was called safe at {walk.level}."
    return (
        f"Of {total.mails:,} mails that came within {walk.horizon} days to domains called safe at {walk.level}, "
        f"{total.lost:,} would have been lost and {total.delayed:,} delayed "
        f"(precision {_precision(total)}); they are {_share(total.coverage)} of all mail."
    )


def _show_remarks(week: Week) -> None:
    """Show the domains that were wrongly called safe, and why a week may have none."""
    if week.held:
        say(f"{week.as_of:%Y-%m-%d}: HELD: {week.held}.")
    for failure in week.failures:
        say(
            f"{week.as_of:%Y-%m-%d}: {failure.domain}: {failure.lost:,} lost and {failure.delayed:,} delayed "
            f"of {failure.mails:,} mails"
        )


def _cells(name: str, tally: Tally) -> list[Cell]:
    counts = [getattr(tally, count) for count in _COUNTS]
    return [name, *counts, _precision(tally), *(_share(getattr(tally, share)) for share in _SHARES)]


def _precision(tally: Tally) -> str | None:
    """Return the precision rounded down: what counts are its last nines, and 100% is said of no loss at all."""
    if tally.precision is None or tally.precision == 1:
        return _share(tally.precision)
    return f"{floor(tally.precision * 100_000) / 1_000:.3f}%"


def _share(share: float | None) -> str | None:
    return None if share is None else percent(share)
