"""Rows as Arrow tables with the schema's types, and back."""

from collections.abc import Iterable, Sequence

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
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA).sort_by(ORDER)


def rows_of(table: pa.Table) -> Iterable[Row]:
    """Return the rows of a table that has the schema's columns."""
    times = {field.name: pa.int64() for field in SCHEMA if pa.types.is_timestamp(field.type)}
    columns = [table.column(field.name).cast(times.get(field.name, field.type)).to_pylist() for field in SCHEMA]
    keys = len(Key._fields)
    return (Row(Key(*values[:keys]), Span(*values[keys:])) for values in zip(*columns, strict=True))
