"""The configuration of the mail server on this machine, as its own program tells it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Final

_SECONDS: Final = 20
_PATH: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/lib/exim4"))
_EFFECTIVE: Final = (
    *("mail_version", "compatibility_level", "smtp_tls_security_level", "smtp_tls_loglevel", "smtp_tls_CAfile"),
    *("smtp_tls_CApath", "maximal_queue_lifetime", "smtp_tls_mandatory_protocols", "smtp_dns_support_level"),
)
"""Asked for by name, so that defaults of this release come too."""


def postfix() -> str | None:
    """Return what postconf says of this machine; None where there is none, or it does not work."""
    program = shutil.which("postconf", path=_PATH)
    if not program:
        return None
    # -x expands $names; each of these works by itself in every release since 2.11.
    said = _said([program, "-nx"])
    if said is None:
        return None
    return "\n".join((said, _said([program, "-x", *_EFFECTIVE]) or "", _said([program, "-M"]) or ""))


def exim() -> str | None:
    """Return what exim says of this machine; None where there is none, or it does not work."""
    program = shutil.which("exim4", path=_PATH) or shutil.which("exim", path=_PATH)
    if not program:
        return None
    said = _said([program, "-bP"])
    if said is None:
        return None
    more = (["-bP", "transports"], ["-bP", "routers"], ["-bV"])
    return "\n".join((said, *(_said([program, *arguments]) or "" for arguments in more)))


def journald() -> Iterator[bytes]:
    """Yield the entries (JSON) in which journald says what it dropped; nothing where there is none."""
    program = shutil.which("journalctl", path=_PATH)
    said = _said([program, "-o", "json", "-t", "systemd-journald", "--since", "-30d"]) if program else None
    yield from (said or "").encode().splitlines()


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603, a fixed program with fixed arguments
            command, capture_output=True, check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
