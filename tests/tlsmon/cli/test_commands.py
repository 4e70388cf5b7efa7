"""The command line as programs and people see it: real processes, both streams apart."""

import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.cli.process import COMMAND, ENVIRONMENT, Run
from tests.tlsmon.logs import encrypted, line, silent

LOG = encrypted(0) + silent(60) + encrypted(120, 2, 300)
DELIVERY = {
    "time": str, "mta": str, "host": str, "instance": str, "queue_id": str, "direction": str,
    "recipient_domain": str, "mx_host": str, "mx_ip": str, "mx_port": int, "scope": str, "security": str,
    "authentication": (str, type(None)), "evidence": str, "protocol": (str, type(None)), "cipher": (str, type(None)),
    "outcome": str, "dsn": str, "cause": type(None), "level": type(None),
}  # fmt: skip
TRAFFIC = {
    "period": str, "deliveries": int, "sent": int, "encrypted": int, "plaintext": int, "unknown": int,
    "share_encrypted": (float, type(None)),
}  # fmt: skip
INGESTED = {
    "name": str, "lines": int, "deliveries": int, "new_deliveries": int, "unread_lines": int,
    "first": str, "last": str,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _log(tmp_path: Path) -> None:
    """Put ``mail.log`` where tlsmon is run."""
    (tmp_path / "mail.log").write_bytes(LOG)


def strict(document: dict[str, Any], fields: dict[str, Any]) -> None:
    """Hold a JSON object to exactly these fields, in this order, with these types."""
    assert list(document) == list(fields)
    assert [name for name, kind in fields.items() if not isinstance(document[name], kind)] == []


def test_ingest_and_traffic_for_people(run: Run) -> None:
    """The way of the README: ingest, then traffic, whose first line is a sentence."""
    ingested = run("ingest", "mail.log")
    assert (ingested.returncode, ingested.stderr) == (0, "")
    assert ingested.stdout.splitlines()[-1] == "3 new deliveries, 3 in these logs altogether."
    shown = run("traffic")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "Of 3 mails sent to the internet on 20 Nov 2026, 66.7% were encrypted; 1 went in clear.",
        "",
        "period      deliveries  sent  encrypted  plaintext  unknown  share encrypted",
        "2026-11-20           3     3          2          1        0            66.7%",
    ]


def test_ingest_json(run: Run) -> None:
    """The document of ``ingest --format json`` has the fields of the design, and a second run has nothing new."""
    for new in (3, 0):
        document = json.loads(run("ingest", "mail.log", "--format", "json").stdout)
        assert list(document) == ["logs", "deliveries", "new_deliveries", "seconds"]
        (log,) = document["logs"]
        strict(log, INGESTED)
        assert (log["lines"], log["deliveries"], log["new_deliveries"], document["new_deliveries"]) == (5, 3, new, new)
        assert datetime.fromisoformat(log["first"]).utcoffset() is not None


def test_traffic_json_and_csv(run: Run) -> None:
    """Rows for programs have the fields of the design; a group stands after the period under its own name."""
    run("ingest", "mail.log")
    document = json.loads(run("traffic", "--format", "json").stdout)
    assert list(document) == ["by", "rows"]
    strict(document["rows"][0], TRAFFIC)
    grouped = json.loads(run("traffic", "--format", "json", "--group", "domain", "--by", "week").stdout)
    assert [list(row)[1] for row in grouped["rows"]] == ["domain"] * 3
    assert run("traffic", "--format", "csv").stdout.splitlines() == [
        "period,deliveries,sent,encrypted,plaintext,unknown,share_encrypted",
        "2026-11-20,3,3,2,1,0,0.6666666666666666",
    ]


def test_traffic_for_prometheus(run: Run, tmp_path: Path) -> None:
    """The file for the textfile collector is replaced as a whole, and nothing is left beside it."""
    run("ingest", "mail.log")
    (tmp_path / "metrics").mkdir()
    file = tmp_path / "metrics/tlsmon.prom"
    file.write_text("old")
    file.chmod(0o640)
    done = run("traffic", "--format", "prometheus", "--group", "domain", "--top", "1", "-o", "metrics/tlsmon.prom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert 'tlsmon_mails_total{direction="outbound",domain="(other)",security="plaintext"} 1\n' in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["tlsmon.prom"]
    assert file.stat().st_mode & 0o777 == 0o640
    failed = run("traffic", "--store", "none", "--format", "prometheus", "-o", "metrics/tlsmon.prom")
    assert (failed.returncode, "tlsmon_mails_total" in file.read_text()) == (3, True)


def test_parse_json_lines(run: Run) -> None:
    """Each delivery is one object with exactly the fields of the design."""
    found = [json.loads(one) for one in run("parse", "mail.log", "--format", "jsonl").stdout.splitlines()]
    assert [one["security"] for one in found] == ["encrypted", "plaintext", "encrypted"]
    for one in found:
        strict(one, DELIVERY)
    assert json.loads(run("parse", "mail.log", "--format", "json").stdout) == found
    header, *rows = run("parse", "mail.log", "--format", "csv").stdout.splitlines()
    assert (header.split(","), len(rows)) == (list(DELIVERY), 3)


@pytest.mark.parametrize("format_", ["table", "csv", "json", "jsonl"])
def test_a_log_that_breaks_off(run: Run, tmp_path: Path, format_: str) -> None:
    """What could be read of it is printed, however few rows that are, and in whole JSON."""
    (tmp_path / "cut.log.gz").write_bytes(
        gzip.compress(LOG + b"? postfix/smtp[1]: 4F000A: to=<a@b.example>\n" + b"x" * 9_000)[:-20]
    )
    done = run("parse", "cut.log.gz", "--format", format_)
    assert (done.returncode, "ends too early" in done.stderr) == (3, True)
    assert "1 line looks relevant and could not be read" in done.stderr
    assert done.stdout.count("encrypted") == 2
    if format_ == "json":
        assert len(json.loads(done.stdout)) == 3


def test_standard_input(run: Run, tmp_path: Path) -> None:
    """A log may come through a pipe, compressed too, and is the same log as the file."""
    assert "3 new deliveries" in run("ingest", "-", text=gzip.compress(LOG)).stdout
    assert "0 new deliveries" in run("ingest", "mail.log").stdout
    assert "1 new deliveries" in run("ingest", "-", text=LOG + encrypted(200, 4, 301)).stdout
    assert not (tmp_path / "-").exists()


def test_a_log_of_something_else_is_told(run: Run, tmp_path: Path) -> None:
    """A log in which no mail is found is a mistake of somebody's; one that was only just begun is none."""
    line_of_others = b"Nov 20 10:00:00 mail sendmail[1]: 4AUA01: to=<a@b.example>, stat=Sent\n"
    (tmp_path / "other.log").write_bytes(line_of_others * 60)
    (tmp_path / "begun.log").write_bytes(b"Nov 21" + line_of_others[6:] * 5)
    told = run("ingest", "other.log")
    assert (told.returncode, told.stderr) == (
        0, "tlsmon: none of 60 lines tells of mail. `tlsmon doctor LOG` says what is missing.\n",
    )  # fmt: skip
    assert run("ingest", "begun.log").stderr == ""
    assert run("ingest", "other.log", "mail.log").stderr == ""


def test_unread_lines(run: Run, tmp_path: Path) -> None:
    """Lines that could not be read are counted, told, and written without control characters for their owner only."""
    (tmp_path / "mail.log").write_bytes(LOG + line(200, "5F00AA: to=<\x1b[31mhalf@x.example>, relay=", 100))
    done = run("ingest", "mail.log", "--unread", "unread.txt")
    assert done.returncode == 0
    assert "1 line looks relevant and could not be read" in done.stderr
    assert "could not be read" in run("parse", "mail.log").stderr
    assert "could not be read" not in run("ingest", "mail.log").stderr
    written = (tmp_path / "unread.txt").read_text()
    assert written.startswith("mail.log:6: ")
    assert "\\x1b[31mhalf" in written
    assert (tmp_path / "unread.txt").stat().st_mode & 0o077 == 0


def test_a_log_of_which_nothing_could_be_read(run: Run, tmp_path: Path) -> None:
    """It is told each time, for nothing else tells why there are no deliveries."""
    (tmp_path / "mail.log").write_bytes(b"".join(b"? " + one for one in LOG.splitlines(keepends=True)))
    for _ in range(2):
        assert "lines look relevant and could not be read" in run("ingest", "mail.log").stderr


@pytest.mark.parametrize("format_", ["table", "csv", "jsonl"])
def test_escape_sequences_stay_out(run: Run, tmp_path: Path, format_: str) -> None:
    """What a stranger writes into the log cannot steer a terminal, in results, names and messages."""
    evil = "4F00AA: to=<a@\x1b]0;owned\x07\u202e.example>, relay=mx.\x9b31m.example[198.51.100.4]:25, delay=1, "
    evil += "delays=0/0/1/0, dsn=2.0.0, status=sent (250 \x1b[2J)"
    name = "\x1b[31m.log"
    (tmp_path / name).write_bytes(LOG + line(300, evil))
    parsed = run("parse", name, "nothing\x1b[0m", "--format", format_)
    grouped = [run("ingest", name), *(run("traffic", "--group", group) for group in ("domain", "provider"))]
    for done in (parsed, *grouped):
        assert [char for char in done.stdout + done.stderr if not char.isprintable() and char not in "\r\n"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["traffic"], 3, "there is no store yet"),
        (["ingest", "nowhere.log"], 3, "nowhere.log: there is no such file"),
        (["parse", "nowhere.log"], 3, "nowhere.log: there is no such file"),
        (["ingest", "nowhere*.log"], 3, "nowhere*.log: no file matches"),
        (["ingest", "cut.gz"], 3, "cut.gz: the gzip data ends too early"),
        (["ingest", "mail.log", "--store", "mail.log"], 3, "mail.log"),
        (["ingest", "mail.log", "--format", "yaml"], 2, "'yaml' is not a format here"),
        (["ingest", "mail.log", "--timezone", "Mars"], 2, "'Mars' is not a time zone"),
        (["ingest", "mail.log", "--unread", "no/such/folder"], 2, "no/such/folder: cannot be written"),
        (["ingest"], 2, "Missing argument"),
        (["traffic", "--by", "year"], 2, "'year'"),
        (["traffic", "--since", "yesterday"], 2, "yesterday"),
        (["traffic", "--since", "2026-11-20", "--format", "prometheus"], 2, "from the beginning of the store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors(run: Run, tmp_path: Path, arguments: Sequence[str], code: int, said: str) -> None:
    """An error says what and where on standard error, and the exit code says of which kind it is."""
    (tmp_path / "cut.gz").write_bytes(gzip.compress(LOG)[:-20])
    done = run(*arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_one_bad_log_does_not_stop_the_others(run: Run) -> None:
    """What can be read is read; the exit code still tells of the rest."""
    done = run("ingest", "nowhere.log", "mail.log", "--format", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["new_deliveries"] == 3


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """`tlsmon parse … | head -1` ends with 0 and without a word."""
    (tmp_path / "mail.log").write_bytes(b"".join(encrypted(n, 1) for n in range(3000)))
    script = f'"{sys.executable}" -m tlsmon parse mail.log --format jsonl; echo $? >&2'
    done = subprocess.run(
        ["/bin/sh", "-c", f"({script}) | head -1"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=ENVIRONMENT,
        text=True,
    )
    assert (done.stderr, len(done.stdout.splitlines())) == ("0\n", 1)


def test_help_is_light() -> None:
    """The command line can be shown without any heavy package."""
    code = "import sys, tlsmon.cli.app; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=ENVIRONMENT, text=True)
    heavy = {"pandas", "numpy", "pyarrow", "deltalake", "pyparsing", "matplotlib", "dns", "rich", "maillog"}
    assert done.returncode == 0
    assert heavy & set(done.stdout.split()) == set()


def test_nothing_new_is_light(tmp_path: Path) -> None:
    """An ingest that finds nothing new needs no pyarrow, and no grammar."""
    (tmp_path / "mail.log").write_bytes(LOG)
    code = (
        "import sys, tlsmon.cli.app\nsys.argv = ['tlsmon', 'ingest', 'mail.log']\ntry: tlsmon.cli.app.main()\n"
        "finally: print(*(name.partition('.')[0] for name in sys.modules))"
    )
    environment = ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store")}
    loaded = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path, env=environment, text=True
        )
        loaded.append({"pyarrow", "numpy", "pandas", "pyparsing"} & set(done.stdout.split()))
    assert loaded == [{"pyarrow", "numpy", "pyparsing"}, set()]


def test_follow(tmp_path: Path) -> None:
    """--follow reads new lines, goes on through rotation and copytruncate, and ends cleanly on SIGTERM."""
    log, environment = tmp_path / "mail.log", ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store")}
    log.write_bytes(LOG)
    command = [*COMMAND, "ingest", "--follow", "--format", "json", "mail.log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, env=environment, text=True) as following:
        assert following.stdout is not None
        watchdog = threading.Timer(60, following.kill)  # a line that never comes fails the test
        watchdog.daemon = True
        watchdog.start()
        assert new_in(following.stdout.readline()) == 3
        with log.open("ab") as more:
            more.write(encrypted(200, 2, 301))
        assert new_in(following.stdout.readline()) == 1
        with log.open("ab") as more:
            more.write(encrypted(300, 2, 302))
        log.rename(tmp_path / "mail.log.1")
        log.write_bytes(encrypted(400, 2, 303))
        seen = new_in(following.stdout.readline())
        while seen < 2:
            seen += new_in(following.stdout.readline())
        assert seen == 2
        (tmp_path / "mail.log.2").write_bytes((tmp_path / "mail.log.1").read_bytes())
        (tmp_path / "mail.log.1").write_bytes(log.read_bytes())
        log.write_bytes(encrypted(500, 2, 304))
        assert new_in(following.stdout.readline()) == 1
        time.sleep(0.1)
        following.send_signal(signal.SIGTERM)
        assert following.wait(10) == 0
        watchdog.cancel()


def new_in(document: str) -> int:
    """Return how many deliveries a round brought."""
    return int(json.loads(document)["new_deliveries"])
