"""Exim that keeps connections for mail that waits, to hosts that give sessions up, against its receivers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.exact import sent_lines
from tests.lab.inject import Mail
from tests.lab.mta import Setup
from tests.lab.random_cases import BREAKING, random_cases
from tests.lab.run import run_scenario
from tests.lab.scenario import Scenario, make_scenario
from tests.lab.skipping import require_root

from maillog import read_log

_SETUP = (
    Setup("exim-sid")
    # Exim's own default: names are not logged.
    .setting("log_selector", "+smtp_protocol_error")
    .setting("queue_only", "true")
    .setting("remote_max_parallel", "1")
    .setting("remote_smtp", "  connection_max_messages = 2\n  command_timeout = 2s")
)


def _by_three(scenario: Scenario) -> Scenario:
    """Return a scenario in which each mail goes to the recipients of three that follow each other."""
    mails = scenario.mails
    groups = (mails[begin : begin + 3] for begin in range(0, len(mails), 3))
    together = (Mail(group[0].at, tuple(one for mail in group for one in mail.recipients)) for group in groups)
    return replace(scenario, mails=tuple(together))


@pytest.mark.lab
def test_every_line_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of a mail that was sent is read as its receiver saw it."""
    require_root(_SETUP.root)
    monkeypatch.setattr("tests.lab.run._SETTLE", 10)
    scenario = _by_three(make_scenario(3, 8, random_cases(3, 60, BREAKING)))
    result = run_scenario(scenario, _SETUP, tmp_path / "run")
    lines = list(sent_lines(result.log, result.truth, tmp_path))
    assert [line for line in lines if line.said not in (line.saw, "unknown")] == []
    assert [line.text for reading in read_log(str(result.log)) for line in reading.unread] == []
    said = Counter((line.saw, line.said) for line in lines)
    assert min(said["encrypted", "encrypted"], said["plaintext", "plaintext"]) > 3
