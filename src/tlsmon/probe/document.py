"""
Results of probes as JSON documents, and back: what ``--format json`` prints and what the store keeps.

Field names are those of :mod:`tlsmon.probe.model`, times are ISO 8601, TLSA data are hexadecimal digits. The
certificates themselves are left out: what the rungs ask of them has been answered.
"""

import types
import typing
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Union

from tlsmon.errors import TlsmonError
from tlsmon.probe.model import DomainResult

_LEFT_OUT: Final = frozenset({"chain"})


class DocumentError(TlsmonError):
    """A document is not the result of a probe."""


def to_document(result: DomainResult) -> dict[str, Any]:
    """Return a result as values that JSON has."""
    document: dict[str, Any] = _plain(result)
    return document


def from_document(document: Any) -> DomainResult:
    """Return the result that :func:`to_document` made a document of, without chains. Raises DocumentError."""
    try:
        result: DomainResult = _value(DomainResult, document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DocumentError(
            "The store holds a result of a probe that this version of tlsmon cannot read.",
            hint="Use the version that wrote it, or a newer one; `tlsmon probe --again` asks anew.",
        ) from error
    return result


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.name not in _LEFT_OUT}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, StrEnum) else value


@lru_cache(maxsize=64)
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(kind: Any, plain: Any) -> Any:
    """Return what a type's value was made of."""
    origin = typing.get_origin(kind)
    if origin in {Union, types.UnionType}:
        (some,) = [each for each in typing.get_args(kind) if each is not type(None)]
        return None if plain is None else _value(some, plain)
    if origin is tuple:
        return tuple(_value(typing.get_args(kind)[0], each) for each in plain)
    if is_dataclass(kind):
        made: Any = kind
        wanted = {name: each for name, each in _types(made).items() if name not in _LEFT_OUT}
        return made(**{name: _value(each, plain[name]) for name, each in wanted.items()})
    return _simple(kind, plain)


def _simple(kind: Any, plain: Any) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(plain)
    if kind is bytes:
        return bytes.fromhex(plain)
    if issubclass(kind, StrEnum):
        return kind(plain)
    if not isinstance(plain, (int, float) if kind is float else kind):
        raise TypeError(kind)
    return plain
