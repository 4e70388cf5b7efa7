"""What is printed for programs: whole, in order, and without anything that steers a terminal."""

import csv
import io
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.cli import output

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
_CELLS = (
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(st.sampled_from('a,"\r\n\x1b\x85é€'), max_size=6)
)


def _printed(monkeypatch: pytest.MonkeyPatch, what: Any, *given_: Any) -> str:
    printed = io.StringIO(newline="")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", printed)
        what(*given_)
    return printed.getvalue()


@given(document=_JSON)
def test_json_is_what_it_was(document: Any) -> None:
    """Whatever is in it."""
    with pytest.MonkeyPatch.context() as patched:
        text = _printed(patched, output.say_json, document)
    assert json.loads(text) == document
    assert text.isascii()
    assert text.endswith("\n")


def test_json_has_an_entry_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """For people who look for a domain with grep, and for programs."""
    document = {"level": "encrypt", "domains": [{"domain": "a.example", "mx_hosts": [{"host": "mx"}]}, {}], "waves": []}
    text = _printed(monkeypatch, output.say_json, document)
    assert text.splitlines() == [
        "{",
        '"level": "encrypt",',
        '"domains": [',
        '{"domain": "a.example", "mx_hosts": [{"host": "mx"}]},',
        "{}",
        "],",
        '"waves": []',
        "}",
    ]


@given(rows=st.lists(st.tuples(_CELLS, _CELLS), max_size=8))
def test_csv_is_what_it_was_with_hostile_cells_written_out(rows: list[tuple[Any, Any]]) -> None:
    """Also where only one cell of many is hostile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(output, "_AT_ONCE", 3)
        text = _printed(patched, output.say_csv, ("one", "two"), rows)
    shown = [[output.printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["one", "two"], *shown]
    assert text.replace("\r\n", "").isprintable()
    assert text.count("\r\n") == len(rows) + 1


def test_many_rows_take_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be unbuffered: PYTHONUNBUFFERED is set in many containers."""

    class Counting(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            Counting.writes += 1
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Counting(newline=""))
    output.say_csv(("number",), ([number] for number in range(5_000)))
    output.say_json({"rows": [{"number": number, "of": [1, 2, 3]} for number in range(5_000)]})
    assert Counting.writes < 6_000
