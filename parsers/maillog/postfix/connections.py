"""
How the connections that scache(8) keeps began, as far as ``tls=`` states it.

A line with ``conn_use=`` of 2 or more says ``may?``, or nothing where the connection was found by its next hop, whether
the cached connection is encrypted or not. A cached TLS connection is announced in a line of its own, so what is not
announced is clear, unless that line was lost.
"""

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import TypeVar

from maillog.model import JsonValue

CACHED_LONGEST = timedelta(seconds=600)
"""smtp_connection_reuse_time_limit is 300 s, and the last use may take a while."""
REMEMBERED = 20_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Connections:
    """When each relay was last given a fresh connection in clear; None: only encrypted ones were seen."""

    def __init__(self) -> None:
        self._clear: dict[str, datetime | None] = {}

    def opened(self, relay: str, time: datetime, *, encrypted: bool) -> None:
        """Note the first use of a connection."""
        clear = self._clear.pop(relay, None)
        self._clear[relay] = clear if encrypted else time
        if len(self._clear) > REMEMBERED:
            del self._clear[next(iter(self._clear))]

    def may_be_clear(self, relay: str, time: datetime) -> bool:
        """
        Tell whether a cached connection to the relay can have begun in clear.

        It cannot where fresh connections were seen, and none in clear that could still be open.
        """
        return relay not in self._clear or self.seen_clear(relay, time)

    def seen_clear(self, relay: str, time: datetime) -> bool:
        """Tell whether a connection that could still be open was stated to begin in clear."""
        opened = self._clear.get(relay)
        return opened is not None and time - opened <= CACHED_LONGEST

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return {relay: time and time.isoformat() for relay, time in self._clear.items()}

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        self._clear = {relay: time and datetime.fromisoformat(time) for relay, time in state.items()}


def remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep the latest ``REMEMBERED`` values."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]


def relay_key(host: str | None, ip: str | None, port: int | None) -> str:
    """Return what relays are remembered by."""
    return f"{host}[{ip}]:{port}"
