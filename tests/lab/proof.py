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
from tlsmon.policy import postfix
from tlsmon.verdict.model import Judgement, Level, Thresholds

_ENFORCED = {
    ("postfix", "encrypt"): ("smtp_tls_security_level", "encrypt"),
    ("postfix", "verify"): ("smtp_tls_security_level", "verify"),
    ("postfix", "secure"): ("smtp_tls_security_level", "secure"),
    ("exim", "encrypt"): ("remote_smtp", "  hosts_require_tls = *"),
    ("exim", "verify"): ("remote_smtp", "  hosts_require_tls = *\n  tls_verify_hosts = *"),
    ("postfix", "dane-only"): ("smtp_tls_security_level", "dane-only"),
    ("exim", "dane-only"): ("remote_smtp", "  hosts_require_dane = *"),
}
_TLS_TEXT = (
    r"\((?:delivery temporarily suspended: )?"
    r"(?:TLS is required|Cannot start TLS|Server certificate|TLSA |no TLSA records|non DNSSEC destination)"
)
_DEFERRED_FOR_TLS = re.compile(rf"to=<[^>]*@([^>@]+)>, .*status=deferred {_TLS_TEXT}|== \S*@(\S+) .*defer \(-3[678]\)")
_BOUNCED_FOR_TLS = re.compile(rf"to=<[^>]*@([^>@]+)>, .*status=bounced {_TLS_TEXT}|\*\* \S*@(\S+) .*: DANE error: ")
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
    return setup.setting(*_ENFORCED[mta_of(setup), level])


def with_policy(setup: Setup, log: Path, level: Level, folder: Path, kept: str) -> tuple[Setup, frozenset[str]]:
    """
    Return the set-up with the policy that the tool writes from a log, and the domains that it lists.

    ``kept`` is a line of a table in use that people wrote, which the tool is to merge with. Postfix gets its table as
    the index that its Debian has; Exim gets the lists, the routers and the transports as they were written.
    """
    proposal = api.open(ingested(log, folder)).policy(level, Thresholds(max_share=1.0))
    merged = proposal.against(mta_of(setup), kept).merged
    listed = frozenset(item.domain for item in proposal.safe)
    if mta_of(setup) == "postfix":
        kind = "hash" if setup.root == "postfix-bookworm" else "lmdb"
        table = f"{kind}:{postfix.TABLE}"
        return setup.with_map(Path(postfix.TABLE).name, merged).setting("smtp_tls_policy_maps", table), listed
    written = proposal.for_exim()
    for domains in written.lists:
        text = merged if domains.level.value == level.value else domains.text
        setup = setup.with_map(Path(domains.path).name, text)
    return setup.setting("routers", written.routers).setting("transports", written.transports), listed


def opportunistic_dane(setup: Setup) -> Setup:
    """Return the set-up with DANE used where a domain has it; Exim does so by default."""
    if mta_of(setup) == "exim":
        return setup
    return setup.setting("smtp_tls_security_level", "dane").setting("smtp_dns_support_level", "dnssec")


def mta_of(setup: Setup) -> str:
    """Return ``postfix`` or ``exim``."""
    return setup.root.partition("-")[0]


def run_twice(scenario: Scenario, setup: Setup, level: str, folder: Path) -> tuple[Result, Result]:
    """Return the opportunistic and the enforced run of the same mail; they run side by side."""
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(run_scenario, scenario, setup, folder / "before")
        after = pool.submit(run_scenario, scenario, enforced(setup, level), folder / "after")
        return before.result(), after.result()


def judgements(log: Path, level: str, folder: Path, in_force: str | None = None) -> dict[str, Judgement]:
    """Return what tlsmon says of each domain, judged by what was seen alone, through the real store."""
    found = api.open(ingested(log, folder)).recommend(Level(level), Thresholds(max_share=1.0, in_force=in_force))
    return {item.domain: item for item in found.judgements}


def ingested(log: Path, folder: Path) -> str:
    """Read a log into a store in the folder and return where that is."""
    settings = config.resolve(store=str(folder / "store"))
    api.ingest(settings, [str(log)])
    return settings.store


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
    if "b" in events and Fate.BOUNCED in arrived:
        return "loses"
    if "t" not in events:
        return "safe" if all(fate is Fate.ACCEPTED for fate in arrived) else "open"
    if any(fate is not Fate.ACCEPTED for fate in arrived) and events.rfind("a") < events.find("t"):
        return "loses"
    return "delays"


def _events(log: Path) -> dict[str, str]:
    """Return for each domain, in the order of the log: mail ``a`` accepted, ``t`` deferred, ``b`` bounced for TLS."""
    events: dict[str, str] = defaultdict(str)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        for kind, pattern in (("t", _DEFERRED_FOR_TLS), ("b", _BOUNCED_FOR_TLS), ("a", _ACCEPTED)):
            match = pattern.search(line)
            if match:
                events[domain_name(next(filter(None, match.groups()))) or ""] += kind
    return events
