"""Exim that hands mail on while it still comes in, to several recipients over one connection, against its receivers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.authority import Certificate
from tests.lab.cases import CLEAR, GOOD, Address, Case, Mx, Traffic
from tests.lab.mta import Setup
from tests.lab.run import run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.skipping import require_root
from tests.lab.test_truth import check, wrong
from tests.lab.world import Behaviour, StartTls

from maillog import Evidence, read_deliveries, read_log

_BEHAVIOURS = {
    "good": GOOD,
    "clear": CLEAR,
    "refused": Behaviour(starttls=StartTls.REFUSED),
    "refused-for-now": Behaviour(starttls=StartTls.REFUSED_FOR_NOW),
    "self-signed": Behaviour(certificate=Certificate.SELF_SIGNED),
    "flaps": replace(GOOD, clear_every=2),
    "greylists": replace(GOOD, greylist=True),
    "greylists-clear": replace(CLEAR, greylist=True),
    "unknown": replace(GOOD, unknown_every=4),
    "busy": replace(CLEAR, busy_every=2),
    "drops": Behaviour(drop_after_handshake=True),
    "client-certificate": Behaviour(client_certificate=True, only_protocol="TLSv1.3"),
}
_LEFT = {"drops.example", "client-certificate.example"}
"""They get it in clear, and the lines have the cipher of the session that they broke off: nothing is known of them."""
_TRAFFIC = Traffic(4, recipients=3)
_CASES = (
    *(Case.simple(f"{name}.example", behaviour, _TRAFFIC) for name, behaviour in _BEHAVIOURS.items()),
    Case(
        "two.example",
        (
            Mx(10, "mx1.two.example", (Address(replace(GOOD, busy_every=2)),)),
            Mx(20, "mx2.two.example", (Address(CLEAR),)),
        ),
        _TRAFFIC,
    ),
    Case.simple("one-recipient.example", GOOD, Traffic(4)),
)
SETUPS = {
    "4.96": Setup("exim-bookworm"),
    "4.100, all selectors": Setup("exim-sid").setting("log_selector", "+all"),
}


@pytest.mark.lab
@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_live_run(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recipient is read as its receiver saw it, though one line of a message alone tells of TLS."""
    require_root(setup.root)
    monkeypatch.setattr("tests.lab.run._SETTLE", 5)
    result = run_scenario(make_scenario(5, 4, _CASES), setup.setting("acl_smtp_rcpt", "cut_through"), tmp_path / "run")
    checked = check(result.log, result.truth)
    assert wrong(checked) == []
    assert [line.text for reading in read_log(str(result.log)) for line in reading.unread] == []
    cut_through = [one for one in checked if " >> " in one.line]
    assert {one.said for one in cut_through if one.row.domain in _LEFT} == {"unknown"}
    said = Counter(one.said for one in cut_through if one.row.domain not in _LEFT)
    assert set(said) <= {"encrypted", "plaintext"}
    assert min(said["encrypted"], said["plaintext"]) > 15
    told = Counter(one.tls.evidence for one in read_deliveries(str(result.log)) if one.tls.security == "encrypted")
    assert told[Evidence.CORRELATED] > 10
