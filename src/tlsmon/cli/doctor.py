"""``tlsmon doctor``: does this log, and this mail server's configuration, tell enough for a verdict?"""

import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tlsmon import api, config
from tlsmon.api import Diagnosis, Finding, Level, UnreadableError
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.judging import LevelOption
from tlsmon.cli.options import Host, Internet, Timezone
from tlsmon.cli.output import say, say_json, tell
from tlsmon.config import SettingError

_USUAL_LOGS: Final = ("/var/log/mail.log", "/var/log/maillog", "/var/log/exim4/mainlog", "/var/log/exim/mainlog")
_INDENT: Final = 10
_WIDEST: Final = 100

_Logs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LOG]...",
        help=f"Mail logs, as for ingest; none: those of {', '.join(_USUAL_LOGS)} that are there.",
        show_default=False,
    ),
]
_Postconf = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What `postconf -nx; postconf -M` printed on the machine of the log. Else they are run here.",
    ),
]
_Exim = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What `exim -bP; exim -bP transports; exim -bP routers` printed. Else they are run here.",
    ),
]


def doctor(
    logs: _Logs = None,
    *,
    postconf: _Postconf = None,
    exim: _Exim = None,
    level: LevelOption = Level.ENCRYPT,
    host: Host = None,
    timezone: Timezone = None,
    internet: Internet = None,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """Say what a log and a configuration lack for a verdict, and which lines to add; exit code 1 if something does."""
    settings = config.resolve(host=host, timezone=timezone, internet=internet or ())
    saved = (_read(postconf), _read(exim))
    names = logs or ([] if any(saved) else [name for name in _USUAL_LOGS if Path(name).is_file()])
    found, problems = api.diagnose(settings, names, level, *saved)
    if not found.looked_at and not problems:
        what = "no line stands in the log yet" if names else "there is no log and no mail server here to look at"
        raise SettingError(f"{what}.", hint="Name another log, or give --postconf or --exim.")
    if format_ is Format.JSON:
        say_json(document(found))
    elif found.looked_at:
        _show(found)
    for problem in problems:
        tell(f"tlsmon: {problem}")
    if problems:
        raise typer.Exit(Exit.UNREADABLE)
    if not found.is_enough:
        raise typer.Exit(Exit.NO)


def document(found: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as JSON."""
    return {
        "level": found.level,
        "enough": found.is_enough,
        "looked_at": list(found.looked_at),
        "notes": list(found.notes),
        "findings": [finding._asdict() for finding in found.findings],
    }


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}).", "Name another file.") from error


def _show(found: Diagnosis) -> None:
    say(_headline(found))
    _wrap("Looked at " + "; ".join(found.looked_at) + ".")
    for note in found.notes:
        _wrap(note)
    for finding in found.findings:
        say("")
        _show_finding(finding)


def _headline(found: Diagnosis) -> str:
    counts = [sum(each.weight == weight for each in found.findings) for weight in ("missing", "warning")]
    missing, warnings = counts
    and_warnings = f", and {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
    if missing:
        things = "1 thing is" if missing == 1 else f"{missing} things are"
        return f"Not enough for verdicts at {found.level}: {things} missing{and_warnings}."
    if not found.has_log:
        return f"No log was read; for verdicts at {found.level} nothing is missing in the configuration{and_warnings}."
    return f"Enough for verdicts at {found.level}: nothing is missing{and_warnings}."


def _show_finding(finding: Finding) -> None:
    _wrap(finding.text, str(finding.weight).upper().ljust(_INDENT))
    if finding.lines:
        _wrap(f"In {finding.where}:", " " * _INDENT)
        for line in finding.lines:
            say(" " * (_INDENT + 4) + line)
    if finding.then:
        say(" " * _INDENT + f"Then: {finding.then}")


def _wrap(text: str, begin: str = "") -> None:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for line in textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    ):
        say(line)
