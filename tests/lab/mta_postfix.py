"""A private Postfix, started in a machine of the lab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.lab.machine import HOST_NAME, Machine
from tests.lab.mta import LogStyle, Setup
from tests.lab.syslog_daemon import start_syslog

_LOG = "/var/log/mail.log"
_MAIN = {
    "myhostname": f"{HOST_NAME}.sender.example",
    "mydestination": "localhost",
    "mynetworks": "127.0.0.0/8 [::1]/128",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "all",
    "compatibility_level": "3.6",
    "smtp_tls_security_level": "may",
    "smtp_tls_loglevel": "1",
    "smtp_tls_CAfile": "/etc/postfix/ca.pem",
    # As Debian's main.cf: resumed sessions log a shorter line.
    "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_loglevel": "1",
    "smtpd_tls_chain_files": "/etc/postfix/own.pem",
    # Timers that are hours or minutes in the field. Clear text after a failed handshake comes only for mail older
    # than minimal_backoff_time (smtp_connect.c), so that one decides whether a short run sees any.
    "queue_run_delay": "2s",
    "minimal_backoff_time": "3s",
    "maximal_backoff_time": "6s",
    "smtp_connect_timeout": "3s",
    "smtp_helo_timeout": "4s",
    "smtp_starttls_timeout": "4s",
    "smtp_mail_timeout": "10s",
    "smtp_rcpt_timeout": "10s",
    "smtp_data_done_timeout": "10s",
    "transport_retry_time": "3s",
}
_SERVICES = """\
127.0.0.1:25 inet n - n - - smtpd{filter}
127.0.0.1:10025 inet n - n - - smtpd
    -o content_filter= -o smtpd_tls_security_level=none -o smtpd_authorized_xforward_hosts=127.0.0.0/8
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
    -o syslog_name=postfix/$service_name
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
"""
_FILTER = "\n    -o content_filter=smtp:[127.0.0.1]:10024"


class Postfix:
    """One Postfix. ``authority`` is the lab's CA file, ``own`` the key and chain of its smtpd."""

    def __init__(self, machine: Machine, setup: Setup, authority: Path, own: Path) -> None:
        self._machine, self._setup = machine, setup
        self._authority, self._own = authority, own

    def start(self) -> None:
        """Begin to start; whoever hands in mail waits."""
        config = self._machine.overlay("/etc/postfix")
        for inside in ("/var/spool/postfix", "/var/lib/postfix", "/var/log"):
            self._machine.overlay(inside)
        main = _MAIN | dict(self._setup.settings)
        if self._setup.log_style is LogStyle.OWN:
            main["maillog_file"] = _LOG
        else:
            start_syslog(self._machine, self._setup.log_style)
        (config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in main.items()))
        services = _SERVICES.format(filter=_FILTER if self._setup.content_filter else "")
        (config / "master.cf").write_text(services + self._setup.services)
        (config / "ca.pem").write_bytes(self._authority.read_bytes())
        (config / "own.pem").write_bytes(self._own.read_bytes())
        for name, text in self._setup.maps:
            (config / name).write_text(text)
        for table in self._indexed(main.values()):
            self._machine.run(["postmap", table])
        self._machine.start(["postfix", "start-fg"])

    def _indexed(self, settings: Iterable[str]) -> Iterator[str]:
        """Yield the run's maps that the settings name with a type that postmap(1) has to make."""
        for name, _ in self._setup.maps:
            for kind in ("hash", "lmdb"):
                table = f"{kind}:/etc/postfix/{name}"
                if any(table in setting for setting in settings):
                    yield table

    def waiting(self) -> set[str]:
        """Return the recipients that are still in the queue."""
        mails = [json.loads(line) for line in self._machine.run(["postqueue", "-j"]).splitlines()]
        return {recipient["address"] for mail in mails for recipient in mail["recipients"]}

    def stop(self, log: Path) -> None:
        """Stop and copy the log to ``log``."""
        self._machine.stop()
        self._machine.collect(_LOG, log)
