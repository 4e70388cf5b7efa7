"""Probing with a memory: what was asked lately is not asked again, and what is found is stored as it comes."""

import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from tlsmon.probe.ledger import recall, remember
from tlsmon.probe.model import DomainResult, Settings, Why
from tlsmon.probe.survey import folded, probe
from tlsmon.store.probes import Probes
from tlsmon.store.table import NAME, Table

_BATCH: Final = 200
_SECONDS: Final = 20.0
"""After so many results or so much time they are stored, so that a call that is cut short loses little."""


def probe_and_keep(
    store: str,
    domains: Iterable[str],
    settings: Settings,
    hours: float,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Generator[DomainResult, None, None]:
    """
    Give what each domain offers, each once; store what was asked.

    What is in the store and younger than ``hours`` is given from there, without certificates' bytes. Raises as
    :func:`tlsmon.probe.survey.probe` does, and StoreError.
    """
    probes = Probes(store)
    probes.create()  # what cannot be kept should not be asked
    now = datetime.now(tz=UTC)
    known = _usable(recall(probes, now - timedelta(hours=hours), now), settings) if hours else {}
    asked: list[DomainResult] = []
    stored = time.monotonic()
    try:
        for result in probe(domains, settings, known.values(), progress):
            if known.get(result.domain) is not result and result.finished:
                asked.append(result)
            if len(asked) >= _BATCH or time.monotonic() - stored > _SECONDS:
                batch, asked, stored = asked, [], time.monotonic()
                remember(probes, batch, vantage())
            yield result
    finally:  # also where nobody wants to hear more
        remember(probes, asked, vantage())


def vantage() -> str:
    """Return the name of this machine, from where the world is seen."""
    return socket.gethostname()


def _usable(known: Mapping[str, DomainResult], settings: Settings) -> dict[str, DomainResult]:
    """Leave out what was not asked because earlier settings forbade it."""
    if not settings.allow_private:
        return dict(known)
    return {domain: result for domain, result in known.items() if not _forbidden(result)}


def _forbidden(result: DomainResult) -> bool:
    offers = [address.plain for host in result.hosts for address in host.reached]
    return any(offer.why is Why.FORBIDDEN for offer in offers) or (
        result.sts.untold is not None and result.sts.untold.why is Why.FORBIDDEN
    )


def busiest(store: str, top: int | None, days: int) -> list[str]:
    """
    Return the recipient domains of the last ``days`` of the store, the one with the most mail first; None: all.

    Raises StoreError.
    """
    limit = "" if top is None else f"LIMIT {top:d}"
    where = "direction = 'outbound' AND scope = 'internet' AND recipient_domain IS NOT NULL"
    last = f"(SELECT MAX(hour) FROM {NAME} WHERE {where})"  # noqa: S608, own names only
    found = Table.open(store).query(
        f"SELECT recipient_domain AS domain FROM {NAME} WHERE {where} "  # noqa: S608, own names and numbers only
        f"AND hour > {last} - INTERVAL '{days:d} days' GROUP BY 1 HAVING SUM(count) > 0 "
        f"ORDER BY SUM(CASE outcome WHEN 'sent' THEN count ELSE 0 END) DESC, 1 {limit}"
    )
    return [folded(row["domain"]) for row in found.to_pylist()]
