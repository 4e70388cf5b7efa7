"""What the reader says of every delivery that a receiver accepted, against what that receiver saw."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.lab.make_samples import SAMPLES, log_name
from tests.lab.random_cases import random_cases
from tests.lab.run import run_scenario
from tests.lab.scenario import LMTP_PORT, make_scenario
from tests.lab.skipping import require_root
from tests.lab.truth import Accepted, read_truth
from tests.lab.variants import VARIANTS

from maillog import Delivery, Outcome, Scope, Security, read_deliveries, read_log
from maillog.phrases import domain_name

SILENT = {"postfix-3.7-loglevel0", "exim-4.96-notlscipher"}
"""Their logs do not tell what was encrypted."""

# The reply id in the remote server's reply, and the queue id of the same line; the reader never sees this pattern.
_POSTFIX = re.compile(r"\]: ([0-9A-Za-z]{6,20}): to=<.*LAB-(\d{6})")
_EXIM = re.compile(r"(?<!\S)([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) (?:=>|->|>>) .*LAB-(\d{6})")
_REPLY = re.compile(r"LAB-\d{6}")
# A connection used again; with Exim a cipher without the server's name, which may be that of another connection.
_DOUBTFUL = re.compile(r"conn_use=| X=(?!.* DN=)").search


class Checked(NamedTuple):
    """One accepted recipient, its line in the log, and what the reader made of it."""

    row: Accepted
    queue_id: str
    line: str
    said: str

    @property
    def saw(self) -> str:
        """Return what the receiver saw."""
        return "encrypted" if self.row.tls else "plaintext"


def _lines(log: Path) -> list[str]:
    """Return the lines of a log; entries that syslog parted are put together by the test's own simple rule."""
    whole: list[str] = []
    for line in log.read_text(encoding="utf-8", errors="replace").split("\n"):
        part = re.search(r"\[(\d+)[/\\](\d+)\] (.*)$", line)
        if part and part[1] != "1":
            whole[-1] += part[3]
        else:
            whole.append(line)
    return whole


def _said(deliveries: list[Delivery], row: Accepted) -> str:
    if not deliveries:
        return "missing"
    delivery = deliveries.pop(0)
    if delivery.tls.security is Security.ENCRYPTED and delivery.tls.protocol not in {None, row.protocol}:
        return f"encrypted with {delivery.tls.protocol}"
    return str(delivery.tls.security)


def check(log: Path, truth: Path) -> list[Checked]:
    """
    Return every row of the truth with what the reader says: a word for security, ``missing``, a wrong protocol.

    ``unlogged``: the receiver's reply is nowhere in the log. The connection broke before it arrived, so that the sender
    does not know of the delivery either, and repeats it.
    """
    sent: dict[tuple[str, str | None, str | None], list[Delivery]] = defaultdict(list)
    for delivery in read_deliveries(str(log)):
        if delivery.result.outcome is Outcome.SENT:
            sent[delivery.queue_id, delivery.recipient_domain, delivery.relay.ip].append(delivery)
    lines = _lines(log)
    replies = set(_REPLY.findall("\n".join(lines)))
    found = ((_POSTFIX.search(line) or _EXIM.search(line), line) for line in lines)
    by_reply = {f"LAB-{match[2]}": (match[1], line) for match, line in found if match}
    checked = []
    for row in read_truth(truth):
        queue_id, line = by_reply.get(row.reply_id, ("", ""))
        known = row.reply_id in replies
        said = _said(sent[queue_id, domain_name(row.domain), row.mx_ip], row) if known else "unlogged"
        checked.append(Checked(row, queue_id, line, said))
    return checked


def wrong(checked: list[Checked]) -> list[str]:
    """Return every disagreement in words; ``unknown`` is none."""
    return [
        f"{one.row.reply_id} to {one.row.domain} on {one.row.mx_ip}: receiver {one.saw}, reader {one.said}"
        for one in checked
        if one.said not in {one.saw, "unknown", "unlogged"}
    ]


def _sample(name: str) -> list[Checked]:
    return check(SAMPLES / name / log_name(name), SAMPLES / name / "truth.jsonl")


@pytest.mark.parametrize("name", VARIANTS)
def test_no_delivery_is_misread(name: str) -> None:
    """Every accepted recipient has a delivery, and none is said to be what its receiver did not see."""
    checked = _sample(name)
    assert wrong(checked) == []
    # Each half of the question is asked often enough to mean something.
    assert min(Counter(one.row.tls for one in checked).values()) > 50 or name == "postfix-3.7-smarthost"


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - SILENT))
def test_unknown_only_for_connections_from_the_cache(name: str) -> None:
    """Where TLS is logged, ``unknown`` is said of no line but those of a connection used again, and of few of these."""
    # lmtp(8) has a log level of its own, lmtp_tls_loglevel, which is 0 in the sample with LMTP.
    checked = [one for one in _sample(name) if one.row.mx_port != LMTP_PORT]
    unknown = [one for one in checked if one.said == "unknown"]
    assert [one.line for one in unknown if not _DOUBTFUL(one.line)] == []
    assert len(unknown) <= len(checked) / 50


def test_nothing_is_known_without_tls_logging() -> None:
    """At loglevel 0 before Postfix 3.11 neither ``plaintext`` nor ``encrypted`` is said of any delivery."""
    assert {one.said for one in _sample("postfix-3.7-loglevel0")} == {"unknown"}


def test_exim_without_tls_cipher_knows_clear_text_only_where_it_is_stated() -> None:
    """Without X= in the log, ``plaintext`` rests on the line ``delivering unencrypted to`` of the same message."""
    log = SAMPLES / "exim-4.96-notlscipher" / "mainlog"
    stated = re.findall(r"(\S+) TLS session: .*: delivering unencrypted to ", log.read_text(errors="replace"))
    said = {(one.queue_id in stated, one.said) for one in _sample("exim-4.96-notlscipher")}
    assert said <= {(True, "plaintext"), (True, "unknown"), (False, "unknown")}


def test_the_filter_hop_is_never_traffic() -> None:
    """A delivery to the content filter on loopback has that scope, though every mail of the log has one."""
    deliveries = list(read_deliveries(str(SAMPLES / "postfix-3.7-filter" / "mail.log")))
    hops = Counter(delivery.relay.scope for delivery in deliveries if delivery.relay.port == 10024)
    assert set(hops) == {Scope.LOOPBACK}
    assert hops[Scope.LOOPBACK] > 300


def connections(log: Path, truth: Path) -> tuple[Counter[str | None], Counter[str | None]]:
    """Return over how many connections mail was accepted, by address: as the reader says, and as the receivers saw."""
    said = Counter(
        delivery.relay.ip
        for delivery in read_deliveries(str(log))
        if delivery.result.outcome is Outcome.SENT and not delivery.reused
    )
    return said, Counter(ip for ip, _, _ in {(row.mx_ip, row.mx_port, row.session) for row in read_truth(truth)})


@pytest.mark.lab
@pytest.mark.parametrize(
    "name", ["postfix-3.7", "postfix-3.7-tlsproxy", "postfix-3.11", "postfix-3.11-loglevel0", "exim-4.96", "exim-4.100"]
)
def test_live_run(name: str, tmp_path: Path) -> None:
    """A run made now, with domains drawn at random, is read as the receivers saw it."""
    setup = VARIANTS[name].setup
    require_root(setup.root)
    result = run_scenario(make_scenario(20, 20, random_cases(20)), setup, tmp_path / "run")
    checked = check(result.log, result.truth)
    assert wrong(checked) == []
    assert [one.line for one in checked if one.said == "unknown" and not _DOUBTFUL(one.line)] == []
    assert [line.text for reading in read_log(str(result.log)) for line in reading.unread] == []
    said = Counter(one.said for one in checked)
    assert said["unlogged"] <= len(checked) / 100
    assert min(said["encrypted"], said["plaintext"]) > 50
    counted, seen = connections(result.log, result.truth)
    assert {ip: number for ip, number in counted.items() if ip in seen and number > seen[ip]} == {}
    assert 0.97 * seen.total() < counted.total() <= seen.total()
