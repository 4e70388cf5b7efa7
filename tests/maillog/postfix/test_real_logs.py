"""Logs of real Postfix: whatever is said to be encrypted or in clear was so for the server that took the mail."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tests.maillog.postfix.lines import SETTINGS

from maillog import Outcome, Security, read_log

SAMPLES = sorted(Path("sample_logs").glob("postfix-*/mail.log"))
# The servers answered each mail with a number of their own.
SUMMARY = re.compile(r"/smtp\[\d+\]: \w+ TLS connection established to ")
SENT = re.compile(r"/smtp\[\d+\]: (\w+): to=<[^>]*>, relay=[^\[]*\[([^\]]*)\].* status=sent \(250 .*?(LAB-\d+)")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_truth(path: Path) -> None:
    """Each answer agrees with the truth, all lines can be read, and little stays unknown."""
    truth = {
        seen["reply_id"]: "encrypted" if seen["tls"] else "plaintext"
        for seen in map(json.loads, path.with_name("truth.jsonl").read_text(encoding="utf-8").splitlines())
    }
    text = path.read_text(encoding="utf-8")
    expected: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for queue_id, ip, reply in SENT.findall(text):
        expected[queue_id, ip].add(truth[reply])
    told = Counter[bool]()
    for reading in read_log(str(path), SETTINGS):
        assert reading.unread == []
        for delivery in reading.deliveries:
            seen = expected.get((delivery.queue_id, delivery.relay.ip))
            if seen and delivery.result.outcome is Outcome.SENT:
                known = delivery.tls.security is not Security.UNKNOWN
                assert not known or delivery.tls.security in seen, delivery
                told[known] += 1
    assert told.total() > 0
    assert told[False] <= (0.02 * told.total() if SUMMARY.search(text) else told.total())
