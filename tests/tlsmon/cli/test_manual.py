"""The man page and the completion: made from the commands, and understood by the programs that show them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from tests.tlsmon.cli.process import ENVIRONMENT

from tlsmon.cli import describe, manual
from tlsmon.cli.exits import Exit

needs_man = pytest.mark.skipif(not shutil.which("man"), reason="needs man-db")
needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


def shown(page: str, folder: Path) -> str:
    """Return a man page as man shows it; it must have nothing to warn of."""
    file = folder / "tlsmon.1"
    file.write_text(page)
    done = subprocess.run(
        ["man", "--warnings", "--local-file", "-Tutf8", str(file)],
        env=os.environ | {"LC_ALL": "C.UTF-8", "GROFF_NO_SGR": "1", "MANROFFOPT": "-c -P-bou -rLL=900n"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_man
def test_man_shows_all_without_a_warning(tmp_path: Path) -> None:
    """Every command with every option, exit code and variable is there."""
    text = shown(manual.manual("1.2.3"), tmp_path)
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert "tlsmon 1.2.3" in text
    for command in describe.commands():
        assert f"{command.name} {command.usage}" in lines
        for entry in (*command.arguments, *command.options):
            assert any(line.startswith(entry.form) for line in lines), entry
    for code in Exit:
        assert any(line == f"{code:d} {code.meaning}" for line in lines), code
    for variable in ("TLSMON_STORE", "TLSMON_HOST", "TLSMON_TIMEZONE", "TLSMON_INTERNET"):
        assert variable in {each.name for each in describe.variables()}
        assert variable in text


@needs_man
def test_man_finds_its_name(tmp_path: Path) -> None:
    """The line that apropos and whatis search is understood."""
    (tmp_path / "tlsmon.1").write_text(manual.manual("1.2.3"))
    found = subprocess.run(["lexgrog", str(tmp_path / "tlsmon.1")], capture_output=True, text=True, check=True)
    assert '"tlsmon - take a mail server from opportunistic to mandatory TLS' in found.stdout


@needs_man
@pytest.mark.parametrize("text", [".so /etc/passwd", "'br", "a \\fBbold\\fP", "\\", '--x=`id` ~ ^ "q"', "…", "..."])
def test_text_stays_text(text: str, tmp_path: Path) -> None:
    """Whatever a help text says, man shows it as it is."""
    page = f".TH T 1\n.SH NAME\n{manual.escaped(text)}\n"
    assert text in shown(page, tmp_path)


def test_new_commands_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is added tomorrow is in the manual without a change there; a hidden one is not."""
    more = typer.Typer()
    for name, hidden in (("first", False), ("second", False), ("secret", True)):
        more.command(name, hidden=hidden)(print)
    monkeypatch.setattr(describe, "app", more)
    assert [command.name for command in describe.commands()] == ["tlsmon first", "tlsmon second"]


@needs_bash
@pytest.mark.parametrize(
    ("typed", "offered"), [("rec", "recommend"), ("report --pap", "--paper"), ("report --paper l", "letter")]
)
def test_completion(typed: str, offered: str, tmp_path: Path) -> None:
    """What `tlsmon --show-completion` prints makes bash complete commands, options and values."""
    program = tmp_path / "tlsmon"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tlsmon "$@"\n')
    program.chmod(0o755)
    words = ["tlsmon", *typed.split()]
    script = (
        'eval "$(tlsmon --show-completion bash)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
        'complete -p tlsmon >/dev/null && _tlsmon_completion tlsmon && echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", f"COMP_WORDS=({' '.join(words)}); {script}"],
        env=ENVIRONMENT | {"PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == ([offered], "")


def test_the_build_can_make_it() -> None:
    """The commands describe themselves with nothing at hand but typer, which is all that a build has."""
    code = "import sys, tlsmon.cli.manual as m; m.manual('1')\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    heavy = {"cryptography", "deltalake", "dns", "idna", "matplotlib", "pandas", "publicsuffixlist", "pyarrow", "scipy"}
    assert heavy & set(done.stdout.split()) == set()
