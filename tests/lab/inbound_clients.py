"""
Clients that hand mail in, each with an address of its own: ``python -m tests.lab.inbound_clients PLAN``.

Runs inside a namespace of the lab. What the server accepted, and over what, is written down here, where it is known.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import smtplib
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

RECIPIENT = "box@our.example"
NOBODY = "nobody@our.example"


class Way(StrEnum):
    """What a client does in a session."""

    TLS = "tls"
    OLD_TLS = "old_tls"
    """TLS 1.2."""
    CLEAR = "clear"
    CLEAR_FIRST = "clear_first"
    """A mail in clear, then STARTTLS and another one."""
    WRONG_RECIPIENT = "wrong_recipient"
    """Over TLS, to somebody whom the server does not know."""
    DISTRUSTFUL = "distrustful"
    """It checks the server's certificate against no CA, and hangs up in the handshake."""
    GARBAGE = "garbage"
    """STARTTLS, and then no TLS."""
    GONE = "gone"
    """It says EHLO and hangs up."""
    LOGIN = "login"
    """Over TLS, with a user name and a password."""


@dataclass(frozen=True)
class Visit:
    """One session."""

    client: str
    server: str
    port: int
    way: Way
    sender: str
    mails: int = 1


@dataclass(frozen=True)
class Plan:
    """What is to be done, one after the other, and where the truth goes."""

    visits: tuple[Visit, ...]
    truth: Path


def _truth(visit: Visit, session: smtplib.SMTP, queue_id: str) -> dict[str, object]:
    encrypted = isinstance(session.sock, ssl.SSLSocket)
    cipher = session.sock.cipher() if isinstance(session.sock, ssl.SSLSocket) else None
    return {
        "time": datetime.now(UTC).isoformat(),
        "queue_id": queue_id,
        "client": visit.client,
        "port": visit.port,
        "way": visit.way,
        "sender": visit.sender,
        "tls": encrypted,
        "protocol": session.sock.version() if isinstance(session.sock, ssl.SSLSocket) else None,
        "cipher": cipher and cipher[0],
    }


def _hand_in(visit: Visit, session: smtplib.SMTP) -> Iterator[dict[str, object]]:
    for number in range(visit.mails):
        session.mail(visit.sender)
        code, _ = session.rcpt(NOBODY if visit.way == Way.WRONG_RECIPIENT else RECIPIENT)
        if code >= 400:
            session.rset()
            continue
        code, reply = session.data(f"From: <{visit.sender}>\r\nSubject: lab {number}\r\n\r\nLab mail.\r\n")
        if code == 250:
            # Postfix: "2.0.0 Ok: queued as A7DBC242A08"; Exim: "OK id=1xVfNG-00000D-32".
            yield _truth(visit, session, reply.decode().split()[-1].removeprefix("id="))


def _context(way: Way) -> ssl.SSLContext:
    if way == Way.DISTRUSTFUL:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl._create_unverified_context()
    if way == Way.OLD_TLS:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def _visit(visit: Visit) -> Iterator[dict[str, object]]:
    """Do one session; yield what was accepted."""
    with smtplib.SMTP(
        visit.server, visit.port, "client.example", timeout=20, source_address=(visit.client, 0)
    ) as session:
        session.ehlo()
        if visit.way in (Way.CLEAR, Way.CLEAR_FIRST):
            yield from _hand_in(visit, session)
        if visit.way == Way.GARBAGE:
            session.docmd("STARTTLS")
            assert session.sock is not None
            session.sock.sendall(b"QUIT\r\n" * 50)
            time.sleep(0.2)
        elif visit.way not in (Way.CLEAR, Way.GONE):
            session.starttls(context=_context(visit.way))
            session.ehlo()
            if visit.way == Way.LOGIN:
                session.login("ann", "secret")
            yield from _hand_in(visit, session)
        if visit.way == Way.GONE:
            session.close()


def _await(visit: Visit) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection((visit.server, visit.port), 5, (visit.client, 0)) as connection:
                connection.recv(100)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def main() -> None:
    """Wait for the server, then do all visits of the plan named on the command line."""
    plan: Plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    _await(plan.visits[0])
    with plan.truth.open("a") as file:
        for visit in plan.visits:
            # A server that refuses or a handshake that fails is what some of them are for.
            with contextlib.suppress(smtplib.SMTPException, OSError, ValueError):
                for row in _visit(visit):
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
