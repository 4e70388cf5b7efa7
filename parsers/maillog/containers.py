"""
A line of a log that a container wrote to its standard output -> the line as the program wrote it.

``docker compose logs`` puts the name of the service before it, ``docker service logs`` that of the task and its node,
``kubectl logs --prefix`` pod and container; ``docker logs -t`` and ``kubectl logs --timestamps`` a time, the Container
Runtime Interface a time, the stream and whether the line is whole; Docker's own files hold JSON. Its drivers for syslog
and journald make it the text of another entry, of a program that is named by the container's id.
"""

import re
from collections.abc import Iterator

from maillog.json_lines import lines_in
from maillog.model import Record

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


def unwrapped(line: bytes) -> Iterator[bytes]:
    """
    Yield what a program in a container may have written; nothing where there is nothing around it.

    A time stamp that lacks the year is replaced by the time that stood around the line, if one did.
    """
    if line.startswith(b"{"):
        for found in lines_in(line):
            yield found
            yield from _behind_time(found, 0)
        return
    service = _SERVICE.match(line)
    begin = service.end() if service else 0
    if service:
        yield line[begin:]  # the time behind it may be the program's
    yield from _behind_time(line, begin)


def _behind_time(line: bytes, begin: int) -> Iterator[bytes]:
    time = _TIME.match(line, begin)
    if time:
        yield _at(time[1], line[time.end() :])


def _at(time: bytes, line: bytes) -> bytes:
    return _LESS.sub(time, line, count=1) if _LESS.match(line) else line
