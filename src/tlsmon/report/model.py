"""
What a report is made of: every number and sentence that a page shows, as plain values.

PDF, HTML and JSON are made from the same :class:`Report`; none of them computes anything.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Cell: TypeAlias = str | int | float | date | None


class Form(StrEnum):
    """In which form a report is written."""

    PDF = "pdf"
    HTML = "html"
    JSON = "json"


class Paper(StrEnum):
    """The size of a page of the PDF, upright."""

    A4 = "a4"
    LETTER = "letter"


class Kind(StrEnum):
    """How the cells of a column are shown."""

    TEXT = "text"
    COUNT = "count"
    """To the right, with separators."""
    SHARE = "share"
    """From 0 to 1; to the right, in per cent."""
    DAY = "day"


class Column(NamedTuple):
    """One column of a table."""

    key: str
    """Its name in the JSON."""
    title: str
    kind: Kind = Kind.TEXT
    width: float = 1.0
    """Relative to the other columns; columns of numbers take what they need."""


class Table(NamedTuple):
    """Rows for people to read, the most important first."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """All of them; how many a page shows is the business of the pages."""
    empty: str
    """What is said where there is no row."""


class Lines(NamedTuple):
    """Lines to be copied into a file, such as a policy."""

    title: str
    text: tuple[str, ...]
    lines: tuple[str, ...]


class Section(NamedTuple):
    """A part of the report with its heading."""

    key: str
    """Its name in the JSON."""
    title: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    tables: tuple[Table, ...] = ()
    lines: tuple[Lines, ...] = ()


class Week(NamedTuple):
    """Mail sent to the internet in one week. The five parts add up to ``sent``."""

    monday: date
    label: str
    """``2026-W46`` (ISO 8601, UTC)."""
    dane: int = 0
    """Encrypted and authenticated by DANE."""
    verified: int = 0
    """Encrypted to a server whose certificate was verified with its name."""
    encrypted: int = 0
    """Encrypted in any other way."""
    plaintext: int = 0
    unknown: int = 0
    """The log does not tell."""

    @property
    def sent(self) -> int:
        """Return all mail sent."""
        return self.all_encrypted + self.plaintext + self.unknown

    @property
    def all_encrypted(self) -> int:
        """Return what was encrypted, in whichever way."""
        return self.dane + self.verified + self.encrypted

    @property
    def share_encrypted(self) -> float | None:
        """From 0 to 1, of what is known, as in ``tlsmon traffic``; None where nothing is."""
        known = self.all_encrypted + self.plaintext
        return self.all_encrypted / known if known else None


class Rung(NamedTuple):
    """One level of the ladder: what the domains and their mails could stand."""

    level: str
    domains: int
    safe_domains: int
    mails: int
    safe: int
    """Mails to domains that are safe at the level."""
    delays: int
    loses: int
    unproven: int


class KeyFigure(NamedTuple):
    """A number that stands on the first page, with what it counts."""

    value: str
    label: str


class Changes(NamedTuple):
    """What is different from a week before, as domains, those with the most mail first."""

    newly_ready: tuple[str, ...] = ()
    newly_failing: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()


class Report(NamedTuple):
    """The whole report."""

    title: str
    subtitle: str
    made_from: datetime
    """The end of what was judged, UTC. The date of the document: the same store gives the same bytes."""
    level: str
    since: datetime
    until: datetime
    sentence: str
    """The week in one sentence."""
    notices: tuple[str, ...]
    """What to know before anything else: nothing is safe, all mail goes through one host, TLS logging is off."""
    key_figures: tuple[KeyFigure, ...]
    weeks: tuple[Week, ...]
    ladder: tuple[Rung, ...]
    changes: Changes
    unchanged: str
    """What is said where there are none."""
    sections: tuple[Section, ...]
