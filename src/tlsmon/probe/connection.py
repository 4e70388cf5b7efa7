"""
One TCP connection that nobody can hold: all waits end at one deadline, lines and the sum of all bytes are bounded.

The sums hold for what is sent in clear as well as over TLS. The size of a handshake is bounded by OpenSSL (100 KB of
certificates, SSL_CTX_set_max_cert_list).
"""

import ipaddress
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from tlsmon.probe.model import CouldNotTell, Why

MAX_LINE: Final = 2048  # RFC 5321, 4.5.3.1.5 says 512; Postfix reads 2048 (line_length_limit).
MAX_BYTES: Final = 128 << 10
_STEP: Final = 4096
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")


_T = TypeVar("_T")


class StoppedError(Exception):
    """The connection gave no answer; ``answer`` says why."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(words)
        self.answer = CouldNotTell(why, words)


def printable(text: str, limit: int = 200) -> str:
    r"""
    Return what a stranger sent as printable ASCII of bounded length, fit for a terminal.

    >>> printable("450 come\x1b[2J back")
    '450 come?[2J back'
    """
    safe = _UNPRINTABLE.sub("?", text[: limit * 4]).strip()
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def public(ip: str) -> bool:
    """
    Return whether an address may be one of a stranger's server on the internet.

    Addresses that carry an IPv4 address within are judged by that too: they would lead into the own network.

    >>> public("192.0.2.1"), public("::ffff:10.0.0.1"), public("64:ff9b::7f00:1"), public("8.8.8.8")
    (False, False, False, True)
    """
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return address.is_global and not address.is_multicast


class Connection:
    """
    A connection to an address, as a context manager.

    ``deadline`` is a moment of time.monotonic(). Every method raises StoppedError where there is no answer,
    and ssl.SSLError where TLS itself fails.
    """

    def __init__(self, ip: str, port: int, deadline: float, max_bytes: int = MAX_BYTES) -> None:
        self._deadline = deadline
        self._left = max_bytes
        self._buffer = bytearray()
        self._socket: socket.socket = _run(lambda: socket.create_connection((ip, port), self._remaining()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all."""
        self._socket.settimeout(self._remaining())
        _run(lambda: self._socket.sendall(data))

    def receive(self) -> bytes:
        """Return what comes next, at most 4 KB; nothing at the end."""
        self._socket.settimeout(self._remaining())
        data = _run(lambda: self._socket.recv(_STEP))
        self._left -= len(data)
        if self._left < 0:
            raise StoppedError(Why.TOO_MUCH, "sent more than a probe reads")
        return data

    def line(self) -> bytes:
        """Return the next line without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE:
                raise StoppedError(Why.TOO_MUCH, f"sent a line of more than {MAX_LINE:,} bytes")
            data = self.receive()
            if not data:
                raise StoppedError(Why.CLOSED, "closed the connection without an answer")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def pending(self) -> bool:
        """
        Return whether more has come than was asked for; without waiting.

        Before a handshake this is the sign of an injection. Only what came along with a line counts: a segment that
        is still under way breaks the handshake by itself.
        """
        return bool(self._buffer)

    def start_tls(self, context: ssl.SSLContext, server_name: str | None) -> ssl.SSLSocket:
        """Make the handshake. Raises ssl.SSLError where TLS itself fails, StoppedError where time or peer end it."""
        # The timeout of a handshake counts for the whole of it: _ssl.c computes one deadline before its loop.
        self._socket.settimeout(self._remaining())
        try:
            wrapped = context.wrap_socket(self._socket, server_hostname=server_name, do_handshake_on_connect=False)
        except ValueError as error:  # a name from a hostile zone: an empty or overlong label
            raise StoppedError(Why.GARBLED, "has a name that TLS cannot carry") from error
        self._socket = wrapped
        _run(wrapped.do_handshake)
        return wrapped

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise StoppedError(Why.TIMEOUT, "did not answer in time")
        return remaining


def _run(step: Callable[[], _T]) -> _T:
    """Return what a step on a socket gives. The one place where errors of the system become ours; TLS errors pass."""
    try:
        return step()
    except ssl.SSLError:
        raise
    except TimeoutError as error:
        raise StoppedError(Why.TIMEOUT, "did not answer in time") from error
    except ConnectionRefusedError as error:
        raise StoppedError(Why.CONNECTION_REFUSED, "refused the connection") from error
    except (ConnectionError, BrokenPipeError) as error:
        raise StoppedError(Why.CLOSED, "broke the connection off") from error
    except OSError as error:
        words = f"could not be reached: {os.strerror(error.errno or 0)}"
        raise StoppedError(Why.UNREACHABLE, words) from error
