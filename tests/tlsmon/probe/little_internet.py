"""A little internet on loopback: a zone, mail servers of every kind, and web servers with MTA-STS policies."""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tlsmon.probe import authority
from tests.tlsmon.probe.names import Zone, serving
from tests.tlsmon.probe.receivers import BANNER, EHLO, Play, context, read_line, receiving, says, starttls

from tlsmon.probe.model import Settings

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: *.good.example\r\nmax_age: 86400\r\n"


def web(
    made: ssl.SSLContext, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain", body: bytes = POLICY
) -> Play:
    """Serve one answer over HTTPS."""

    def play(client: socket.socket) -> None:
        with made.wrap_socket(client, server_side=True) as session:
            while read_line(session).strip():
                pass
            session.sendall(head + b"\r\n\r\n" + body)

    return play


def greylisting() -> Play:
    """Turn the first connection away, then offer no STARTTLS."""
    seen: list[int] = []
    first, later = says(b"451 come back\r\n"), says(BANNER, b"250 mx\r\n", b"221 bye\r\n")

    def play(client: socket.socket) -> None:
        seen.append(1)
        (first if len(seen) == 1 else later)(client)

    return play


ROOT, TOP = authority.root(), authority.private_root()
GOOD = authority.issue(["mx.good.example"], ROOT)
IDENTITIES = {
    "good": GOOD,
    "wrong": authority.issue(["mx.provider.example"], ROOT),
    "private": authority.issue(["mx.private.example"], TOP),
    "self": authority.issue(["mx.self.example"], days=(-90, -1)),
    "web": authority.issue(["mta-sts.good.example", "mta-sts.moved.example"], ROOT),
}


def tlsa(record: authority.Identity) -> str:
    """Return a 3 1 1 record."""
    return "3 1 1 " + hashlib.sha256(record.spki).hexdigest()


HOSTS = {
    "good": "127.0.2.1",
    "clear": "127.0.2.2",
    "wrong": "127.0.2.3",
    "private": "127.0.2.4",
    "self": "127.0.2.5",
    "grey": "127.0.2.6",
    "busy": "127.0.2.7",
    "refusing": "127.0.2.8",
    "wantssni": "127.0.2.9",
}
ZONE = "\n".join(
    [f"{name}.example. MX 10 mx.{name}.example.\nmx.{name}.example. A {ip}" for name, ip in HOSTS.items()]
    + [
        "mixed.example. MX 10 mx.clear.example.",
        "mixed.example. MX 20 mx.good.example.",
        "hosted.example. MX 10 mx.good.example.",
        "null.example. MX 0 .",
        "stale.example. MX 10 mx.stale.example.",
        f"mx.stale.example. A {HOSTS['self']}",
        f"_PORT._tcp.mx.stale.example. TLSA {tlsa(IDENTITIES['good'])}",
        f"_PORT._tcp.mx.good.example. TLSA {tlsa(GOOD)}",
        f"_PORT._tcp.mx.self.example. TLSA {tlsa(IDENTITIES['self'])}",
        '_mta-sts.good.example. TXT "v=STSv1; id=1;"',
        "mta-sts.good.example. A 127.0.3.1",
        '_smtp._tls.good.example. TXT "v=TLSRPTv1; rua=mailto:jane@good.example"',
        "moved.example. MX 10 mx.good.example.",
        '_mta-sts.moved.example. TXT "v=STSv1; id=1;"',
        "mta-sts.moved.example. A 127.0.3.2",
        "unsigned.test. MX 10 mx.good.example.",
    ]
)


@contextmanager
def little_internet(folder: Path) -> Iterator[tuple[Settings, Zone]]:
    """Serve it; give settings to probe it, and its zone. ``folder`` gets the certificates, ``root.pem`` among them."""
    ROOT.write(folder / "root.pem")
    made = {name: context(one.write(folder / f"{name}.pem")) for name, one in IDENTITIES.items()}
    strict = context(folder / "good.pem")

    def demand_name(_session: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        return None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    strict.sni_callback = demand_name
    plays = {HOSTS[name]: starttls(made[name]) for name in ("good", "wrong", "private", "self")}
    plays[HOSTS["clear"]] = says(BANNER, b"250 mx\r\n", b"221 bye\r\n")
    plays[HOSTS["grey"]] = greylisting()
    plays[HOSTS["busy"]] = says(b"421 too many\r\n")
    plays[HOSTS["refusing"]] = says(BANNER, EHLO, b"454 TLS not available\r\n", b"221 bye\r\n")
    plays[HOSTS["wantssni"]] = starttls(strict)
    moved = web(made["web"], b"HTTP/1.1 302 Found\r\nLocation: https://mta-sts.good.example/")
    sites = {"127.0.3.1": web(made["web"]), "127.0.3.2": moved}
    with receiving(plays) as (port, _), receiving(sites) as (https, _):
        zone = Zone(ZONE.replace("_PORT", f"_{port}"), secure=["example."])
        with serving(zone) as server:
            yield (
                Settings(
                    port=port,
                    https_port=https,
                    nameservers=(server,),
                    allow_private=True,
                    ipv6=False,
                    ca_file=str(folder / "root.pem"),
                    conversation_seconds=3,
                    lookup_seconds=2,
                    back_off=0.05,
                    helo="probe.example",
                ),
                zone,
            )
