"""
Hand mail to the MTA, inside its namespace: ``python -m tests.lab.inject PLAN``.

Some of the sessions use STARTTLS, so that the log holds inbound TLS lines that say nothing about what is sent.
"""

from __future__ import annotations

import pickle
import smtplib
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

SENDER = "news@sender.example"


@dataclass(frozen=True)
class Mail:
    """One mail to hand in ``at`` seconds after the start of the run."""

    at: float
    recipients: tuple[str, ...]


def _text(number: int) -> bytes:
    return f"From: <{SENDER}>\r\nTo: undisclosed\r\nSubject: lab {number}\r\n\r\nLab mail {number}.\r\n".encode()


def _send(mails: list[tuple[int, Mail]], *, tls: bool) -> None:
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.sender.example", timeout=60) as session:
        if tls:
            session.starttls(context=ssl._create_unverified_context())
        for number, mail in mails:
            plain = all(recipient.isascii() for recipient in mail.recipients)
            session.sendmail(SENDER, mail.recipients, _text(number), mail_options=() if plain else ("SMTPUTF8",))


def _by_second(mails: list[Mail]) -> Iterator[tuple[int, list[tuple[int, Mail]]]]:
    numbered = sorted(enumerate(mails, 1), key=lambda pair: pair[1].at)
    for second, group in groupby(numbered, key=lambda pair: int(pair[1].at)):
        yield second, list(group)


def _await_server() -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            smtplib.SMTP("127.0.0.1", 25, timeout=10).quit()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def main() -> None:
    """Wait for the MTA, then send the mails in the file named on the command line, each at its time."""
    mails: list[Mail] = pickle.loads(Path(sys.argv[1]).read_bytes())
    _await_server()
    began = time.monotonic()
    for second, group in _by_second(mails):
        time.sleep(max(0.0, began + second - time.monotonic()))
        _send(group, tls=second % 5 == 0)


if __name__ == "__main__":
    main()
