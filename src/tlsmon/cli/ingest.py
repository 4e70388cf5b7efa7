"""``tlsmon ingest``: new deliveries into the store."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from tlsmon import api, config
from tlsmon.api import LogReport, Report, Stop, TlsReport
from tlsmon.cli.exits import Exit
from tlsmon.cli.formats import Format, TableOrJson
from tlsmon.cli.options import Host, Internet, Logs, Store, Timezone, UnreadFile
from tlsmon.cli.output import flush, moment, say, say_json, say_json_line, say_table, tell
from tlsmon.cli.progress import progress_bar
from tlsmon.cli.unread import unread_sentence, unread_writer
from tlsmon.config import SettingError

_MANY = 50
"""Lines: a log that was only just begun may well hold no mail."""
_HEADER = ("log", "lines", "deliveries", "new", "unread", "first", "last")


def ingest(
    logs: Logs,
    *,
    store: Store = None,
    host: Host = None,
    timezone: Timezone = None,
    internet: Internet = None,
    unread: UnreadFile = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines, through rotation.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Read on the workers of this Dask scheduler (tcp://scheduler:8786), which reach store and logs, too.",
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
) -> None:
    """
    Bring new deliveries into the store, each exactly once. Run it as often as you like.

    TLSRPT reports (RFC 8460) are read as well: JSON, gzip, or the mails that they came in.
    """
    # pyarrow's own pool keeps what it took once; read when it is imported, which is later.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if cluster is not None:
        _refuse_on_cluster(logs, follow=follow, unread=unread)
    settings = config.resolve(store=store, host=host, timezone=timezone, internet=internet or ())
    with unread_writer(unread) as write, progress_bar() as progress:
        listeners = api.listeners(progress=progress, unread=write, stop=_stop_on_signals() if follow else Stop())
        if follow:
            api.follow(settings, logs, listeners, lambda report: _tell_round(report, format_))
            return
        report = api.ingest(settings, logs, listeners, cluster)
    _show(report, format_)
    _tell_problems(report)
    if report.problems:
        raise typer.Exit(Exit.UNREADABLE)


def _refuse_on_cluster(logs: list[str], *, follow: bool, unread: Path | None) -> None:
    """Say what only this machine can do. Raises SettingError."""
    local = {"--follow": follow, "--unread": unread is not None, "- (standard input)": "-" in logs}
    wrong = [name for name, given in local.items() if given]
    if wrong:
        raise SettingError(
            f"{', '.join(wrong)} cannot go to a cluster.", hint="Leave out --cluster: that part works on one machine."
        )


def _stop_on_signals() -> Stop:
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.request())
    return stop


def _tell_round(report: Report, format_: Format) -> None:
    """Show one round of ``--follow``; rounds without anything new stay silent."""
    new_reports = sum(one.new for one in report.tls_reports)
    if (report.new_deliveries or new_reports) and format_ is Format.JSON:
        say_json_line(_document(report))
    elif report.new_deliveries:
        say(f"{report.new_deliveries:,} new deliveries.")
    if new_reports and format_ is not Format.JSON:
        say(f"{new_reports:,} new TLS reports.")
    flush()
    _tell_problems(report)


def _show(report: Report, format_: Format) -> None:
    if format_ is Format.JSON:
        say_json(_document(report))
        return
    if report.logs:
        say_table(_HEADER, [_row(log) for log in report.logs])
        say("")
    if report.logs or not report.tls_reports:
        say(f"{report.new_deliveries:,} new deliveries, {report.deliveries:,} in these logs altogether.")
    for one in report.tls_reports:
        say(_sentence(one))


def _row(log: LogReport) -> tuple[str | int | None, ...]:
    times = (f"{time:%Y-%m-%d %H:%M}" if time else None for time in (log.first, log.last))
    return (log.name, log.lines, log.deliveries, log.new_deliveries, log.unread_lines, *times)


def _sentence(one: TlsReport) -> str:
    """Return what a TLSRPT report says, in a line."""
    known = "" if one.new else " (in the store already)"
    return (
        f"{one.name}: TLS report of {one.organization} for {', '.join(one.domains)}, {one.first:%Y-%m-%d}: "
        f"{one.successful:,} sessions succeeded, {one.failed:,} failed{known}."
    )


def _document(report: Report) -> dict[str, object]:
    """Return the document that the design page fixes; others rely on it."""
    reports = [
        one._asdict() | {"first": one.first.isoformat(), "last": one.last.isoformat()} for one in report.tls_reports
    ]
    return {
        "logs": [
            {
                "name": log.name,
                "lines": log.lines,
                "deliveries": log.deliveries,
                "new_deliveries": log.new_deliveries,
                "unread_lines": log.unread_lines,
                "first": moment(log.first),
                "last": moment(log.last),
            }
            for log in report.logs
        ],
        "deliveries": report.deliveries,
        "new_deliveries": report.new_deliveries,
        "seconds": report.seconds,
        **({"tls_reports": reports} if reports else {}),
    }


def _tell_problems(report: Report) -> None:
    for text in report.warnings:
        tell(f"tlsmon: warning: {text}")
    for text in report.problems:
        tell(f"tlsmon: {text}")
    lines = sum(log.lines for log in report.logs)
    if lines >= _MANY and not report.deliveries:
        tell(f"tlsmon: none of {lines:,} lines tells of mail. `tlsmon doctor LOG` says what is missing.")
    unread = sum(log.unread_lines for log in report.logs)
    # Not again with each run that finds nothing new.
    if unread and (report.new_deliveries or not report.deliveries):
        tell(f"tlsmon: {unread_sentence(unread)}")
