"""What comes in, as the log tells it and as the clients that handed it in saw it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.lab.inbound import LOOPBACK, NAMED, SERVER, SUBMISSION, VARIANTS, inbound_sample, run_inbound
from tests.lab.inbound_clients import Way
from tests.lab.make_samples import log_name
from tests.lab.skipping import require_root

from maillog import Cause, Delivery, Direction, Evidence, Outcome, read_deliveries


class Run:
    """A log and what its clients saw."""

    def __init__(self, log: Path, truth: Path) -> None:
        found = [one for one in read_deliveries(str(log)) if one.direction is Direction.INBOUND]
        self.mails = {one.queue_id: one for one in found if one.result.outcome is Outcome.SENT}
        self.failures = Counter((one.relay.ip, one.result.cause) for one in found if one.result.outcome != "sent")
        self.accepted: list[dict[str, Any]] = [json.loads(line) for line in truth.read_text().splitlines()]
        self.text = log.read_text()
        assert len(self.mails) + self.failures.total() == len(found)


def check(run: Run) -> None:
    """Every accepted mail has exactly one delivery, with all that its client knew; nothing is said that was not so."""
    assert set(run.mails) == {row["queue_id"] for row in run.accepted}
    assert [row for row in run.accepted if not _agrees(row, run.mails[row["queue_id"]])] == []
    assert LOOPBACK not in {one.relay.ip for one in run.mails.values()}
    assert len(run.accepted) > 80


def _agrees(row: dict[str, Any], said: Delivery) -> bool:
    sender = row["sender"].rpartition("@")[2].lower() or "<>"
    what = "encrypted" if row["tls"] else "plaintext"
    if row["way"] == Way.CLEAR_FIRST and said.tls.evidence is Evidence.INFERRED:
        # What counts do not tell: a client that sends a mail in clear and then does STARTTLS. No MTA does.
        what = "encrypted"
    return (
        said.tls.security in (what, "unknown")
        and said.sender_domain == sender
        and (said.relay.ip, said.relay.host) == (row["client"], _name(row["client"], said))
        and said.relay.scope == ("submission" if row["port"] == SUBMISSION else "internet")
        and said.tls.protocol in (None, row["protocol"])
    )


def _name(client: str, said: Delivery) -> str | None:
    return NAMED.get(client) if said.source.mta == "postfix" else None


def unknown(run: Run) -> int:
    """Return of how many mails the log does not tell."""
    return sum(one.tls.security == "unknown" for one in run.mails.values())


def sample(name: str) -> Run:
    """Return a sample."""
    folder = inbound_sample(name)
    return Run(folder / log_name(name), folder / "truth.jsonl")


@pytest.mark.parametrize("name", VARIANTS)
def test_no_mail_is_misread(name: str) -> None:
    """Each sample says of its mails what their clients saw."""
    check(sample(name))


@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.endswith("loglevel0")])
def test_all_is_known(name: str) -> None:
    """Where TLS is logged, and with Exim in any case, of every mail it is known what it came over."""
    run = sample(name)
    assert unknown(run) == 0
    assert {one.tls.security.value for one in run.mails.values()} == (
        {"encrypted"} if name.endswith("encrypt") else {"encrypted", "plaintext"}
    )


def test_counts_tell_without_tls_logging() -> None:
    """At smtpd_tls_loglevel = 0 there is no TLS line; the counts at the end of a session tell of nearly all mail."""
    run = sample("postfix-3.7-loglevel0")
    assert "TLS connection established" not in run.text
    assert {one.tls.evidence.value for one in run.mails.values() if one.tls.security == "encrypted"} == {"inferred"}
    assert unknown(run) < len(run.mails) / 20


@pytest.mark.parametrize("name", VARIANTS)
def test_failures(name: str) -> None:
    """The client that sends garbage for a handshake and the one that hangs up in it are told, and no others."""
    broken = {(f"203.0.113.{number}", Cause.TLS_HANDSHAKE): 2 for number in (40, 41)}
    found = sample(name).failures
    assert {key: number for key, number in found.items() if key[1] is Cause.TLS_HANDSHAKE} == broken
    refused = {ip for ip, cause in found if cause is Cause.TLS_NOT_OFFERED}
    assert bool(refused) == name.endswith("encrypt")
    assert SERVER not in refused


@pytest.mark.lab
@pytest.mark.parametrize("name", ["postfix-3.7-loglevel0", "exim-4.96"])
def test_live_run(name: str, tmp_path: Path) -> None:
    """A run made now, with the sessions in another order, is read as its clients saw it."""
    require_root(VARIANTS[name].setup.root)
    result = run_inbound(VARIANTS[name].setup, tmp_path / "run", seed=7)
    run = Run(result.log, result.truth)
    check(run)
    assert unknown(run) <= len(run.mails) / 20
