"""
An HTTPS server for MTA-STS policies (RFC 8461, section 3.3).

Run it in the receivers' namespace as ``python -m tests.lab.policy_host PLAN``; it says ``ready`` on standard output and
ends when its standard input is closed.
"""

from __future__ import annotations

import pickle
import ssl
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATH = "/.well-known/mta-sts.txt"


@dataclass(frozen=True)
class PolicyHost:
    """One address that serves one policy."""

    address: str
    certificate: Path
    policy: str


def _handler(policy: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != PATH:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(policy.encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


def serve(host: PolicyHost) -> None:
    """Serve in a thread of its own."""
    server = ThreadingHTTPServer((host.address, 443), _handler(host.policy))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(host.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Serve the hosts in the file named on the command line until standard input ends."""
    hosts: list[PolicyHost] = pickle.loads(Path(sys.argv[1]).read_bytes())
    for host in hosts:
        serve(host)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
