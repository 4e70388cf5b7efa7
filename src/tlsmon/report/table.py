"""Tables over as many pages as they need, with their header on each of them; and lines to be copied, in columns."""

from collections.abc import Sequence
from datetime import date
from math import ceil
from typing import Final

from tlsmon.report.canvas import Canvas
from tlsmon.report.figures import GREY, INK, LIGHT
from tlsmon.report.model import Cell, Column, Kind, Table
from tlsmon.report.typeface import drawable, width, wrap
from tlsmon.wording import day, percent

MOST_ROWS: Final = 1000
"""Of one table on paper. The JSON has them all."""
MOST_LINES: Final = 2000
SIZE: Final = 7.5
_LEADING: Final = 10.0
_PADDING: Final = 5.0
"""Between two rows."""
_GUTTER: Final = 12.0
_LAST_TOGETHER: Final = 3
"""Rows at the end of a table that stand on one page: a page with a single one looks like a mistake."""


def shown(cell: Cell, kind: Kind) -> str:
    """Return a cell as people read it."""
    if cell is None:
        return "-"
    if kind is Kind.SHARE and isinstance(cell, int | float):
        return percent(cell)
    if isinstance(cell, date):
        return day(cell)
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def is_number(column: Column) -> bool:
    """Tell whether the column stands to the right."""
    return column.kind in (Kind.COUNT, Kind.SHARE)


def draw(canvas: Canvas, table: Table) -> None:
    """Draw a table; where it has no row, say so."""
    if not table.rows:
        paragraph(canvas, table.empty)
        return
    rows = [
        [drawable(shown(cell, column.kind)) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows[:MOST_ROWS]
    ]
    widths = _widths(table.columns, rows, canvas.width)
    wrapped = [[wrap(cell, room, SIZE) for cell, room in zip(row, widths, strict=True)] for row in rows]
    heights = [max(map(len, lines)) * _LEADING + _PADDING for lines in wrapped]
    canvas.need(4 * (_LEADING + _PADDING))
    _header(canvas, table.columns, widths)
    for number, lines in enumerate(wrapped):
        is_end = number == len(wrapped) - _LAST_TOGETHER
        if canvas.need(sum(heights[number:]) if is_end else heights[number]):
            _header(canvas, table.columns, widths)
        _row(canvas, table.columns, widths, lines)
    canvas.skip(6)
    if len(table.rows) > MOST_ROWS:
        paragraph(
            canvas, f"The first {MOST_ROWS:,} of {len(table.rows):,} rows. The JSON form of this report has them all."
        )


def lines(canvas: Canvas, every: Sequence[str]) -> None:
    """Draw lines to be copied, in as many columns as there is room for."""
    texts = [part for line in every[:MOST_LINES] for part in wrap(drawable(line), canvas.width, SIZE)]
    widest = max((width(text, SIZE) for text in texts), default=1.0)
    columns = max(int((canvas.width + _GUTTER) // (widest + _GUTTER)), 1)
    while texts:
        canvas.need(_LEADING)
        rows = min(max(int(canvas.room // _LEADING), 1), ceil(len(texts) / columns))
        _block(canvas, texts[: rows * columns], rows, (canvas.width + _GUTTER) / columns)
        texts = texts[rows * columns :]
    canvas.skip(6)
    if len(every) > MOST_LINES:
        paragraph(
            canvas, f"The first {MOST_LINES:,} of {len(every):,} lines. The JSON form of this report has them all."
        )


def _block(canvas: Canvas, texts: Sequence[str], rows: int, step: float) -> None:
    """Draw lines column by column, in which order they are also selected and copied."""
    for number, text in enumerate(texts):
        column, line = divmod(number, rows)
        canvas.text(canvas.left + column * step, canvas.y + (line + 1) * _LEADING - 2, text, SIZE)
    canvas.skip(rows * _LEADING)


def paragraph(canvas: Canvas, text: str, size: float = 8.5, *, color: str = INK, bold: bool = False) -> None:
    """Write a paragraph."""
    leading = size * 1.42
    for line in wrap(drawable(text), canvas.width, size, bold=bold):
        canvas.need(leading)
        canvas.text(canvas.left, canvas.y + size, line, size, color=color, bold=bold)
        canvas.skip(leading)
    canvas.skip(size * 0.55)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], total: float) -> list[float]:
    """Return the widths of the columns: what is narrow by nature gets what it needs, text shares the rest."""
    needs = [
        max(width(column.title, SIZE, bold=True), *(width(row[number], SIZE) for row in rows)) + 0.5
        for number, column in enumerate(columns)
    ]
    fixed = {number: needs[number] for number, column in enumerate(columns) if column.kind is not Kind.TEXT}
    rest = total - sum(fixed.values()) - _GUTTER * (len(columns) - 1)
    return [fixed.get(number, given) for number, given in enumerate(_shared(columns, needs, rest))]


def _shared(columns: Sequence[Column], needs: Sequence[float], rest: float) -> list[float]:
    """Share a width among the columns of text by their weights; what one does not need goes to the others."""
    texts = {number: column.width for number, column in enumerate(columns) if column.kind is Kind.TEXT}
    given = [0.0] * len(columns)
    while texts:
        unit = rest / sum(texts.values())
        content = {number for number, weight in texts.items() if needs[number] <= unit * weight}
        if not content or content == texts.keys():
            for number, weight in texts.items():
                given[number] = unit * weight
            return given
        for number in content:
            given[number] = needs[number]
            rest -= needs[number]
            del texts[number]
    return given


def _header(canvas: Canvas, columns: Sequence[Column], widths: Sequence[float]) -> None:
    titles = [wrap(column.title, room, SIZE, bold=True) for column, room in zip(columns, widths, strict=True)]
    _cells(canvas, columns, widths, titles, bold=True)
    canvas.skip(max(map(len, titles)) * _LEADING + 3)
    canvas.rule(canvas.y, color=GREY, weight=0.7)
    canvas.skip(3)


def _row(canvas: Canvas, columns: Sequence[Column], widths: Sequence[float], lines: Sequence[Sequence[str]]) -> None:
    _cells(canvas, columns, widths, lines)
    canvas.skip(max(map(len, lines)) * _LEADING + _PADDING / 2)
    canvas.rule(canvas.y, color=LIGHT, weight=0.3)
    canvas.skip(_PADDING / 2)


def _cells(
    canvas: Canvas,
    columns: Sequence[Column],
    widths: Sequence[float],
    cells: Sequence[Sequence[str]],
    *,
    bold: bool = False,
) -> None:
    x = canvas.left
    for column, room, texts in zip(columns, widths, cells, strict=True):
        right = is_number(column)
        for line, text in enumerate(texts):
            down = canvas.y + (line + 1) * _LEADING - 2
            canvas.text(x + room if right else x, down, text, SIZE, bold=bold, right=right)
        x += room + _GUTTER
