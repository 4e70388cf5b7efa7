"""Hand a mail over: to the sendmail program of this machine, or to an SMTP server over STARTTLS."""

import re
import smtplib
import ssl
import subprocess
from email.message import EmailMessage
from typing import Final, NamedTuple

from tlsmon.config import SettingError
from tlsmon.errors import TlsmonError
from tlsmon.trust import verifying_context

_SECONDS: Final = 120
_PORT: Final = 587
_PORTS: Final = 1 << 16


class PostError(TlsmonError):
    """A mail could not be handed over."""


class Server(NamedTuple):
    """An SMTP server that takes mail from us."""

    host: str
    port: int = _PORT
    starttls: bool = True
    """Demanded, with a certificate of a known authority for ``host``; without it nothing is sent."""
    user: str | None = None
    password: str | None = None


def server(where: str, *, starttls: bool, user: str | None, password: str | None) -> Server:
    """
    Return the server that ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT`` names. Raises SettingError.

    >>> server("mail.example:25", starttls=True, user=None, password=None)[:2]
    ('mail.example', 25)
    """
    found = re.fullmatch(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?", where)
    port = int(found["port"] or _PORT) if found else 0
    if not found or not 0 < port < _PORTS:
        raise SettingError(
            f"{where[:100]!r} is not a server.", hint="Give it as mail.example.org or mail.example.org:587."
        )
    if user and not starttls:
        raise SettingError("A password is not sent in clear.", hint="Leave out --smtp-user or --no-smtp-starttls.")
    return Server(found["ipv6"] or found["host"], port, starttls, user, password)


def by_sendmail(message: EmailMessage, program: str) -> None:
    """Hand over to a program that takes ``-t -oi`` as Sendmail, Postfix and Exim have it. Raises PostError."""
    try:
        done = subprocess.run(  # noqa: S603, the recipients stand in the message, not on the command line
            [program, "-t", "-oi"],
            input=bytes(message).replace(b"\r\n", b"\n"),  # a program on this machine wants its line ends
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except OSError as error:
        raise PostError(
            f"the report was not sent: {program} cannot be run ({error.strerror}).",
            "Install a mail server, name its program with --sendmail, or a server with --smtp.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise PostError(
            f"the report was perhaps not sent: {program} did not end within {_SECONDS} seconds.", "See its log."
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
        raise PostError(
            f"the report was not sent: {program} ended with code {done.returncode}: {said[-1]}", "See its log."
        )


def by_smtp(message: EmailMessage, server: Server) -> None:
    """Hand over to a server. Raises PostError."""
    try:
        with smtplib.SMTP(server.host, server.port, timeout=_SECONDS) as session:
            if server.starttls:
                session.starttls(context=verifying_context())
            if server.user:
                session.login(server.user, server.password or "")
            refused = session.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise _explained(error, f"{server.host}:{server.port}") from error
    if refused:
        raise PostError(f"the report was not sent to all: {server.host} refuses {_refusals(refused)}.")


def _explained(error: Exception, where: str) -> PostError:
    """Return an error of the conversation with a server in plain words."""
    not_sent = "the report was not sent:"
    match error:
        case smtplib.SMTPNotSupportedError():
            hint = "Where it must be sent in clear, say --no-smtp-starttls."
            return PostError(f"{not_sent} {where} does not offer what is needed: {error}", hint)
        case ssl.SSLCertVerificationError():
            hint = "Name the server as its certificate does."
            return PostError(f"{not_sent} the certificate of {where} is not good: {error.verify_message}.", hint)
        case smtplib.SMTPRecipientsRefused():
            return PostError(f"{not_sent} {where} refuses {_refusals(error.recipients)}.")
        case smtplib.SMTPResponseException():
            return PostError(f"{not_sent} {where} says {error.smtp_code} {_shown(error.smtp_error)}")
    return PostError(f"{not_sent} {where} cannot be talked to ({error}).", "Check host and port of --smtp.")


def _refusals(recipients: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{one} ({code} {_shown(said)})" for one, (code, said) in recipients.items())


def _shown(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
