"""Stores with a synthetic history, for reports and notebooks."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.synthetic.build import Size, build
from tests.synthetic.observed import START, observation
from tests.synthetic.traffic import mails
from tests.synthetic.world import World

from tlsmon.evidence.model import Observation
from tlsmon.rollup.fold import merged
from tlsmon.rollup.model import MICROSECONDS_PER_HOUR, Key, Row, Span
from tlsmon.store.table import Table

CIPHERS = {"TLSv1.3": "TLS_AES_256_GCM_SHA384", "TLSv1.2": "ECDHE-RSA-AES256-GCM-SHA384", "TLSv1": "AES128-SHA"}


def history(store: Path, size: Size, a_day: int, seed: int = 7) -> Table:
    """Fill a store with the mail of a synthetic world, which begins on Monday, 5 January 2026."""
    world = build(size, seed)
    return filled(store, _observations(world, a_day, seed))


def filled(store: Path, observations: Iterable[Observation]) -> Table:
    """Fill a store with observations."""
    table = Table.open_or_create(str(store))
    table.append(merged(map(row, observations)), {})
    return Table.open(str(store))


def row(item: Observation) -> Row:
    """Return an observation as a row of the hour in which it ended."""
    key = Key(
        item.last // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR,
        *item.sender,
        "outbound",
        item.domain,
        *item.address,
        "internet",
        item.security,
        item.authentication,
        "correlated" if item.security in ("encrypted", "plaintext") else "none",
        item.protocol,
        item.cipher,
        item.outcome,
        item.cause,
        item.level,
        provisional=False,
        earlier=",".join(sorted(item.earlier)) or None,
    )
    return Row(key, Span(item.attempts, item.first, item.last, item.connections))


def _observations(world: World, a_day: int, seed: int) -> Iterator[Observation]:
    for mail in mails(world, a_day, seed):
        for attempt in mail.attempts:
            item = observation(world, mail, attempt)
            if item.protocol:
                item = _with_cipher(item, mail.number)
            yield item


def _with_cipher(item: Observation, number: int) -> Observation:
    """Give some sessions an older protocol, and those of one provider DANE."""
    protocol = "TLSv1.2" if number % 5 == 0 else "TLSv1" if item.domain.endswith("7.test") else "TLSv1.3"
    dane = "dane" if item.address.host.endswith("big1.test") else item.authentication
    return item._replace(protocol=protocol, cipher=CIPHERS[protocol], authentication=dane)


__all__ = ["START", "Size", "filled", "history", "row"]
