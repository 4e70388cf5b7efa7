"""Exim that writes the cipher of one connection on the lines of another one, against its receivers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path

import pytest
from tests.lab.cases import CLEAR, GOOD, Address, Case, Mx, Traffic
from tests.lab.exact import sent_lines
from tests.lab.inject import Mail
from tests.lab.mta import Setup
from tests.lab.other_ciphers import checked_run
from tests.lab.scenario import Scenario, make_scenario
from tests.lab.skipping import require_root

_TRAFFIC = Traffic(8)
# Mail of such names waits for the queue runner, and is sent over connections that are kept.
_CASES = (
    *(Case.simple(f"busy-tls-{number}.example", GOOD, _TRAFFIC) for number in range(3)),
    *(Case.simple(f"busy-clear-{number}.example", CLEAR, _TRAFFIC) for number in range(3)),
    Case(
        "busy-half.example",
        (
            Mx(10, "mx1.busy-half.example", (Address(replace(GOOD, greylist=True)),)),
            Mx(20, "mx2.busy-half.example", (Address(CLEAR),)),
        ),
        Traffic(8, recipients=2),
    ),
    # Few enough that TLS logging is not taken to be off when they are in clear together.
    Case.simple("busy-now-and-then.example", replace(GOOD, clear_every=2), _TRAFFIC),
    Case.simple("busy-lost.example", replace(GOOD, clear_from=3), _TRAFFIC),
)
SETUPS = {
    "4.96": Setup("exim-bookworm"),
    "4.100, no names": Setup("exim-sid").setting("log_selector", "+smtp_protocol_error"),
}


def _to_several_domains(scenario: Scenario) -> Scenario:
    """Return a scenario in which each mail goes to several domains."""
    domains: dict[str, list[Mail]] = {}
    for mail in scenario.mails:
        domains.setdefault(mail.recipients[0].rpartition("@")[2], []).append(mail)
    rows = zip_longest(*domains.values())
    together = (Mail(0.0, tuple(one for mail in row if mail is not None for one in mail.recipients)) for row in rows)
    return replace(scenario, mails=(*together, *scenario.mails[::2]))


@pytest.mark.lab
@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_live_run(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that went in clear is never called encrypted, though its line has X=."""
    require_root(setup.root)
    monkeypatch.setattr("tests.lab.run._SETTLE", 8)
    scenario = _to_several_domains(make_scenario(5, 1, _CASES))
    result = checked_run(scenario, setup, tmp_path / "run")
    # As if the servers had been so slow that more than a minute lay between any two lines.
    monkeypatch.setattr("maillog.exim.deliveries.RUN_TIME", timedelta(0))
    lines = sent_lines(result.log, result.truth, tmp_path)
    assert [line for line in lines if line.said not in (line.saw, "unknown")] == []
