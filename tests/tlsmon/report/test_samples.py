"""The report on the logs that real mail servers wrote: one command, and its figures are those of the other commands."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tlsmon.cli.app import app

# A report is of one week; that sample is not made with the others.
SAMPLES = sorted(
    str(path)
    for path in (Path(__file__).parents[3] / "sample_logs").glob("*/*log")
    if path.parent.name != "postfix-3.12"
)
RUNNER = CliRunner()

pytestmark = pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler-utils")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a store with the sample logs of one week."""
    place = str(tmp_path_factory.mktemp("samples") / "store")
    assert RUNNER.invoke(app, ["ingest", "--store", place, *SAMPLES]).exit_code == 0
    return place


@pytest.fixture(scope="module", params=["a4", "letter"])
def pages(request: pytest.FixtureRequest, store: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the text of the pages of the report."""
    file = tmp_path_factory.mktemp("report") / "week.pdf"
    assert RUNNER.invoke(app, ["report", "--store", store, "-o", str(file), "--paper", request.param]).exit_code == 0
    text = subprocess.run(["pdftotext", "-layout", str(file), "-"], check=True, capture_output=True, text=True).stdout
    return text.split("\f")


def answer(store: str, *command: str) -> dict[str, Any]:
    """Return what a command says as JSON."""
    done = RUNNER.invoke(app, [*command, "--store", store, "--format", "json"])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_first_page(pages: list[str], store: str) -> None:
    """The first page tells the share of traffic, and how many domains have which verdict."""
    (week,) = answer(store, "traffic", "--by", "week")["rows"]
    domains = answer(store, "recommend")["domains"]
    verdicts = [item["verdict"] for item in domains]
    numbers = [verdicts.count(verdict) for verdict in ("safe", "delays", "loses", "unproven")]
    share = f"{week['share_encrypted']:.1%}"
    figures = r"\s+".join([re.escape(share), *map(str, numbers)])
    assert re.search(rf"^\s*{figures}$", pages[0], re.MULTILINE)
    assert f"{share} of the {week['encrypted'] + week['plaintext']:,} mails" in pages[0]
    assert f"({week['unknown']:,} are" in pages[0]


def test_every_domain(pages: list[str], store: str) -> None:
    """Every domain stands in the part of its verdict with its numbers, or in the policy."""
    text = "\n".join(pages)
    columns = {"loses": ["mails", "lost"], "delays": ["mails", "delayed"]}
    for item in answer(store, "recommend")["domains"]:
        if item["verdict"] == "safe":
            assert f"{item['domain']} encrypt" in text
            continue
        fields = columns.get(item["verdict"], ["mails", "encrypted", "plaintext", "unknown"])
        numbers = r"\s+".join(f"{item[field]:,}" for field in fields)
        assert re.search(rf"^\s*{re.escape(item['domain'])}\s+{numbers}\s", text, re.MULTILINE), item


def test_week(pages: list[str], store: str) -> None:
    """The week stands in the table of weeks as traffic has it; its parts of TLS add up."""
    (week,) = answer(store, "traffic", "--by", "week")["rows"]
    (line,) = re.findall(rf"^\s*{week['period']}\s.*$", "\n".join(pages), re.MULTILINE)
    sent, dane, verified, other, plaintext, unknown = (int(word.replace(",", "")) for word in line.split()[4:10])
    assert (sent, plaintext, unknown) == (week["sent"], week["plaintext"], week["unknown"])
    assert dane + verified + other == week["encrypted"]


def test_old_protocols_are_named(pages: list[str]) -> None:
    """TLS 1.0 is named with who forbids it: a host of the lab has nothing newer."""
    assert re.search(r"^\s*TLSv1\s+28\s.*deprecated \(RFC 8996\)", "\n".join(pages), re.MULTILINE)
    assert "28 went over TLS 1.1 or older" in "\n".join(pages)


def test_parts_in_order(pages: list[str]) -> None:
    """All that the report is to hold has its heading, in the order in which it is read."""
    text = "\n".join(pages)
    headings = [
        "Mail sent by week", "What the domains could stand", "Changes since last week", "Domains that would lose mail",
        "Domains that would see delays", "Domains without enough evidence", "Plan", "Failures after enforcement",
        "Protocols and ciphers", "Providers", "Exceptions register", "Mail by week", "Method and coverage",
    ]  # fmt: skip
    places = [re.search(rf"^\s*{heading}$", text, re.MULTILINE) for heading in headings]
    assert all(places)
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
