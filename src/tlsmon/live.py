"""
The verbs of tlsmon that ask the world, for the commands and for notebooks. The others, in tlsmon.api, only read.

Heavy packages are imported inside the functions that need them, so that importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from tlsmon import config
from tlsmon.probe.model import (
    Answer,
    CouldNotTell,
    DomainResult,
    Ending,
    HostResult,
    MxKind,
    Offer,
    Passage,
    Rung,
    Settings,
    Trust,
)

if TYPE_CHECKING:
    from tlsmon.probe.check import CheckResult as CheckResult  # noqa: PLC0414, the commands name this type, too

__all__ = [
    "Answer",
    "CouldNotTell",
    "DomainResult",
    "Ending",
    "HostResult",
    "MxKind",
    "Offer",
    "Passage",
    "Rung",
    "Settings",
    "Trust",
    "busiest",
    "check",
    "document",
    "fold",
    "probe",
]


def probe(
    domains: Iterable[str],
    settings: Settings | None = None,
    store: str | None = None,
    hours: float = 24.0,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Generator[DomainResult, None, None]:
    """
    Give what each domain offers to senders, as soon as it is known, and keep it in a store.

    ``store``: None as in :func:`tlsmon.api.open`. What was asked within ``hours`` is not asked again. ``progress`` is
    told how many of how many domains are done. Raises SettingError and StoreError.
    """
    from tlsmon.probe.keep import probe_and_keep  # noqa: PLC0415

    return probe_and_keep(config.resolve(store=store).store, domains, settings or Settings(), hours, progress)


def check(domain: str, settings: Settings | None = None) -> CheckResult:
    """Return the state of one's own domain; nothing is stored. Raises as :func:`probe` does."""
    from tlsmon.probe import check as own  # noqa: PLC0415

    return own.check(domain, settings)


def busiest(store: str | None = None, top: int | None = None, days: int = 30) -> list[str]:
    """Return the recipient domains in a store, see :func:`tlsmon.probe.keep.busiest`."""
    from tlsmon.probe import keep  # noqa: PLC0415

    return keep.busiest(config.resolve(store=store).store, top, days)


def document(result: DomainResult) -> dict[str, Any]:
    """Return a result as values that JSON has, see :mod:`tlsmon.probe.document`."""
    from tlsmon.probe.document import to_document  # noqa: PLC0415

    return to_document(result)


def fold(domain: str) -> str:
    """Return a domain as the store spells it: lower case, A-label."""
    from tlsmon.probe.survey import folded  # noqa: PLC0415

    return folded(domain)
