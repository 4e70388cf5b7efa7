"""The report as one HTML file: no script, nothing loaded from anywhere, and every text escaped."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from io import StringIO
from typing import Final, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tlsmon.report import figures
from tlsmon.report.model import Changes, Lines, Report, Section, Table
from tlsmon.report.table import is_number, shown
from tlsmon.report.typeface import FAMILY

_Values = TypeVar("_Values")

_STYLE: Final = """
body { font: 15px/1.5 "DejaVu Sans", Verdana, system-ui, sans-serif; color: #1a1a1a; max-width: 62rem;
  margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.9rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; }
.sub, .key span, footer { color: #5f6368; } .lead { font-size: 1.2rem; }
.notice { border-left: 4px solid #d9680f; padding-left: .8rem; }
.key { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; border: solid #d4d7da; border-width: 1px 0; padding: .6rem 0; }
.key b { display: block; font-size: 1.6rem; line-height: 1.2; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; margin: .6rem 0 1.2rem; }
th, td { text-align: left; vertical-align: top; padding: .22rem .9rem .22rem 0; border-bottom: 1px solid #e6e8ea;
  overflow-wrap: anywhere; }
th { border-bottom: 1.5px solid #5f6368; overflow-wrap: normal; } thead { position: sticky; top: 0; background: #fff; }
.n { text-align: right; padding-right: 1.4rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.d { white-space: nowrap; }
pre { columns: 18rem; font: inherit; font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.chart { overflow-x: auto; } .chart svg { width: 100%; min-width: 36rem; height: auto; }
@media print { body { margin: 0; max-width: none; } thead { display: table-header-group; position: static; } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(report: Report) -> bytes:
    """Return the report as one HTML file in UTF-8."""
    return "\n".join(_page(report)).encode()


def _page(report: Report) -> Iterable[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield from _summary(report)
    for section in report.sections:
        yield from _section(section)
    yield f"<footer>Made with tlsmon from what is in the store up to {report.made_from:%Y-%m-%d %H:%M} UTC.</footer>"
    yield "</body>\n</html>\n"


def _summary(report: Report) -> Iterable[str]:
    yield f'<h1>{escape(report.title)}</h1>\n<p class="sub">{escape(report.subtitle)}</p>'
    yield f'<p class="lead">{escape(report.sentence)}</p>'
    for notice in report.notices:
        yield f'<p class="notice">{escape(notice)}</p>'
    keys = "".join(
        f"<div><b>{escape(key.value)}</b><span>{escape(key.label)}</span></div>" for key in report.key_figures
    )
    yield f'<div class="key">{keys}</div>'
    yield f"<h2>Mail sent by week</h2>\n{_svg(figures.trend, report.weeks, (0.06, 0.1, 0.94, 0.78), 2.6)}"
    yield f"<h2>What the domains could stand</h2>\n{_svg(figures.ladder, report.ladder, (0.09, 0.02, 0.66, 0.86), 1.9)}"
    yield "<h2>Changes since last week</h2>"
    yield from _changes(report.changes) if any(report.changes) else [f"<p>{escape(report.unchanged)}</p>"]


def _svg(
    draw: Callable[[Axes, Sequence[_Values]], None],
    values: Sequence[_Values],
    place: tuple[float, float, float, float],
    height: float,
) -> str:
    """Return a figure as SVG; its texts are the program's own words and numbers."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": draw.__name__,
                "font.family": FAMILY,
                "hatch.linewidth": 0.5,
                "hatch.color": "white",
            }
        )
        figure = Figure(figsize=(8.0, height))
        draw(figure.add_axes(place), values)
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return f'<div class="chart">{text[text.index("<svg") :]}</div>'


def _changes(changes: Changes) -> Iterable[str]:
    parts = zip(("newly ready", "newly failing", "regressed"), changes, strict=True)
    texts = "".join(f"<div><b>{len(names):,}</b><span>{title}</span></div>" for title, names in parts)
    yield f'<div class="key">{texts}</div>'


def _section(section: Section) -> Iterable[str]:
    yield f'<h2 id="{escape(section.key)}">{escape(section.title)}</h2>'
    for text in section.text:
        yield f"<p>{escape(text)}</p>"
    for table in section.tables:
        yield from _table(table)
    for block in section.lines:
        yield from _lines(block)


def _table(table: Table) -> Iterable[str]:
    if not table.rows:
        if table.empty:
            yield f"<p>{escape(table.empty)}</p>"
        return
    classes = [
        ' class="n"' if is_number(column) else ' class="d"' if column.kind == "day" else "" for column in table.columns
    ]
    heads = "".join(
        f"<th{kind}>{escape(column.title)}</th>" for kind, column in zip(classes, table.columns, strict=True)
    )
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in table.rows:
        cells = (
            f"<td{kind}>{escape(shown(cell, column.kind))}</td>"
            for kind, cell, column in zip(classes, row, table.columns, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody>\n</table>"


def _lines(block: Lines) -> Iterable[str]:
    yield f"<p><b>{escape(block.title)}</b></p>"
    for text in block.text:
        yield f"<p>{escape(text)}</p>"
    if block.lines:
        yield f"<pre>{escape(chr(10).join(block.lines))}</pre>"
