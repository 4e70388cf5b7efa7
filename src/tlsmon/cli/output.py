"""
Results to standard output, all else to standard error.

Logs are written by strangers: nothing of them reaches a terminal that is not printable.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar

Cell: TypeAlias = str | int | float | None
_Row = TypeVar("_Row")

_GAP: Final = "  "
_CSV_END: Final = "\r\n"
_AT_ONCE: Final = 1_000
"""Rows."""


def printable(text: str) -> str:
    r"""
    Return text that cannot steer a terminal: control characters and the like as ``\x1b``.

    >>> printable("mx\x1b[2J")
    'mx\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(printable(text) + "\n")


def say_lines(text: str) -> None:
    """Print a result of several lines."""
    for line in text.splitlines():
        say(line)


def flush() -> None:
    """Hand over what was printed so far, for whoever reads along."""
    sys.stdout.flush()


def tell(text: str) -> None:
    """Tell the person in front something that is not the result; several lines may be given."""
    for line in text.splitlines():
        sys.stderr.write(printable(line) + "\n")


def say_json(document: Any) -> None:
    """Print a JSON document, an entry of a list on a line; ASCII only, so that it is safe on any terminal."""
    # In pieces: a document may be long. Not many small ones: standard output may be unbuffered.
    sys.stdout.writelines(_json_object(document) if isinstance(document, dict) else _json_value(document))
    sys.stdout.write("\n")


def say_json_list(entries: Iterable[Any]) -> None:
    """Print a JSON list, an entry on a line as it comes; also whole where the entries break off with an error."""
    sys.stdout.write("[")
    separator = "\n"
    try:
        for entry in entries:
            sys.stdout.write(separator + json.dumps(entry))
            separator = ",\n"
    finally:
        sys.stdout.write("\n]\n")


def say_json_line(document: Any) -> None:
    """Print a JSON document on a line."""
    sys.stdout.write(json.dumps(document) + "\n")


def _json_object(document: dict[str, Any]) -> Iterator[str]:
    yield "{"
    for number, (name, value) in enumerate(document.items()):
        yield f"{',' if number else ''}\n{json.dumps(name)}: "
        yield from _json_value(value)
    yield "\n}"


def _json_value(value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield json.dumps(value)
        return
    yield "["
    for number, entry in enumerate(value):
        yield f"{',' if number else ''}\n{json.dumps(entry)}"
    yield "\n]"


def say_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print comma separated values (RFC 4180) with a header; what does not apply is empty."""
    for some in _some(chain([header], rows)):
        text = _csv(some)
        # All at once, which is quick; only where there is more than the ends of lines to hide, cell by cell.
        if text.count(_CSV_END) > len(some) or not text.replace(_CSV_END, "").isprintable():
            text = _csv([printable(cell) if isinstance(cell, str) else cell for cell in row] for row in some)
        sys.stdout.write(text)


def _some(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Give rows some at a time; where they break off with an error, those that came before it first."""
    some: list[_Row] = []
    try:
        for row in rows:
            some.append(row)
            if len(some) == _AT_ONCE:
                yield some
                some = []
    except Exception:
        yield some
        raise
    yield some


def _csv(rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=_CSV_END).writerows(rows)
    return text.getvalue()


def say_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table for people: numbers to the right with separators, what does not apply as ``-``."""
    say_columns(header, rows, _widths(header, rows))


def say_columns(header: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Sequence[int]) -> None:
    """Print a table row by row; a cell wider than its column moves the rest of its row."""
    say(_line(header, widths))
    for row in rows:
        sys.stdout.write(_line([_shown(cell) for cell in row], widths, row) + "\n")


def _widths(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    columns = zip(header, *rows, strict=True)
    return [max(len(_shown(cell)) for cell in column) for column in columns]


def _line(cells: Sequence[str], widths: Sequence[int], values: Sequence[Cell] | None = None) -> str:
    aligned = (
        cell.rjust(width) if isinstance(value, int | float) else cell.ljust(width)
        for cell, width, value in zip(cells, widths, values or cells, strict=True)
    )
    return _GAP.join(aligned).rstrip()


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    return printable(cell) if isinstance(cell, str) else f"{cell:,}"


def moment(time: datetime | None) -> str | None:
    """Return a time as ISO 8601 with its offset."""
    return time.isoformat() if time else None
