"""
A line that is a JSON object -> the line of a log that is in it.

Docker's ``json-file`` driver keeps the line whole, as do collectors that read files (Filebeat's ``message``, GELF from
Docker). rsyslog, syslog-ng, Vector, Fluent Bit and GELF from syslog take the frame apart: then time, host, tag and
process stand under names of their own, and the text is the message alone.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from maillog.model import JsonValue

_TIMES = ("@timestamp", "timereported", "timegenerated", "ISODATE", "timestamp", "time", "date")
_HOSTS = ("hostname", "host.hostname", "host.name", "host", "sysloghost", "HOST", "_HOSTNAME", "log.syslog.hostname")
_TAGS = (
    *("tag", "syslogtag", "SYSLOG_IDENTIFIER", "syslog.identifier", "programname", "program", "PROGRAM", "_program"),
    *("appname", "app_name", "app-name", "_application_name", "ident", "process.name", "log.syslog.appname"),
)
_PROCESSES = ("procid", "pid", "PID", "_pid", "SYSLOG_PID", "_PID", "_process_id", "process.pid", "log.syslog.procid")
_MESSAGES = ("message", "msg", "MESSAGE", "short_message", "event.original", "line")

_LATEST = 1e11
"""Seconds; more are thousandths."""


def lines_in(line: bytes) -> Iterator[bytes]:
    """Yield what an object may hold: the line, or one put together of its parts."""
    try:
        entry = json.loads(line)
        found = [text.encode("utf-8", "replace") for text in _of_entry(entry)] if isinstance(entry, dict) else []
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return
    yield from found


def _of_entry(entry: JsonValue) -> Iterator[str]:
    text = _first(entry, _MESSAGES)
    if "log" in entry and isinstance(entry["log"], str) and text is None:
        yield from _of_docker(entry["log"], entry["time"])
        return
    if not isinstance(text, str):
        return
    text = text.rstrip("\n")
    if "\n" in text:  # several lines are none of a program's
        return
    tag, host = _first(entry, _TAGS), _first(entry, _HOSTS)
    if tag is None:
        yield text
    elif isinstance(tag, str) and isinstance(host, str):
        process = _first(entry, _PROCESSES)
        number = f"[{process}]" if str(process).isdigit() and not tag.endswith((":", "]")) else ""
        yield f"{_time_of(entry)} {host} {tag.removesuffix(':')}{number}: {text.lstrip(' ')}"


def _of_docker(text: str, time: str) -> Iterator[str]:
    # Docker parts lines that are very long, and ends only the last part; several lines are none of a program's.
    if text.find("\n") == len(text) - 1:
        yield f"{time} {text[:-1]}"


def _time_of(entry: JsonValue) -> str:
    """Return the time in ISO 8601; some give seconds since 1970 (GELF, Fluent Bit), or thousandths."""
    time = _first(entry, _TIMES)
    if isinstance(time, str) and not time.isdigit():
        return time
    seconds = float(time)
    seconds = seconds / 1000 if seconds > _LATEST else seconds
    return (datetime.fromtimestamp(0, tz=UTC) + timedelta(seconds=seconds)).isoformat()


def _first(entry: JsonValue, names: tuple[str, ...]) -> JsonValue:
    """Return the first value that the entry has under one of the names; a dot leads into an object."""
    for name in names:
        value = entry
        for part in (name,) if name in entry else name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, dict):
            return value
    return None
