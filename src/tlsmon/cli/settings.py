"""
The settings file: defaults for the options of all commands.

A key is an option without its dashes. At the top it stands for the variable ``TLSMON_<KEY>``, so for all commands
whose option takes that one; in a table named after a command it stands for this command's option only::

    store = "/srv/tlsmon"
    level = "verify"

    [report]
    paper = "letter"

They become the defaults of the command line (click's ``default_map``), so options and variables win over them.
"""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer

from tlsmon import config
from tlsmon.cli.output import printable
from tlsmon.config import SettingError

_NEVER: Final = frozenset({"help", "version", "config"})
_HINT: Final = "`tlsmon COMMAND --help` lists the values that it can have."
_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list of texts",
    str: "a text",
}


class _Options(NamedTuple):
    """The options of one command by their names without dashes, hyphens as in TOML's bare keys: underscores."""

    command: str
    by_name: dict[str, Any]

    def shared(self, key: str) -> Any:
        """Return the option that takes ``TLSMON_<KEY>``, if any."""
        option = self.by_name.get(key)
        return option if option is not None and option.envvar == f"TLSMON_{key.upper()}" else None


def take(context: typer.Context, path: Path | None) -> None:
    """Make a file the defaults of all commands; None: the user's own, if there is one. Raises SettingError."""
    where, document = config.read_file(path)
    commands: Mapping[str, Any] = context.command.commands  # type: ignore[attr-defined] # it is the group
    options = [_options(name, command) for name, command in commands.items()]
    defaults: dict[str, dict[str, Any]] = {name: {} for name in commands}
    for command, key, value in _entries(document, options, printable(str(where)), context):
        defaults[command][key] = value
    context.default_map = defaults


def _options(name: str, command: Any) -> _Options:
    options = (option for option in command.params if option.param_type_name == "option")
    named = ((max(option.opts, key=len).lstrip("-").replace("-", "_"), option) for option in options)
    return _Options(name, {key: option for key, option in named if key not in _NEVER})


def _entries(
    document: Mapping[str, Any], options: list[_Options], where: str, context: typer.Context
) -> Iterator[tuple[str, str, Any]]:
    """Yield command, parameter and value; those of the tables last, as they win. Raises SettingError."""
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    for key, value in document.items():
        if key not in tables:
            yield from _for_all(key, value, options, f"{where}: {key}", context)
    by_command = {each.command: each.by_name for each in options}
    for name, table in tables.items():
        if name not in by_command:
            raise _unknown(f"{where}: [{name}]", name, by_command)
        for key, value in table.items():
            option = by_command[name].get(_folded(key))
            if option is None:
                raise _unknown(f"{where}: {name}.{key}", _folded(key), by_command[name])
            problem = _problem(option, value, context)
            if problem:
                raise SettingError(f"{where}: {name}.{printable(key)}: {problem}.", hint=_HINT)
            yield name, option.name, value


def _for_all(
    key: str, value: Any, options: list[_Options], where: str, context: typer.Context
) -> Iterator[tuple[str, str, Any]]:
    """Yield what a key at the top says to the commands that can take its value; one at least must."""
    name = _folded(key)
    sharing = [(each.command, each.shared(name)) for each in options if each.shared(name) is not None]
    if not sharing:
        single = [each.command for each in options if name in each.by_name]
        if single:
            raise SettingError(f"{where}: is no setting for all commands.", hint=f"Put it below [{single[0]}].")
        raise _unknown(where, name, [known for each in options for known in each.by_name if each.shared(known)])
    problems = [_problem(option, value, context) for _, option in sharing]
    if all(problems):
        raise SettingError(f"{where}: {problems[0]}.", hint=_HINT)
    for (command, option), problem in zip(sharing, problems, strict=True):
        if not problem:
            yield command, option.name, value


def _problem(option: Any, value: Any, context: typer.Context) -> str | None:
    """Return why an option cannot have a value; None where it can."""
    try:
        taken = option.process_value(context, value)
    except (typer.BadParameter, SettingError) as error:
        return str(getattr(error, "message", error)).rstrip(".")
    except (TypeError, ValueError, AttributeError):  # what a parser says to a value that is no text
        return "is of the wrong type"
    taken = list(taken) if isinstance(taken, tuple) else taken  # older releases of typer give tuples
    kind = next((kind for kind in (bool, int, float, list) if isinstance(taken, kind)), str)
    # TOML's true is an int for Python, and its 5 is as good as 5.0.
    fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
    return None if fits else f"{_shown(value)} is not {_KINDS[kind]}"


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:60]


def _folded(key: str) -> str:
    return key.replace("-", "_")


def _unknown(where: str, name: str, known: Any) -> SettingError:
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(set(known)))}."
    return SettingError(f"{printable(where)}: is not a setting.", hint=hint)
