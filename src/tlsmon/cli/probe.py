"""``tlsmon probe``: what recipients offer now, asked live."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from tlsmon import live
from tlsmon.cli import probe_tables
from tlsmon.cli.formats import Format, TableJsonJsonlCsv
from tlsmon.cli.options import Store
from tlsmon.cli.output import flush, say_csv, say_json, say_json_line, tell
from tlsmon.cli.probing import asking, count_bar
from tlsmon.config import SettingError
from tlsmon.live import DomainResult, Settings
from tlsmon.wording import count

_LIST_HOURS = 24.0
_SHOWN_WITH_HOSTS = 10
_STREAMS = (Format.JSONL, Format.CSV)
_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

Domains = Annotated[list[str] | None, typer.Argument(metavar="DOMAIN...", help="Recipient domains.")]
File = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", metavar="FILE", help="Domains, one a line; # begins a comment; - for standard input. May be repeated."
    ),
]
FromStore = Annotated[bool, typer.Option("--from-store", help="The recipient domains in the store, busiest first.")]
Top = Annotated[int | None, typer.Option(min=1, help="With --from-store: only so many.")]
Days = Annotated[int, typer.Option(min=1, help="With --from-store: days of the store to look at.")]
MaxAge = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="HOURS",
        help="Do not ask again what was asked within. Else 24 for --file and --from-store, 0 for domains named here.",
    ),
]
Hosts = Annotated[
    bool | None, typer.Option("--hosts/--no-hosts", help="Show every address. Else for ten domains or fewer.")
]


@asking()
def probe(
    *,
    domains: Domains = None,
    file: File = None,
    from_store: FromStore = False,
    top: Top = None,
    days: Days = 30,
    store: Store = None,
    max_age: MaxAge = None,
    asked: Settings,
    hosts: Hosts = None,
    format_: TableJsonJsonlCsv = Format.TABLE,
) -> None:
    """Ask recipients live what they offer: MX, STARTTLS, certificate, DANE, MTA-STS. Sends no mail."""
    if top is not None and not from_store:
        raise SettingError("--top goes with --from-store.", hint="Give both, or name the domains.")
    wanted = list(domains or []) + [line for path in file or [] for line in _lines(path)]
    wanted += live.busiest(store, top, days) if from_store else []
    if not wanted:
        raise SettingError("No domain to ask.", hint="Name domains, or give --file or --from-store.")
    hours = max_age if max_age is not None else (_LIST_HOURS if file or from_store else 0.0)
    try:
        with (
            count_bar("asking", streams=format_ in _STREAMS) as progress,
            closing(live.probe(wanted, asked, store, hours, progress)) as found,
        ):
            late: list[str] = []
            results = _taken(_noting_late(found, late), format_)
    except KeyboardInterrupt:
        tell("tlsmon: interrupted. What was found so far is stored; the same command with --max-age 24 goes on.")
        sys.stdout.flush()
        os._exit(_INTERRUPTED)  # an ordinary exit waits for every server that is still talking
    if late:
        tell(
            f"tlsmon: for {count(len(late), 'domain')} there was no time left; "
            "--file or --from-store goes on with them."
        )
    results = _in_order(results, wanted)
    if format_ is Format.JSON:
        say_json({"domains": [live.document(result) for result in results]})
    elif format_ is Format.TABLE:
        probe_tables.show(results, with_hosts=len(results) <= _SHOWN_WITH_HOSTS if hosts is None else hosts)


def _noting_late(found: Iterator[DomainResult], late: list[str]) -> Iterator[DomainResult]:
    for result in found:
        if not result.finished:
            late.append(result.domain)
        yield result


def _taken(found: Iterator[DomainResult], format_: Format) -> list[DomainResult]:
    """Take all results; print those that are printed as they come."""
    if format_ is Format.CSV:
        say_csv(probe_tables.CSV_HEADER, (row for result in found for row in probe_tables.csv_rows(result)))
    elif format_ is Format.JSONL:
        for result in found:
            say_json_line(live.document(result))
            flush()
    return list(found)


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}).", hint="Name a file with domains.") from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _in_order(found: list[DomainResult], wanted: list[str]) -> list[DomainResult]:
    results = {result.domain: result for result in found}
    return [results[domain] for domain in dict.fromkeys(map(live.fold, wanted)) if domain in results]
