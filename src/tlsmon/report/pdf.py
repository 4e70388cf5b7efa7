"""The report as PDF: vector figures, embedded TrueType fonts, text to select; the same report, the same bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Final

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages

from tlsmon.report import figures
from tlsmon.report.canvas import Canvas
from tlsmon.report.figures import GREY, INK
from tlsmon.report.model import Changes, KeyFigure, Lines, Paper, Report, Section
from tlsmon.report.table import draw, lines, paragraph
from tlsmon.report.typeface import FAMILY, drawable, width, wrap

_NAMES: Final = 6
"""Of domains in each list of changes on the first page."""
_CHANGES: Final = {"newly_ready": "Newly ready", "newly_failing": "Newly failing", "regressed": "Regressed"}


def to_pdf(report: Report, paper: Paper = Paper.A4) -> bytes:
    """Return the report as a PDF file (1.4). Its date is the end of what was judged."""
    file = BytesIO()
    metadata = {
        "Title": drawable(report.title),
        "Subject": drawable(report.sentence),
        "Author": "tlsmon",
        "Creator": "tlsmon",
        "Producer": "tlsmon, matplotlib",
        "CreationDate": report.made_from,
        "ModDate": report.made_from,
    }
    with _settings(), PdfPages(file, metadata=metadata) as pages:
        canvas = Canvas(paper, drawable(f"{report.title} · made with tlsmon"), pages.savefig)
        _first_page(canvas, report)
        canvas.turn()
        for section in report.sections:
            _section(canvas, section)
        canvas.end()
    return file.getvalue()


@contextmanager
def _settings() -> Iterator[None]:
    """Use matplotlib's defaults whatever the user's own settings are, and whole TrueType outlines (type 42)."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"pdf.fonttype": 42, "font.family": FAMILY, "hatch.linewidth": 0.5, "hatch.color": "white"})
        yield


def _first_page(canvas: Canvas, report: Report) -> None:
    paragraph(canvas, report.title, 20, bold=True)
    canvas.skip(-8)
    paragraph(canvas, report.subtitle, 8.5, color=GREY)
    canvas.skip(4)
    paragraph(canvas, report.sentence, 11.5)
    for notice in report.notices:
        _notice(canvas, notice)
    canvas.skip(4)
    _key_figures(canvas, report.key_figures)
    _heading(canvas, "Mail sent by week", 200)
    figures.trend(canvas.axes(canvas.left + 30, canvas.y + 14, canvas.width - 30, 150), report.weeks)
    canvas.skip(186)
    _heading(canvas, "What the domains could stand", 140)
    figures.ladder(canvas.axes(canvas.left + 46, canvas.y + 14, canvas.width - 176, 98), report.ladder)
    canvas.skip(122)
    _changes(canvas, report.changes, report.unchanged)


def _heading(canvas: Canvas, text: str, keep: float) -> None:
    """Write a heading that stays with what follows it."""
    canvas.need(keep)
    if not canvas.is_fresh:
        canvas.skip(8)
    canvas.text(canvas.left, canvas.y + 11, text, 11, bold=True)
    canvas.skip(19)


def _notice(canvas: Canvas, text: str) -> None:
    inside = wrap(drawable(text), canvas.width - 14, 8.5)
    canvas.need(len(inside) * 12 + 8)
    canvas.box(canvas.left, canvas.y, 3, len(inside) * 12 + 3, figures.RUNG_PARTS[2].color)
    for number, line in enumerate(inside, 1):
        canvas.text(canvas.left + 12, canvas.y + number * 12 - 2, line, 8.5)
    canvas.skip(len(inside) * 12 + 8)


def _key_figures(canvas: Canvas, key_figures: Sequence[KeyFigure]) -> None:
    canvas.need(46)
    step = canvas.width / len(key_figures)
    canvas.rule(canvas.y)
    for number, (value, label) in enumerate(key_figures):
        x = canvas.left + number * step
        canvas.text(x, canvas.y + 24, drawable(value), 17, bold=True)
        canvas.text(x, canvas.y + 36, label, 7.5, color=GREY)
    canvas.skip(43)
    canvas.rule(canvas.y)
    canvas.skip(2)


def _changes(canvas: Canvas, changes: Changes, unchanged: str) -> None:
    if not any(changes):
        _heading(canvas, "Changes since last week", 40)
        paragraph(canvas, unchanged)
        return
    _heading(canvas, "Changes since last week", 20 + 11 * (_NAMES + 2))
    step = canvas.width / len(_CHANGES)
    for number, (field, title) in enumerate(_CHANGES.items()):
        x, names = canvas.left + number * step, getattr(changes, field)
        canvas.text(x, canvas.y + 8, f"{len(names):,}", 9, bold=True)
        canvas.text(x + width(f"{len(names):,} ", 9, bold=True) + 2, canvas.y + 8, title.lower(), 8.5, color=INK)
        for line, text in enumerate(_some(names, step - 14), 1):
            canvas.text(x, canvas.y + 9 + line * 11, text, 7.5, color=GREY)
    canvas.skip(11 * (_NAMES + 2))


def _some(names: Sequence[str], room: float) -> list[str]:
    """Return the first names, each on one line, and how many there are more; the section of changes has them whole."""
    texts = [_on_one_line(drawable(name), room) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        texts[-1] = f"and {len(names) - _NAMES + 1:,} more"
    return texts


def _on_one_line(text: str, room: float) -> str:
    first, *rest = wrap(text, room, 7.5)
    return f"{first[:-3]}..." if rest else first


def _section(canvas: Canvas, section: Section) -> None:
    canvas.skip(0 if canvas.is_fresh else 10)
    lines_of_text = sum(len(wrap(drawable(text), canvas.width, 8.5)) for text in section.text)
    _heading(canvas, section.title, 100 + 12 * lines_of_text)
    for text in section.text:
        paragraph(canvas, text)
    for number, table in enumerate(section.tables):
        if table.rows or table.empty:
            canvas.skip(8 if number else 0)
            draw(canvas, table)
    for block in section.lines:
        _lines(canvas, block)


def _lines(canvas: Canvas, block: Lines) -> None:
    canvas.skip(4)
    canvas.need(50)
    paragraph(canvas, block.title, bold=True)
    for text in block.text:
        paragraph(canvas, text)
    lines(canvas, block.lines)
