"""
A line of a log that a container wrote to its standard output -> the line as the program wrote it.

``docker compose logs`` puts the name of the service before it, ``docker service logs`` that of the task and its node,
``kubectl logs --prefix`` pod and container; ``docker logs -t`` and ``kubectl logs --timestamps`` a time, the Container
Runtime Interface a time, the stream and whether the line is whole; Docker's own files hold JSON. Its drivers for syslog
and journald make it the text of another entry, of a program that is named by the container's id. Collectors that take
JSON get from rsyslog an object of what was in the frame.
"""

import json
import re

from maillog.model import JsonValue, Record

_SERVICE = re.compile(rb"[A-Za-z0-9][\w.@-]{0,255} {1,64}\| |\[pod/[\w./-]{1,400}\] ")
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) (?:std(?:out|err) F )?")
# A stamp without year and zone: the container's clock may be set to another zone than the machine's.
_LESS = re.compile(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?= )")
# Docker cuts an id to so many digits; a tag that an administrator chose could be any program's.
_ID = re.compile(r"[0-9a-f]{12}")


def within(record: Record, line: bytes) -> bytes | None:
    """Return what a program in a container wrote, if an entry is one that Docker made of its line; else None."""
    if _ID.fullmatch(record.program) or (line.startswith(b"{") and b'"CONTAINER_ID"' in line):
        return _at(record.time.isoformat().encode(), record.text.encode("utf-8", "replace"))
    return None


def unwrapped(line: bytes) -> bytes | None:
    """
    Return what a program in a container wrote; None where there is nothing around it.

    A time stamp that lacks the year is replaced by the time that stood around the line, if one did.
    """
    if line.startswith(b"{"):
        return _of_object(line)
    service = _SERVICE.match(line)
    begin = service.end() if service else 0
    time = _TIME.match(line, begin)
    if not time:
        return line[begin:] if service else None
    return _at(time[1], line[time.end() :])


def _of_object(line: bytes) -> bytes | None:
    """Read an entry of a file of Docker's ``json-file`` driver, or one of rsyslog in JSON."""
    try:
        entry = json.loads(line)
        return _of_file(entry["log"], entry["time"]) if "log" in entry else _of_rsyslog(entry)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _of_file(text: str, time: str) -> bytes | None:
    # Docker parts lines that are very long, and ends only the last part; several lines are none of a program's.
    if text.find("\n") != len(text) - 1:
        return None
    stamp = _TIME.match(f"{time} ".encode("utf-8", "replace"))
    return _at(stamp[1], text[:-1].encode("utf-8", "replace")) if stamp else None


def _of_rsyslog(entry: JsonValue) -> bytes:
    """Put together what rsyslog takes apart in the templates for JSON that its documentation shows."""
    host = entry["hostname"] if "hostname" in entry else entry["host"]
    line = " ".join((entry["@timestamp"], host, entry["tag"], entry["message"].lstrip(" ")))
    return line.encode("utf-8", "replace")


def _at(time: bytes, line: bytes) -> bytes:
    return _LESS.sub(time, line, count=1) if _LESS.match(line) else line
