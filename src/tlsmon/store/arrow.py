"""Rows as Arrow tables with the schema's types, and back."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

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


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as a table, sorted so that equal values stand together and compress well."""
    flat = ((*key, *span) for key, span in rows)
    columns = zip(*flat, strict=True) if rows else ([] for _ in SCHEMA)
    arrays = [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA).sort_by(ORDER)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """
    Return values as an array.

    ``pa.array`` would import pandas first, which takes longer than the rest of a small ingest, and would look at each
    text anew; here each distinct value is converted once.
    """
    if pa.types.is_string(kind):
        distinct = dict.fromkeys(values)
        return _texts(list(distinct)).take(_numbers_of(values, distinct))
    if None in values:
        distinct = dict.fromkeys(values)
        numbers = _integers([value or 0 for value in distinct], pa.int64(), [value is not None for value in distinct])
        return numbers.take(_numbers_of(values, distinct)).cast(kind)
    return _integers(values, pa.int64()).cast(kind)


def _numbers_of(values: Sequence[Any], distinct: dict[Any, None]) -> pa.Array:
    number = {value: index for index, value in enumerate(distinct)}
    return _integers(list(map(number.__getitem__, values)), pa.int64())


def _texts(texts: Sequence[str | None]) -> pa.Array:
    encoded = [(text or "").encode() for text in texts]
    ends = array("i", accumulate(map(len, encoded), initial=0))
    valid = _bits([text is not None for text in texts])
    return pa.Array.from_buffers(pa.string(), len(texts), [valid, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


def _integers(values: Sequence[int], kind: pa.DataType, valid: Sequence[bool] | None = None) -> pa.Array:
    buffer = pa.py_buffer(array("q", values))
    return pa.Array.from_buffers(kind, len(values), [None if valid is None else _bits(valid), buffer])


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
