"""Every example that a reader can type is run, in order, and where its output is shown, that is what comes out."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_CI = {"pip install ."}
"""What .ci/run does itself, with the wheel."""


class Block(NamedTuple):
    """A block of code on a page."""

    language: str
    """What stands after the fence; ``console`` where lines begin with a prompt."""
    lines: list[str]


class Example(NamedTuple):
    """A command, and the output that is shown for it."""

    command: str
    shown: list[str]


class Done(NamedTuple):
    """What became of a command."""

    code: int
    output: list[str]


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a page, fenced or indented by four spaces."""
    pattern = r"^```(\w*)[^\n]*\n(.*?)^```$|(?:^|(?<=\n\n))((?: {4}[^\n]*\n+)+)"
    for language, fenced, indented in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        lines = fenced.splitlines() if fenced else [line[4:] for line in indented.rstrip().splitlines()]
        first = lines[0].partition(" ")[0] if lines else ""
        guessed = {"$": "console", "tlsmon": "sh", "make": "sh", "pip": "sh", "from": "python"}.get(first, "")
        yield Block(language or guessed, lines)


def with_blocks(language: str) -> list[Path]:
    """Return the pages that have blocks in a language."""
    return [page for page in PAGES if any(block.language == language for block in blocks(page.read_text()))]


def examples(block: Block) -> Iterator[Example]:
    """Yield the commands of a session, which go on after ``> ``, with what is shown after each."""
    if block.language == "sh":
        yield from (Example(line.partition(" # ")[0].rstrip(), []) for line in block.lines if line)
        return
    example: Example | None = None
    for line in block.lines:
        if line.startswith("$ "):
            if example:
                yield example
            example = Example(line[2:], [])
        elif example and not example.shown and re.match(r">( |$)", line):
            example = Example(f"{example.command}\n{line[2:]}", [])
        elif example:
            example.shown.append(line)
    if example:
        yield example


def run(commands: list[str], folder: Path) -> list[Done]:
    """Run commands in one shell in the project's folder; for them /tmp and /var/log are in ``folder``."""
    program = folder / "bin" / "tlsmon"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tlsmon "$@"\n')
    program.chmod(0o755)
    (folder / "log").mkdir()
    (folder / "log" / "mail.log").write_bytes((ROOT / "sample_logs/postfix-3.7/mail.log").read_bytes())
    marked = "\n".join(f"{command}\nprintf '\\n@@%d@@\\n' $?" for command in commands)
    done = subprocess.run(
        ["bash", "-c", marked.replace("/tmp/", f"{folder}/").replace("/var/log/", f"{folder}/log/")],
        cwd=ROOT,
        env={
            "HOME": str(folder),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'parsers'}",
            "TLSMON_STORE": str(folder / "store"),
            "TZ": "UTC",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    parts = re.split(r"\n@@(\d+)@@\n", done.stdout.replace(f"{folder}/", "/tmp/"))
    return [Done(int(code), output.splitlines()) for output, code in zip(parts[::2], parts[1::2], strict=False)]


def agrees(shown: list[str], output: list[str]) -> bool:
    """Tell whether output is what is shown: ``…`` stands for anything in a line, or alone for any lines."""
    lines = "\n".join(" ".join(line.split()) for line in output).rstrip("\n") + "\n"
    pattern = "".join(r"(?:.*\n)*" if line.strip() == "…" else _line(line) + r"\n" for line in _trimmed(shown))
    return bool(re.fullmatch(pattern or r"\n", lines))


def _trimmed(shown: list[str]) -> list[str]:
    return "\n".join(shown).rstrip("\n").split("\n") if any(shown) else []


def _line(shown: str) -> str:
    return ".*".join(re.escape(" ".join(part.split())) for part in shown.replace(" … ", "…").split("…"))


@pytest.mark.parametrize("page", with_blocks("console"), ids=lambda page: page.name)
def test_sessions(page: Path, tmp_path: Path) -> None:
    """Each command ends well, or as the page says, and prints what the page shows."""
    found = [each for block in blocks(page.read_text()) if block.language == "console" for each in examples(block)]
    done = run([each.command for each in found], tmp_path)
    assert len(done) == len(found), done
    for example, result in zip(found, done, strict=True):
        assert result.code == 0, (example.command, result.output)
        assert agrees(example.shown, result.output), "\n".join([example.command, *result.output])


def test_commands_of_the_readme(tmp_path: Path) -> None:
    """The commands without output run, too; of make each target is known, as .ci/run does what they do."""
    text = (ROOT / "README.md").read_text()
    commands = [each.command for block in blocks(text) if block.language == "sh" for each in examples(block)]
    # What is written without a folder is to be written elsewhere.
    ours = [f"(cd /tmp/ && {command})" for command in commands if command.startswith("tlsmon ")]
    ours += [command.replace("make ", "make --dry-run ") for command in commands if command.startswith("make ")]
    assert len(ours) == len([command for command in commands if command not in BY_CI])
    assert len(ours) > 3
    for command, result in zip(ours, run(ours, tmp_path), strict=True):
        assert result.code == 0, (command, result.output)


@pytest.mark.parametrize("page", with_blocks("sh"), ids=lambda page: page.name)
def test_other_shell_lines_are_shell(page: Path) -> None:
    """What is for root on a server cannot run here; bash at least understands it."""
    for block in blocks(page.read_text()):
        if block.language == "sh":
            done = subprocess.run(
                ["bash", "-n"], input="\n".join(block.lines), capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), block.lines


@pytest.mark.parametrize("page", with_blocks("python"), ids=lambda page: page.name)
def test_python_lines(page: Path, tmp_path: Path) -> None:
    """Lines of Python run."""
    code = [line for block in blocks(page.read_text()) if block.language == "python" for line in block.lines]
    (tmp_path / "example.py").write_text("\n".join(code))
    subprocess.run(
        [sys.executable, str(tmp_path / "example.py")],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'parsers'}", "TZ": "UTC", "HOME": str(tmp_path)},
        check=True,
    )


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        (["a  b"], ["a b"], True),
        (["a …"], ["a b c"], True),
        (["a", "…", "z"], ["a", "b", "c", "z"], True),
        (["a"], ["a", "b"], False),
        (["a 1"], ["a 2"], False),
        (["a", ""], ["a"], True),
        (["a", "", "b"], ["a", "b"], False),
        ([], [], True),
        ([], ["a"], False),
    ],
)
def test_agreement(shown: list[str], output: list[str], same: bool) -> None:
    """Only what is marked as left out may differ."""
    assert agrees(shown, output) is same
