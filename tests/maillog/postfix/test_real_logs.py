"""Logs of real Postfix: whatever is said to be encrypted or in clear was so for the server that took the mail."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tests.maillog.postfix.lines import SETTINGS

from maillog import Evidence, Outcome, read_log

SAMPLES = sorted(Path("sample_logs").glob("postfix-*/mail.log"))
# The servers answered each mail with a number of their own.
SENT = re.compile(r"/smtp\[\d+\]: (\w+): to=<[^>]*>, relay=[^\[]*\[([^\]]*)\].* status=sent \(250 .*?(LAB-\d+)")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_truth(path: Path) -> None:
    """Each answer agrees with the truth, all lines can be read, and little stays unknown."""
    truth = {
        seen["reply_id"]: "encrypted" if seen["tls"] else "plaintext"
        for seen in map(json.loads, path.with_name("truth.jsonl").read_text(encoding="utf-8").splitlines())
    }
    expected: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for queue_id, ip, reply in SENT.findall(path.read_text(encoding="utf-8")):
        expected[queue_id, ip].add(truth[reply])
    count: Counter[str] = Counter()
    for reading in read_log(str(path), SETTINGS):
        assert reading.unread == []
        for delivery in reading.deliveries:
            key = (delivery.queue_id, delivery.relay.ip)
            if (
                delivery.result.outcome is Outcome.SENT
                and key in expected
                and delivery.tls.evidence is not Evidence.NONE
            ):
                count[delivery.tls.security] += 1
                assert delivery.tls.security in expected[key], delivery
            else:
                count["other"] += delivery.result.outcome is Outcome.SENT
    assert count["other"] <= 0.02 * sum(count.values())
