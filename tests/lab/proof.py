"""
Would enforcement have done what the verdicts say? The same mail, once opportunistic and once enforced.

The truth comes from the receivers and from the MTA's queue, never from tlsmon; only whether a mail was deferred for TLS
is read from the enforced run's log, by patterns of this file's own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.mta import Setup
from tests.lab.run import Fate, Result, run_scenario
from tests.lab.scenario import Scenario

from maillog.phrases import domain_name
from tlsmon import api, config
from tlsmon.verdict.model import Judgement, Level, Thresholds

_ENFORCED = {
    ("postfix", "encrypt"): ("smtp_tls_security_level", "encrypt"),
    ("postfix", "verify"): ("smtp_tls_security_level", "verify"),
    ("postfix", "secure"): ("smtp_tls_security_level", "secure"),
    ("exim", "encrypt"): ("remote_smtp", "  hosts_require_tls = *"),
    ("exim", "verify"): ("remote_smtp", "  hosts_require_tls = *\n  tls_verify_hosts = *"),
}
_FAILED_FOR_TLS = re.compile(
    r"to=<[^>]*@([^>@]+)>, .*status=(?:deferred|bounced) \((?:delivery temporarily suspended: )?"
    r"(?:TLS is required|Cannot start TLS|Server certificate)"
    r"|== \S*@(\S+) .*defer \(-3[78]\)"
)
_ACCEPTED = re.compile(r"to=<[^>]*@([^>@]+)>, .*status=sent .*LAB-\d{6}|[=-]> \S*@(\S+) .*LAB-\d{6}")


@dataclass(frozen=True)
class Case:
    """One domain: what was said, and what happened."""

    domain: str
    judgement: Judgement | None
    """None: tlsmon knows nothing of the domain."""
    truth: str
    """``safe``, ``delays``, ``loses``; ``open``: the run was too short; ``none``: nothing arrived in the first run."""


def enforced(setup: Setup, level: str) -> Setup:
    """Return the set-up with every destination at the level."""
    mta = "postfix" if setup.root.startswith("postfix") else "exim"
    return setup.setting(*_ENFORCED[mta, level])


def run_twice(scenario: Scenario, setup: Setup, level: str, folder: Path) -> tuple[Result, Result]:
    """Return the opportunistic and the enforced run of the same mail; they run side by side."""
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(run_scenario, scenario, setup, folder / "before")
        after = pool.submit(run_scenario, scenario, enforced(setup, level), folder / "after")
        return before.result(), after.result()


def judgements(log: Path, level: str, folder: Path) -> dict[str, Judgement]:
    """Return what tlsmon says of each domain, judged by what was seen alone, through the real store."""
    settings = config.resolve(store=str(folder / "store"))
    api.ingest(settings, [str(log)])
    found = api.open(settings.store).recommend(Level(level), Thresholds(max_share=1.0))
    return {item.domain: item for item in found.judgements}


def compare(scenario: Scenario, before: Result, after: Result, said: dict[str, Judgement]) -> list[Case]:
    """Return every domain of the scenario with what was said and what happened."""
    events = _events(after.log)
    fates: dict[str, list[tuple[Fate, Fate]]] = defaultdict(list)
    for recipient in (recipient for mail in scenario.mails for recipient in mail.recipients):
        domain = domain_name(recipient.rpartition("@")[2]) or recipient
        fates[domain].append((before.fates[recipient], after.fates[recipient]))
    return [Case(domain, said.get(domain), _truth(pairs, events[domain])) for domain, pairs in sorted(fates.items())]


def matrix(cases: list[Case]) -> Counter[tuple[str, str]]:
    """Return how often each truth met each verdict."""
    return Counter((case.truth, str(case.judgement.verdict) if case.judgement else "-") for case in cases)


def _truth(pairs: list[tuple[Fate, Fate]], events: str) -> str:
    """
    Say what enforcement did to a domain, from its mails' fates and the order of what the enforced log says of it.

    A run is shorter than a queue lifetime. Mail that waits for TLS at its end is lost where the domain took no further
    mail since; where it did, a later attempt would have succeeded. Mail that waits without a failure (a long queue, a
    greylisting host) says nothing.
    """
    arrived = [after for before, after in pairs if before is Fate.ACCEPTED]
    if not arrived:
        return "none"
    if "t" not in events:
        return "safe" if all(fate is Fate.ACCEPTED for fate in arrived) else "open"
    if any(fate is not Fate.ACCEPTED for fate in arrived) and events.rfind("a") < events.find("t"):
        return "loses"
    return "delays"


def _events(log: Path) -> dict[str, str]:
    """Return for each domain, in the order of the log: ``a`` mail accepted, ``t`` mail deferred or bounced for TLS."""
    events: dict[str, str] = defaultdict(str)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        for kind, pattern in (("t", _FAILED_FOR_TLS), ("a", _ACCEPTED)):
            match = pattern.search(line)
            if match:
                events[domain_name(match[1] or match[2]) or ""] += kind
    return events
