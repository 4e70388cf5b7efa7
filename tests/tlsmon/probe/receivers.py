"""SMTP servers on loopback: each behaviour is a function that plays the server's part on one socket."""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Play = Callable[[socket.socket], None]


@dataclass
class Meter:
    """How many connections there were, and how many at once, for each address."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def connection(self, ip: str) -> Iterator[None]:
        """Count a connection while it lasts."""
        with self.lock:
            self.now[ip] += 1
            self.total[ip] += 1
            self.most[ip] = max(self.most[ip], self.now[ip])
        try:
            yield
        finally:
            with self.lock:
                self.now[ip] -= 1


@contextmanager
def receiving(plays: dict[str, Play], port: int = 0) -> Iterator[tuple[int, Meter]]:
    """Listen at each address with its behaviour; give the port, the same for all, and the count."""
    # Counts connections only: a server learns of the end of one after the client has made the next.
    meter, listeners = Meter(), []
    stop = threading.Event()
    for ip, play in plays.items():
        listener = socket.create_server((ip, port), backlog=64)
        port = listener.getsockname()[1]
        listener.settimeout(0.2)
        listeners.append(listener)
        threading.Thread(target=_listen, args=(listener, ip, play, (meter, stop)), daemon=True).start()
    try:
        yield port, meter
    finally:
        stop.set()
        for listener in listeners:
            listener.close()


def _listen(listener: socket.socket, ip: str, play: Play, shared: tuple[Meter, threading.Event]) -> None:
    meter, stop = shared
    while not stop.is_set():
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        client.settimeout(10)
        threading.Thread(target=_play, args=(client, ip, play, meter), daemon=True).start()


def _play(client: socket.socket, ip: str, play: Play, meter: Meter) -> None:
    with meter.connection(ip), client, suppress(OSError, ValueError):
        play(client)


def read_line(client: socket.socket) -> bytes:
    """Return the next line."""
    line = b""
    while not line.endswith(b"\n"):
        data = client.recv(1)
        if not data:
            raise ConnectionResetError
        line += data
    return line


def says(*steps: bytes) -> Play:
    """Say the first, then one after each line of the client; then close."""

    def play(client: socket.socket) -> None:
        client.sendall(steps[0])
        for step in steps[1:]:
            read_line(client)
            client.sendall(step)
        with suppress(OSError):
            read_line(client)

    return play


BANNER = b"220 mx.example ESMTP\r\n"
EHLO = b"250-mx.example greets\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
READY = b"220 go ahead\r\n"


def context(identity: Path | None, **options: object) -> ssl.SSLContext:
    """Return the server's TLS settings; without identity only anonymous ciphers."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if identity:
        made.load_cert_chain(identity)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def starttls(made: ssl.SSLContext, delay: float = 0.0, after: bytes = EHLO) -> Play:
    """Play a good server; ``delay``: seconds before each answer; ``after``: the reply to EHLO over TLS."""

    def play(client: socket.socket) -> None:
        for step in (BANNER, EHLO, READY):
            if step is not BANNER:
                read_line(client)
            time.sleep(delay)
            client.sendall(step)
        with made.wrap_socket(client, server_side=True) as session:
            read_line(session)
            time.sleep(delay)
            session.sendall(after)
            read_line(session)
            session.sendall(b"221 bye\r\n")

    return play
