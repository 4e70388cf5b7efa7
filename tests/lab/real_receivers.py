"""Receivers that are real: one Postfix and one Exim, each with many addresses that are set up differently."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.authority import Authority, Certificate
from tests.lab.machine import Machine, cache_folder
from tests.lab.network import Network
from tests.lab.world import Tlsa

POSTFIX, EXIM = "postfix-bookworm", "exim-bookworm"
DELAY = 3
"""Seconds before the banner, where it is delayed."""


@dataclass(frozen=True)
class Receiver:
    """One domain with one MX host at one address."""

    name: str
    """Of the domain, below ``example``."""
    root: str
    certificate: Certificate | None = Certificate.TRUSTED
    """None: there is no such file."""
    wildcard: bool = False
    private: bool = False
    """Of an authority that nobody else knows."""
    settings: tuple[tuple[str, str], ...] = ()
    """Postfix: parameters of its smtpd. Exim: values of the settings in ``_EXIM`` for its address."""
    signed: bool = True
    tlsa: Tlsa | None = None

    @property
    def domain(self) -> str:
        """Return the recipient domain."""
        return f"{self.name}.example"

    @property
    def host(self) -> str:
        """Return its MX host."""
        return f"mx.{self.domain}"

    def issue(self, authority: Authority, private: Authority) -> Path:
        """Write the key and chain that it uses, and return their path."""
        issuer = private if self.private else authority
        host = f"*.{self.domain}" if self.wildcard else self.host
        return issuer.issue(self.certificate or Certificate.TRUSTED, host, self.domain)


_POSTFIX_MAIN = """\
compatibility_level = 3.6
myhostname = mx.receiver.example
mydestination =
inet_interfaces = all
inet_protocols = ipv4
maillog_file = /var/log/mail.log
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
"""
_POSTFIX_MASTER = """\
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix_receiving(
    network: Network, receivers: Sequence[tuple[Receiver, str, Path]], folder: Path
) -> Iterator[None]:
    """Run a Postfix that listens at the address of each receiver with its settings."""
    machine = _machine(POSTFIX, network, folder)
    config = machine.overlay("/etc/postfix")
    for inside in ("/var/spool/postfix", "/var/lib/postfix", "/var/log"):
        machine.overlay(inside)
    services = [_POSTFIX_MASTER]
    for receiver, address, pem in receivers:
        own = f"/etc/postfix/{receiver.name}.pem"
        if receiver.certificate:
            (config / Path(own).name).write_bytes(pem.read_bytes())
        options = [("myhostname", receiver.host), ("smtpd_tls_chain_files", own), *receiver.settings]
        words = " ".join(f"-o {{ {name} = {value} }}" for name, value in options)
        services.append(f"{address}:25 inet n - n - - smtpd\n    {words}\n")
    (config / "main.cf").write_text(_POSTFIX_MAIN)
    (config / "master.cf").write_text("".join(services))
    try:
        machine.start(["postfix", "start-fg"])
        _await(network, [address for _, address, _ in receivers], folder)
        yield
    finally:
        machine.stop()


_EXIM = {
    "tls_advertise_hosts": "*",
    "tls_require_ciphers": "NORMAL",
    "greet_delay": "0s",
    "starttls": "yes",
}
"""What can differ from one address to the other, and what it is where nothing is said."""
_EXIM_CONFIG = """\
primary_hostname = mx.receiver.example
domainlist local_domains =
local_interfaces = {addresses}
log_file_path = /var/log/exim4/%slog
keep_environment =
smtp_accept_max = 0
acl_smtp_connect = connect
acl_smtp_starttls = starttls
acl_smtp_rcpt = deny
smtp_active_hostname = ${{lookup{{$received_ip_address}}lsearch{{/etc/exim4/names}}{{$value}}{{mx.example}}}}
tls_certificate = /etc/exim4/$received_ip_address.pem
tls_privatekey = /etc/exim4/$received_ip_address.pem
tls_advertise_hosts = ${{lookup{{$received_ip_address}}lsearch{{/etc/exim4/tls_advertise_hosts}}{{$value}}{{*}}}}
tls_require_ciphers = ${{lookup{{$received_ip_address}}lsearch{{/etc/exim4/tls_require_ciphers}}{{$value}}{{NORMAL}}}}

begin acl
connect:
  accept delay = ${{lookup{{$received_ip_address}}lsearch{{/etc/exim4/greet_delay}}{{$value}}{{0s}}}}
starttls:
  accept condition = ${{lookup{{$received_ip_address}}lsearch{{/etc/exim4/starttls}}{{$value}}{{yes}}}}
deny:
  deny
"""


@contextmanager
def exim_receiving(network: Network, receivers: Sequence[tuple[Receiver, str, Path]], folder: Path) -> Iterator[None]:
    """Run an Exim that listens at the address of each receiver with its settings."""
    machine = _machine(EXIM, network, folder)
    config = machine.overlay("/etc/exim4")
    for inside in ("/var/spool/exim4", "/var/log"):
        machine.overlay(inside)
    addresses = [address for _, address, _ in receivers]
    (config / "exim4.conf").write_text(_EXIM_CONFIG.format(addresses=" : ".join(addresses)))
    (config / "names").write_text("".join(f"{address}: {receiver.host}\n" for receiver, address, _ in receivers))
    for name in _EXIM:
        lines = [f"{address}: {dict(receiver.settings)[name]}\n" for receiver, address, _ in receivers
                 if name in dict(receiver.settings)]  # fmt: skip
        (config / name).write_text("".join(lines))
    for receiver, address, pem in receivers:
        if receiver.certificate:
            (config / f"{address}.pem").write_bytes(pem.read_bytes())
            (config / f"{address}.pem").chmod(0o644)
    try:
        machine.run(["install", "-d", "-o", "Debian-exim", "-g", "adm", "/var/log/exim4"])
        machine.run(["exim4", "-bV"])
        machine.start(["exim4", "-bdf"])
        _await(network, addresses, folder)
        yield
    finally:
        machine.stop()


def _machine(root: str, network: Network, folder: Path) -> Machine:
    folder.mkdir()
    return Machine(cache_folder() / root, network.receivers, folder)


_LISTENING = "import socket, sys\nfor ip in sys.argv[1:]: socket.create_connection((ip, 25), 2).close()"


def _await(network: Network, addresses: Sequence[str], folder: Path) -> None:
    """Wait until somebody listens at all addresses. Raises RuntimeError."""
    command = ["ip", "netns", "exec", network.mta, "python3", "-c", _LISTENING, *addresses]
    for _ in range(60):
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.3)
    raise RuntimeError(f"nobody listens at {addresses}; daemon.out in {folder} may say why")


def address_of(number: int) -> str:
    """Return an address of the receivers' side; those of name servers are passed over."""
    return str(socket.inet_ntoa((0xCB007100 + number).to_bytes(4, "big")))
