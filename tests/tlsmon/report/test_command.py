"""``tlsmon report`` as people call it."""

import json
from pathlib import Path

import pytest
from tests.tlsmon.report.stores import filled
from tests.tlsmon.report.test_report import sent
from typer.testing import CliRunner

from tlsmon.cli.app import app

RUNNER = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return a store with a week of mail."""
    filled(tmp_path / "store", [sent("a.test", day, 100) for day in range(7)])
    return str(tmp_path / "store")


@pytest.mark.parametrize(("name", "begin"), [("w.pdf", b"%PDF"), ("w.html", b"<!DOCTYPE"), ("W.JSON", b"{")])
def test_form_by_name(store: str, tmp_path: Path, name: str, begin: bytes) -> None:
    """The file is written in the form of its name, and nothing else is said or left behind."""
    done = RUNNER.invoke(app, ["report", "--store", store, "-o", str(tmp_path / name)])
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / name).read_bytes().startswith(begin)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "store"])


def test_standard_output(store: str) -> None:
    """A single hyphen is standard output; the format then has to be named."""
    done = RUNNER.invoke(app, ["report", "--store", store, "-o", "-", "--format", "json", "--as-of", "2026-01-09"])
    assert json.loads(done.stdout_bytes)["until"] == "2026-01-09T00:00:00+00:00"
    assert RUNNER.invoke(app, ["report", "--store", store, "-o", "-"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-o", "{}/week"], 2, "which format"),
        (["-o", "{}/no/week.pdf"], 2, "cannot be written"),
        (["-o", "{}/week.pdf", "--exceptions", "{}/none.toml"], 3, "cannot be read"),
        (["-o", "{}/week.pdf", "--store", "{}/none"], 3, "there is no store yet"),
    ],
)
def test_errors(store: str, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """What goes wrong is said on standard error, and no file is left behind."""
    before = sorted(tmp_path.iterdir())
    done = RUNNER.invoke(app, ["report", "--store", store, *(text.format(tmp_path) for text in arguments)])
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_good_report_is_not_spoilt(store: str, tmp_path: Path) -> None:
    """Where the new report cannot be made, the old one stays."""
    (tmp_path / "week.json").write_text("old")
    (tmp_path / "bad.toml").write_text("[[")
    arguments = ["-o", str(tmp_path / "week.json"), "--exceptions", str(tmp_path / "bad.toml")]
    assert RUNNER.invoke(app, ["report", "--store", store, *arguments]).exit_code == 3
    assert (tmp_path / "week.json").read_text() == "old"
