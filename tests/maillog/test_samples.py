"""Every line that real mail servers wrote for ``sample_logs/`` can be read."""

from pathlib import Path

import pytest

from maillog import ReadSettings, read_deliveries, read_log

SAMPLES = sorted(Path("sample_logs").glob("*/*log"))
OUTBOUND = [log for log in SAMPLES if not log.parent.name.startswith("inbound-")]


@pytest.mark.parametrize("log", SAMPLES, ids=lambda log: log.parent.name)
def test_nothing_is_unread(log: Path) -> None:
    """Every relevant line is understood."""
    readings = list(read_log(str(log), ReadSettings()))
    assert [line.text for reading in readings for line in reading.unread] == []
    assert sum(len(reading.deliveries) for reading in readings) > 80


# Every mail of these goes to the second host, as the first one is down, answers 450, or breaks off.
TAKEN_OVER = {
    "postfix": {"busy-tls-then-clear.example", "down-then-good.example", "drops-then-clear.example"},
    "exim": {"busy-tls-then-clear.example", "down-then-good.example"},
}
"""Exim goes on to the same host in clear where it breaks off after the handshake."""
PROXIED = {"no-handshake.example"}
"""With tlsproxy(8) no line of smtp(8) says which host's handshake failed, so it may have been another one."""


@pytest.mark.parametrize("log", OUTBOUND, ids=lambda log: log.parent.name)
def test_another_host_failed_before(log: Path) -> None:
    """What a backup took because the primary failed is told from what went to one of two equal hosts."""
    name = log.parent.name
    found = (each for each in read_deliveries(str(log)) if each.relay.scope == "internet")
    sent = [each for each in found if each.result.outcome == "sent"]
    earlier = {each.recipient_domain for each in sent if each.result.earlier}
    in_turn = {each.recipient_domain for each in sent if not each.result.earlier}
    expected = TAKEN_OVER[name.partition("-")[0]] if name != "postfix-3.7-smarthost" else set()
    assert earlier - (PROXIED if "tlsproxy" in name else set()) == expected
    assert "two-equal.example" in in_turn
    assert not expected & in_turn
