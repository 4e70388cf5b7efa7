"""
The exceptions register: domains that somebody decided to leave as they are, with owner, reason and expiry.

A TOML file with one table for each decision::

    [[exception]]
    domain = "example.com"
    owner = "Mail operations"
    reason = "Their gateway gets STARTTLS in March."
    expires = 2027-03-31
"""

import contextlib
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import idna

from tlsmon.errors import TlsmonError

_HINT: Final = (
    "Each entry is an [[exception]] with domain, owner and reason as text, and expires as a day: expires = 2027-03-31."
)
_MOST_BYTES: Final = 4_000_000


class RegisterError(TlsmonError):
    """The register cannot be read."""


class Exemption(NamedTuple):
    """One decision to leave a domain."""

    domain: str
    """Lower case, A-label."""
    owner: str
    reason: str
    expires: date
    """The last day on which it holds."""


def read(path: Path) -> tuple[Exemption, ...]:
    """Return the exceptions of a register, sorted by expiry and domain. Raises RegisterError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RegisterError(f"{path}: larger than {_MOST_BYTES:,} bytes.", hint=_HINT)
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegisterError(f"{path}: cannot be read ({error.strerror}).", hint="Name another file.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegisterError(f"{path}: not TOML: {error}.", hint=_HINT) from error
    return parse(document, str(path))


def parse(document: dict[str, Any], where: str) -> tuple[Exemption, ...]:
    """Return the exceptions of a register that was read as TOML. Raises RegisterError."""
    entries = document.get("exception", [])
    unknown = sorted(document.keys() - {"exception"})
    if unknown or not isinstance(entries, list):
        raise RegisterError(f"{where}: {(unknown or ['exception'])[0]!r} is not understood.", hint=_HINT)
    found: dict[str, Exemption] = {}
    for number, entry in enumerate(entries, 1):
        exemption = _exemption(entry, f"{where}: exception {number}")
        if exemption.domain in found:
            raise RegisterError(f"{where}: exception {number}: {exemption.domain} is there twice.", hint=_HINT)
        found[exemption.domain] = exemption
    return tuple(sorted(found.values(), key=lambda item: (item.expires, item.domain)))


def _exemption(entry: object, where: str) -> Exemption:
    if not isinstance(entry, dict) or entry.keys() != set(Exemption._fields):
        problem = "no table" if not isinstance(entry, dict) else _keys_problem(entry.keys())
        raise RegisterError(f"{where}: {problem}.", hint=_HINT)
    for name in ("domain", "owner", "reason"):
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise RegisterError(f"{where}: {name} is not text.", hint=_HINT)
    expires = entry["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise RegisterError(f"{where}: expires is not a day.", hint=_HINT)
    return Exemption(_a_label(entry["domain"]), entry["owner"].strip(), entry["reason"].strip(), expires)


def _keys_problem(keys: Any) -> str:
    missing = sorted(set(Exemption._fields) - set(keys))
    return f"{missing[0]} is missing" if missing else f"{min(set(keys) - set(Exemption._fields))!r} is not understood"


def _a_label(domain: str) -> str:
    """Return a domain as the store spells it (RFC 5891, section 4)."""
    with contextlib.suppress(idna.IDNAError, UnicodeError):
        return idna.encode(domain.strip().rstrip("."), uts46=True).decode("ascii").lower()
    return domain.strip().lower()
