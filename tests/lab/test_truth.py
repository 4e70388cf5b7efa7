"""What the reader says of every delivery that a receiver accepted, against what that receiver saw."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from maillog import Delivery, Outcome, Security, read_log
from maillog.phrases import domain_name
from tests.lab.machine import missing_pieces
from tests.lab.make_samples import SAMPLES, log_name
from tests.lab.run import run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.truth import Accepted, read_truth
from tests.lab.variants import VARIANTS

SILENT = {"postfix-3.7-loglevel0", "exim-4.96-notlscipher"}
"""Their logs do not tell what was encrypted."""

# The reply id in the remote server's reply, and the queue id of the same line; the reader never sees this pattern.
_POSTFIX = re.compile(r"\]: ([0-9A-Za-z]{6,20}): to=<.*LAB-(\d{6})")
_EXIM = re.compile(r"(?<!\S)([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) (?:=>|->|>>) .*LAB-(\d{6})")


def _lines(log: Path) -> list[str]:
    """Return the lines of a log; entries that syslog parted are put together by the test's own simple rule."""
    text = log.read_text(encoding="utf-8", errors="replace")
    whole: list[str] = []
    for line in text.splitlines():
        part = re.search(r"\[(\d+)[/\\](\d+)\] (.*)$", line)
        if part and part[1] != "1":
            whole[-1] += part[3]
        else:
            whole.append(line)
    return whole


def _queue_ids(log: Path) -> dict[str, str]:
    found = (_POSTFIX.search(line) or _EXIM.search(line) for line in _lines(log))
    return {f"LAB-{match[2]}": match[1] for match in found if match}


def compare(log: Path, truth: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Return how often the receiver's word met the reader's word, and every disagreement in words."""
    sent: dict[tuple[str, str | None, str | None], list[Delivery]] = defaultdict(list)
    for reading in read_log(str(log)):
        for delivery in reading.deliveries:
            if delivery.result.outcome is Outcome.SENT:
                sent[delivery.queue_id, delivery.recipient_domain, delivery.relay.ip].append(delivery)
    queue_ids = _queue_ids(log)
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for row in read_truth(truth):
        said = _said(sent, queue_ids.get(row.reply_id), row)
        saw = "encrypted" if row.tls else "plaintext"
        counts[saw, said] += 1
        if said not in (saw, "unknown"):
            wrong.append(f"{row.reply_id} to {row.domain} on {row.mx_ip}: receiver {saw}, reader {said}")
    return counts, wrong


def _said(sent: dict[tuple[str, str | None, str | None], list[Delivery]], queue_id: str | None, row: Accepted) -> str:
    deliveries = sent.get((queue_id or "", domain_name(row.domain), row.mx_ip))
    if not deliveries:
        return "missing"
    delivery = deliveries.pop(0)
    if delivery.tls.security is Security.ENCRYPTED and delivery.tls.protocol not in (None, row.protocol):
        return f"encrypted with {delivery.tls.protocol}"
    return str(delivery.tls.security)


@pytest.mark.parametrize("name", VARIANTS)
def test_sample(name: str) -> None:
    """No sample log is misread; only where TLS logging is off is anything unknown, and nothing in clear there."""
    counts, wrong = compare(SAMPLES / name / log_name(name), SAMPLES / name / "truth.jsonl")
    assert wrong == []
    unknown = sum(number for (_, said), number in counts.items() if said == "unknown")
    if name in SILENT:
        assert {said for _, said in counts} == {"unknown"}
    else:
        assert unknown == 0, counts
    assert sum(counts.values()) > 500


@pytest.mark.lab
@pytest.mark.parametrize("name", ["postfix-3.7", "postfix-3.11", "exim-4.96"])
def test_live_run(name: str, tmp_path: Path) -> None:
    """A run made now, with other mail, is read as the receivers saw it."""
    setup = VARIANTS[name].setup
    missing = missing_pieces(setup.root)
    if missing and os.environ.get("TLSMON_LAB") != "required":
        pytest.skip(missing)
    assert missing is None, missing
    result = run_scenario(make_scenario(seed=20, seconds=30), setup, tmp_path)
    counts, wrong = compare(result.log, result.truth)
    assert wrong == []
    assert sum(number for (_, said), number in counts.items() if said == "unknown") <= 2, counts
    assert sum(counts.values()) > 300
