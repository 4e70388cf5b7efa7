"""Policies as tlsmon writes them, loaded into the mail server whose log they were made from."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.cases import CASES, Case, Traffic
from tests.lab.proof import mta_of, with_policy
from tests.lab.run import Fate, Result, run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.skipping import require_root
from tests.lab.truth import read_truth
from tests.lab.variants import VARIANTS

from tlsmon.policy.canary import canary
from tlsmon.policy.model import Enforcement
from tlsmon.verdict.model import Level

KEPT = "clear-3.example"
"""A person has put this domain into the policy, though it takes no TLS."""
_STARTS = ("good-", "clear-", "self-signed", "tls1", "two-equal", "clear-first", "down-then", "upper", "customer-")
SCENARIO = make_scenario(5, 8, tuple(case for case in CASES if case.domain.startswith(_STARTS)))
# What a line of the log says of how a recipient was served: Postfix 3.11 the level, Exim the transport.
_SERVED = re.compile(r"to=<[^@]+@([^>]+)>.* tls=(\w+).*status=sent|[=-]> [^@]+@(\S+) .*T=(\w+) ", re.IGNORECASE)


def _fates(result: Result) -> dict[str, set[Fate]]:
    found: dict[str, set[Fate]] = defaultdict(set)
    for recipient, fate in result.fates.items():
        found[recipient.rpartition("@")[2].lower()].add(fate)
    return found


def _served(log: Path) -> set[tuple[str, str]]:
    found = (_SERVED.search(line) for line in log.read_text(errors="replace").splitlines())
    return {((match[1] or match[3]).lower(), match[2] or match[4]) for match in found if match}


@pytest.mark.lab
@pytest.mark.parametrize("name", ["postfix-3.11", "exim-4.96"])
def test_policy_does_what_it_says(name: str, tmp_path: Path) -> None:
    """Listed domains are enforced and lose nothing, and all others go as before; a line that people wrote holds."""
    setup = VARIANTS[name].setup
    require_root(setup.root)
    before = run_scenario(SCENARIO, setup, tmp_path / "before")
    kept = f"{KEPT} encrypt\n" if mta_of(setup) == "postfix" else f"{KEPT}:\n"
    enforced, listed = with_policy(setup, before.log, Level.ENCRYPT, tmp_path, kept)
    assert {"good-1.example", "self-signed-1.example", "upper.example", "customer-1.example"} <= listed
    after = run_scenario(SCENARIO, enforced, tmp_path / "after")
    expected = _fates(before) | {KEPT: {Fate.WAITING}}
    assert _fates(after) == expected
    clear = {row.domain.lower() for row in read_truth(after.truth) if not row.tls}
    assert "clear-1.example" in clear
    assert not clear & (listed | {KEPT})
    enforcing = {"encrypt", "tlsmon_encrypt_smtp"}
    assert {domain for domain, word in _served(after.log) if word in enforcing} == listed
    assert not {domain for domain, word in _served(after.log) if word not in enforcing} & listed


def _with_much_mail(case: Case) -> Case:
    """Return the case with 20 mails, since of ten in all none was drawn in one run of twenty."""
    return replace(case, traffic=Traffic(20))


@pytest.mark.lab
def test_canary_loses_nothing(tmp_path: Path) -> None:
    """Even where every verdict of a canary is wrong, a drawn mail is only late: a later attempt is not drawn."""
    setup = VARIANTS["postfix-3.11"].setup
    require_root(setup.root)
    cases = [_with_much_mail(case) for case in CASES if re.match(r"(good|clear)-\d", case.domain)]
    domains = [case.domain for case in cases]
    written = canary([Enforcement(domain, "encrypt", "wrong on purpose") for domain in domains], 0.25)
    trial = setup.setting("smtp_tls_policy_maps", written.setting)
    for table in written.tables:
        trial = trial.with_map(Path(table.path).name, table.text)
    result = run_scenario(make_scenario(6, 8, tuple(cases)), trial, tmp_path / "run")
    assert set(result.fates.values()) == {Fate.ACCEPTED}
    served = _served(result.log)
    assert {word for domain, word in served if domain.startswith("good-")} == {"may", "encrypt"}
    assert {word for domain, word in served if domain.startswith("clear-")} == {"may"}
    assert "TLS is required, but was not offered by host" in result.log.read_text(errors="replace")
