"""The command ``tlsmon``: its commands, and what becomes of errors."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tlsmon.cli import (
    backtest,
    check,
    doctor,
    ingest,
    letter,
    parse,
    policy,
    probe,
    recommend,
    report,
    settings,
    tlsrpt,
    traffic,
    watch,
)
from tlsmon.cli.exits import Exit
from tlsmon.cli.output import tell
from tlsmon.config import SettingError
from tlsmon.errors import TlsmonError


class _Guarded(TyperGroup):
    """Turns the errors of all commands into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough, as in `tlsmon … | head`. Nothing more can be written, at exit neither.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Exit.DONE) from None
        except TlsmonError as error:
            tell(f"tlsmon: {error}")
            if error.hint:
                tell(error.hint)
            raise typer.Exit(Exit.WRONG_USE if isinstance(error, SettingError) else Exit.UNREADABLE) from error
        return result


app = typer.Typer(
    cls=_Guarded,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    parse.parse,
    ingest.ingest,
    traffic.traffic,
    tlsrpt.tlsrpt,
    recommend.recommend,
    policy.policy,
    watch.watch,
    backtest.backtest,
    report.report,
    probe.probe,
    check.check,
    doctor.doctor,
    letter.letter,
):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415, costs 30 ms

        typer.echo(f"tlsmon {version('tlsmon')}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def tlsmon(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="TLSMON_CONFIG",
            help="Settings in TOML. Else /etc/tlsmon.toml (root) or ~/.config/tlsmon.toml, where there is one.",
        ),
    ] = None,
    _version_wanted: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take a mail server from opportunistic to mandatory TLS without losing a mail."""
    settings.take(context, config)


def main() -> None:
    """Run the command line."""
    app(prog_name="tlsmon")
