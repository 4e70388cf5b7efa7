"""
A line of a log that a container wrote to its standard output -> the line as the program wrote it.

``docker compose logs`` puts the name of the service before it; ``docker logs -t`` and ``kubectl logs --timestamps`` a
time, the Container Runtime Interface a time, the stream and whether the line is whole; Docker's own files hold JSON.
"""

import json
import re

_SERVICE = re.compile(rb"[A-Za-z0-9][\w.-]{0,127} {1,64}\| ")
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) (?:std(?:out|err) F )?")
# A stamp without year and zone: the container's clock may be set to another zone than the machine's.
_LESS = re.compile(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?= )")


def unwrapped(line: bytes) -> bytes | None:
    """
    Return what a program in a container wrote; None where there is nothing around it.

    A time stamp that lacks the year is replaced by the time that stood around the line, if one did.
    """
    if line.startswith(b'{"'):
        return _of_file(line)
    service = _SERVICE.match(line)
    begin = service.end() if service else 0
    time = _TIME.match(line, begin)
    if not time:
        return line[begin:] if service else None
    return _at(time[1], line[time.end() :])


def _of_file(line: bytes) -> bytes | None:
    """Read an entry of a file of Docker's ``json-file`` driver."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text, time = entry.get("log"), entry.get("time")
    if not isinstance(text, str) or not isinstance(time, str):
        return None
    # Docker parts lines that are very long, and ends only the last part; several lines are none of a program's.
    if text.find("\n") != len(text) - 1:
        return None
    text = text[:-1]
    stamp = _TIME.match(f"{time} ".encode("utf-8", "replace"))
    return _at(stamp[1], text.encode("utf-8", "replace")) if stamp else None


def _at(time: bytes, line: bytes) -> bytes:
    return _LESS.sub(time, line, count=1) if _LESS.match(line) else line
