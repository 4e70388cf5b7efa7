"""``tlsmon report``: the weekly readiness report as a file."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tlsmon import api, config
from tlsmon.api import Form, Paper
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import Exceptions, Store
from tlsmon.cli.output import printable
from tlsmon.config import SettingError


@judging()
def report(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; - for standard output."),
    ],
    *,
    store: Store = None,
    asked: Asked,
    exceptions: Exceptions = None,
    paper: Annotated[Paper, typer.Option(help="Size of the pages of a PDF.")] = Paper.A4,
    form: Annotated[
        Form | None, typer.Option("--format", help="Else as the file is called: .pdf, .html or .json.")
    ] = None,
) -> None:
    """Write the weekly readiness report: what is encrypted, what can be enforced, what would be lost."""
    chosen = form or _by_name(output)
    found = api.open(config.resolve(store=store).store).report(
        asked.level, asked.days, asked.as_of, exceptions, asked.thresholds
    )
    _write(output, api.render(found, chosen, paper))


def _by_name(output: Path) -> Form:
    try:
        return Form(output.suffix.lower().lstrip("."))
    except ValueError as error:
        raise SettingError(
            f"{printable(str(output))}: which format is that to be?", hint="Add --format pdf, html or json."
        ) from error


def _write(output: Path, content: bytes) -> None:
    """Write the file whole or not at all: a report that was cut off must not replace a good one."""
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    if output.exists() and not output.is_file():  # such as /dev/stdout: written, not replaced
        output.write_bytes(content)
        return
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=".tlsmon-", delete=False) as file:
            try:
                file.write(content)
                # As a plain open would have made it; the temporary file is for its owner only.
                mask = os.umask(0)
                os.umask(mask)
                Path(file.name).chmod(0o666 & ~mask)
                Path(file.name).replace(output)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SettingError(
            f"{printable(str(output))}: cannot be written ({error.strerror}).", hint="Name another file with -o."
        ) from error
