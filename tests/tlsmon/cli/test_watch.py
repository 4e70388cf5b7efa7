"""``tlsmon watch``: an exit code that cron can act on, and times that say how long there is."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.tlsmon.cli.process import Run
from tests.tlsmon.report.stores import filled
from tests.tlsmon.verdict.stories import observations

from tlsmon.evidence.model import Observation

HOUR = 3_600_000_000
BEGIN = datetime.fromtimestamp(1_700_000_000, UTC)
FIELDS = ["domain", "advice", "reason", "deferred", "lost", "oldest", "newest", "last_success", "bounce_at"]


def hourly(domain: str, story: str) -> Iterable[Observation]:
    """Yield the observations of a story, an hour apart; ``n`` waits for want of STARTTLS, ``x`` expired, ``e`` went."""
    for hour, item in enumerate(observations(f"a={story}", domain)):
        time = int(BEGIN.timestamp()) * 1_000_000 + hour * HOUR
        yield item._replace(first=time, last=time)


def test_nothing_fails(run: Run, tmp_path: Path) -> None:
    """Failures before the last success are over; the answer is 0."""
    filled(tmp_path / "store", hourly("fine.test", "nnnxe"))
    done = run("watch")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No domain fails for TLS since its last success.\n"


def test_a_hiccup(run: Run, tmp_path: Path) -> None:
    """What fails for an hour is shown, and nobody is woken up for it."""
    filled(tmp_path / "store", hourly("hiccup.test", "eeenn"))
    done = run("watch")
    assert done.returncode == 0
    assert done.stdout.startswith("1 domain fails for TLS since the last success; nothing is to be done yet.\n")
    assert "hiccup.test  wait" in done.stdout


def test_a_line_to_take_out(run: Run, tmp_path: Path) -> None:
    """Mail that came back, or waits for more than a day, makes the answer 1; the most urgent stands first."""
    items = [*hourly("lost.test", "ex"), *hourly("waits.test", "e" + 40 * "n"), *hourly("wait.test", 40 * "e" + "n")]
    filled(tmp_path / "store", items)
    done = run("watch")
    assert done.returncode == 1
    assert done.stdout.startswith("3 domains fail for TLS since the last success; take out 2 policy lines now.\n")
    rows = [line.split()[0] for line in done.stdout.splitlines()[3:]]
    assert rows == ["lost.test", "waits.test", "wait.test"]
    assert "nothing got through for 1.7 days; mail bounces in 3.3 days (tls_not_offered)" in done.stdout


def test_json(run: Run, tmp_path: Path) -> None:
    """The document has exact times with their offset: the bounce is the first failure plus the queue lifetime."""
    filled(tmp_path / "store", hourly("waits.test", "e" + 40 * "n"))
    done = run("watch", "--format", "json", "--queue-days", "3")
    document = json.loads(done.stdout)
    assert (done.returncode, list(document)) == (1, ["failing", "local"])
    (item,) = document["failing"]
    assert list(item) == [*FIELDS, "causes", "hosts", "rule"]
    assert (item["deferred"], item["lost"], item["causes"]) == (40, 0, ["tls_not_offered"])
    assert datetime.fromisoformat(item["last_success"]) == BEGIN
    oldest = datetime.fromisoformat(item["oldest"])
    assert oldest == BEGIN + timedelta(hours=1)
    assert datetime.fromisoformat(item["bounce_at"]) == oldest + timedelta(days=3)


def test_as_of(run: Run, tmp_path: Path) -> None:
    """As of an earlier time, what came later is not known."""
    filled(tmp_path / "store", hourly("waits.test", 5 * "e" + 40 * "n"))
    assert run("watch").returncode == 1
    assert run("watch", "--as-of", f"{BEGIN + timedelta(hours=4):%Y-%m-%dT%H:%M:%S}").returncode == 0


def test_our_own_fault(run: Run, tmp_path: Path) -> None:
    """A broken table of our own is told, and no domain's line is to be taken out for it."""
    items = [item._replace(cause="tls_local") for item in hourly("any.test", 40 * "n")]
    filled(tmp_path / "store", items)
    done = run("watch")
    assert (done.returncode, done.stdout) == (0, "No domain fails for TLS since its last success.\n")
    assert "postfix mail: 40 attempts to 1 domain failed for a reason of your own (tls_local)" in done.stderr
    (local,) = json.loads(run("watch", "--format", "json").stdout)["local"]
    assert list(local) == ["mta", "host", "instance", "cause", "attempts", "domains", "first", "last"]


def test_a_window_that_is_too_short(run: Run, tmp_path: Path) -> None:
    """A window within the queue lifetime would not show the first failure: wrong use."""
    filled(tmp_path / "store", hourly("fine.test", "e"))
    done = run("watch", "--days", "5")
    assert (done.returncode, "larger --days" in done.stderr) == (2, True)


def test_policy_in_use(run: Run, tmp_path: Path) -> None:
    """With the policy in use, only what is under one of its lines is looked at, and these are named by number."""
    stories = {"lost.test": "ex", "waits.test": "e" + 40 * "n", "may.test": "ex", "free.test": "ex", "fine.test": "e"}
    filled(tmp_path / "store", [item for domain, story in stories.items() for item in hourly(domain, story)])
    table = "# ours\nfine.test encrypt\nmay.test may\n\nwaits.test encrypt\nlost.test secure\nodd.test encripted\n"
    (tmp_path / "policy").write_text(table)
    done = run("watch", "--policy", "policy")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "2 domains under policy fail for TLS since the last success; "
        "take out now the lines 5 (waits.test), 6 (lost.test).\n"
    )
    assert [line.split()[:2] for line in done.stdout.splitlines()[3:]] == [["6", "lost.test"], ["5", "waits.test"]]
    assert "policy, line 7: not a TLS policy" in done.stderr
    document = json.loads(run("watch", "--policy", "policy", "--format", "json").stdout)
    assert [item["rule"] for item in document["failing"]] == [
        {"line": 6, "key": "lost.test"},
        {"line": 5, "key": "waits.test"},
    ]
    (tmp_path / "list").write_text("fine.test:\nlost.test:\n")
    listed = run("watch", "--policy", "list", "--mta", "exim")
    assert (listed.returncode, "take out now the line 2 (lost.test)" in listed.stdout) == (1, True)
    (tmp_path / "list").write_text("fine.test:\n")
    assert run("watch", "--policy", "list", "--mta", "exim").returncode == 0
    missing = run("watch", "--policy", "nowhere")
    assert (missing.returncode, "nowhere: cannot be read" in missing.stderr) == (3, True)
