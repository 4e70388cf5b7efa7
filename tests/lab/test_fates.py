"""The same mail, opportunistic and enforced: what the lab says became of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lab.cases import CASES
from tests.lab.mta import Setup
from tests.lab.run import Fate, run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.skipping import require_root

_EXPECTED = {
    "good-3.example": Fate.ACCEPTED,
    "self-signed-1.example": Fate.ACCEPTED,
    "clear-3.example": Fate.WAITING,
    "no-handshake.example": Fate.WAITING,
    "two-equal.example": Fate.ACCEPTED,
    "clear-first.example": Fate.ACCEPTED,
    "unknown-user.example": Fate.BOUNCED,
}
"""At ``encrypt``: one clear host among several loses nothing (Postfix and Exim go on to the next)."""
_SCENARIO = make_scenario(7, 8, tuple(case for case in CASES if case.domain in _EXPECTED))
_POSTFIX = Setup("postfix-bookworm")
_EXIM = Setup("exim-bookworm")
_EXIM_ENFORCED = _EXIM.setting("remote_smtp", "  hosts_require_tls = *")


def _enforced_postfix() -> Setup:
    policy = "".join(f"{domain} encrypt\n" for domain in _EXPECTED)
    return _POSTFIX.setting("smtp_tls_policy_maps", "texthash:/etc/postfix/policy").with_map("policy", policy)


@pytest.mark.lab
@pytest.mark.parametrize("setup", [_enforced_postfix(), _EXIM_ENFORCED], ids=["postfix", "exim"])
def test_enforced_mail_meets_its_fate(setup: Setup, tmp_path: Path) -> None:
    """With TLS demanded, mail to clear hosts waits, mail to others arrives, and the receivers saw TLS only."""
    require_root(setup.root)
    result = run_scenario(_SCENARIO, setup, tmp_path / "run")
    by_domain = {(recipient.rpartition("@")[2], fate) for recipient, fate in result.fates.items()}
    assert by_domain == set(_EXPECTED.items())


@pytest.mark.lab
@pytest.mark.parametrize("setup", [_POSTFIX, _EXIM], ids=["postfix", "exim"])
def test_opportunistic_mail_arrives(setup: Setup, tmp_path: Path) -> None:
    """Without demand all of it arrives, but for the unknown users: what differs above is the demand's doing."""
    require_root(setup.root)
    result = run_scenario(_SCENARIO, setup, tmp_path / "run")
    lost = {recipient.rpartition("@")[2] for recipient, fate in result.fates.items() if fate is not Fate.ACCEPTED}
    assert lost == {"unknown-user.example"}
