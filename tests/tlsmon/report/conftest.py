"""Stores and reports that several tests share."""

from pathlib import Path

import pytest
from tests.tlsmon.report.stores import Size, history

from tlsmon import api
from tlsmon.report.model import Report


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with 15 weeks of mail to 120 domains, which ends on a Sunday."""
    store = tmp_path_factory.mktemp("year") / "store"
    history(store, Size(days=105, domains=120), a_day=250)
    return store


@pytest.fixture(scope="session")
def weekly(year: Path) -> Report:
    """Return its report."""
    return api.open(str(year)).report()
