"""What ships for every day: units and cron lines are understood by their programs, and do what they say."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.report.stores import filled
from tests.tlsmon.report.test_report import sent

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"
SERVICES = sorted((SHARE / "systemd").glob("*.service"))
TIMERS = sorted((SHARE / "systemd").glob("*.timer"))
INSTALLED = "/usr/local/bin/tlsmon"
LOG = ROOT / "sample_logs" / "postfix-3.7" / "mail.log"

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
needs_logrotate = pytest.mark.skipif(not shutil.which("logrotate"), reason="needs logrotate")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return the program as it is installed, in a folder of its own."""
    path = tmp_path / "bin" / "tlsmon"
    path.parent.mkdir()
    folders = f"{ROOT / 'src'}:{ROOT / 'parsers'}"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={folders} TZ=UTC exec {sys.executable} -m tlsmon "$@"\n')
    path.chmod(0o755)
    return path


def unit(path: Path) -> configparser.RawConfigParser:
    """Return a unit; of settings that are there twice, the last."""
    parser = configparser.RawConfigParser(strict=False, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    return parser


@needs_systemd
def test_systemd_understands_the_units(program: Path, tmp_path: Path) -> None:
    """Nothing is warned of: each setting is known, each program and page is there."""
    for path in (*SERVICES, *TIMERS):
        (tmp_path / path.name).write_text(path.read_text().replace(INSTALLED, str(program)))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / path.name) for path in (*SERVICES, *TIMERS))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_are_confined(path: Path) -> None:
    """By systemd's own count there is little that a service could do beyond its task."""
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_timers_have_their_services() -> None:
    """Each timer starts the service of its name, each service has a user of its own, and writes only where it must."""
    assert [path.stem for path in TIMERS] == [path.stem for path in SERVICES]
    for path in SERVICES:
        service = unit(path)["Service"]
        assert (service["User"], service["ProtectSystem"]) == ("tlsmon", "strict")
        # Only the reading writes the store; the reports lie elsewhere, as the table removes what it does not know.
        assert service.get("StateDirectory", "tlsmon-reports") == (
            "tlsmon" if path.stem == "tlsmon-ingest" else "tlsmon-reports"
        )
    assert "adm" in unit(SHARE / "systemd/tlsmon-ingest.service")["Service"]["SupplementaryGroups"]


def run(line: str, program: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line as cron does."""
    own = {"PATH": f"{program.parent}:/usr/bin:/bin", **environment}
    return subprocess.run(["/bin/sh", "-c", line], env=own, capture_output=True, text=True, check=False)


def test_units_do_what_they_say(program: Path, tmp_path: Path) -> None:
    """What the units start reads a log, watches, and writes a report named for the week that is over."""
    store, reports = str(tmp_path / "store"), tmp_path / "reports"
    reports.mkdir()
    lines = {path.stem: unit(path)["Service"]["ExecStart"].replace(INSTALLED, str(program)) for path in SERVICES}
    places = {"TLSMON_STORE": store, "STATE_DIRECTORY": str(reports), "LOGS": str(LOG)}
    for name in ("tlsmon-ingest", "tlsmon-watch", "tlsmon-report"):
        done = run(lines[name].replace("%%", "%"), program, **places)
        assert (done.returncode, done.stderr) == (0, ""), name
    (report,) = reports.iterdir()
    assert re.fullmatch(r"\d{4}-W\d\d\.pdf", report.name)
    assert report.read_bytes().startswith(b"%PDF")


def cron_lines() -> dict[str, str]:
    """Return the jobs of the cron table by the command of tlsmon that they run, as the shell gets them."""
    jobs = re.findall(r"^[\d*/]+(?: +[\d*/]+){4} +tlsmon +(.*)$", (SHARE / "cron.d/tlsmon").read_text(), re.MULTILINE)
    assert len(jobs) == 3
    for job in jobs:
        assert not re.search(r"(?<!\\)%", job), "cron takes a bare % for the end of the line"
    commands = [re.search(r"tlsmon (\w+)", job) for job in jobs]
    return {command[1]: job.replace("\\%", "%") for command, job in zip(commands, jobs, strict=True) if command}


def test_cron_is_silent_where_all_is_well(program: Path, tmp_path: Path) -> None:
    """Reading and watching print nothing on a good day, so that cron mails nothing."""
    store = str(tmp_path / "store")
    for line in (cron_lines()["ingest"].replace("/var/log/mail.log", str(LOG)), cron_lines()["watch"]):
        done = run(line, program, TLSMON_STORE=store)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cron_mails_what_fails(program: Path, tmp_path: Path) -> None:
    """A policy line to take out, a log that cannot be read, and a store that is not there are all said."""
    failed: dict[str, Any] = {"security": "none", "protocol": None, "outcome": "bounced", "cause": "tls_not_offered"}
    filled(tmp_path / "store", [sent("a.test", 1, 5), sent("lost.test", 3, 2)._replace(**failed)])
    done = run(cron_lines()["watch"], program, TLSMON_STORE=str(tmp_path / "store"))
    assert "take out 1 policy line now" in done.stdout
    assert "lost.test" in done.stdout
    assert "there is no store yet" in run(cron_lines()["watch"], program, TLSMON_STORE=str(tmp_path / "none")).stdout
    line = cron_lines()["ingest"].replace("/var/log/mail.log", str(tmp_path / "none.log"))
    assert "none.log" in run(line, program, TLSMON_STORE=str(tmp_path / "store")).stderr


@needs_logrotate
@pytest.mark.parametrize("how", ["create compress delaycompress", "copytruncate compress"])
def test_rotation_loses_nothing(how: str, program: Path, tmp_path: Path) -> None:
    """The real logrotate works on the log between the runs, and each delivery still counts once."""
    parts = LOG.read_bytes().splitlines(keepends=True)
    folder, log = tmp_path / "log", tmp_path / "log" / "mail.log"
    folder.mkdir()
    directives = how.replace(" ", "\n")
    (tmp_path / "logrotate.conf").write_text(f"{log} {{\nrotate 5\n{directives}\n}}\n")
    step = len(parts) // 2 + 1
    for number in range(0, len(parts), step):
        half = number + step // 2
        with log.open("ab") as file:
            file.writelines(parts[number:half])
        run(f"tlsmon ingest {log}", program, TLSMON_STORE=str(tmp_path / "store"))
        with log.open("ab") as file:  # written after the last run and before the rotation
            file.writelines(parts[half : number + step])
        command = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(tmp_path / "logrotate.conf")]
        subprocess.run(command, check=True, env=os.environ | {"LC_ALL": "C"})
    run(f"tlsmon ingest '{log}*'", program, TLSMON_STORE=str(tmp_path / "store"))
    whole = run(f"tlsmon ingest {LOG}", program, TLSMON_STORE=str(tmp_path / "whole"))
    assert "1,019 new deliveries" in whole.stdout
    answers = [
        run("tlsmon traffic --format json", program, TLSMON_STORE=str(tmp_path / name)).stdout
        for name in ("store", "whole")
    ]
    assert answers[0] == answers[1]
