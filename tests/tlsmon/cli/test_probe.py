"""``tlsmon probe`` and ``tlsmon check`` on a little internet on loopback."""

import csv
import ctypes
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import COMMAND, ENVIRONMENT, Run
from tests.tlsmon.logs import day
from tests.tlsmon.probe.little_internet import little_internet
from tests.tlsmon.probe.names import Zone, serving
from tests.tlsmon.probe.receivers import BANNER, EHLO, Play, receiving
from tests.tlsmon.probe.test_starttls import drip, endless, flood, stall_in_handshake
from tests.tlsmon.tlsrpt.reports import as_json, report

from tlsmon.probe.model import Settings


def options(settings: Settings) -> list[str]:
    """Return the command's options for settings."""
    return [
        "--port", str(settings.port), "--https-port", str(settings.https_port), "--resolver", settings.nameservers[0],
        "--allow-private", "--no-ipv6", "--timeout", str(settings.conversation_seconds), "--helo", "probe.example",
        *(("--ca-file", settings.ca_file) if settings.ca_file else ()),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], Zone]]:
    """Serve the little internet; give the options to ask it, and its zone."""
    with little_internet(tmp_path_factory.mktemp("world")) as (settings, zone):
        yield options(settings), zone


def test_table(run: Run, world: tuple[list[str], Zone]) -> None:
    """A line for each domain says how far it reaches and what is in the way, in the order in which they were given."""
    names = ["clear.example", "good.example", "hosted.example", "mixed.example", "busy.example", "null.example"]
    done = run("probe", *names, *world[0])
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "Reached by 6 domains: secure 1, verify 1, encrypt in part 1, none 1, not tested 1, takes no mail 1."
    )
    assert [line.split()[0] for line in lines[3:9]] == names
    assert re.match(r"clear\.example +none +no +no +encrypt: mx\.clear.*does not offer STARTTLS$", lines[3])
    assert re.match(r"busy\.example +not tested .*answered 421 too many$", lines[7])
    assert re.search(r"^mx\.good\.example +10 +127\.0\.2\.1 +yes +TLSv1\.3 +trusted +89 +-$", done.stdout, re.MULTILINE)
    assert "mx host" not in run("probe", *names, *world[0], "--no-hosts").stdout


def test_programs(run: Run, world: tuple[list[str], Zone]) -> None:
    """JSON, JSON lines and CSV say the same; nothing but the result is on standard output."""
    asked = ["probe", "good.example", "clear.example", *world[0], "--format"]
    (good, clear) = json.loads(run(*asked, "json").stdout)["domains"]
    assert [each["answer"] for each in good["passages"]] == ["yes"] * 5
    assert clear["hosts"][0]["reached"][0]["plain"]["ending"] == "not_offered"
    lines = [json.loads(line) for line in run(*asked, "jsonl").stdout.splitlines()]
    assert {line["domain"] for line in lines} == {"good.example", "clear.example"}
    rows = {row["domain"]: row for row in csv.DictReader(io.StringIO(run(*asked, "csv").stdout, newline=""))}
    assert (rows["good.example"]["verify"], rows["good.example"]["names"]) == ("yes", "mx.good.example")
    assert (rows["clear.example"]["encrypt"], rows["clear.example"]["starttls"]) == ("no", "not_offered")
    assert rows["clear.example"]["trust"] == "untold"


def test_not_asked_again(run: Run, world: tuple[list[str], Zone]) -> None:
    """A list is gone on with: what was asked lately is given from the store; domains on the command line are asked."""
    arguments, zone = world
    first = json.loads(run("probe", "good.example", *arguments, "--format", "json").stdout)
    before = Counter(zone.asked)
    text = b"Good.Example  # again\n\nclear.example\n"
    later = json.loads(run("probe", "--file", "-", *arguments, "--format", "json", text=text).stdout)
    asked = Counter(zone.asked) - before
    assert later["domains"][0] == first["domains"][0]
    assert asked["clear.example."]
    assert not asked["good.example."]
    run("probe", "good.example", *arguments)
    assert (Counter(zone.asked) - before)["good.example."]


def test_forbidden_is_asked_when_allowed(run: Run, world: tuple[list[str], Zone]) -> None:
    """Private addresses are refused unless allowed, and what was not asked for that is asked then."""
    arguments = [each for each in world[0] if each != "--allow-private"]
    refused = run("probe", "--file", "-", *arguments, "--format", "csv", text=b"good.example")
    assert next(csv.DictReader(io.StringIO(refused.stdout, newline="")))["why"] == "forbidden"
    allowed = run("probe", "--file", "-", *world[0], "--format", "csv", text=b"good.example")
    assert next(csv.DictReader(io.StringIO(allowed.stdout, newline="")))["encrypt"] == "yes"


def test_no_time_left(run: Run, tmp_path: Path) -> None:
    """What the time did not suffice for is said, is not stored, and is asked the next time."""
    plays: dict[str, Play] = dict.fromkeys([f"127.0.4.{number}" for number in range(1, 5)], drip)
    zone = "\n".join(f"slow.test. MX 1 mx{ip[-1]}.slow.test.\nmx{ip[-1]}.slow.test. A {ip}" for ip in plays)
    with receiving(plays) as (port, _), serving(Zone(zone)) as server:
        arguments = options(Settings(port=port, nameservers=(server,), conversation_seconds=5.0))
        limit = ["--time-limit", "1", "--concurrency", "1", "--format", "csv"]
        done = run("probe", "--file", "-", *arguments, *limit, text=b"slow.test")
    assert done.returncode == 0
    assert "late" in {row["why"] for row in csv.DictReader(io.StringIO(done.stdout, newline=""))}
    assert done.stderr.startswith("tlsmon: for 1 domain there was no time left")
    assert list((tmp_path / "store" / "_probes").glob("*.parquet")) == []


def test_from_store(run: Run, world: tuple[list[str], Zone], tmp_path: Path) -> None:
    """The busiest recipient domains of the log are asked; recommend shows what was found."""
    (tmp_path / "mail.log").write_bytes(day(40))
    run("ingest", "mail.log")
    found = json.loads(run("probe", "--from-store", "--top", "3", *world[0], "--format", "json").stdout)["domains"]
    assert len(found) == 3
    assert all(re.fullmatch(r"d\d+\.example", each["domain"]) for each in found)
    asked = {each["domain"] for each in found}
    domains = json.loads(run("recommend", "--format", "json").stdout)["domains"]
    assert {each["domain"] for each in domains if each["probe"]} == asked  # the zone knows none of them: no MX
    assert all(each["probe"]["disagrees"] for each in domains if each["probe"] and each["verdict"] == "unproven")
    alone = json.loads(run("recommend", "--no-probe", "--format", "json").stdout)["domains"]
    assert not any(each["probe"] for each in alone)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "No domain to ask"),
        (["--top", "3", "good.example"], "--top goes with --from-store"),
        (["--file", "missing.txt"], "missing.txt: cannot be read"),
        (["good.example", "--resolver", "nobody"], "not the address of a name server"),
        (["good.example", "--ca-file", "missing.pem"], "missing.pem: no certificates can be read"),
        (["good.example", "--format", "xml"], "not a format here"),
    ],
)
def test_wrong_use(run: Run, arguments: list[str], words: str) -> None:
    """What is wrong with the arguments is said, with exit code 2."""
    done = run("probe", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_check(run: Run, world: tuple[list[str], Zone]) -> None:
    """The last line is the plain result; the exit code is 1 unless both are ready."""
    good, mixed = run("check", "good.example", *world[0]), run("check", "mixed.example", *world[0])
    assert (good.returncode, mixed.returncode) == (0, 1)
    assert good.stdout.splitlines()[-1] == (
        "good.example is ready: others can require TLS of it, and it can require TLS of others."
    )
    assert mixed.stdout.splitlines()[-1] == (
        "mixed.example is not ready; first: mx.clear.example [127.0.2.2]: does not offer STARTTLS."
    )
    document = json.loads(run("check", "busy.example", *world[0], "--format", "json").stdout)
    assert (document["ready"], document["can_require"]) == (False, "unknown")


def test_check_shows_what_others_reported(run: Run, world: tuple[list[str], Zone], tmp_path: Path) -> None:
    """Reports of TLS to this domain stand beside the probe, those about others do not; they decide nothing."""
    assert json.loads(run("check", "good.example", *world[0], "--format", "json").stdout)["reported"] is None
    for number, (domain, failed) in enumerate({"good.example": 7, "clear.example": 5}.items(), 1):
        (tmp_path / f"{number}.json").write_bytes(as_json(report(number, 100, failed, domain)))
    assert run("ingest", "1.json", "2.json").returncode == 0
    done = run("check", "good.example", *world[0])
    assert done.returncode == 0
    assert re.search(r"^good\.example +sts +100 +7$", done.stdout, re.MULTILINE)
    assert "clear.example" not in done.stdout
    document = json.loads(run("check", "good.example", *world[0], "--format", "json").stdout)
    policies = document["reported"]["policies"]
    assert {(policy["policy_domain"], policy["failed"]) for policy in policies} == {("good.example", 7)}


def chatter(client: object) -> None:
    """Never let EHLO end."""
    client.sendall(BANNER)  # type: ignore[attr-defined]
    while True:
        client.sendall(EHLO[:20])  # type: ignore[attr-defined]
        time.sleep(0.01)


MEASURED = """
import resource, sys
sys.argv[0] = "tlsmon"
from tlsmon.cli.app import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_hostile(tmp_path: Path, world: tuple[list[str], Zone]) -> None:
    """Through the command, too, no server holds a probe beyond its limit or makes it grow by 50 MB."""
    plays: dict[str, Play] = {
        "127.0.4.1": drip, "127.0.4.2": flood, "127.0.4.3": endless, "127.0.4.4": stall_in_handshake,
        "127.0.4.5": chatter,
    }  # fmt: skip
    zone = "\n".join(
        f"d{number}.test. MX 1 mx{number}.test.\nmx{number}.test. A {ip}" for number, ip in enumerate(plays)
    )
    names = [f"d{number}.test" for number in range(len(plays))]

    def peak(arguments: list[str], names: list[str]) -> tuple[int, float, str]:
        begin = time.monotonic()
        command = [sys.executable, "-c", MEASURED, "probe", *names, *arguments, "--format", "csv"]
        environment = ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store")}
        done = subprocess.run(command, check=True, capture_output=True, env=environment, text=True, cwd=tmp_path)
        return int(done.stderr), time.monotonic() - begin, done.stdout

    usual, _, _ = peak(world[0], ["good.example", "clear.example"])
    with receiving(plays) as (port, _), serving(Zone(zone)) as server:
        settings = Settings(port=port, nameservers=(server,), conversation_seconds=2.0)
        hostile, seconds, output = peak(options(settings), names)
    rows = list(csv.DictReader(io.StringIO(output, newline="")))
    assert {row["domain"]: row["encrypt"] for row in rows} == dict.fromkeys(names, "unknown")
    assert {row["why"] for row in rows} <= {"timeout", "too_much"}
    assert hostile - usual < 50 << 10
    assert seconds < 15


def interrupt_another_thread(pid: int) -> None:
    """Give SIGINT to a thread that is not the main one, as the system may: tgkill(2)."""
    thread = max(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
    assert thread != pid
    assert ctypes.CDLL(None).tgkill(pid, thread, signal.SIGINT) == 0


@pytest.mark.parametrize("interrupt", [lambda pid: os.kill(pid, signal.SIGINT), interrupt_another_thread])
def test_interrupted(tmp_path: Path, interrupt: Callable[[int], None]) -> None:
    """Who interrupts does not wait for servers that still talk, and finds what was done in the store."""
    zone = "slow.test. MX 1 mx.slow.test.\nmx.slow.test. A 127.0.4.1"
    with receiving({"127.0.4.1": drip}) as (port, _), serving(Zone(zone)) as server:
        settings = Settings(port=port, nameservers=(server,), conversation_seconds=300.0)
        process = subprocess.Popen(
            [*COMMAND, "probe", "none.test", "slow.test", *options(settings), "--format", "jsonl"],
            env=ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        assert json.loads(process.stdout.readline())["domain"] == "none.test"
        begin = time.monotonic()
        interrupt(process.pid)
        _, told = process.communicate(timeout=200)
    assert time.monotonic() - begin < 60  # a busy machine takes its time to end, but does not wait for the server
    assert process.returncode == 130
    assert b"interrupted" in told
    again = subprocess.run(
        [*COMMAND, "probe", "none.test", *options(settings), "--max-age", "1", "--format", "jsonl"],
        env=ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store")}, check=True, capture_output=True,
    )  # fmt: skip
    assert json.loads(again.stdout)["route"]["kind"] == "missing"


def test_progress_on_a_terminal_only(tmp_path: Path, world: tuple[list[str], Zone]) -> None:
    """The bar is on standard error where that is a terminal; the result stays clean."""
    ours, theirs = pty.openpty()
    environment = ENVIRONMENT | {"TLSMON_STORE": str(tmp_path / "store"), "TERM": "xterm"}
    command = [*COMMAND, "probe", "good.example", *world[0], "--format", "csv"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    assert b"asking" in os.read(ours, 65536)
    os.close(ours)
    assert done.stdout.startswith(b"domain,")
