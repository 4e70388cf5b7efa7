"""What was measured before: one line for each figure in ``history.csv``. No path and no name of a machine in it."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "history.csv"
_COLUMNS: Final = ("date", "version", "deliveries", "log", "name", "seconds", "ratio", "cpu", "peak_mb")


def append(rows: Iterable[tuple[object, ...]]) -> None:
    """Add lines, in the order of the columns."""
    new = not FILE.exists()
    with FILE.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(_COLUMNS)
        writer.writerows(rows)
