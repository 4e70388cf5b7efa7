"""Exim that leaves mail to fallback hosts: their lines have the cipher, and the name, of the host before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.cases import CLEAR, GOOD, Case, Traffic
from tests.lab.mta import Setup
from tests.lab.other_ciphers import checked_run
from tests.lab.scenario import Scenario, make_scenario
from tests.lab.skipping import require_root

_TRAFFIC = Traffic(4)
_CASES = (
    Case.simple("good.example", GOOD, _TRAFFIC),
    Case.simple("clear.example", CLEAR, _TRAFFIC),
    *(
        Case.simple(f"puts-off-{number}.example", replace(GOOD, recipient_reply=b"450 4.2.0 later"), _TRAFFIC)
        for number in range(2)
    ),
)
_FALLBACK = ("remote_smtp", "  fallback_hosts = mx1.clear.example")
SETUPS = {
    "4.96": Setup("exim-bookworm").setting(*_FALLBACK),
    "4.100, no names": Setup("exim-sid").setting(*_FALLBACK).setting("log_selector", "+smtp_protocol_error"),
}


def _what_the_host_took_before_first(scenario: Scenario) -> Scenario:
    """Return a scenario in which the fallback host is known to take mail in clear before it stands in for others."""
    later = (
        mail if mail.recipients[0].endswith("@clear.example") else replace(mail, at=mail.at + 3)
        for mail in scenario.mails
    )
    return replace(scenario, mails=tuple(sorted(later, key=lambda mail: mail.at)))


@pytest.mark.lab
@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_live_run(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that a fallback host took in clear is not called encrypted, though its line has X=, and DN=."""
    require_root(setup.root)
    monkeypatch.setattr("tests.lab.run._SETTLE", 4)
    scenario = _what_the_host_took_before_first(make_scenario(5, 1, _CASES))
    checked_run(scenario, setup, tmp_path / "run")
