"""Columns as Python values: the same as pyarrow's own, only faster."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.store.values import values

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.lists(st.lists(st.one_of(st.none(), st.text()), max_size=5), max_size=3))
def test_texts(chunks: list[list[str | None]]) -> None:
    """Texts and nulls, in however many pieces."""
    column = pa.chunked_array(chunks, pa.string())
    assert values(column) == column.to_pylist()


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-(1 << 62), 1 << 62)), max_size=5), max_size=3))
def test_numbers(chunks: list[list[int | None]]) -> None:
    """Numbers and nulls."""
    column = pa.chunked_array(chunks, pa.int64())
    assert values(column) == column.to_pylist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times(unit: str, zone: str | None) -> None:
    """Times are microseconds since 1970, whatever the unit and the zone they are shown in."""
    moments = [EPOCH + timedelta(days=day) for day in (0, 20_000, -3)]
    column = pa.chunked_array([[*moments, None]], pa.timestamp(unit, zone))
    assert values(column) == [0, 20_000 * 86_400_000_000, -3 * 86_400_000_000, None]
