"""The proof: no domain that is called safe loses mail, or gets it late, when a real mail server enforces TLS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.lab.machine import missing_pieces
from tests.lab.proof import compare, judgements, matrix, run_twice
from tests.lab.scenario import make_scenario
from tests.lab.variants import VARIANTS

NOTHING_IN_THE_LOG = {"clear-backup.example", "gains-tls.example"}
"""
A backup MX without TLS that took no mail is not in the log. A host that has STARTTLS by now had none at the beginning
of the repeated run, either: what is safe now was not safe then.
"""
ONLY_CLEAR_IN_THE_LOG = {"clear-first.example", "ipv6-clear.example", "busy-two.example"}
"""All mail of the first run went in clear, to one of two servers; that the other one has TLS is not in the log."""
PROVEN_SHARE = 0.95


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "level"), [("postfix-3.7", "encrypt"), ("postfix-3.11", "encrypt"), ("exim-4.96", "encrypt")]
)
def test_enforcement(name: str, level: str, tmp_path: Path) -> None:
    """The same mail, enforced, comes to what was said of it, and nearly every domain that is safe is called so."""
    setup = VARIANTS[name].setup
    missing = missing_pieces(setup.root)
    if missing and os.environ.get("TLSMON_LAB") != "required":
        pytest.skip(missing)
    assert missing is None, missing
    scenario = make_scenario(seed=7, seconds=30)
    before, after = run_twice(scenario, setup, level, tmp_path)
    cases = compare(scenario, before, after, judgements(before.log, level, tmp_path))
    wrong = [
        (case.domain, case.truth, case.judgement.reasons)
        for case in cases
        if case.judgement and case.judgement.verdict == "safe" and case.truth in ("loses", "delays")
    ]
    assert [case for case in wrong if case[0] not in NOTHING_IN_THE_LOG] == []
    safe = [case for case in cases if case.truth == "safe" and case.judgement]
    safe = [case for case in safe if case.domain not in ONLY_CLEAR_IN_THE_LOG]
    named = [case for case in safe if case.judgement and case.judgement.verdict == "safe"]
    assert len(named) >= PROVEN_SHARE * len(safe), matrix(cases)
    assert len(named) > 30
