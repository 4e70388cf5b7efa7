"""The report by mail: to a real SMTP server over STARTTLS, and through a program that stands for sendmail."""

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from tests.tlsmon.probe.authority import issue
from tests.tlsmon.report.stores import filled
from tests.tlsmon.report.test_report import sent
from typer.testing import CliRunner, Result

from tlsmon.cli.app import app
from tlsmon.config import SettingError
from tlsmon.report.message import address

RUNNER = CliRunner()
READERS = ["--mail-to", "Postmaster@Example.org", "--mail-to", "boss@example.org", "--mail-from", "tlsmon@here.example"]


class Inbox:
    """What a server took, and what it refuses."""

    def __init__(self) -> None:
        self.messages: list[Envelope] = []
        self.over_tls: list[bool] = []
        self.refused = ""

    async def handle_RCPT(  # noqa: N802, aiosmtpd's name
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse one recipient."""
        if address == self.refused:
            return "550 5.1.1 nobody of that name\x1b[2J"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a message."""
        self.messages.append(envelope)
        self.over_tls.append(session.ssl is not None)
        return "250 OK"


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return a store with a week of mail, part of it to a domain with an evil name."""
    evil = "evil.test\r\nBcc: x@y.test"
    filled(tmp_path / "store", [sent(domain, day, 400) for domain in ("a.test", evil) for day in range(7)])
    return str(tmp_path / "store")


@pytest.fixture
def inbox() -> Inbox:
    """Return an empty inbox."""
    return Inbox()


@pytest.fixture
def server(inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server that offers STARTTLS with a certificate for localhost, of an authority that is trusted."""
    root = issue(authority=True, common_name="root of the test")
    issue(["localhost"], root).write(tmp_path / "server.pem")
    (tmp_path / "root.pem").write_bytes(root.write(tmp_path / "root").read_bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    yield from _running(inbox, tls_context=context)


@pytest.fixture
def clear_server(inbox: Inbox) -> Iterator[str]:
    """Run a server without STARTTLS."""
    yield from _running(inbox)


def _running(inbox: Inbox, **options: Any) -> Iterator[str]:
    def authenticator(_server: object, _session: object, _envelope: object, _how: str, data: object) -> AuthResult:
        return AuthResult(success=getattr(data, "password", b"") == b"secret", handled=False)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, authenticator=authenticator, **options)
    controller.start()
    try:
        yield f"localhost:{port}"
    finally:
        controller.stop()


def report(store: str, *arguments: str, environment: dict[str, str] | None = None) -> Result:
    """Mail the report."""
    form = [] if "--format" in arguments else ["--format", "json"]  # much faster than a PDF
    return RUNNER.invoke(app, ["report", "--store", store, *READERS, *form, *arguments], env=environment)


def parsed(content: bytes) -> EmailMessage:
    """Return a mail, with all defects of its headers as errors."""
    message = message_from_bytes(content, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def check(message: EmailMessage) -> None:
    """Hold a mail to what a reader and their mail programs need."""
    assert message["To"] == "Postmaster@Example.org, boss@example.org"
    assert message["From"] == "tlsmon@here.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@here.example>")
    assert message["Date"].datetime.tzinfo is not None
    assert message["Bcc"] is None
    text, pdf = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    body = text.get_content()
    assert "The whole report is attached." in body
    assert max(map(len, body.splitlines())) <= 78
    assert pdf.get_content_type() == "application/pdf"
    assert pdf.get_filename() == "tlsmon-2026-01-11.pdf"
    assert pdf.get_content().startswith(b"%PDF")


def test_smtp(store: str, server: str, inbox: Inbox) -> None:
    """Over STARTTLS, to all readers, in one conversation; nothing is said."""
    done = report(store, "--smtp", server, "--format", "pdf")
    assert (done.exit_code, done.output) == (0, "")
    (envelope,) = inbox.messages
    assert inbox.over_tls == [True]
    assert envelope.rcpt_tos == ["Postmaster@Example.org", "boss@example.org"]
    assert envelope.mail_from == "tlsmon@here.example"
    assert isinstance(envelope.content, bytes)
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998
    check(parsed(envelope.content))


def test_password(store: str, server: str, inbox: Inbox) -> None:
    """The password comes from the environment; a wrong one is told in the server's words."""
    user = ("--smtp", server, "--smtp-user", "tlsmon")
    assert report(store, *user, environment={"TLSMON_SMTP_PASSWORD": "secret"}).exit_code == 0
    done = report(store, *user, environment={"TLSMON_SMTP_PASSWORD": "wrong"})
    assert (done.exit_code, "says 535" in done.stderr, "wrong" in done.stderr) == (3, True, False), done.stderr
    assert len(inbox.messages) == 1


def test_no_clear_text_by_accident(store: str, clear_server: str, inbox: Inbox) -> None:
    """Without STARTTLS nothing is sent, unless somebody says that it may."""
    done = report(store, "--smtp", clear_server)
    assert (done.exit_code, inbox.messages, "--no-smtp-starttls" in done.stderr) == (3, [], True)
    assert report(store, "--smtp", clear_server, "--no-smtp-starttls").exit_code == 0
    assert inbox.over_tls == [False]
    done = report(store, "--smtp", clear_server, "--no-smtp-starttls", "--smtp-user", "x")
    assert (done.exit_code, "not sent in clear" in done.stderr) == (2, True)


def test_certificates(store: str, server: str, inbox: Inbox) -> None:
    """The certificate has to name the server, and to come from a known authority."""
    done = report(store, "--smtp", server.replace("localhost", "127.0.0.1"))
    assert (done.exit_code, "is not good" in done.stderr) == (3, True)
    done = report(store, "--smtp", server, environment={"SSL_CERT_FILE": "/dev/null"})
    assert (done.exit_code, "is not good" in done.stderr, inbox.messages) == (3, True, [])


def test_a_refused_reader(store: str, server: str, inbox: Inbox) -> None:
    """Who did not get it is named; the others have it."""
    inbox.refused = "boss@example.org"
    done = report(store, "--smtp", server)
    assert (done.exit_code, len(inbox.messages)) == (3, 1)
    assert "refuses boss@example.org (550 5.1.1 nobody of that name" in done.stderr
    assert "\x1b" not in done.stderr


def test_nobody_listens(store: str) -> None:
    """A server that is not there."""
    done = report(store, "--smtp", "localhost:1")
    assert (done.exit_code, "localhost:1 cannot be talked to" in done.stderr) == (3, True)


def program(folder: Path, script: str) -> str:
    """Return a program that stands for sendmail and keeps its arguments and its input."""
    path = folder / "sendmail"
    path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\nhere = pathlib.Path({str(folder)!r})\n{script}\n")
    path.chmod(0o755)
    return str(path)


KEEP = "(here / 'input').write_bytes(sys.stdin.buffer.read()); (here / 'words').write_text(json.dumps(sys.argv[1:]))"


def test_sendmail(store: str, tmp_path: Path) -> None:
    """The program gets the mail on standard input with its own line ends, and no address on its command line."""
    done = report(store, "--sendmail", program(tmp_path, KEEP), "--format", "pdf", "-o", str(tmp_path / "week.pdf"))
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads((tmp_path / "words").read_text()) == ["-t", "-oi"]
    content = (tmp_path / "input").read_bytes()
    assert b"\r" not in content
    message = parsed(content)
    check(message)
    (attached,) = message.iter_attachments()
    assert attached.get_content() == (tmp_path / "week.pdf").read_bytes()


@pytest.mark.parametrize(("form", "kind"), [("html", "text/html"), ("json", "application/json")])
def test_other_forms(store: str, tmp_path: Path, form: str, kind: str) -> None:
    """The file may be of another form."""
    assert report(store, "--sendmail", program(tmp_path, KEEP), "--format", form).exit_code == 0
    (attached,) = parsed((tmp_path / "input").read_bytes()).iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == (kind, f"tlsmon-2026-01-11.{form}")


def test_sendmail_fails(store: str, tmp_path: Path) -> None:
    """What the program says is told, in plain words and safe for a terminal."""
    failing = program(tmp_path, "sys.stderr.write('queue full\\x1b[2J\\n'); sys.exit(75)")
    done = report(store, "--sendmail", failing)
    assert (done.exit_code, "ended with code 75: queue full\\x1b[2J" in done.stderr) == (3, True)
    done = report(store, "--sendmail", str(tmp_path / "none"))
    assert (done.exit_code, "cannot be run (No such file or directory)" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "boss",
        "a@b\r\nBcc: c@d",
        "a@b\nX: y",
        "a@b, c@d",
        "Boss <a@b>",
        "a@",
        "@b",
        "jörg@b.example",
        "a@bü.example",
        "a@b\u202e.example",
        "a b@c",
        "a@b c",
    ],
)
def test_no_header_can_be_slipped_in(wrong: str) -> None:
    """Only plain addresses become part of a header."""
    with pytest.raises(SettingError):
        address(wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mail-to", "x"], "'x' is not a mail address"),
        (["--mail-from", "a@b\nBcc: c@d", "--mail-to", "a@b.example"], "is not a mail address"),
        (["--mail-to", "a@b.example", "--smtp", "a b"], "'a b' is not a server"),
        (["--mail-to", "a@b.example", "--smtp", "host:99999"], "is not a server"),
        ([], "nobody gets this report"),
    ],
)
def test_wrong_use(store: str, arguments: list[str], said: str) -> None:
    """Wrong use is told before any work is done."""
    done = RUNNER.invoke(app, ["report", "--store", store, *arguments])
    assert (done.exit_code, said in done.stderr) == (2, True)
