"""``tlsmon doctor`` on logs of real servers: the answer as exit code, the lines to add on the terminal."""

import json
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import ROOT
from typer.testing import CliRunner, Result

from tlsmon.cli.app import app
from tlsmon.doctor import programs

SAMPLES = ROOT / "sample_logs"
RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the mail servers of whoever runs the tests out of them."""
    monkeypatch.setattr(programs, "_PATH", str(tmp_path))


def doctor(*arguments: str | Path) -> Result:
    """Run the command."""
    return RUNNER.invoke(app, ["doctor", *map(str, arguments)])


@pytest.mark.parametrize(
    ("sample", "level", "code", "abouts"),
    [
        ("postfix-3.7/mail.log", "encrypt", 0, []),
        ("postfix-3.7/mail.log", "verify", 0, []),
        ("postfix-3.7-loglevel0/mail.log", "encrypt", 1, ["smtp_tls_loglevel"]),
        ("postfix-3.11-loglevel0/mail.log", "encrypt", 0, ["smtp_tls_loglevel"]),
        ("postfix-3.11-loglevel0/mail.log", "verify", 1, ["smtp_tls_loglevel"]),
        ("postfix-3.7-filter/mail.log", "encrypt", 0, ["local hop [127.0.0.1]:10024"]),
        ("postfix-3.7-smarthost/mail.log", "encrypt", 0, ["relay [smart.relay.example]:587"]),
        ("exim-4.96/mainlog", "verify", 0, ["unknown mail of Exim"]),
        ("exim-4.96-syslog/mail.log", "encrypt", 0, ["unknown mail of Exim on mail"]),
        ("exim-4.96-notlscipher/mainlog", "encrypt", 1, ["log_selector"]),
    ],
)
def test_real_logs(sample: str, level: str, code: int, abouts: list[str]) -> None:
    """What real servers wrote gives the findings that its settings deserve, and no others but its shortness."""
    done = doctor(SAMPLES / sample, "--level", level, "--format", "json")
    document = json.loads(done.stdout)
    assert [each["about"] for each in document["findings"]] == [*abouts, "time covered"]
    assert (done.exit_code, document["enough"], document["level"]) == (code, code == 0, level)


def test_for_people() -> None:
    """A sentence first; each finding with the file, the line to add and the command after it."""
    done = doctor(SAMPLES / "postfix-3.7-loglevel0/mail.log")
    first, *rest = done.stdout.splitlines()
    assert first == "Not enough for verdicts at encrypt: 1 thing is missing."
    begin = next(number for number, line in enumerate(rest) if line.startswith("MISSING   "))
    assert rest[begin:][2:5] == [
        "          In /etc/postfix/main.cf:",
        "              smtp_tls_loglevel = 1",
        "          Then: postfix reload",
    ]
    # A command is not wrapped, however long the path is that was given.
    assert all(len(line.replace(f"{SAMPLES}/", "")) <= 100 for line in rest)


def test_saved_configuration(tmp_path: Path) -> None:
    """A saved configuration is judged with the log; what both tell of is told once."""
    (tmp_path / "saved").write_text("smtp_tls_security_level = may\nrelayhost = [smtp.isp.example]\n")
    done = doctor(SAMPLES / "postfix-3.7-loglevel0/mail.log", "--postconf", tmp_path / "saved", "--format", "json")
    document = json.loads(done.stdout)
    weights = {each["about"]: each["weight"] for each in document["findings"]}
    assert weights == {
        "smtp_tls_loglevel": "missing",
        "smtp_tls_CAfile": "warning",
        "relay [smtp.isp.example]": "warning",
        "time covered": "note",
        "smtp_tls_policy_maps": "note",
    }
    assert "all 312 mails" in document["findings"][0]["text"]
    assert document["looked_at"][1] == "the saved configuration of Postfix"


def test_without_a_log(tmp_path: Path) -> None:
    """A configuration alone is judged, and nobody is led to believe that a log was."""
    (tmp_path / "saved").write_text("smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\nsmtp_tls_CApath = /x\n")
    done = doctor("--postconf", tmp_path / "saved")
    assert done.exit_code == 0
    assert done.stdout.startswith("No log was read; for verdicts at encrypt nothing is missing in the configuration.\n")


def test_standard_input() -> None:
    """A log may come through a pipe."""
    content = (SAMPLES / "postfix-3.7-filter/mail.log").read_bytes()
    done = RUNNER.invoke(app, ["doctor", "-"], input=content)
    assert (done.exit_code, "3,639 lines of -" in done.stdout, "[127.0.0.1]:10024 none" in done.stdout) == (
        0,
        True,
        True,
    )


def test_exim_configuration(tmp_path: Path) -> None:
    """The same for Exim."""
    (tmp_path / "saved").write_text("log_selector = -tls_cipher\n")
    assert doctor("--exim", tmp_path / "saved").exit_code == 1


def test_the_log_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's configuration is no matter of another one's log: it is said, and nothing is guessed."""
    monkeypatch.setitem(programs.__dict__, "_PATH", "")
    document = json.loads(doctor(SAMPLES / "postfix-3.7/mail.log", "--format", "json").stdout)
    assert document["looked_at"] == [f"4,576 lines of {SAMPLES}/postfix-3.7/mail.log"]
    assert document["notes"][0].startswith("The log is of mail, this machine is ")


def test_the_log_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own postconf is asked, and its journal for lines that were dropped; both are on the way of a log only."""
    entry = {
        "__REALTIME_TIMESTAMP": "1795484130000000",
        "SYSLOG_IDENTIFIER": "systemd-journald",
        "MESSAGE": "Suppressed 917 messages from postfix@-.service",
    }
    for name, text in (("journalctl", json.dumps(entry)), ("postconf", "smtp_tls_loglevel = 1\nrelayhost = [r.test]")):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr("platform.node", lambda: "mail.example.org")
    document = json.loads(doctor(SAMPLES / "postfix-3.7/mail.log", "--format", "json").stdout)
    assert document["looked_at"][1] == "the configuration of Postfix on this machine"
    found = {each["about"]: each for each in document["findings"]}
    assert {"lost lines (journal)", "relay [r.test]", "smtp_tls_security_level"} <= set(found)
    assert found["lost lines (journal)"]["lines"] == ["[Journal]", "RateLimitIntervalSec=0"]
    monkeypatch.setattr("platform.node", lambda: "elsewhere.example.org")
    document = json.loads(doctor(SAMPLES / "postfix-3.7/mail.log", "--format", "json").stdout)
    assert [each["about"] for each in document["findings"]] == ["time covered"]


def test_no_mail_log(tmp_path: Path) -> None:
    """A log without any delivery is not enough."""
    (tmp_path / "log").write_text("Nov 20 10:00:00 mx sshd[1]: Accepted publickey for root\n")
    done = doctor(tmp_path / "log")
    assert (done.exit_code, "No line of 1 tells of a delivery" in " ".join(done.stdout.split())) == (1, True)


def test_empty_log(tmp_path: Path) -> None:
    """A log without a line is there, and says nothing."""
    (tmp_path / "mail.log").touch()
    done = doctor(str(tmp_path / "mail.log"))
    assert (done.exit_code, done.stderr.splitlines()[0]) == (2, "tlsmon: no line stands in the log yet.")


def test_errors(tmp_path: Path) -> None:
    """What cannot be read is told apart from what is missing."""
    done = doctor(tmp_path / "none.log")
    assert (done.exit_code, "there is no such file" in done.stderr) == (3, True)
    done = doctor("--postconf", tmp_path / "none")
    assert (done.exit_code, "cannot be read" in done.stderr) == (3, True)
    hostile = tmp_path / "hostile"
    hostile.write_text("relayhost = \x1b[2J.example\ncontent_filter = \x1b]0;x\x07:127.0.0.1:1\n")
    done = doctor("--postconf", hostile)
    assert "\x1b" not in done.stdout
