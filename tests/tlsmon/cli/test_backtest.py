"""``tlsmon backtest``: what came after tells whether ``safe`` was right, and it is counted to the mail."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import Run
from tests.tlsmon.report.stores import filled
from tests.tlsmon.verdict.stories import observations

from tlsmon.evidence.model import Observation

DAY = 86_400_000_000
MONDAY = 1_767_571_200_000_000  # 5 January 2026, midnight UTC
SHORT = ("--days", "7", "--max-share", "1")


def daily(domain: str, story: str) -> Iterator[Observation]:
    """Yield ten mails a day at noon as the story says: ``e`` encrypted, ``p`` in clear, a dot for no mail."""
    for number, letter in enumerate(story):
        for item in observations(f"a={letter}", domain):
            noon = MONDAY + number * DAY + DAY // 2
            yield item._replace(attempts=10, connections=10, first=noon, last=noon)


@pytest.fixture
def turned(tmp_path: Path) -> None:
    """Fill the store: over three weeks one domain stays encrypted, the other is clear in the third."""
    good, turns = daily("good.test", 21 * "e"), daily("turns.test", 14 * "e" + 7 * "p")
    filled(tmp_path / "store", [*good, *turns])


@pytest.mark.usefixtures("turned")
def test_json(run: Run) -> None:
    """Each step is judged by the week after it: two weeks, the second with a domain that was wrongly called safe."""
    done = run("backtest", *SHORT, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert [week["as_of"] for week in document["weeks"]] == ["2026-01-12T00:00:00+00:00", "2026-01-19T00:00:00+00:00"]
    first, second = document["weeks"]
    assert (first["domains"], first["mails"], first["lost"], first["precision"]) == (2, 140, 0, 1.0)
    assert (second["domains"], second["mails"], second["lost"], second["precision"]) == (2, 140, 70, 0.5)
    assert second["failures"] == [{"domain": "turns.test", "mails": 70, "delayed": 0, "lost": 70}]
    assert (document["total"]["mails"], document["total"]["precision"], document["total"]["coverage"]) == (280, 0.75, 1)


@pytest.mark.usefixtures("turned")
def test_table(run: Run) -> None:
    """For people: a sentence, a line for each step and the total, and each domain that was wrongly called safe."""
    lines = run("backtest", *SHORT).stdout.splitlines()
    assert lines[0] == (
        "Of 280 mails that came within 7 days to domains called safe at encrypt, 70 would have been lost and 0 delayed "
        "(precision 75.000%); they are 100% of all mail."
    )
    assert [line.split()[:6] for line in lines[3:6]] == [
        ["2026-01-12", "2", "0", "140", "0", "0"],
        ["2026-01-19", "2", "1", "140", "0", "70"],
        ["total", "4", "1", "280", "0", "70"],
    ]
    assert lines[6:] == ["2026-01-19: turns.test: 70 lost and 0 delayed of 70 mails"]


@pytest.mark.usefixtures("turned")
def test_options(run: Run) -> None:
    """The window, the horizon and the thresholds are those that were asked for."""
    document = json.loads(
        run("backtest", "--days", "14", "--horizon", "3", "--max-share", "1", "--format", "json").stdout
    )
    assert [len(document["weeks"]), document["days"], document["horizon"]] == [2, 14, 3]
    careful = json.loads(run("backtest", "--days", "7", "--max-share", "0.00001", "--format", "json").stdout)
    assert (careful["total"]["domains"], careful["total"]["precision"]) == (0, None)
    assert (
        "no domain that received mail afterwards was called safe"
        in run("backtest", "--days", "7", "--max-share", "0").stdout
    )


def test_days_without_mail(run: Run, tmp_path: Path) -> None:
    """A day without mail is a day all the same, or the weeks would slip."""
    filled(tmp_path / "store", daily("good.test", "e....." + "e" + "e......" + "e"))
    document = json.loads(run("backtest", *SHORT, "--format", "json").stdout)
    assert [(week["as_of"][:10], week["all_mails"]) for week in document["weeks"]] == [("2026-01-12", 10)]


@pytest.mark.usefixtures("turned")
def test_figure(run: Run, tmp_path: Path) -> None:
    """The figure is what its name says, and the same for the same store."""
    for name, begin in (("a.pdf", b"%PDF"), ("b.pdf", b"%PDF"), ("a.png", b"\x89PNG")):
        assert run("backtest", *SHORT, "--figure", name).returncode == 0
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_errors(run: Run, tmp_path: Path) -> None:
    """Too short a store has no answer, and a figure must say what it is to be before the work begins."""
    filled(tmp_path / "store", daily("good.test", "eee"))
    done = run("backtest")
    assert (done.returncode, done.stdout, "fewer than 37 days" in done.stderr) == (1, "", True)
    done = run("backtest", "--figure", "figure.doc")
    assert (done.returncode, ".pdf, .png or .svg" in done.stderr) == (2, True)
    done = run("backtest", "--days", "1", "--horizon", "1", "--figure", "no/such.pdf")
    assert (done.returncode, "no/such.pdf: cannot be written" in done.stderr) == (2, True)
