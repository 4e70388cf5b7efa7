"""Frames: the numbers of the commands, with documented types, and a display that strangers cannot write into."""

from pathlib import Path

import pandas as pd
import pytest
from tests.tlsmon.report.stores import filled
from tests.tlsmon.report.test_report import HOSTILE, sent

import tlsmon
from tlsmon import api
from tlsmon.report import frames
from tlsmon.store.schema import COLUMNS


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return a store without mail."""
    filled(tmp_path, [])
    return tmp_path


def types(frame: pd.DataFrame) -> dict[str, str]:
    """Return the types of the columns as text."""
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_traffic(year: Path) -> None:
    """Each row has the numbers of the command; the period begins when it says."""
    frame = tlsmon.open(str(year)).traffic(by="week")
    rows = api.open(str(year)).traffic(api.Period.WEEK).rows
    assert frame["period"].tolist() == [row.period for row in rows]
    for field in api.TrafficRow("", None, rows[0].counts).counts._fields:
        assert frame[field].tolist() == [getattr(row.counts, field) for row in rows]
    assert frame["start"].iloc[0] == pd.Timestamp("2026-01-05", tz="UTC")
    assert types(frame) == {name: str(pd.api.types.pandas_dtype(kind.dtype)) for name, kind in frames.TRAFFIC.items()}


@pytest.mark.parametrize("group", list(api.Group))
@pytest.mark.parametrize("by", list(api.Period))
def test_groups(year: Path, by: api.Period, group: api.Group) -> None:
    """Each group is a category beside its period, and the sum stays the same."""
    store = tlsmon.open(str(year))
    frame = store.traffic(by=by, group=group)
    assert list(frame.columns[:3]) == ["start", "period", group]
    assert types(frame)[group] == "category"
    assert frame["sent"].sum() == store.traffic()["sent"].sum()


def test_recommend(year: Path) -> None:
    """Each domain has the verdict and the counts of the command."""
    frame = tlsmon.open(str(year)).recommend()
    found = api.open(str(year)).recommend()
    assert frame["domain"].tolist() == [item.domain for item in found.judgements]
    assert frame["verdict"].tolist() == [item.verdict for item in found.judgements]
    fates = frame[["delivered", "rerouted", "delayed", "lost", "undecided"]]
    assert fates.to_numpy().tolist() == [list(item.fates) for item in found.judgements]
    assert types(frame) == {name: str(pd.api.types.pandas_dtype(kind.dtype)) for name, kind in frames.VERDICTS.items()}
    assert api.headline(found) in frame._repr_html_()
    assert type(frame[frame["verdict"] == "safe"]) is pd.DataFrame


def test_replay(year: Path) -> None:
    """One row a step of the walk, as far as the store reaches."""
    frame = tlsmon.open(str(year)).replay(days=60, horizon=14)
    assert list(frames.REPLAY)[2:-5] == list(api.Tally._fields)
    assert frame["as_of"].tolist() == [
        pd.Timestamp(day, tz="UTC") for day in ("2026-03-06", "2026-03-20", "2026-04-03")
    ]
    assert (frame["mails"] > 0).all()
    assert types(frame) == {name: str(pd.api.types.pandas_dtype(kind.dtype)) for name, kind in frames.REPLAY.items()}


def test_deliveries(year: Path) -> None:
    """The rows of the store, with all its columns but the one for what may be taken back."""
    frame = tlsmon.open(str(year)).deliveries()
    assert list(frame.columns) == [column.name for column in COLUMNS if column.name != "provisional"]
    assert frame["count"].sum() == api.open(str(year)).traffic().total.deliveries


def test_empty(empty: Path) -> None:
    """A store without mail gives frames without rows, with the same types."""
    store = tlsmon.open(str(empty))
    for frame, columns in (
        (store.traffic(), frames.TRAFFIC),
        (store.recommend(), frames.VERDICTS),
        (store.replay(), frames.REPLAY),
    ):
        assert len(frame) == 0
        assert types(frame) == {name: str(pd.api.types.pandas_dtype(kind.dtype)) for name, kind in columns.items()}
    assert "nothing can be said" in store.recommend()._repr_html_()


def test_display_is_escaped(tmp_path: Path) -> None:
    """A name out of a log is text in a notebook, too, and turns nothing around, in no line of it."""
    filled(tmp_path, [sent(HOSTILE, 1, 3, "plaintext")])
    frame = tlsmon.open(str(tmp_path)).recommend()
    frame.headline = f"Held: {HOSTILE}."
    shown = frame._repr_html_()
    assert shown.count("&lt;script&gt;") == 3  # headline, domain, reason
    assert "<script" not in shown
    assert shown.isascii()
    assert shown.isprintable()
