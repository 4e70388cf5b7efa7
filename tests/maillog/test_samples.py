"""Every line that real mail servers wrote for ``sample_logs/`` can be read."""

from pathlib import Path

import pytest

from maillog import ReadSettings, read_log

SAMPLES = sorted(Path("sample_logs").glob("*/*log"))


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
def test_nothing_is_unread(log: Path) -> None:
    """Every relevant line is understood."""
    readings = list(read_log(str(log), ReadSettings()))
    assert [line.text for reading in readings for line in reading.unread] == []
    assert sum(len(reading.deliveries) for reading in readings) > 300
