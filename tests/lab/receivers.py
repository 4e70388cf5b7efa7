"""
The receiving side: SMTP and LMTP servers that behave as told and write down what they accepted, and how.

Runs as a process of its own inside the receivers' namespace, ``python -m tests.lab.receivers PLAN``; it says ``ready``
on standard output and ends when its standard input is closed, so that it cannot outlive the run.
"""

from __future__ import annotations

import asyncio
import pickle
import re
import ssl
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.lab.names import Zone, serve_names
from tests.lab.truth import Accepted, write_truth
from tests.lab.world import Behaviour, Break, Endpoint, StartTls, World

_ADDRESS = re.compile(rb"^(?:MAIL FROM|RCPT TO):\s*<([^>]*)>", re.IGNORECASE)
_PROTOCOLS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True)
class Plan:
    """What the process is told: the world, the certificate of each host, and where to write."""

    world: World
    certificates: dict[tuple[str, str], Path]
    """Key and chain in one PEM file, by host name and kind of certificate."""
    authority: Path
    truth: Path
    dns_address: str


def tls_context(behaviour: Behaviour, certificate: Path, authority: Path) -> ssl.SSLContext:
    """Return the server's side of TLS for a behaviour."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if behaviour.only_protocol:
        # OpenSSL 3 speaks TLS 1.0 at security level 0 only.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = _PROTOCOLS[behaviour.only_protocol]
    if behaviour.client_certificate:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Ledger:
    """Gives out reply ids, remembers greylisted recipients, writes the truth."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0
        self._seen: set[bytes] = set()

    def next_id(self) -> str:
        """Return a reply id that no other mail of the run has."""
        self._last += 1
        return f"LAB-{self._last:06}"

    def first_time(self, recipient: bytes) -> bool:
        """Tell whether this recipient is new, and remember it."""
        new = recipient not in self._seen
        self._seen.add(recipient)
        return new

    def accepted(self, row: Accepted) -> None:
        """Write down one accepted recipient."""
        write_truth(row, self._path)


@dataclass
class Service:
    """One endpoint in operation."""

    host: str
    endpoint: Endpoint
    context: ssl.SSLContext
    ledger: Ledger
    counts: Counter[str] = field(default_factory=Counter)

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end, whatever the client does."""
        self.counts["sessions"] += 1
        try:
            await Session(self, reader, writer, self.counts["sessions"]).run()
        except (OSError, ssl.SSLError, ValueError, asyncio.CancelledError):
            pass  # The client broke off, its line was too long, or the run is over.
        finally:
            writer.close()


class Session:
    """One SMTP or LMTP session (RFC 5321, RFC 2033, RFC 3207)."""

    def __init__(
        self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._service = service
        self._behaviour = service.endpoint.behaviour
        self._reader, self._writer = reader, writer
        self._number = number
        self._offers = self._behaviour.offers_starttls(number)
        self._recipients: list[bytes] = []
        self._tls: ssl.SSLObject | None = None
        self._open = True

    async def run(self) -> None:
        """Greet, then answer commands until one side ends it."""
        if self._behaviour.silent:
            await self._reader.read()
            return
        await self._say(b"220 " + self._service.host.encode() + b" ESMTP lab")
        while self._open and (line := await self._reader.readline()):
            verb = line.split(None, 1)[0].upper() if line.strip() else b""
            await self._answer(verb, line.strip())

    async def _say(self, text: bytes) -> None:
        self._writer.write(text + b"\r\n")
        await self._writer.drain()

    async def _answer(self, verb: bytes, line: bytes) -> None:
        match verb:
            case b"EHLO" | b"LHLO" | b"HELO":
                await self._greet()
            case b"STARTTLS" if self._offers:
                await self._start_tls()
            case b"MAIL":
                await self._mail()
            case b"RCPT":
                await self._recipient(line)
            case b"DATA":
                await self._data()
            case b"RSET" | b"NOOP":
                self._recipients = []
                await self._say(b"250 2.0.0 Ok")
            case b"QUIT":
                await self._say(b"221 2.0.0 Bye")
                self._open = False
            case _:
                await self._say(b"502 5.5.2 Command not recognized")

    def _gives_up(self, where: Break) -> bool:
        """Tell whether the session ends here, and let it."""
        ends = self._behaviour.breaks_at(where, self._number)
        self._open = self._open and not ends
        return ends

    async def _greet(self) -> None:
        if self._tls and self._gives_up(Break.EHLO):
            return
        words = [self._service.host.encode(), b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"]
        if self._offers and self._tls is None:
            words.append(b"STARTTLS")
        for word in words[:-1]:
            self._writer.write(b"250-" + word + b"\r\n")
        await self._say(b"250 " + words[-1])

    async def _start_tls(self) -> None:
        match self._behaviour.starttls:
            case StartTls.REFUSED_FOR_NOW | StartTls.REFUSED as refusal:
                await self._say(refusal.encode())
            case StartTls.HANG_UP:
                self._open = False
            case StartTls.GARBAGE:
                await self._say(b"what do you want?")
            case StartTls.NO_ANSWER:
                await self._reader.read()
                self._open = False
            case StartTls.NO_HANDSHAKE:
                await self._say(b"220 2.0.0 Ready to start TLS")
                await self._reader.read(1)  # the ClientHello
                await self._say(b"500 5.5.1 what was that?")
                self._open = False
            case _:
                await self._say(b"220 2.0.0 Ready to start TLS")
                await self._writer.start_tls(self._service.context)
                self._tls = self._writer.get_extra_info("ssl_object")
                self._open = not self._behaviour.drop_after_handshake

    async def _mail(self) -> None:
        self._recipients = []
        if self._gives_up(Break.MAIL_421):
            await self._say(b"421 4.3.2 Going down")
        elif not self._gives_up(Break.MAIL):
            await self._say(b"250 2.1.0 Ok")

    async def _recipient(self, line: bytes) -> None:
        if self._gives_up(Break.RCPT):
            return
        found = _ADDRESS.match(line)
        behaviour = self._behaviour
        self._service.counts["recipients"] += 1
        if found is None:
            await self._say(b"501 5.5.4 Syntax: RCPT TO:<address>")
        elif behaviour.busy_every and self._number % behaviour.busy_every == 0:
            await self._say(b"450 4.3.2 Over capacity")
        elif behaviour.recipient_reply:
            await self._say(behaviour.recipient_reply)
        elif behaviour.unknown_every and self._service.counts["recipients"] % behaviour.unknown_every == 0:
            await self._say(b"550 5.1.1 User unknown in virtual mailbox table")
        elif behaviour.greylist and self._service.ledger.first_time(found[1]):
            await self._say(b"450 4.2.0 Greylisted, see http://postgrey.example/help")
        else:
            self._recipients.append(found[1])
            await self._say(b"250 2.1.5 Ok")

    async def _data(self) -> None:
        if not self._recipients:
            await self._say(b"554 5.5.1 Error: no valid recipients")
            return
        await self._say(b"354 End data with <CR><LF>.<CR><LF>")
        while (line := await self._reader.readline()) != b".\r\n":
            if not line or self._gives_up(Break.DATA):
                self._open = False
                return
        if self._gives_up(Break.DOT):
            return
        batches = [[one] for one in self._recipients] if self._behaviour.lmtp else [self._recipients]
        for batch in batches:
            reply_id = self._service.ledger.next_id()
            for recipient in batch:
                self._service.ledger.accepted(self._row(recipient, reply_id))
            await self._say(b"250 2.0.0 Ok: queued as " + reply_id.encode() + self._behaviour.accepted_text)
        self._recipients = []

    def _row(self, recipient: bytes, reply_id: str) -> Accepted:
        address = recipient.decode("utf-8", "replace")
        cipher = self._tls.cipher() if self._tls else None
        return Accepted(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            reply_id=reply_id,
            domain=address.rpartition("@")[2],
            recipient=address,
            mx_host=self._service.host,
            mx_ip=self._service.endpoint.address,
            mx_port=self._service.endpoint.port,
            tls=self._tls is not None,
            protocol=self._tls.version() if self._tls else None,
            cipher=cipher[0] if cipher else None,
            session=self._number,
        )


async def _serve(plan: Plan) -> None:
    await serve_names(Zone(plan.world), plan.dns_address)
    ledger = Ledger(plan.truth)
    for host, _ in plan.world.hosts():
        for endpoint in host.endpoints:
            pem = plan.certificates[host.name, endpoint.behaviour.certificate]
            service = Service(host.name, endpoint, tls_context(endpoint.behaviour, pem, plan.authority), ledger)
            await asyncio.start_server(service.session, endpoint.address, endpoint.port)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve the plan in the file named on the command line until standard input ends."""
    # Old protocols are spoken here on purpose.
    warnings.filterwarnings("ignore", category=DeprecationWarning, message="ssl.TLSVersion")
    plan: Plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    asyncio.run(_serve(plan))


if __name__ == "__main__":
    main()
