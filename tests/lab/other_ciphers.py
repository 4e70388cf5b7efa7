"""A run of an Exim whose lines have the cipher of another connection, checked against what the receivers saw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.lab.mta import Setup
from tests.lab.run import Result, run_scenario
from tests.lab.scenario import Scenario
from tests.lab.test_truth import check, wrong


def checked_run(scenario: Scenario, setup: Setup, folder: Path) -> Result:
    """Run a scenario; a mail that went in clear is not called encrypted, though there are lines of such with X=."""
    result = run_scenario(scenario, setup, folder)
    checked = check(result.log, result.truth)
    assert wrong(checked) == []
    forged = [one for one in checked if one.saw == "plaintext" and " X=" in one.line]
    assert {one.said for one in forged} == {"unknown"}, "without any, this test shows nothing"
    said = Counter(one.said for one in checked)
    assert min(said["encrypted"], said["plaintext"]) > 0
    return result
