"""What is measured is what the tool reads and writes: generated logs and stores are of the present shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench.exim_log import EximLog
from bench.postfix_log import PostfixLog
from bench.store import days
from bench.world import World

from maillog import ReadSettings, read_log
from tlsmon.store.arrow import SCHEMA
from tlsmon.store.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

DELIVERIES = 300


@pytest.mark.parametrize("kind", [PostfixLog, EximLog])
def test_every_line_of_a_generated_log_is_read(
    kind: Callable[[World, int], PostfixLog | EximLog], tmp_path: Path
) -> None:
    """As many mails go out as were asked for, and nothing remains unread."""
    log = tmp_path / "log"
    log.write_text("".join(kind(World(1), DELIVERIES).lines()))
    readings = list(read_log(str(log), ReadSettings()))
    found = [each for reading in readings for each in reading.deliveries if each.direction == "outbound"]
    assert not [line for reading in readings for line in reading.unread]
    assert sum(each.result.outcome == "sent" for each in found) >= DELIVERIES * 0.9


def test_generated_rows_are_those_of_the_store(tmp_path: Path) -> None:
    """A day of the generated year has the columns of the store, and the store takes it."""
    day = next(iter(days(36_500)))
    assert day.schema == SCHEMA
    table = Table.open_or_create(str(tmp_path))
    assert [field.name for field in table.query("SELECT * FROM rows").schema] == day.schema.names
