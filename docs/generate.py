"""The generated parts of the reference: commands, exit codes, environment, JSON, DataFrames, in Markdown."""

import json
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner

from tlsmon.cli import describe
from tlsmon.cli.app import app
from tlsmon.cli.describe import Command, Entry
from tlsmon.cli.exits import Exit
from tlsmon.report import frames
from tlsmon.store.frame import DTYPES
from tlsmon.store.schema import COLUMNS

ROOT: Final = Path(__file__).parent.parent
SAMPLE: Final = ROOT / "sample_logs" / "postfix-3.7-rfc3339" / "mail.log"
MEANINGS: Final = ROOT / "docs" / "json.toml"
_DAYS: Final = 9
_RUNS: Final = {
    "parse": ("parse", "{log}", "--format", "json"),
    "ingest": ("ingest", "{log}", "--store", "{store}", "--format", "json"),
    "traffic": ("traffic", "--store", "{store}", "--group", "provider", "--format", "json"),
    "recommend": ("recommend", "--store", "{store}", "--max-share", "1", "--format", "json"),
    "watch": ("watch", "--store", "{store}", "--format", "json"),
    "backtest": ("backtest", "--store", "{store}", "--days", "3", "--horizon", "1", "--format", "json"),
    "doctor": ("doctor", "{log}", "--format", "json"),
    "report": ("report", "--store", "{store}", "--max-share", "1", "-o", "-", "--format", "json"),
}
_WHOLE: Final = {"total", "sections[].tables[][]"}
"""Objects whose fields are described elsewhere."""
_TYPES: Final = {str: "text", int: "number", float: "number", bool: "boolean", type(None): "null"}


def commands() -> str:
    """Return each command with its arguments and options."""
    return "\n".join(line for command in describe.commands() for line in _command(command))


def _command(command: Command) -> Iterator[str]:
    yield from (f"### {command.name}", "", f"`{command.name} {command.usage}`", "")
    yield from ("\n\n".join(map(_text, command.text)), "")
    yield from (*_table(("option", "meaning"), (*command.arguments, *command.options)), "")


def _table(header: tuple[str, ...], rows: Iterable[Entry | tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for first, *rest in rows:
        code = first.replace("|", "\\|")
        yield f"| `{code}` | {' | '.join(map(_text, rest))} |"


def _text(text: str) -> str:
    """Return a help text as Markdown that shows it: code is marked, nothing else is."""
    for char in "\\<>*_[]|":
        text = text.replace(char, f"\\{char}")
    return text


def exits() -> str:
    """Return the exit codes."""
    return "\n".join(_table(("exit code", "meaning"), ((f"{code:d}", code.meaning) for code in Exit)))


def variables() -> str:
    """Return the variables of the environment."""
    words = {True: "Instead of", False: "See"}
    rows = ((each.name, f"{words[each.stands_in]} {each.option}") for each in describe.variables())
    return "\n".join(_table(("variable", "meaning"), rows))


def dataframes() -> str:
    """Return the columns of what the methods of the Python API return."""
    stored = [(one.name, f"{DTYPES[one.kind]}", one.meaning) for one in COLUMNS if one.name != "provisional"]
    lines = ["### deliveries", "", "| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in stored]
    for title, columns in (("traffic", frames.TRAFFIC), ("recommend", frames.VERDICTS), ("replay", frames.REPLAY)):
        lines += ["", f"### {title}", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {_kind(one.dtype)} | {one.meaning} |" for name, one in columns.items()]
    return "\n".join(lines)


def _kind(dtype: object) -> str:
    return dtype if isinstance(dtype, str) else "category"


def fields() -> str:
    """Return the fields of all JSON documents, with the types that were seen in real ones."""
    lines: list[str] = []
    for command, found in documents().items():
        lines += [f"### {command} --format json", "", "| field | type | meaning |", "|---|---|---|"]
        for path, types in seen(found).items():
            lines.append(f"| `{path}` | {', '.join(sorted(types)) or '-'} | {meaning(command, path)} |")
        lines.append("")
    return "\n".join(lines)


def meaning(command: str, path: str) -> str:
    """Return what a field means; those of a tally are described with the DataFrames."""
    words = meanings().get(command, {}).get(path)
    column = frames.REPLAY.get(path.removeprefix("weeks[].")) if command == "backtest" else None
    return words or (column.meaning if column else "")


@cache
def meanings() -> dict[str, dict[str, str]]:
    """Return what ``docs/json.toml`` says."""
    return tomllib.loads(MEANINGS.read_text())


def documents() -> dict[str, Any]:
    """Return what the commands say about a sample log that was moved to each of some days."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"log": f"{folder}/mail.log", "store": f"{folder}/store"}
        Path(places["log"]).write_bytes(b"".join(_shifted()))
        return {name: _said([part.format_map(places) for part in run]) for name, run in _RUNS.items()}


def _shifted() -> Iterator[bytes]:
    text = SAMPLE.read_bytes()
    day = date.fromisoformat(text[:10].decode())
    for before in reversed(range(_DAYS)):
        yield text.replace(f"{day}".encode(), f"{day - timedelta(days=before)}".encode())


def _said(command: list[str]) -> Any:
    done = CliRunner().invoke(app, command)
    if done.exit_code not in (Exit.DONE, Exit.NO):
        raise RuntimeError(f"{' '.join(command)}: {done.output}")
    return json.loads(done.stdout)


def seen(document: Any) -> dict[str, set[str]]:
    """
    Return the fields of a document with their types, in their order.

    >>> seen({"a": [{"b": 1}, {"b": None}]}) == {"a[].b": {"number", "null"}}
    True
    """
    found: dict[str, set[str]] = defaultdict(set)
    _see(document, "", found)
    # A list that was empty once, and whose entries were seen elsewhere, needs no line of its own.
    return {path: types for path, types in found.items() if types or not _below(path, found)}


def _below(path: str, paths: Iterable[str]) -> bool:
    return any(other.startswith(f"{path}.") for other in paths)


def _see(value: Any, path: str, found: dict[str, set[str]]) -> None:
    if path in _WHOLE:
        found[path].add("object")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            _see(each, f"{path}.{name}" if path else name, found)
    elif isinstance(value, list):
        for each in value:
            _see(each, f"{path}[]", found)
        if not value:
            found[f"{path}[]"].update()  # it is there, of whatever type
    else:
        found[path].add(_TYPES[type(value)])


def other_pages() -> str:
    """Return the pages that the index does not name yet, so that none of them is out of reach."""
    folder = ROOT / "docs"
    named = (folder / "index.md").read_text().split()
    return "\n".join(sorted(page.stem for page in folder.glob("*.md") if page.stem not in {"index", *named}))


PARTS: Final = {
    "other pages": other_pages,
    "commands": commands,
    "exit codes": exits,
    "environment": variables,
    "json": fields,
    "dataframes": dataframes,
}
"""What stands in the place of ``<!-- generated: NAME -->``."""
