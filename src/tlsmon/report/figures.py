"""The figures of a report: one function, one figure. Values in; drawn into the axes that are given."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tlsmon.report.model import Rung, Week
from tlsmon.wording import count, percent

INK: Final = "#1a1a1a"
GREY: Final = "#5f6368"
LIGHT: Final = "#d4d7da"
_SMALL: Final = 7


class _Part(NamedTuple):
    """A part of a bar. The colours differ in lightness, too, and what warns is hatched, so that they work in grey."""

    field: str
    label: str
    color: str
    hatch: str = ""


WEEK_PARTS: Final = (
    _Part("dane", "DANE", "#08306b"),
    _Part("verified", "verified", "#3c83be"),
    _Part("encrypted", "encrypted", "#a9cfe8"),
    _Part("plaintext", "in clear", "#d9680f", "/////"),
    _Part("unknown", "unknown", "#dedede"),
)
RUNG_PARTS: Final = (
    _Part("safe", "safe", "#08306b"),
    _Part("delays", "delays", "#f2b866"),
    _Part("loses", "loses", "#d9680f", "/////"),
    _Part("unproven", "unproven", "#dedede"),
)


def trend(axes: Axes, weeks: Sequence[Week]) -> None:
    """Draw the mail sent by week, with the share encrypted above each bar."""
    _plain(axes)
    places = range(len(weeks))
    bottoms = [0] * len(weeks)
    for part in WEEK_PARTS:
        heights = [getattr(week, part.field) for week in weeks]
        for place, height, bottom in zip(places, heights, bottoms, strict=True):
            if height:  # a bar of no height would still show its edge
                axes.bar(place, height, 0.74, bottom, **_style(part))
        bottoms = [below + height for below, height in zip(bottoms, heights, strict=True)]
    top = max([*bottoms, 1])
    for place, week, height in zip(places, weeks, bottoms, strict=True):
        shown = "no mail" if not week.sent else "-" if week.share_encrypted is None else percent(week.share_encrypted)
        axes.text(place, height + top * 0.025, shown, ha="center", va="bottom", fontsize=6, color=INK)
    axes.set_ylim(0, top * 1.12)
    axes.set_xlim(-0.6, len(weeks) - 0.4)
    axes.set_xticks(list(places), [f"{week.monday.day} {week.monday:%b}" for week in weeks])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color=LIGHT, linewidth=0.4)
    _legend(axes, WEEK_PARTS)


def ladder(axes: Axes, rungs: Sequence[Rung]) -> None:
    """Draw for each level how much of the mail could stand it, and say how many domains."""
    _plain(axes)
    places = range(len(rungs))
    lefts = [0.0] * len(rungs)
    for part in RUNG_PARTS:
        widths = [getattr(rung, part.field) / rung.mails if rung.mails else 0.0 for rung in rungs]
        for place, width, left in zip(places, widths, lefts, strict=True):
            if width:
                axes.barh(place, width, 0.62, left, **_style(part))
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for place, rung in zip(places, rungs, strict=True):
        mail = f"{percent(rung.safe / rung.mails)} of the mail safe" if rung.mails else "no mail"
        text = f"{mail}\n{rung.safe_domains:,} of {count(rung.domains, 'domain')}"
        axes.text(1.02, place, text, va="center", fontsize=_SMALL, color=INK, linespacing=1.25)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rungs) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(list(places), [rung.level for rung in rungs])
    axes.spines["bottom"].set_visible(False)
    _legend(axes, RUNG_PARTS)


def _style(part: _Part) -> dict[str, Any]:
    return {"facecolor": part.color, "hatch": part.hatch, "edgecolor": "white", "linewidth": 0.5}


def _plain(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=_SMALL, labelcolor=GREY, pad=4)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=LIGHT, linewidth=0.6)


def _legend(axes: Axes, parts: Sequence[_Part]) -> None:
    axes.legend(
        handles=[Patch(label=part.label, **_style(part)) for part in parts],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(parts),
        frameon=False,
        fontsize=_SMALL,
        labelcolor=INK,
        handlelength=1.0,
        handleheight=0.9,
        columnspacing=1.4,
        handletextpad=0.5,
        borderaxespad=0.1,
        borderpad=0,
    )
