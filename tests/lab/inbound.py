"""
A mail server that takes mail, and its clients: ``python -m tests.lab.inbound [NAME…]`` makes the samples.

As root, after ``make lab``. A run takes a few seconds.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.lab.authority import Authority
from tests.lab.inbound_clients import Plan, Visit, Way
from tests.lab.machine import Machine, cache_folder
from tests.lab.make_samples import SAMPLES, log_name
from tests.lab.mta import Setup
from tests.lab.network import lab_network
from tests.lab.run import _dump, _python, _server

SERVER = "192.0.2.1"
LOOPBACK = "127.0.0.1"
SUBMISSION = 587
NAMED = {
    "198.51.100.11": "mx1.partner.example",
    "198.51.100.12": "mx2.partner.example",
    "198.51.100.21": "out.clear.example",
    "198.51.100.31": "mail.half.example",
    "198.51.100.41": "vm1.hoster.example",
    "198.51.100.42": "vm2.hoster.example",
}
"""Clients with a name that leads back to them, in /etc/hosts; all others have none. Exim looks none up, by default."""

_POSTFIX = (
    Setup("postfix-bookworm")
    .setting("inet_interfaces", "all")
    .setting("relay_domains", "our.example")
    .setting("transport_maps", "inline:{our.example=discard:}")
    .setting("smtpd_recipient_restrictions", "check_recipient_access inline:{nobody@our.example=REJECT}, permit")
    .with_services(
        f"{SERVER}:25 inet n - n - - smtpd\n"
        f"{SERVER}:{SUBMISSION} inet n - n - - smtpd\n"
        "    -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt\n"
    )
)
_NEW_POSTFIX = "postfix-sid"
_EXIM = (
    Setup("exim-bookworm")
    .setting("local_interfaces", f"<; {LOOPBACK} ; {SERVER}")
    .setting("daemon_smtp_ports", f"25 : {SUBMISSION}")
    .setting("acl_smtp_rcpt", "${if eq{$local_part}{nobody}{deny_all}{accept}}")
    .setting("auth_advertise_hosts", "${if eq{$tls_in_cipher}{}{}{*}}")
    .setting("routers", "ours:\n  driver = redirect\n  domains = our.example\n  data = :blackhole:\n")
    .setting(
        "authenticators",
        "plain:\n  driver = plaintext\n  public_name = PLAIN\n  server_set_id = $auth2\n  server_condition = yes\n",
    )
)


class Variant(NamedTuple):
    """One sample."""

    setup: Setup
    about: str


VARIANTS = {
    "postfix-3.7": Variant(_POSTFIX, "Postfix 3.7 that takes mail, `smtpd_tls_loglevel = 1`."),
    "postfix-3.7-loglevel0": Variant(
        _POSTFIX.setting("smtpd_tls_loglevel", "0"),
        "Postfix 3.7 that takes mail with its default `smtpd_tls_loglevel = 0`: only counts at the end of "
        "a session tell.",
    ),
    "postfix-3.7-encrypt": Variant(
        _POSTFIX.setting("smtpd_tls_security_level", "encrypt"),
        "Postfix 3.7 that demands TLS: `smtpd_tls_security_level = encrypt`.",
    ),
    "postfix-3.11": Variant(_POSTFIX.on(_NEW_POSTFIX), "Debian sid's Postfix that takes mail."),
    "exim-4.96": Variant(_EXIM, "Exim 4.96 (GnuTLS) that takes mail, Debian's log_selector."),
    "exim-4.96-notlscipher": Variant(
        _EXIM.setting("log_selector", "-tls_cipher -tls_certificate_verified -tls_peerdn"),
        "The same without TLS selectors: only `P=` tells.",
    ),
    "exim-4.100": Variant(_EXIM.on("exim-sid"), "Debian sid's Exim that takes mail."),
}

_README = """# {name}

{about}

- `{log}`: the log as the server wrote it.
- `truth.jsonl`: one line for each mail that the server accepted, written by the client that handed it in: `queue_id` as
  the server answered it, the client's address, the port, over TLS or not, protocol, cipher, the sender.

Made by `python -m tests.lab.inbound {name}`.
"""


@dataclass(frozen=True)
class Result:
    """What a run leaves behind."""

    log: Path
    truth: Path


def visits(seed: int, login: bool) -> tuple[Visit, ...]:
    """Return sessions in some order: partners over TLS, in clear, now so and now so, scanners, our own users."""
    draw = random.Random(seed)
    mx1, mx2, clear, half, vm1, vm2 = NAMED
    found = [
        *(Visit(draw.choice((mx1, mx2)), SERVER, 25, Way.TLS, "ann@partner.example", draw.randint(1, 4))
          for _ in range(12)),
        *(Visit(mx1, SERVER, 25, Way.OLD_TLS, "Bob@Partner.EXAMPLE") for _ in range(3)),
        *(Visit(clear, SERVER, 25, Way.CLEAR, "cron@clear.example", draw.randint(1, 3)) for _ in range(6)),
        *(Visit(half, SERVER, 25, draw.choice((Way.TLS, Way.CLEAR)), "eve@half.example") for _ in range(8)),
        *(Visit(vm1, SERVER, 25, Way.TLS, f"info@shop{number}.example") for number in range(5)),
        *(Visit(vm2, SERVER, 25, Way.CLEAR, f"info@shop{number}.example") for number in range(4, 8)),
        *(Visit(mx2, SERVER, 25, Way.TLS, "") for _ in range(3)),
        *(Visit(f"203.0.113.{number}", SERVER, 25, Way.CLEAR, "spam@partner.example") for number in range(3)),
        *(Visit(f"203.0.113.{number}", SERVER, 25, way, "x@scan.example") for number, way in enumerate(
            (Way.GARBAGE, Way.DISTRUSTFUL, Way.GONE, Way.WRONG_RECIPIENT, Way.CLEAR_FIRST), 40)),
        *(Visit("203.0.113.99", SERVER, SUBMISSION, Way.LOGIN if login else Way.TLS, "ann@our.example")
          for _ in range(4)),
    ]  # fmt: skip
    draw.shuffle(found)
    return tuple(found)


def run_inbound(setup: Setup, folder: Path, seed: int = 1) -> Result:
    """Start a server, let its clients come one after the other, from outside and from loopback; below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    certificates = folder / "certificates"
    certificates.mkdir()
    log, truth = folder / "log", folder / "truth.jsonl"
    outside = Plan(visits(seed, login=setup.root.startswith("exim")), truth)
    inside = Plan(
        tuple(Visit(LOOPBACK, LOOPBACK, 25, Way.TLS, "root@our.example") for _ in range(3)), folder / "own.jsonl"
    )
    with lab_network() as network:
        machine = Machine(cache_folder() / setup.root, network.mta, folder)
        machine.replace_file(
            "/etc/hosts", "".join(f"{ip} {name}\n" for ip, name in {LOOPBACK: "localhost", **NAMED}.items())
        )
        # There is no DNS: whoever asks it for a client's name waits for ten seconds.
        machine.replace_file("/etc/nsswitch.conf", "hosts: files\n")
        server = _server(machine, setup, Authority(certificates))
        try:
            server.start()
            for namespace, plan in ((network.receivers, outside), (network.mta, inside), (network.receivers, outside)):
                command = _python(namespace, "tests.lab.inbound_clients", _dump(folder, "visits.pickle", plan))
                subprocess.run(command, check=True, cwd=SAMPLES.parent)
            time.sleep(2)
        finally:
            server.stop(log)
    return Result(log, truth)


def inbound_sample(name: str) -> Path:
    """Return the folder of a variant's sample."""
    return SAMPLES / f"inbound-{name}"


def main() -> None:
    """Make the samples named on the command line, or all."""
    for name in sys.argv[1:] or VARIANTS:
        folder = inbound_sample(name)
        with tempfile.TemporaryDirectory(prefix="tlsmon-lab-") as scratch:
            result = run_inbound(VARIANTS[name].setup, Path(scratch))
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(result.log, folder / log_name(name))
            shutil.copyfile(result.truth, folder / "truth.jsonl")
        text = _README.format(name=name, about=VARIANTS[name].about, log=log_name(name))
        (folder / "README.md").write_text(text)
        print(name, flush=True)


if __name__ == "__main__":
    main()
