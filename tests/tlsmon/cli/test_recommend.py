"""``tlsmon recommend`` on a log of a real Postfix, and the session that README shows."""

import json
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import ROOT, tlsmon

FIELDS = [
    "domain", "verdict", "mails", "encrypted", "plaintext", "unknown", "delivered", "rerouted", "delayed", "lost",
    "undecided", "affected_upper_bound", "last_seen", "reasons", "mx_hosts", "providers",
    "probe",
]  # fmt: skip


def said(store: Path, *arguments: str) -> str:
    """Run a command to its good end on a store and return what it prints."""
    done = tlsmon(*arguments, folder=ROOT, environment={"TLSMON_STORE": str(store)})
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the sample of README."""
    place = tmp_path_factory.mktemp("recommend") / "store"
    said(place, "ingest", "sample_logs/postfix-3.7/mail.log")
    return place


def test_readme_shows_what_is_printed(store: Path) -> None:
    """The sentences for a manager stand in README as they are printed."""
    readme = (ROOT / "README.md").read_text()
    for arguments in (["traffic"], ["recommend", "--max-share", "1"]):
        first = said(store, *arguments).splitlines()[0]
        assert f"    {first}\n" in readme


def test_json(store: Path) -> None:
    """The document has the fields of the design, every mail has one fate, and the counts are those of the traffic."""
    found = json.loads(said(store, "recommend", "--max-share", "1", "--format", "json"))
    assert list(found) == [
        "level", "since", "until", "held", "notes", "smarthost", "domains", "waves", "coverage",
    ]  # fmt: skip
    for domain in found["domains"]:
        assert list(domain) == FIELDS
        fates = ("delivered", "rerouted", "delayed", "lost", "undecided")
        assert sum(domain[fate] for fate in fates) == domain["mails"]
    (row,) = json.loads(said(store, "traffic", "--format", "json"))["rows"]
    assert sum(domain["encrypted"] for domain in found["domains"]) == row["encrypted"]
    assert sum(domain["plaintext"] for domain in found["domains"]) == row["plaintext"]


def test_plan(store: Path) -> None:
    """The waves hold the safe domains and those that are only delayed, and no other."""
    found = json.loads(said(store, "recommend", "--max-share", "1", "--format", "json"))
    waves = [name for wave in found["waves"] for name in wave["domains"]]
    expected = {domain["domain"] for domain in found["domains"] if domain["verdict"] in {"safe", "delays"}}
    assert sorted(waves) == sorted(expected)
    assert said(store, "recommend", "--max-share", "1", "--plan").count("Wave ") == len(found["waves"])
