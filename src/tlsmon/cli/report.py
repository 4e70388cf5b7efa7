"""``tlsmon report``: the weekly readiness report, as a file or by mail."""

from pathlib import Path
from typing import Annotated

import typer

from tlsmon import api, config
from tlsmon.api import Form, Paper
from tlsmon.cli import files
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import Exceptions, Store
from tlsmon.cli.output import printable
from tlsmon.config import SettingError

_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write; - for standard output."),
]
_MailTo = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="Mail it, with the file attached; may be repeated.", show_default=False),
]
_MailFrom = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The sender. Else tlsmon at this machine.")]
_Sendmail = Annotated[str, typer.Option(metavar="PROGRAM", help="What takes mail on this machine.")]
_Smtp = Annotated[
    str | None, typer.Option(metavar="HOST[:PORT]", help="Mail through this server instead; port 587 if none is named.")
]
_StartTls = Annotated[bool, typer.Option(help="Demand STARTTLS and a good certificate of that server.")]
_SmtpUser = Annotated[
    str | None, typer.Option(metavar="NAME", help="Log in to that server, with the password in TLSMON_SMTP_PASSWORD.")
]
_Form = Annotated[
    Form | None,
    typer.Option("--format", help="Else as the file is called: .pdf, .html or .json; by mail alone: pdf."),
]


@judging()
def report(
    output: _Output = None,
    *,
    store: Store = None,
    asked: Asked,
    exceptions: Exceptions = None,
    paper: Annotated[Paper, typer.Option(help="Size of the pages of a PDF.")] = Paper.A4,
    form: _Form = None,
    mail_to: _MailTo = None,
    mail_from: _MailFrom = None,
    sendmail: _Sendmail = "/usr/sbin/sendmail",
    smtp: _Smtp = None,
    smtp_starttls: _StartTls = True,
    smtp_user: _SmtpUser = None,
) -> None:
    """Write or mail the weekly readiness report: what is encrypted, what can be enforced, what would be lost."""
    if output is None and not mail_to:
        raise SettingError("nobody gets this report.", hint="Name a file with -o, or a reader with --mail-to.")
    chosen = form or _by_name(output)
    mailer = None
    if mail_to:
        mailer = api.mailer(mail_to, mail_from, sendmail=sendmail, smtp=smtp, starttls=smtp_starttls, user=smtp_user)
    window = (asked.days, asked.as_of)
    found = api.open(config.resolve(store=store).store).report(asked.level, *window, exceptions, asked.thresholds)
    content = api.render(found, chosen, paper)
    _write(output, content)
    if mailer:
        mailer.send(found, content, chosen)


def _by_name(output: Path | None) -> Form:
    if output is None:
        return Form.PDF
    try:
        return Form(output.suffix.lower().lstrip("."))
    except ValueError as error:
        raise SettingError(
            f"{printable(str(output))}: which format is that to be?", hint="Add --format pdf, html or json."
        ) from error


def _write(output: Path | None, content: bytes) -> None:
    if output is None:
        return
    if str(output) == "-":
        files.print_bytes(content)
    else:
        files.write(output, content)
