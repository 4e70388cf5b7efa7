"""
A content filter on loopback, as amavis is one: takes mail on 127.0.0.1:10024 and gives it back on 10025.

Runs inside the MTA's namespace and ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import smtplib
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class _Reinject:
    """Hands each mail on and answers with the MTA's own reply, as amavis does."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        return await asyncio.to_thread(self._hand_on, envelope)

    def _hand_on(self, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        utf8 = any(not recipient.isascii() for recipient in envelope.rcpt_tos)
        with smtplib.SMTP("127.0.0.1", 10025, timeout=30) as back:
            back.ehlo()
            back.mail(envelope.mail_from or "", ["SMTPUTF8"] if utf8 else [])
            for recipient in envelope.rcpt_tos:
                back.rcpt(recipient)
            code, text = back.data(envelope.content)
        return f"{code} 2.0.0 from MTA(smtp:[127.0.0.1]:10025): {code} {text.decode('ascii', 'replace')}"


def main() -> None:
    """Serve until standard input ends."""
    controller = Controller(_Reinject(), hostname="127.0.0.1", port=10024, enable_SMTPUTF8=True)
    controller.start()
    print("ready", flush=True)
    sys.stdin.read()
    threading.Thread(target=controller.stop, daemon=True).start()


if __name__ == "__main__":
    main()
