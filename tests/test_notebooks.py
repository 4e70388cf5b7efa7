"""The notebooks run from a clean kernel on the sample logs, and are kept without outputs."""

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    """The tests below have something to look at."""
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path: Path) -> None:
    """No output and no count of executions stands in the file: what was computed here is nobody's business there."""
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, in order, in a new kernel; each that ends with a value shows something."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(name for name in sys.path if name))
    notebook = nbformat.reads(path.read_text(), as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells)
    empty = [cell.source for cell in cells if "0 rows" in str(cell.outputs) or "Empty DataFrame" in str(cell.outputs)]
    assert empty == []
