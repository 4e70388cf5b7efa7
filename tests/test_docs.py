"""The documentation: its generated parts say what is so."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tlsmon.cli import describe
from tlsmon.report import frames

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402, the builder of the documentation finds it in its own folder

DOCUMENTS = generate.documents()


@pytest.mark.parametrize("command", DOCUMENTS)
def test_every_json_field_is_described(command: str) -> None:
    """What stands in a document has a meaning in docs/json.toml, and nothing is described that is in none."""
    fields = generate.seen(DOCUMENTS[command])
    assert [path for path in fields if not generate.meaning(command, path)] == []
    assert [path for path in generate.meanings().get(command, {}) if path not in fields] == []


def test_types_are_those_seen() -> None:
    """A field that is null now and then is said to be so."""
    lines = {line.split(" | ")[0]: line for line in generate.fields().splitlines()}
    assert "| null, text |" in lines["| `[].protocol`"]


def test_commands_are_complete() -> None:
    """Each command has its heading and each option its line, whatever characters are in it."""
    text = generate.commands()
    for command in describe.commands():
        part = text.partition(f"### {command.name}\n")[2].partition("\n### ")[0]
        for entry in (*command.arguments, *command.options):
            assert f"| `{entry.form.replace('|', chr(92) + '|')}` | " in part


@pytest.mark.parametrize(("text", "shown"), [("x<=1 [a|b]", r"x\<=1 \[a\|b\]"), ("smtp_tls *", r"smtp\_tls \*")])
def test_help_texts_are_text(text: str, shown: str) -> None:
    """No character of a help text is Markdown."""
    assert generate._text(text) == shown


def test_columns_are_complete() -> None:
    """Each column of each DataFrame has a line."""
    text = generate.dataframes()
    columns: list[dict[str, Any]] = [frames.TRAFFIC, frames.VERDICTS, frames.REPLAY]
    for name in {name for each in columns for name in each} | {"recipient_domain", "count"}:
        assert re.search(rf"^\| `{name}` \| \S.* \| .+ \|$", text, re.MULTILINE), name


def test_every_generated_part_has_its_place() -> None:
    """The builder fills each place, and each part has one."""
    places = [name for page in DOCS.glob("*.md") for name in re.findall(r"<!-- generated: (.*) -->", page.read_text())]
    assert sorted(places) == sorted(generate.PARTS)
