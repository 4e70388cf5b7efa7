"""
Names of rotated logs: which files belong together, and in which order they were written.

Known endings: those of logrotate (``.1``, ``-20261101`` and other dates of ``dateformat``), newsyslog (``.0``),
exicyclog (``.01``), Exim's own dated names (``mainlog-20250101``, ``main.202501``, ``20250101-mainlog``), and on top of
each one ``.gz``, ``.bz2``, ``.xz`` or ``.zst``. Names only say what to look for; what a file holds, its content says.
"""

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maillog.errors import UnreadableSourceError
from maillog.sources.objects import in_folder_of, is_object, matching

_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_DATE = r"(?:19|20)\d\d-?(?:0[1-9]|1[0-2])(?:-?(?:0[1-9]|[12]\d|3[01]))?"
_CLOCK = r"(?:[-_T.]?\d{2}(?::?\d{2}){0,2}|-\d{9,10})"  # an hour or a time, or %s: seconds since 1970
_DATED = re.compile(rf"[-._](?P<date>{_DATE}{_CLOCK}?)$")
_DATED_BEFORE = re.compile(rf"^(?P<date>{_DATE})[-._](?=\D)")
_NUMBERED = re.compile(r"\.(?P<number>\d{1,3})$")
_ADDRESS = re.compile(r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}$")  # a log named after a host is not its .1


class _Rotated(NamedTuple):
    """A file name taken apart."""

    base: str
    date: str | None = None
    number: int | None = None

    @property
    def age(self) -> tuple[bool, str, int]:
        """Sorts the oldest first: dates rise, then numbers fall, and the file being written is the last."""
        return self.date is None, self.date or "", 1 if self.number is None else -self.number


def expand(names: Sequence[str]) -> list[str]:
    """
    Return the names with patterns (``*``, ``?``, ``[…]``, ``**``) replaced by the sorted files or objects that match.

    For patterns that no shell expanded: from a service unit, a configuration file, or in quotes. A name that exists is
    taken as it is. Raises UnreadableSourceError for a pattern that matches nothing.
    """
    return [found for name in names for found in _matches(name)]


def _matches(name: str) -> list[str]:
    if name == "-" or not glob.has_magic(name) or Path(name).exists():
        return [name]
    # Path.glob takes no absolute pattern
    found = matching(name) if is_object(name) else sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    if not found:
        shown = name if name.isprintable() else ascii(name)
        raise UnreadableSourceError(
            f"{shown}: no file matches. Check the pattern and the permission to list the folder."
        )
    return found


def family(path: str) -> str:
    """Return the absolute name that a log had before it was rotated and compressed: its family."""
    if is_object(path):
        folder, slash, name = path.rpartition("/")
        return folder + slash + (_taken_apart(name).base if name else "")
    absolute = Path(path).absolute()
    return str(absolute.with_name(_taken_apart(absolute.name).base)) if absolute.name else str(absolute)


def rotated_siblings(path: str) -> list[str]:
    """
    Return the absolute names of the other files of the same family in the same folder, the oldest first.

    Nothing for standard input. Raises UnreadableSourceError where the folder cannot be listed.
    """
    if path == "-":
        return []
    base = family(path).rpartition("/")[2]
    if is_object(path):
        return _of_family([name for name in in_folder_of(path) if name != path], base)
    absolute = Path(path).absolute()
    try:
        files = [str(entry) for entry in absolute.parent.iterdir() if entry.name != absolute.name and entry.is_file()]
    except OSError as error:
        shown = path if path.isprintable() else ascii(path)
        raise UnreadableSourceError(
            f"{shown}: its folder cannot be listed ({error.strerror}). Check the name and the permissions."
        ) from error
    return _of_family(files, base)


def adjacent(earlier: str, later: str) -> bool:
    """
    Tell whether one log of a family was rotated just before another, as far as names tell.

    With numbers the next one is missing or not; with dates only a file that is still there shows that one was between.
    """
    first, second = (_taken_apart(path.rpartition("/")[2]) for path in (earlier, later))
    if first.number is not None and first.date == second.date:
        # newsyslog begins with .0, logrotate with .1
        following = (first.number - 1,) if second.number is not None or first.number > 1 else (None,)
        if second.number not in following:
            return False
    try:
        between = (_taken_apart(path.rpartition("/")[2]) for path in rotated_siblings(later))
        return not any(first.age < one.age < second.age for one in between)
    except UnreadableSourceError:
        return True


def _of_family(names: Sequence[str], base: str) -> list[str]:
    """Return those whose last part was ``base`` before rotation, the oldest first."""
    rotated = [(_taken_apart(name.rpartition("/")[2]), name) for name in names]
    return [name for parts, name in sorted(rotated, key=_by_age) if parts.base == base]


def _by_age(entry: tuple[_Rotated, str]) -> tuple[tuple[bool, str, int], str]:
    parts, name = entry
    return parts.age, name


def _taken_apart(name: str) -> _Rotated:
    rest = _PACKED.sub("", name)
    number = None if _ADDRESS.search(rest) else _NUMBERED.search(rest)
    rest = rest[: number.start()] if number else rest
    date = _DATED.search(rest) or _DATED_BEFORE.search(rest)
    rest = rest[: date.start()] + rest[date.end() :] if date else rest
    if not rest:
        return _Rotated(name)
    return _Rotated(rest, date["date"] if date else None, int(number["number"]) if number else None)
