"""
A table that is in use, read without losing a byte of it: what people wrote stays as they wrote it.

A table is a list of pieces whose texts put together are the file. Lines end at LF only and white space is ASCII's, as
the MTAs see it; a name from a log with U+2028 in it must not begin a line here when it begins none there.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from maillog.model import Level

_SPACE = " \t\n\v\f\r"
_ATTRIBUTES = frozenset(
    {"ciphers", "protocols", "servername", "match", "exclude", "tafile", "connection_reuse", "enable_rpk"}
    | {"policy_ttl", "policy_type", "policy_domain", "policy_string", "mx_host_pattern", "policy_failure"}
)
_MARK = "# tlsmon proposes to remove the next line: "
_LIST_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s:"][^\s:]*)')


class Entry(NamedTuple):
    """What a line says."""

    key: str
    """In lower case."""
    level: Level | None
    """None: the MTA cannot read the line either."""
    attributes: frozenset[str] = frozenset()
    """``name=value`` words; those of match= one by one, as their order means nothing."""


class Piece(NamedTuple):
    """A logical line with its continuation lines, or comments and blank lines between two of them."""

    text: str
    entry: Entry | None = None
    problem: str | None = None
    """Why the MTA, or tlsmon, cannot read it."""


class Table(NamedTuple):
    """A file, piece by piece."""

    pieces: tuple[Piece, ...]
    covers_parents: bool
    """Whether a key with a leading dot governs the names below it."""

    @property
    def text(self) -> str:
        """The file, unchanged."""
        return "".join(piece.text for piece in self.pieces)

    def entries(self) -> dict[str, Entry]:
        """Return the entries by key; of two lines with one key the first counts, as with postmap."""
        found: dict[str, Entry] = {}
        for piece in self.pieces:
            if piece.entry:
                found.setdefault(piece.entry.key, piece.entry)
        return found


def read_postfix(text: str) -> Table:
    """Read a table in postmap(1) format; what it cannot mean is a piece with a problem, never an error."""
    return _read(text, _postfix_entry, covers_parents=True)


def read_exim(text: str, level: Level) -> Table:
    """Read an lsearch file of domains that are held to ``level``."""

    def entry(line: str) -> Entry:
        key = _LIST_KEY.match(line)
        if not key:
            raise ValueError("no key at the start of the line")
        return Entry((key[1] or key[2] or "").lower(), level)

    return _read(text, entry, covers_parents=False)


def mark(reason: str) -> str:
    """Return the comment that stands above a line which should go."""
    return f"{_MARK}{reason}\n"


def _read(text: str, entry: Callable[[str], Entry], *, covers_parents: bool) -> Table:
    pieces: list[Piece] = []
    keys: set[str] = set()
    for block in _blocks(text):
        piece = _piece(block, entry)
        if piece.entry and piece.entry.key in keys:
            # dict_thash.c: a running Postfix refuses the whole table; postmap warns and takes the first line.
            piece = piece._replace(entry=None, problem=f"{piece.entry.key} is written twice")
        elif piece.entry:
            keys.add(piece.entry.key)
        pieces.append(piece)
    return Table(tuple(pieces), covers_parents)


def _blocks(text: str) -> Iterator[str]:
    """
    Cut a file into logical lines and what stands between (readlline.c:readlline).

    A line that starts with white space continues the last logical line, also over comments and blank lines.
    """
    block, between = "", ""
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if line.startswith(_MARK):  # ours, written anew with each merge
            continue
        if is_blank(line):
            between += line
        elif line[0] in _SPACE and block:
            block, between = block + between + line, ""
        else:
            yield from filter(None, (block, between))
            block, between = line, ""
    yield from filter(None, (block, between))


def is_blank(line: str) -> bool:
    """Tell whether the mail server passes over a line: a comment, or nothing but white space."""
    return line.lstrip(_SPACE)[:1] in {"", "#"}


def _piece(block: str, entry: Callable[[str], Entry]) -> Piece:
    lines = [line for line in block.split("\n") if not is_blank(line)]
    if not lines:
        return Piece(block)
    if lines[0][0] in _SPACE:
        return Piece(block, problem="white space at the start continues no line")
    if "\0" in block:
        return Piece(block, problem="a NUL character ends the line for the mail server")
    try:
        found = entry("".join(lines))
    except ValueError as error:
        return Piece(block, problem=str(error))
    problem = None if found.level else "not a TLS policy: mail for this key is deferred"
    return Piece(block, found, problem)


def _postfix_entry(line: str) -> Entry:
    """Read ``key LEVEL attribute=value ...`` (dict_thash.c, smtp_tls_policy.c:tls_policy_lookup_one)."""
    key, *rest = re.split(r"[ \t\r\n]", line, maxsplit=1)
    value = rest[0].strip(_SPACE) if rest else ""
    if not value:
        raise ValueError("a key without a policy")
    level, *attributes = re.findall(r"\{[^{}]*\}|[^, \t\r\n]+", value) or [""]
    known = {each.value for each in Level} - {Level.HALFDANE}
    entry = Entry(key.lower(), None)
    if level.lower() not in known or not all(map(_is_attribute, attributes)):
        return entry
    return entry._replace(level=Level(level.lower()), attributes=frozenset(_single(attributes)))


def _is_attribute(word: str) -> bool:
    name, equals, value = word.strip("{}").partition("=")
    return name.strip(_SPACE).lower() in _ATTRIBUTES and bool(equals) and bool(value)


def _single(attributes: list[str]) -> Iterator[str]:
    for word in attributes:
        name, _, value = word.strip("{}").partition("=")
        values = value.strip(_SPACE).split(":") if name.lower().strip(_SPACE) == "match" else [value.strip(_SPACE)]
        for each in values:
            yield f"{name.strip(_SPACE).lower()}={each}"
