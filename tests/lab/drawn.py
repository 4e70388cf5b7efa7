"""
Verdicts on domains drawn at random: ``python -m tests.lab.drawn SET-UP SEED [LEVEL] [DOMAINS]``, as root.

Prints the matrix of truth and verdict, how many of the domains that are steadily safe are named, and every domain that
was called safe and was not. A run is short, and what flaps may have been lucky twice; so *steadily safe* is told from
how the addresses were made, beside how the mail fared. And a log speaks only of hosts that it met: the steadily safe
domains are told by the log where one of their addresses with TLS took mail in the first run.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.lab.authority import Certificate
from tests.lab.proof import Case, compare, judgements, matrix, mta_of, run_twice
from tests.lab.random_cases import random_cases
from tests.lab.scenario import make_scenario
from tests.lab.truth import read_truth
from tests.lab.variants import VARIANTS
from tests.lab.world import Behaviour, Domain, Endpoint, StartTls

SECONDS = 40


def main() -> None:
    """Measure one draw."""
    name, seed, *rest = sys.argv[1:]
    level, number = [*rest, *("encrypt", "100")[len(rest) :]]
    setup = VARIANTS[name].setup
    scenario = make_scenario(int(seed), SECONDS, random_cases(int(seed), int(number)))
    with tempfile.TemporaryDirectory(prefix="tlsmon-lab-") as scratch:
        folder = Path(scratch)
        before, after = run_twice(scenario, setup, level, folder)
        cases = compare(scenario, before, after, judgements(before.log, level, folder))
        met = {(row.domain, row.mx_ip) for row in read_truth(before.truth)}
    domains = {domain.name: domain for domain in scenario.world.domains}
    postfix = mta_of(setup) == "postfix"
    steady = [
        each for each in cases if each.truth == "safe" and steadily_safe(domains[each.domain], level, bounces=postfix)
    ]
    told = [
        each for each in steady if any((each.domain, end.address) in met for end in always(domains[each.domain], level))
    ]
    print(f"{name}, {level}, seed {seed}: {dict(matrix(cases))}")
    print(f"steadily safe: {_named(steady)}; told by the log: {_named(told)}")
    for case in cases:
        if _is_safe(case) and case.truth in {"loses", "delays"}:
            print(f"called safe, {case.truth}: {case.domain}: {_made(domains[case.domain])}")
    for case in told:
        if not _is_safe(case):
            print(f"safe, not named: {case.domain}: {_made(domains[case.domain])}: {_said(case)}")


def steadily_safe(domain: Domain, level: str, *, bounces: bool) -> bool:
    """
    Tell whether a level takes no mail from the domain, however often it is tried.

    ``bounces``: the sender is Postfix, which returns mail at once where STARTTLS is answered 5xx.
    """
    refusing = any(end.behaviour.starttls is StartTls.REFUSED for end in _ends(domain))
    return bool(list(always(domain, level))) and not domain.later and not (bounces and refusing)


def always(domain: Domain, level: str) -> Iterable[Endpoint]:
    """Return the addresses that take any mail at the level at the first attempt."""
    return (end for end in _ends(domain) if _takes_all(end.behaviour) and _is_accepted(end.behaviour, level))


def _is_accepted(made: Behaviour, level: str) -> bool:
    """Tell whether a level other than dane-only accepts the certificate."""
    accepted = {"encrypt": frozenset(Certificate), "verify": {Certificate.TRUSTED, Certificate.TRUSTED_DOMAIN}}
    return made.certificate in accepted.get(level, {Certificate.TRUSTED_DOMAIN})


def _takes_all(made: Behaviour) -> bool:
    changes = made.clear_every or made.clear_from or made.clear_until or made.busy_every or made.greylist
    fails = made.drop_after_handshake or made.client_certificate or made.silent or made.recipient_reply
    return made.starttls is StartTls.WORKS and not changes and not fails


def _ends(domain: Domain) -> Iterable[Endpoint]:
    return (end for _, host in domain.mx for end in host.endpoints)


def _said(case: Case) -> str:
    judged = case.judgement
    return f"{judged.verdict}: {'; '.join(judged.reasons)}" if judged else "-"


def _is_safe(case: Case) -> bool:
    return case.judgement is not None and case.judgement.verdict == "safe"


def _named(cases: list[Case]) -> str:
    return f"{sum(map(_is_safe, cases))} of {len(cases)} named"


def _made(domain: Domain) -> str:
    """Say how the addresses of a domain were made: what differs from a receiver without fault."""
    plain = vars(Behaviour())
    hosts = (
        f"{preference} {host.name} "
        + " ".join(
            f"[{' '.join(f'{key}={value}' for key, value in vars(end.behaviour).items() if value != plain[key])}]"
            for end in host.endpoints
        )
        for preference, host in domain.mx
    )
    return "; ".join(hosts) + (" and others later" if domain.later else "")


if __name__ == "__main__":
    main()
