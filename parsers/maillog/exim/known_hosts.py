"""
What lines that can be believed said of a host: it did TLS, or it took mail in clear.

Not every X= is the session's own. Since 4.90 a process that has handed a TLS connection on to its TLS proxy, or that
was given one, writes that connection's cipher on all lines that have none, also on those of a mail that went to another
host in clear (``deliver.c:do_remote_deliveries``, "else if (continue_proxy_cipher)"; seen with 4.96 and 4.100.1, there
also in further messages on a connection without TLS). DN= comes from the session alone.
"""

from datetime import datetime, timedelta

from maillog.counts import microseconds
from maillog.model import JsonValue

HOSTS_LIMIT = 5_000
REMEMBERED = timedelta(hours=6) // timedelta(microseconds=1)
"""Longer than a connection is kept."""


class KnownHosts:
    """The hosts that one Exim sent to, by address, each with the microsecond when it was last seen so."""

    def __init__(self) -> None:
        self._encrypted: dict[str, int] = {}
        self._clear: dict[str, int] = {}

    def was_encrypted(self, ip: str, time: datetime) -> None:
        """Note a session that was surely encrypted."""
        _remember(self._encrypted, ip, time)

    def was_clear(self, ip: str, time: datetime) -> None:
        """Note a line without any sign of TLS."""
        _remember(self._clear, ip, time)

    def is_encrypted(self, ip: str, time: datetime) -> bool:
        """Tell whether the host did TLS lately, and never took mail in clear lately."""
        return _lately(self._encrypted, ip, time) and not _lately(self._clear, ip, time)

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        return [self._encrypted.copy(), self._clear.copy()]

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        encrypted, clear = state
        self._encrypted, self._clear = dict(encrypted), dict(clear)


def _remember(hosts: dict[str, int], ip: str, time: datetime) -> None:
    hosts.pop(ip, None)
    hosts[ip] = microseconds(time)
    if len(hosts) > HOSTS_LIMIT:
        del hosts[next(iter(hosts))]


def _lately(hosts: dict[str, int], ip: str, time: datetime) -> bool:
    seen = hosts.get(ip)
    return seen is not None and abs(microseconds(time) - seen) <= REMEMBERED
