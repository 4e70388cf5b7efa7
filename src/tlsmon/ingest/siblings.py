"""
What was rotated away since the last call.

The store knows the latest log of each family. If that one was rotated meanwhile, its rest, and whole logs that came
and went since, are found by their content among the siblings of the log that is to be read now.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maillog.errors import UnreadableSourceError
from maillog.reading import ReadSettings
from maillog.sources import open_log, rotated_siblings
from tlsmon.errors import TlsmonError
from tlsmon.ingest.families import Candidate, candidate, oldest_first
from tlsmon.ingest.identity import place_of
from tlsmon.store.positions import Positions


class Completed(NamedTuple):
    """The logs of a family that have to be read, the oldest first."""

    group: list[Candidate]
    warning: str | None = None


def completed(group: Sequence[Candidate], positions: Positions, settings: ReadSettings) -> Completed:
    """
    Return the logs of one family together with the siblings that the store has not seen the end of.

    Nothing is added where the latest log of the family is among those given, or all of them are older.
    Raises StoreError.
    """
    first = group[0]
    latest = positions.latest_of(first.family) if first.family else None
    bookmark = positions.bookmark(latest) if latest else None
    if bookmark is None or first.older_than(bookmark):
        return Completed(list(group))
    if any(_identity(one.name, positions, settings) == latest for one in reversed(group)):
        return Completed(list(group))
    earlier = [one for one in _siblings(group, settings) if one.before(first)]
    rest = [one for one in earlier if _identity(one.name, positions, settings) == latest]
    between = [one for one in earlier if one not in rest and not one.older_than(bookmark)]
    warning = None if rest else _missing(first, bookmark.offset)
    return Completed(oldest_first([*rest[:1], *between, *group]), warning)


def _siblings(group: Sequence[Candidate], settings: ReadSettings) -> list[Candidate]:
    given = {str(Path(one.name).absolute()) for one in group}
    try:
        return [candidate(name, settings) for name in rotated_siblings(group[0].name) if name not in given]
    except UnreadableSourceError:
        return []  # the folder cannot be listed; then the warning tells what is missing


def _identity(name: str, positions: Positions, settings: ReadSettings) -> str | None:
    try:
        with open_log(name) as log:
            place = place_of(log, positions, settings.host)
    except (UnreadableSourceError, TlsmonError):
        return None  # told when it is read
    return place.log if place else None


def _missing(first: Candidate, offset: int) -> str:
    return (
        f"{first.name}: the log before it, read up to byte {offset}, is not in the same folder any more. "
        "What was added to it after that is missing. Ingest that log too, under whatever name it has now."
    )
