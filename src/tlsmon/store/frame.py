"""The table as a pandas DataFrame with the schema's types: the door for notebooks."""

from typing import Final

import pandas as pd

from tlsmon.store.schema import COLUMNS, CONNECTIONS, KEY_COLUMNS, Kind
from tlsmon.store.table import NAME, Table

DTYPES: Final = {
    Kind.TEXT: "string",
    Kind.WORD: "category",
    Kind.INTEGER: "Int64",
    Kind.TIME: "datetime64[us, UTC]",
    Kind.FLAG: "boolean",
}

_KEYS: Final = ", ".join(f'"{column.name}"' for column in KEY_COLUMNS if column.name != "provisional")
_COUNT: Final = "CAST(SUM(count) AS BIGINT) AS count"
_TIMES: Final = 'MIN("first") AS "first", MAX("last") AS "last"'
_CONNECTIONS: Final = "CAST(SUM(connections) AS BIGINT) AS connections"

SETTLED: Final = f"""
    SELECT {_KEYS}, {_COUNT}, {_TIMES}, {_CONNECTIONS} FROM (
        SELECT {_KEYS}, count, "first", "last", {CONNECTIONS} AS connections FROM {NAME} WHERE NOT provisional
        UNION ALL
        SELECT {_KEYS}, {_COUNT}, "first", "last", SUM({CONNECTIONS}) AS connections FROM {NAME} WHERE provisional
        GROUP BY {_KEYS}, "first", "last" HAVING SUM(count) <> 0
    ) GROUP BY {_KEYS} ORDER BY {_KEYS}
"""  # noqa: S608, own column names only
"""The rows as they are to be read, see :func:`tlsmon.rollup.fold.settled`; any engine that speaks SQL can run it."""


def deliveries(table: Table) -> pd.DataFrame:
    """
    Return all rows, each key once and in the order of the columns, with the types of ``DTYPES``.

    Without the column ``provisional``: what was taken back is gone. Raises StoreError.
    """
    frame = table.query(SETTLED).to_pandas()
    kinds = {column.name: column.kind for column in COLUMNS}
    typed: pd.DataFrame = frame.astype({name: DTYPES[kinds[name]] for name in frame.columns})
    return typed
