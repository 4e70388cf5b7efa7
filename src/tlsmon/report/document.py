"""The report as JSON: the same words and numbers, by name."""

import json
from datetime import date
from typing import Any

from tlsmon.report.model import Cell, Report, Section, Table


def document(report: Report) -> dict[str, Any]:
    """
    Return the report as JSON values.

    Days and times as ISO 8601, shares from 0 to 1, null where nothing can be said. Names of strangers are escaped as
    on the pages.
    """
    return {
        "title": report.title,
        "level": report.level,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "sentence": report.sentence,
        "notices": list(report.notices),
        "weeks": [
            week._asdict()
            | {"monday": week.monday.isoformat(), "sent": week.sent, "share_encrypted": week.share_encrypted}
            for week in report.weeks
        ],
        "ladder": [rung._asdict() for rung in report.ladder],
        "changes": report.changes._asdict(),
        "sections": [_section(section) for section in report.sections],
    }


def to_json(report: Report) -> bytes:
    """Return the report as a JSON text in ASCII."""
    return (json.dumps(document(report), indent=2) + "\n").encode("ascii")


def _section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "text": list(section.text),
        "tables": [_rows(table) for table in section.tables],
        "lines": [lines._asdict() for lines in section.lines],
    }


def _rows(table: Table) -> list[dict[str, Any]]:
    names = [column.key for column in table.columns]
    return [dict(zip(names, map(_value, row), strict=True)) for row in table.rows]


def _value(cell: Cell) -> str | int | float | None:
    return cell.isoformat() if isinstance(cell, date) else cell
