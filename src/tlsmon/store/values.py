"""Columns of an answer as Python values."""

from typing import Any, Final

import pyarrow as pa

_NONE: Final = -(1 << 63)
"""No count and no time of a log."""


def values(column: pa.ChunkedArray) -> list[Any]:
    """
    Return a column of texts, numbers or times as a list, many times as fast as its own ``to_pylist()``.

    Equal texts are one object. Times are microseconds since 1970, UTC.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _numbers(column.cast(pa.timestamp("us", kind.tz)))
    return _numbers(column) if pa.types.is_integer(kind) else _texts(column)


def _numbers(column: pa.ChunkedArray) -> list[int | None]:
    every: list[int | None] = column.cast(pa.int64()).fill_null(_NONE).to_numpy().tolist()
    return [None if number == _NONE else number for number in every] if column.null_count else every


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    words = [*encoded.dictionary.to_pylist(), None]
    return [words[index] for index in encoded.indices.fill_null(len(words) - 1).to_numpy().tolist()]
