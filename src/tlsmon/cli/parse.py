"""``tlsmon parse``: deliveries, one a row; writes nothing."""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tlsmon import api, config
from tlsmon.api import Direction
from tlsmon.cli.formats import Format, TableJsonJsonlCsv
from tlsmon.cli.options import Host, Internet, Logs, Timezone, UnreadFile
from tlsmon.cli.output import say_columns, say_csv, say_json_line, say_json_list, tell
from tlsmon.cli.unread import Counted, unread_sentence, unread_writer

if TYPE_CHECKING:
    from tlsmon.api import Delivery

_FIELDS: Final = {
    "mta": "source.mta",
    "host": "source.host",
    "instance": "source.instance",
    "queue_id": "queue_id",
    "direction": "direction",
    "recipient_domain": "recipient_domain",
    "mx_host": "relay.host",
    "mx_ip": "relay.ip",
    "mx_port": "relay.port",
    "scope": "relay.scope",
    "security": "tls.security",
    "authentication": "tls.authentication",
    "evidence": "tls.evidence",
    "protocol": "tls.protocol",
    "cipher": "tls.cipher",
    "outcome": "result.outcome",
    "dsn": "result.dsn",
    "cause": "result.cause",
    "level": "level",
}
"""The names that the design page fixes, and where a delivery has them; ``time`` stands before them."""

_SENDER: Final = "sender_domain"
"""Follows in rows of mail that came in."""

_VALUES: Final = attrgetter(*_FIELDS.values())

_COLUMNS: Final = {
    "time": 19,
    "recipient_domain": 24,
    "mx_host": 28,
    "security": 9,
    "authentication": 14,
    "protocol": 8,
    "outcome": 8,
    "cause": 15,
}
"""For people: the columns that fit on a screen, and their widths."""


def parse(
    logs: Logs,
    *,
    host: Host = None,
    timezone: Timezone = None,
    internet: Internet = None,
    unread: UnreadFile = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Only mail that was sent, or mail that came in; else both.")
    ] = None,
    format_: TableJsonJsonlCsv = Format.TABLE,
) -> None:
    """Print the deliveries in logs, one a row. Writes nothing."""
    settings = config.resolve(host=host, timezone=timezone, internet=internet or ())
    with unread_writer(unread) as write:
        counted = Counted(write)
        found = api.parse(settings, logs, counted)
        rows = (_row(one) for one in found if direction is None or one.direction.value == direction)
        # Among rows of mail that was sent a column more would surprise those who read them by number.
        inbound_csv = format_ is Format.CSV and direction is Direction.INBOUND
        try:
            (_inbound_csv if inbound_csv else _PRINTERS[format_])(rows)
        finally:  # also where a log breaks off
            if counted.lines:
                tell(f"tlsmon: {unread_sentence(counted.lines)}")


def _row(delivery: "Delivery") -> dict[str, Any]:
    row = {"time": delivery.time.isoformat(), **dict(zip(_FIELDS, _VALUES(delivery), strict=True))}
    if delivery.direction.value == Direction.INBOUND:
        row[_SENDER] = delivery.sender_domain
    return row


def _table(rows: Iterator[dict[str, Any]]) -> None:
    cells = (
        [row["time"][:19], _domain(row), *(row[name] for name in _COLUMNS if name not in ("time", "recipient_domain"))]
        for row in rows
    )
    say_columns([name.replace("_", " ") for name in _COLUMNS], cells, list(_COLUMNS.values()))


def _domain(row: dict[str, Any]) -> str | None:
    """Return whose mail it is: to the domain, or from it."""
    sender: str | None = row.get(_SENDER)
    return f"from {sender}" if sender else row["recipient_domain"]


def _json_lines(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        say_json_line(row)


def _json(rows: Iterable[dict[str, Any]]) -> None:
    say_json_list(rows)


def _csv(rows: Iterable[dict[str, Any]]) -> None:
    names = ["time", *_FIELDS]
    say_csv(names, ([row[name] for name in names] for row in rows))


def _inbound_csv(rows: Iterable[dict[str, Any]]) -> None:
    say_csv(["time", *_FIELDS, _SENDER], (list(row.values()) for row in rows))


_PRINTERS: Final = {Format.TABLE: _table, Format.JSON: _json, Format.JSONL: _json_lines, Format.CSV: _csv}
