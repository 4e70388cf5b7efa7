"""The figure of a backtest: values in, Figure out."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tlsmon.report.figures import GREY, INK
from tlsmon.verdict.backtest import Backtest, Tally

_LOST, _DELAYED, _OWN = "#d9680f", "#f2b866", "#dedede"


def backtest_figure(found: Backtest) -> Figure:
    """Return the figure: shares by week above, mails that would have been affected by week below."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    places = list(range(len(found.weeks)))
    _shares(above, [week.tally for week in found.weeks])
    _affected(below, [week.tally for week in found.weeks])
    for place, week in zip(places, found.weeks, strict=True):
        if week.held:
            above.annotate("held", (place, 0.02), ha="center", color=_LOST)
    below.set_xticks(places, [f"{week.as_of.day} {week.as_of:%b}" for week in found.weeks], rotation=45)
    below.set_xlabel(f"verdicts as of (level {found.walk.level}, the {found.walk.horizon} days after each)")
    return figure


def figure_file(found: Backtest, form: str) -> bytes:
    """Return the figure as a file, ``form``: ``pdf``, ``png`` or ``svg``; without a date in it."""
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    file = BytesIO()
    backtest_figure(found).savefig(file, format=form, metadata=dates.get(form, {}))
    return file.getvalue()


def _shares(axes: Axes, tallies: list[Tally]) -> None:
    lines = (
        ("precision of safe, by mail", [tally.precision for tally in tallies], INK, "o-"),
        ("bounds that held", [tally.calibration for tally in tallies], "#3c83be", "s--"),
        ("share of mail to safe domains", [tally.coverage for tally in tallies], GREY, "^:"),
    )
    for label, values, color, style in lines:
        shown = [float("nan") if value is None else value for value in values]
        axes.plot(range(len(shown)), shown, style, color=color, label=label)
    axes.set_ylim(0, 1.03)
    axes.legend(loc="lower right", frameon=False)
    axes.set_ylabel("share")


def _affected(axes: Axes, tallies: list[Tally]) -> None:
    parts = (
        ("lost", [tally.lost for tally in tallies], _LOST),
        ("delayed", [tally.delayed for tally in tallies], _DELAYED),
        ("own side", [tally.own_side for tally in tallies], _OWN),
    )
    bottoms = [0] * len(tallies)
    for label, heights, color in parts:
        axes.bar(range(len(heights)), heights, 0.7, bottoms, color=color, edgecolor=INK, linewidth=0.3, label=label)
        bottoms = [below + height for below, height in zip(bottoms, heights, strict=True)]
    axes.legend(loc="upper right", frameon=False)
    axes.set_ylabel("mails to safe domains")
    axes.set_ylim(0, max([*bottoms, 1]) * 1.1)
