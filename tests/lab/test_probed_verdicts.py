"""What probes add holds: domains that are called safe because of them lose no mail when the level is enforced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lab.cases import CASES, DANE_CASES
from tests.lab.mta import Setup
from tests.lab.network import Network
from tests.lab.proof import Case, compare, enforced
from tests.lab.run import Fate, Result, run_scenario
from tests.lab.scenario import Scenario, make_scenario
from tests.lab.signed_names import ROOT
from tests.lab.skipping import require_root

from maillog.phrases import domain_name
from tlsmon import api, config
from tlsmon.verdict.model import Level, Thresholds, Verdict

POSTFIX = Setup("postfix-bookworm")
SECONDS = 30
GAINS_TLS = {"gains-tls.example"}
"""At the beginning of the repeated run it has no STARTTLS again."""
PROVEN_SHARE = 0.8
"""Of the truly safe domains; before there were probes Postfix's log proved none of them at these levels."""


def asking(store: Path, domains: list[str]) -> Callable[[Network, str, Path], None]:
    """Return what probes the domains from the mail server's place, into a store."""

    def ask(network: Network, resolver: str, authority: Path) -> None:
        command = ["probe", "--file", "-", "--store", str(store), "--resolver", resolver, "--allow-private"]
        command += ["--ca-file", str(authority), "--helo", "mail.sender.example", "--timeout", "8", "--format", "csv"]
        place = ["ip", "netns", "exec", network.mta, sys.executable, "-m", "tlsmon"]
        text = "\n".join(domains).encode()
        subprocess.run([*place, *command], check=True, input=text, stdout=subprocess.DEVNULL, env=dict(os.environ))

    return ask


@dataclass(frozen=True)
class Runs:
    """The opportunistic run with its store, and what became of the same mail at each level."""

    scenario: Scenario
    before: Result
    after: dict[Level, Result]
    store: str

    def cases(self, level: Level, probe_days: float = 7.0) -> list[Case]:
        """Return what was said of each domain, and what happened."""
        thresholds = Thresholds(max_share=1.0, probe_days=probe_days)
        found = api.open(self.store).recommend(level, thresholds)
        said = {item.domain: item for item in found.judgements}
        return compare(self.scenario, self.before, self.after[level], said)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Send the same mail four times; probe behind the first."""
    require_root(POSTFIX.root)
    require_root(ROOT)
    folder = tmp_path_factory.mktemp("probed")
    scenario = make_scenario(11, SECONDS, CASES)
    names = sorted({domain_name(domain.name) or domain.name for domain in scenario.world.domains})
    levels = (Level.ENCRYPT, Level.VERIFY, Level.SECURE)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run_scenario, scenario, POSTFIX, folder / "before", asking(folder / "store", names))
        others = {
            level: pool.submit(run_scenario, scenario, enforced(POSTFIX, level), folder / level) for level in levels
        }
        before, after = first.result(), {level: run.result() for level, run in others.items()}
    settings = config.resolve(store=str(folder / "store"))
    api.ingest(settings, [str(before.log)])
    return Runs(scenario, before, after, settings.store)


@pytest.mark.lab
@pytest.mark.parametrize("level", [Level.ENCRYPT, Level.VERIFY, Level.SECURE])
def test_what_is_called_safe_is_safe(level: Level, runs: Runs) -> None:
    """With probes no domain that is called safe loses mail or gets it late, and most that are safe are called so."""
    cases = runs.cases(level)
    said = {case.domain for case in cases if case.judgement and case.judgement.verdict == "safe"}
    wrong = {case.domain: case.truth for case in cases if case.domain in said and case.truth in {"loses", "delays"}}
    assert wrong.keys() <= GAINS_TLS
    truly = {case.domain for case in cases if case.truth == "safe" and case.judgement}
    assert len(truly) > 10
    assert len(truly & said) >= PROVEN_SHARE * len(truly), sorted(truly - said)


@pytest.mark.lab
def test_what_the_log_alone_says(runs: Runs) -> None:
    """Without probes names are not proven at all, and a backup in clear that took no mail stays unseen."""
    for level in (Level.VERIFY, Level.SECURE):
        alone = runs.cases(level, probe_days=0)
        assert not any(case.judgement and case.judgement.verdict == "safe" for case in alone)
    (backup,) = [case for case in runs.cases(Level.ENCRYPT) if case.domain == "clear-backup.example"]
    assert backup.judgement
    assert backup.judgement.verdict != "safe"
    assert backup.judgement.probed
    assert "mx2.clear-backup.example" in backup.judgement.probed.findings[0]


@pytest.mark.lab
def test_dane_only_holds(tmp_path: Path) -> None:
    """
    With probes a log of Postfix at ``may`` tells who may be moved to ``dane-only``, if the server is known to validate.

    What is called safe gets all its mail when ``dane-only`` is enforced, and most of what does is called so.
    """
    require_root(POSTFIX.root)
    require_root(ROOT)
    scenario = make_scenario(5, 10, DANE_CASES)
    names = [domain.name for domain in scenario.world.domains]
    dane_only = POSTFIX.setting("smtp_tls_security_level", "dane-only").setting("smtp_dns_support_level", "dnssec")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run_scenario, scenario, POSTFIX, tmp_path / "before", asking(tmp_path / "store", names))
        second = pool.submit(run_scenario, scenario, dane_only, tmp_path / "after")
        before, after = first.result(), second.result()
    settings = config.resolve(store=str(tmp_path / "store"))
    api.ingest(settings, [str(before.log)])
    fates: dict[str, set[Fate]] = defaultdict(set)
    for recipient, fate in after.fates.items():
        if before.fates[recipient] is Fate.ACCEPTED:
            fates[recipient.rpartition("@")[2]].add(fate)
    truly = {domain for domain, found in fates.items() if found == {Fate.ACCEPTED}}
    safe = {validates: _safe(settings.store, validates=validates) for validates in (False, True)}
    assert safe[False] == set()
    assert safe[True] - truly == set()
    assert len(truly) > 15
    assert len(safe[True]) >= PROVEN_SHARE * len(truly), sorted(truly - safe[True])


def _safe(store: str, *, validates: bool) -> set[str]:
    asked = Thresholds(max_share=1.0, sender_validates=validates)
    return {item.domain for item in api.open(store).recommend(Level.DANE_ONLY, asked).verdicts(Verdict.SAFE)}
