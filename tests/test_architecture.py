"""The rules of the house that no other tool checks. Import contracts are in pyproject.toml (lint-imports)."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE = 400
MAX_FUNCTION = 50
HEAVY = {"pandas", "matplotlib", "dns", "deltalake", "pyarrow", "pyparsing", "scipy"}
HAS_COMMANDS = (ROOT / "src/tlsmon/cli/app.py").exists()
needs_commands = pytest.mark.skipif(not HAS_COMMANDS, reason="the commands are not written yet")

SOURCES = sorted(
    path.relative_to(ROOT) for folder in ("src", "parsers", "tests", "bench") for path in (ROOT / folder).rglob("*.py")
)


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Give the name of each function and how many lines it has, without its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, lines


def printed_by(code: str) -> list[str]:
    """Run a line of Python in a fresh process and return the words that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_lengths(path: Path) -> None:
    """A file has at most 400 lines, a function at most 50 beside its docstring."""
    source = (ROOT / path).read_text()
    assert len(source.splitlines()) <= MAX_FILE
    assert [(name, lines) for name, lines in functions(source) if lines > MAX_FUNCTION] == []


def test_lengths_are_counted() -> None:
    """The count leaves out docstrings and nothing else."""
    body = "\n".join(f"    x = {number}" for number in range(60))
    assert list(functions(f'def f():\n    """Say.\n\n    More."""\n{body}\n')) == [("f", 61)]


def test_no_drawers() -> None:
    """A module is named for what it makes; a drawer for everything has no name."""
    drawers = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
    assert [str(path) for path in SOURCES if {path.stem, *path.parts} & drawers] == []


@needs_commands
def test_help_is_cheap() -> None:
    """Importing the commands loads none of the heavy packages, so --help answers at once."""
    code = "import sys, tlsmon.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = printed_by(code)
    assert "tlsmon" in loaded
    assert HEAVY & set(loaded) == set()


@needs_commands
def test_readme_names_every_command() -> None:
    """The table of commands in the README holds exactly the commands that there are."""
    code = "import typer.main, tlsmon.cli.app as a; print(*typer.main.get_command(a.app).commands)"
    commands = printed_by(code)
    named = re.findall(r"^\| `tlsmon ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(commands)


def test_one_version() -> None:
    """The project, its changelog and what is installed have the same version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version
    try:
        installed = importlib.metadata.version("tlsmon")
    except importlib.metadata.PackageNotFoundError:
        return  # run from the source folders
    assert installed == version


def test_every_dependency_has_a_reason() -> None:
    """docs/decisions.md gives a reason for every package that is installed with tlsmon."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    required = [*project["dependencies"], *(name for extra in extras.values() for name in extra)]
    names = {re.split(r"[\s<>=!~;\[]", requirement)[0] for requirement in required} - {"tlsmon"}
    explained = set(re.findall(r"^\| `([\w.-]+)` \|", (ROOT / "docs/decisions.md").read_text(), re.MULTILINE))
    assert names - explained == set()
