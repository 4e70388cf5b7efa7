"""DANE in the lab's signed zone: real mail servers obey RFC 7672 there, and what is called safe at dane-only is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lab.cases import CASES, DANE_CASES, DANE_REFUSED
from tests.lab.proof import compare, judgements, opportunistic_dane, run_twice
from tests.lab.run import Fate, Result
from tests.lab.scenario import make_scenario
from tests.lab.signed_names import ROOT
from tests.lab.skipping import require_root
from tests.lab.variants import VARIANTS

WITHOUT_DANE = tuple(case for case in CASES if case.domain in {"good-3.example", "clear-3.example", "expired.example"})
NAME_NOT_CHECKED = {"dane-anchor-name.example"}
"""Exim 4.96 with GnuTLS looks at no name where the record is a trust anchor's; the log says ``CV=yes``."""
ONLY_THE_OTHER_IN_THE_LOG = {"dane-first-without.example"}
"""All mail of the first run went to the primary, which has no TLSA records; that the backup has some is not in it."""
TAKEN_AS_UNUSABLE = {"dane-unusable.example"}
"""Exim with GnuTLS delivers behind TLSA records that are all unusable, and logs the same as without any."""


@pytest.mark.lab
@pytest.mark.parametrize(("name", "in_force"), [("postfix-3.7", "dane"), ("exim-4.96", None)])
def test_dane_only(name: str, in_force: str | None, tmp_path: Path) -> None:
    """
    Opportunistic DANE refuses what it must; enforced, no domain that was called safe gets mail late or not at all.

    Nearly every domain that is safe is called so. Postfix 3.7 does not log the level, so it has to be told.
    """
    setup = opportunistic_dane(VARIANTS[name].setup)
    require_root(setup.root)
    require_root(ROOT)
    exim = name.startswith("exim")
    scenario = make_scenario(3, 8, (*DANE_CASES, *WITHOUT_DANE))
    before, after = run_twice(scenario, setup, "dane-only", tmp_path)
    assert _waiting(before) == {case.domain for case in DANE_REFUSED} - (NAME_NOT_CHECKED if exim else set())
    cases = compare(scenario, before, after, judgements(before.log, "dane-only", tmp_path, in_force))
    said_safe = {case.domain for case in cases if case.judgement and case.judgement.verdict == "safe"}
    safe = {case.domain for case in cases if case.truth == "safe"}
    unseen = ONLY_THE_OTHER_IN_THE_LOG | (NAME_NOT_CHECKED | TAKEN_AS_UNUSABLE if exim else set())
    assert len(safe) > 20
    assert said_safe - safe == set()
    assert safe - said_safe <= unseen
    losing = {case.domain for case in cases if case.truth == "loses"}
    assert {case.domain for case in WITHOUT_DANE} <= losing
    if in_force is None:
        return
    untold = judgements(before.log, "dane-only", tmp_path / "again", None)
    assert {str(item.verdict) for item in untold.values()} <= {"loses", "unproven"}


def _waiting(result: Result) -> set[str]:
    """Return the domains some of whose mail did not arrive."""
    return {recipient.rpartition("@")[2] for recipient, fate in result.fates.items() if fate is not Fate.ACCEPTED}
