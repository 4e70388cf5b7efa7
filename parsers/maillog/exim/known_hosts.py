"""
What lines said of a host: it did TLS, it took mail in clear, and whose certificates it showed.

Not every X= is the session's own, see ``ciphers``; what is known of the host tells which.
"""

import re
from datetime import datetime, timedelta
from typing import TypeVar

from maillog.counts import microseconds
from maillog.model import JsonValue

HOSTS_LIMIT = 5_000
REMEMBERED = timedelta(hours=6) // timedelta(microseconds=1)
"""Longer than a connection is kept."""
# The subject as OpenSSL and as GnuTLS write it: /C=UK/CN=mx.example.com and CN=mx.example.com,C=UK.
_COMMON_NAME = re.compile(r"(?:^|[/,+])CN=([^/,+]*)")

Value = TypeVar("Value", int, str)


def stranger_in(peer: str | None, host: str | None) -> str | None:
    """
    Return whose certificate it is, where it names none of the host's organisation: its own, or else the whole subject.

    Names with the same last two labels are taken for one organisation's.

    >>> stranger_in("/C=UK/CN=*.host.example", "mx.example.com")
    'host.example'
    >>> stranger_in("CN=mx.example.com,O=x", "mx1.example.com")
    """
    if peer is None:
        return None
    names = [_organisation(name) for name in _COMMON_NAME.findall(peer)]
    if _organisation(host or "") in names:
        return None
    return names[0] if names else peer


def _organisation(name: str) -> str:
    return ".".join(name.lower().rstrip(".").split(".")[-2:])


class KnownHosts:
    """The hosts that one Exim sent to, by address, each with the microsecond when it was last seen so."""

    def __init__(self) -> None:
        self._encrypted: dict[str, int] = {}
        self._clear: dict[str, int] = {}
        self._strangers: dict[str, str] = {}
        """Whose certificate was shown last, where it was not the host's own."""
        self._several: dict[str, int] = {}
        """Hosts that showed certificates of several strangers."""
        self._seeming: dict[str, int] = {}
        """As ``_clear``, of lines that are not judged yet, or that have another connection's cipher."""
        self._left: dict[str, int] = {}
        """Hosts with which a callout went on in clear after TLS had failed."""

    def was_encrypted(self, ip: str, time: datetime) -> None:
        """Note a session that was surely encrypted."""
        _remember(self._encrypted, ip, microseconds(time))

    def was_clear(self, ip: str, time: datetime) -> None:
        """Note a line without any sign of TLS."""
        _remember(self._clear, ip, microseconds(time))

    def showed(self, ip: str, stranger: str, time: datetime) -> None:
        """Note a certificate that is not the host's own."""
        if self._strangers.get(ip, stranger) != stranger:
            _remember(self._several, ip, microseconds(time))
        _remember(self._strangers, ip, stranger)

    def was_left(self, ip: str, time: datetime) -> None:
        """Note that a callout went on in clear after TLS had failed."""
        _remember(self._left, ip, microseconds(time))

    def is_left(self, ip: str, time: datetime) -> bool:
        """Tell whether a callout lately went on in clear after TLS had failed."""
        return _lately(self._left, ip, time)

    def seems_clear(self, ip: str, time: datetime) -> None:
        """Note a line that will be judged later, and seems to be of mail in clear."""
        _remember(self._seeming, ip, microseconds(time))

    def is_encrypted(self, ip: str, time: datetime) -> bool:
        """Tell whether the host did TLS lately, and never took mail in clear lately, or seems to have."""
        clear = _lately(self._clear, ip, time) or _lately(self._seeming, ip, time)
        return _lately(self._encrypted, ip, time) and not clear

    def stands_in(self, ip: str, stranger: str | None, time: datetime) -> bool:
        """Tell whether the host may take in clear what others had refused over TLS."""
        if _lately(self._clear, ip, time) or _lately(self._several, ip, time):
            return True
        return stranger is not None and self._strangers.get(ip, stranger) != stranger

    def carry(self) -> JsonValue:
        """Return the state as JSON."""
        hosts = self._encrypted, self._clear, self._strangers, self._several, self._left, self._seeming
        return [one.copy() for one in hosts]

    def restore(self, state: JsonValue) -> None:
        """Put back what :meth:`carry` gave; raises the errors of a wrong shape."""
        encrypted, clear, strangers, several, left, seeming = [*state, {}, {}, {}, {}][:6]  # older states know less
        self._encrypted, self._clear, self._seeming = dict(encrypted), dict(clear), dict(seeming)
        self._strangers, self._several, self._left = dict(strangers), dict(several), dict(left)


def _remember(hosts: dict[str, Value], ip: str, value: Value) -> None:
    hosts.pop(ip, None)
    hosts[ip] = value
    if len(hosts) > HOSTS_LIMIT:
        del hosts[next(iter(hosts))]


def _lately(hosts: dict[str, int], ip: str, time: datetime) -> bool:
    seen = hosts.get(ip)
    return seen is not None and abs(microseconds(time) - seen) <= REMEMBERED
