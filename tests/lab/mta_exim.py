"""A private Exim, started in a machine of the lab."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.machine import HOST_NAME, Machine
from tests.lab.mta import LogStyle, Setup
from tests.lab.syslog_daemon import start_syslog

_LOG = "/var/log/mail.log"
_MAIN = {
    "primary_hostname": f"{HOST_NAME}.sender.example",
    "domainlist local_domains": "localhost",
    "domainlist busy_domains": r"^busy-",
    # As Debian's configuration sets it (conf.d/main/90_exim4-config_log_selector).
    "log_selector": "+smtp_protocol_error +smtp_syntax_error +tls_certificate_verified +tls_peerdn",
    "local_interfaces": "127.0.0.1",
    "acl_smtp_rcpt": "accept",
    "tls_advertise_hosts": "*",
    "tls_certificate": "/etc/exim4/own.pem",
    "tls_privatekey": "/etc/exim4/own.pem",
    "smtputf8_advertise_hosts": "*",
    "remote_max_parallel": "2",
    "queue_run_max": "3",
    "smtp_accept_max": "0",
    "smtp_accept_queue_per_connection": "0",
    # Mail of busy domains waits for the queue runner, which keeps connections for further messages.
    "queue_smtp_domains": "+busy_domains",
    "ignore_bounce_errors_after": "0s",
    "keep_environment": "",
}
_ROUTERS_AND_MORE = """
begin acl
accept:
  accept
deny_all:
  deny
cut_through:
  accept
    control = cutthrough_delivery

begin routers
{routers}
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more

begin transports
{transports}
remote_smtp:
  driver = smtp
  tls_verify_certificates = /etc/exim4/ca.pem
  connect_timeout = 3s
  command_timeout = 4s
  data_timeout = 10s
{remote_smtp}

begin retry
* * F,1h,3s

begin authenticators
{authenticators}
"""


class Exim:
    """One Exim. ``authority`` is the lab's CA file, ``own`` the key and chain of its listener."""

    def __init__(self, machine: Machine, setup: Setup, authority: Path, own: Path) -> None:
        self._machine, self._setup = machine, setup
        self._authority, self._own = authority, own

    def _configuration(self) -> str:
        main = dict(_MAIN)
        parts = {"routers": "", "transports": "", "remote_smtp": "", "authenticators": ""}
        for name, value in self._setup.settings:
            (parts if name in parts else main)[name] = value
        own_log = self._setup.log_style is LogStyle.OWN
        main["log_file_path"] = "/var/log/exim4/%slog" if own_log else "syslog"
        options = "".join(f"{name} = {value}\n" for name, value in main.items())
        return options + _ROUTERS_AND_MORE.format(**parts)

    def start(self) -> None:
        """Begin to start; whoever hands in mail waits. Raises CalledProcessError for a configuration with an error."""
        config = self._machine.overlay("/etc/exim4")
        for inside in ("/var/spool/exim4", "/var/log"):
            self._machine.overlay(inside)
        if self._setup.log_style is not LogStyle.OWN:
            start_syslog(self._machine, self._setup.log_style)
        (config / "exim4.conf").write_text(self._configuration())
        for name, content in (("ca.pem", self._authority), ("own.pem", self._own)):
            (config / name).write_bytes(content.read_bytes())
            (config / name).chmod(0o644)
        for name, text in self._setup.maps:
            (config / name).write_text(text)
        # Debian sid leaves this to systemd-tmpfiles, which does not run here.
        self._machine.run(["install", "-d", "-o", "Debian-exim", "-g", "adm", "/var/log/exim4"])
        self._machine.run(["exim4", "-bV"])
        self._machine.start(["exim4", "-bdf", "-qq2s"])

    def waiting(self) -> set[str]:
        """Return the recipients that are still in the queue."""
        # Below each mail's line stand its recipients, those that have their mail marked with D.
        listing = self._machine.run(["exim4", "-bp"])
        return {match[1] for match in re.finditer(r"^ {10}(\S+)$", listing, re.MULTILINE)}

    def stop(self, log: Path) -> None:
        """Stop and copy the log to ``log``."""
        self._machine.stop()
        if self._setup.log_style is LogStyle.OWN:
            self._machine.collect("/var/log/exim4/mainlog", log)
        else:
            self._machine.collect(_LOG, log)
