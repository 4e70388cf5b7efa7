"""A run of an Exim whose lines have the cipher of another connection, checked against what the receivers saw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.lab.exact import sent_lines
from tests.lab.mta import Setup
from tests.lab.run import Result, run_scenario
from tests.lab.scenario import Scenario

_TRIES = 4


def checked_run(scenario: Scenario, setup: Setup, folder: Path) -> Result:
    """
    Run a scenario; a mail that went in clear is not called encrypted, though there are lines of such with X=.

    Which connections Exim keeps, and for what, is a matter of moments: a run without such a line shows nothing, and on
    a busy machine there are such runs. So there are several tries, and every one must be right.
    """
    for number in range(_TRIES):
        result = run_scenario(scenario, setup, folder / str(number))
        lines = list(sent_lines(result.log, result.truth, folder))
        assert [line for line in lines if line.said not in (line.saw, "unknown")] == []
        forged = [line for line in lines if line.saw == "plaintext" and " X=" in line.text.partition(' C="')[0]]
        said = Counter(line.said for line in lines)
        if forged and min(said["encrypted"], said["plaintext"]) > 0:
            return result
    raise AssertionError(f"{_TRIES} runs without a line of another connection's cipher")
