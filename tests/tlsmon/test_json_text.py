"""The text is that of the standard library."""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.json_text import pieces

PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(st.text(), inner)
    ),
    max_leaves=30,
)


@given(VALUES)
def test_any_value(value: Any) -> None:
    """Whatever is nested in what."""
    assert "".join(pieces(value)) == json.dumps(value, indent=2)


class Word(StrEnum):
    """A word that is text."""

    ONE = "one"


@pytest.mark.parametrize("value", [{}, [], {"a": {}}, {"a": [[]]}, {"a": Word.ONE, "b": (Word.ONE,)}, {"\x1b": "é\n"}])
def test_cases(value: Any) -> None:
    """Empty containers, enumerations, what is not printable."""
    assert "".join(pieces(value)) == json.dumps(value, indent=2)


def test_a_list_comes_in_pieces() -> None:
    """A long list is never one text."""
    assert max(map(len, pieces({"rows": [{"number": number} for number in range(10_000)]}))) < 40


def test_iterators() -> None:
    """A list may be an iterator."""
    rows = [{"number": number} for number in range(3)]
    assert "".join(pieces({"rows": iter(rows), "none": iter([])})) == json.dumps({"rows": rows, "none": []}, indent=2)
