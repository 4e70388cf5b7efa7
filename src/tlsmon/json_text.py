"""
JSON for programs and people: ASCII, indented by two, the same text as ``json.dumps(value, indent=2)``.

With an indent the standard library encodes in Python. Here what holds no further container is encoded by its C code,
with the line breaks as separators, and a long document is given in pieces.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from json import JSONEncoder
from typing import Any

_CONTAINERS = (dict, list, tuple)


def pieces(value: Any) -> Iterator[str]:
    """
    Yield the text of JSON values, the members of lists that a top-level object holds one by one.

    Such a list may also be an iterator, so that a long one never exists as a whole.
    """
    if not isinstance(value, dict):
        yield _text(value, 0)
        return
    before = "{\n"
    for key, member in value.items():
        yield f"{before}  {_flat(0).encode(key)}: "
        before = ",\n"
        yield from _members(member) if isinstance(member, list | tuple | Iterator) else [_text(member, 1)]
    yield "\n}" if value else "{}"


def _members(values: Iterable[Any]) -> Iterator[str]:
    before = "[\n    "
    for value in values:
        yield before + _text(value, 2)
        before = ",\n    "
    yield "[]" if before[0] == "[" else "\n  ]"


def _text(value: Any, depth: int) -> str:
    """Return the text of a value that stands so many levels deep."""
    if not isinstance(value, _CONTAINERS) or not value:
        return _flat(0).encode(value)
    line, end = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    if isinstance(value, dict):
        return "{" + line + f",{line}".join(_parts(value, depth + 1)) + end + "}"
    if any(isinstance(member, _CONTAINERS) and member for member in value):
        return "[" + line + f",{line}".join([_text(member, depth + 1) for member in value]) + end + "]"
    return "[" + line + _flat(depth + 1).encode(value)[1:-1] + end + "]"


def _parts(value: dict[str, Any], depth: int) -> Iterator[str]:
    """Yield the members of an object; plain ones that follow each other are one text."""
    plain: dict[str, Any] = {}
    for key, member in value.items():
        if isinstance(member, _CONTAINERS) and member:
            if plain:
                yield _flat(depth).encode(plain)[1:-1]
                plain = {}
            yield f"{_flat(0).encode(key)}: {_text(member, depth)}"
        else:
            plain[key] = member
    if plain:
        yield _flat(depth).encode(plain)[1:-1]


@lru_cache
def _flat(depth: int) -> JSONEncoder:
    return JSONEncoder(separators=(",\n" + "  " * depth, ": "))
