"""Rows as Arrow tables with the schema's types, and back."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from maillog.counts import Counts
from tlsmon.rollup.columns import Column, columns_of
from tlsmon.rollup.model import Key, Row, Span
from tlsmon.store.schema import COLUMNS, Kind

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WORD: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.FLAG: pa.bool_(),
}

SCHEMA = pa.schema([pa.field(column.name, _TYPES[column.kind], nullable=column.nullable) for column in COLUMNS])


ORDER = [(name, "ascending") for name in ("recipient_domain", "mx_host", "hour")]
"""How the rows of a commit are sorted."""


def table_of(rows: Sequence[Row], counts: Counts | None = None) -> pa.Table:
    """Return rows and counted deliveries as a table, sorted so that equal values stand together and compress well."""
    tables = [_table({name: Column.of(values) for name, values in zip(SCHEMA.names, _by_column(rows), strict=True)})]
    if counts:
        tables.append(_table(columns_of(counts)))
    return pa.concat_tables(tables).sort_by(ORDER)


def _by_column(rows: Sequence[Row]) -> Iterable[Sequence[Any]]:
    return zip(*((*key, *span) for key, span in rows), strict=True) if rows else ([] for _ in SCHEMA)


def _table(columns: Mapping[str, Column]) -> pa.Table:
    return pa.Table.from_arrays([_array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _array(column: Column, kind: pa.DataType) -> pa.Array:
    """
    Return a column as an array.

    ``pa.array`` would import pandas first, which takes longer than the rest of a small ingest, and would look at each
    text anew; here each distinct value is converted once.
    """
    values, numbers = column
    distinct = _texts(values) if pa.types.is_string(kind) else _integers(values)
    return (distinct if numbers is None else distinct.take(_numbers(numbers))).cast(kind)


def _texts(texts: Sequence[str | None]) -> pa.Array:
    encoded = [(text or "").encode() for text in texts]
    ends = array("i", accumulate(map(len, encoded), initial=0))
    valid = _bits([text is not None for text in texts])
    return pa.Array.from_buffers(pa.string(), len(texts), [valid, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


def _integers(integers: Sequence[int | None]) -> pa.Array:
    valid = _bits([integer is not None for integer in integers]) if None in integers else None
    return _numbers(array("q", [integer or 0 for integer in integers]), valid)


def _numbers(numbers: "array[int]", valid: pa.Buffer | None = None) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [valid, pa.py_buffer(numbers)])


def _bits(valid: Sequence[bool]) -> pa.Buffer:
    """Return a validity bitmap, lowest bit first."""
    bits = bytearray(b"\xff" * (len(valid) // 8 + 1))
    for place, one in enumerate(valid):
        if not one:
            bits[place // 8] &= ~(1 << place % 8)
    return pa.py_buffer(bits)


def rows_of(table: pa.Table) -> Iterable[Row]:
    """Return the rows of a table that has the schema's columns."""
    times = {field.name: pa.int64() for field in SCHEMA if pa.types.is_timestamp(field.type)}
    columns = [table.column(field.name).cast(times.get(field.name, field.type)).to_pylist() for field in SCHEMA]
    keys = len(Key._fields)
    return (Row(Key(*values[:keys]), Span(*values[keys:])) for values in zip(*columns, strict=True))
