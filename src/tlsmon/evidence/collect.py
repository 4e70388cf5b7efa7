"""Rows of the store -> observations of a window."""

import contextlib
import gc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from tlsmon.evidence.model import Address, Observation, Sender
from tlsmon.rollup.model import Direction
from tlsmon.store.table import NAME, Table
from tlsmon.store.values import values

_KEYS: Final = (
    "recipient_domain, sender_domain, mx_host, mx_ip, mx_port, mta, host, instance, "
    "security, authentication, protocol, cipher, outcome, cause, level, earlier"
)
_TRAFFIC: Final = {
    # Where no host was reached the scope is null; such rows tell of DANE and policy failures.
    Direction.OUTBOUND: "direction = 'outbound' AND (scope = 'internet' OR scope IS NULL) "
    "AND recipient_domain IS NOT NULL",
    Direction.INBOUND: "direction = 'inbound' AND scope = 'internet' AND sender_domain IS NOT NULL",
}

_RECENT: Final = timedelta(days=31)
"""Before the newest row of any kind: outbound traffic is nearly always found here, without reading a long past."""


def observations(
    table: Table, since: datetime, until: datetime, direction: Direction = Direction.OUTBOUND
) -> list[Observation]:
    """
    Return the attempts towards the internet, or inbound from it, from ``since`` to ``until`` (aware), by day.

    What was counted provisionally and taken back is gone. Raises StoreError.
    """
    where = f"{_TRAFFIC[direction]} AND hour >= {_moment(since)} AND hour < {_moment(until)}"
    found = table.query(
        f"""
        SELECT {_KEYS}, CAST(SUM(count) AS BIGINT) AS attempts,
            CAST(MIN("first") AS BIGINT) AS "first", CAST(MAX("last") AS BIGINT) AS "last"
        FROM (
            SELECT {_KEYS}, hour, count, "first", "last" FROM {NAME} WHERE NOT provisional AND {where}
            UNION ALL
            SELECT {_KEYS}, hour, SUM(count) AS count, "first", "last" FROM {NAME} WHERE provisional AND {where}
            GROUP BY {_KEYS}, hour, "first", "last" HAVING SUM(count) <> 0
        )
        GROUP BY {_KEYS}, date_trunc('day', arrow_cast(hour, 'Timestamp(Microsecond, None)'))
        """  # noqa: S608, own names and times only
    )
    with _without_collection():
        items = _observations(found)
        return items if direction is Direction.OUTBOUND else [*map(_arrival, items, values(found["sender_domain"]))]


def end(table: Table, direction: Direction = Direction.OUTBOUND) -> datetime:
    """Return the end of the last hour of traffic; now where there is none. Raises StoreError."""
    newest = table.newest()
    where = _TRAFFIC[direction]
    last = _last(table, f"{where} AND hour >= {_moment(newest - _RECENT)}") if newest else None
    last = last or _last(table, where)
    return last + timedelta(hours=1) if last else datetime.now(tz=UTC)


def _last(table: Table, where: str) -> datetime | None:
    (row,) = table.query(f"SELECT MAX(hour) AS hour FROM {NAME} WHERE {where}").to_pylist()  # noqa: S608, own names
    last: datetime | None = row["hour"]
    return last


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.isoformat()}'"


def _arrival(found: Observation, sender_domain: str) -> Observation:
    """Return mail that came in; a client without a name is known by its address."""
    client = found.address._replace(host=found.address.host or found.address.ip or "")
    return found._replace(domain=sender_domain, address=client, direction=Direction.INBOUND)


def _observations(found: pa.Table) -> list[Observation]:
    """Return the rows as observations. Equal texts, addresses and senders are one object, which saves most of them."""
    addresses: dict[tuple[str | None, ...], Address] = {}
    senders: dict[tuple[str | None, ...], Sender] = {}
    sets: dict[str | None, frozenset[str]] = {None: frozenset(), "": frozenset()}
    items = []
    for domain, _, host, ip, port, mta, reporter, instance, *rest, earlier, attempts, first, last in zip(
        *map(values, found.columns), strict=True
    ):
        where, who = (host, ip, port), (mta, reporter, instance)
        address = addresses.get(where) or addresses.setdefault(where, Address(host or "", ip, port))
        sender = senders.get(who) or senders.setdefault(who, Sender(mta, reporter, instance))
        if earlier not in sets:
            sets[earlier] = frozenset(earlier.split(","))
        words = (domain, address, sender, *rest, attempts, first, last, sets[earlier])
        items.append(Observation(*words))
    return items


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Keep the garbage collector from walking through a million new values again and again; none is in a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
