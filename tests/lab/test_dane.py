"""The lab's signed zone: real mail servers use DANE there as RFC 7672 says, so what they log of it is real."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from tests.lab.cases import DANE_CASES, DANE_REFUSED
from tests.lab.mta import Setup
from tests.lab.run import Fate, run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.signed_names import ROOT
from tests.lab.skipping import require_root

POSTFIX = (
    Setup("postfix-bookworm").setting("smtp_tls_security_level", "dane").setting("smtp_dns_support_level", "dnssec")
)
EXIM = Setup("exim-bookworm")


_AUTHENTICATED = re.compile(r"Verified TLS connection established to (\S+?)\[|H=(\S+) \S+ .*CV=dane")
NAME_NOT_CHECKED = {"dane-anchor-name.example"}
"""Exim 4.96 with GnuTLS looks at no name where the record is a trust anchor's; the log says ``CV=yes``."""


@pytest.mark.lab
@pytest.mark.parametrize("setup", [POSTFIX, EXIM], ids=["postfix", "exim"])
def test_dane_refuses_what_it_must(setup: Setup, tmp_path: Path) -> None:
    """Mail waits for a stale or a spoilt record, and where TLS is announced and not offered; all other mail goes."""
    require_root(setup.root)
    require_root(ROOT)
    result = run_scenario(make_scenario(3, 8, DANE_CASES), setup, tmp_path / "run")
    fates: dict[str, set[Fate]] = defaultdict(set)
    for recipient, fate in result.fates.items():
        fates[recipient.rpartition("@")[2]].add(fate)
    waiting = {domain for domain, found in fates.items() if found != {Fate.ACCEPTED}}
    assert waiting == {case.domain for case in DANE_REFUSED} - (NAME_NOT_CHECKED if setup is EXIM else set())
    authenticated = set(
        re.findall(r"Verified TLS connection established to (\S+?)\[|H=(\S+) \S+ .*CV=dane", result.log.read_text())
    )
    assert len(authenticated) > 15
