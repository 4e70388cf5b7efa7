"""``tlsmon traffic``: how much of the mail is encrypted, and how that moves."""

from datetime import datetime
from typing import Annotated

import typer

from tlsmon import api, config
from tlsmon.api import Direction, Group, Period, Traffic, TrafficRow
from tlsmon.cli.files import written_to
from tlsmon.cli.formats import Format, TableJsonCsvPrometheus
from tlsmon.cli.options import DirectionOption, Output, Store
from tlsmon.cli.output import say, say_csv, say_json, say_lines, say_table, tell
from tlsmon.config import SettingError
from tlsmon.wording import percent

_DAY = ["%Y-%m-%d"]


def traffic(
    *,
    store: Store = None,
    by: Annotated[Period, typer.Option(help="The length of a period, in UTC.")] = Period.DAY,
    direction: DirectionOption = Direction.OUTBOUND,
    group: Annotated[
        Group | None,
        typer.Option(help="Divide each period by this; host is the reporting host, client (inbound) who handed it in."),
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Only mail to this recipient domain, or from it.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="First day, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="Last day, in UTC.")] = None,
    top: Annotated[
        int, typer.Option(min=1, help="With prometheus: name so many groups, the busiest; the rest is one more.")
    ] = 20,
    format_: TableJsonCsvPrometheus = Format.TABLE,
    output: Output = None,
) -> None:
    """Show how much of the mail sent to the internet, or taken from it, is encrypted, over time."""
    if group is Group.CLIENT and direction is Direction.OUTBOUND:
        raise typer.BadParameter("client needs --direction inbound", param_hint="--group")
    window = (since.date() if since else None, until.date() if until else None)
    if format_ is Format.PROMETHEUS:
        if any(window):
            raise SettingError(
                "metrics count from the beginning of the store, or they would fall.",
                hint="Leave out --since and --until.",
            )
        by = Period.MONTH  # all periods are added up
    found = api.open(config.resolve(store=store).store).traffic(by, group, domain, window, direction=direction)
    with written_to(output):
        _print(found, format_, top)
    if format_ in (Format.JSON, Format.CSV):  # the table and the metrics have it in themselves
        for silence in found.silences:
            tell(f"tlsmon: {api.advice(silence)}")


def _print(found: Traffic, format_: Format, top: int) -> None:
    if format_ is Format.TABLE:
        _show_table(found)
    elif format_ is Format.JSON:
        inbound = {"direction": found.direction} if found.direction is Direction.INBOUND else {}
        names = _names(found)
        rows = [dict(zip(names, _values(row, found), strict=True)) for row in found.rows]
        say_json({"by": found.by, **inbound, "rows": rows})
    elif format_ is Format.CSV:
        say_csv(_names(found), (_values(row, found) for row in found.rows))
    else:
        say_lines(api.exposition(found, top))


def _names(found: Traffic) -> list[str]:
    groups = [str(found.group)] if found.group else []
    return ["period", *groups, "deliveries", "sent", "encrypted", "plaintext", "unknown", "share_encrypted"]


def _values(row: TrafficRow, found: Traffic) -> tuple[str | int | float | None, ...]:
    """Return a row as the design page fixes it, with the group by its own name where one was asked for."""
    groups = (row.group,) if found.group else ()
    return (row.period, *groups, *row.counts, row.counts.share_encrypted)


def _show_table(found: Traffic) -> None:
    say(api.sentence(found))
    if found.rows:
        say("")
        say_table([name.replace("_", " ") for name in _names(found)], [_cells(row, found) for row in found.rows])
    for silence in found.silences:
        say("")
        say(api.advice(silence))


def _cells(row: TrafficRow, found: Traffic) -> list[str | int | float | None]:
    *cells, _ = _values(row, found)
    share = row.counts.share_encrypted
    return [*cells, None if share is None else percent(share).rjust(len("share_encrypted"))]
