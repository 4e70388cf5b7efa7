"""
The commands as they describe themselves, for the man page and the reference.

Both are made from the very objects that run, so that a new command or option is in them without further ado.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import typer.main

from tlsmon.cli.app import app

PROGRAM: Final = "tlsmon"
_VALUES: Final = {
    "<str>": "TEXT",
    "<path>": "FILE",
    "<int>": "N",
    "<int range>": "N",
    "<float>": "NUMBER",
    "<float range>": "NUMBER",
    "<%Y-%m-%d|%Y-%m-%dT%H:%M:%S>": "TIME",
    "<%Y-%m-%d>": "DAY",
}
"""Names of types, as typer shows them, in words for people."""


class Entry(NamedTuple):
    """An option or an argument."""

    form: str
    """As it is typed: ``--level <encrypt|verify>``."""
    text: str
    """What it does, with its default and range."""


class Command(NamedTuple):
    """One command; the program itself is one without arguments."""

    name: str
    """As it is typed: ``tlsmon report``."""
    usage: str
    """What may follow: ``[OPTIONS] LOG...``."""
    text: tuple[str, ...]
    """Paragraphs."""
    arguments: tuple[Entry, ...]
    options: tuple[Entry, ...]


class Variable(NamedTuple):
    """A variable of the environment."""

    name: str
    option: str
    """The option that names it."""
    stands_in: bool
    """It stands in for the option, which goes before it."""


def program() -> Command:
    """Return the program: what all commands have in common."""
    return _described(typer.main.get_command(app), PROGRAM)


def commands() -> list[Command]:
    """Return all commands that are not hidden, in their order."""
    group: Any = typer.main.get_command(app)
    return [_described(each, f"{PROGRAM} {name}") for name, each in group.commands.items() if not each.hidden]


def variables() -> list[Variable]:
    """Return the variables that the options name in their help, in alphabetical order."""
    found = {
        name: Variable(name, entry.form.split()[0].rstrip(","), stands_in=bool(before))
        for command in (program(), *commands())
        for entry in command.options
        for before, name in re.findall(r"(\[env var: )?\b(TLSMON_[A-Z_]+)", entry.text)
    }
    return [found[name] for name in sorted(found)]


def _described(command: Any, name: str) -> Command:
    with command.make_context(name, [], resilient_parsing=True) as context:
        own = [each for each in command.get_params(context) if name == PROGRAM or each.name != "help"]
        entries = [(each.param_type_name, each.get_help_record(context)) for each in own]
        usage = re.sub(
            r"\{(\w+)\}|[{[](\[?\w+\]?\.\.\.)[}\]]\.\.\.", r"\1\2", " ".join(command.collect_usage_pieces(context))
        )
    shown = [(kind, Entry(_form(kind, record[0]), record[1])) for kind, record in entries if record]
    return Command(
        name,
        usage,
        tuple(_paragraphs(command.help or "")),
        tuple(entry for kind, entry in shown if kind == "argument"),
        tuple(entry for kind, entry in shown if kind == "option"),
    )


def _form(kind: str, text: str) -> str:
    if kind == "argument":  # only its name; "<list[str]>" behind it helps nobody
        return text.split(maxsplit=1)[0]
    for shown, word in _VALUES.items():
        text = text.replace(shown, word)
    return text


def _paragraphs(text: str) -> Iterable[str]:
    return (" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip())
