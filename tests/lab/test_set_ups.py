"""Set-ups that are less common: services of one's own, mail in parts, kept connections, levels for some domains."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.cases import CLEAR, GOOD, Address, Case, Mx, Traffic
from tests.lab.exact import sent_lines
from tests.lab.mta import Setup
from tests.lab.random_cases import random_cases
from tests.lab.run import run_scenario
from tests.lab.scenario import SMARTHOST, make_scenario
from tests.lab.skipping import require_root
from tests.lab.variants import VARIANTS

from maillog import read_log

_SERVICES = f"""\
slow unix - - n - 2 smtp -o syslog_name=postfix/slow
out1 unix - - n - - smtp
    -o syslog_name=out1 -o smtp_bind_address=192.0.2.1
plain unix - - n - - smtp -o smtp_tls_security_level=none
verbose unix - - n - - smtp -v
loud unix - - n - - smtp -o smtp_tls_loglevel=3
parts unix - - n - - smtp -o smtp_connection_cache_on_demand=no
keep unix - - n - 4 smtp
    -o smtp_tls_connection_reuse=yes
    -o smtp_connection_cache_destinations=kept-1.example,kept-2.example,fallen.example
    -o smtp_fallback_relay=[{SMARTHOST}]:587
strict unix - - n - - smtp
    -o smtp_tls_security_level=encrypt -o syslog_name=postfix/strict
"""
_TRANSPORTS = ("smtp", "slow", "out1", "plain", "verbose", "loud", "strict", "relay", "smtp")
_LEVELS = ("may", "encrypt", "none", "verify", "may protocols=!TLSv1.3")
_BULK = Traffic(14, recipients=90, bursts=1)
_IN_PARTS = (
    Case.simple("bulk-2.example", replace(GOOD, clear_every=2), _BULK),
    Case.simple("bulk-3.example", replace(GOOD, clear_every=3), _BULK),
    Case("bulk-robin.example", (Mx(10, "mx1.bulk-robin.example", (Address(GOOD), Address(CLEAR))),), _BULK),
)
_PROVIDER = (Mx(10, "mx.shared-kept.example", (Address(GOOD),)),)
# One address under two names: a connection that was opened under one may be used under the other.
_KEPT = (
    Case("kept-1.example", _PROVIDER, Traffic(40, bursts=4)),
    Case("kept-2.example", _PROVIDER, Traffic(40, bursts=4), aliased=True),
    # Its host is down: a kept connection to the fallback relay is logged with this domain's port.
    Case.simple("fallen.example", None, Traffic(40, bursts=4)),
)


def _set_up(cases: tuple[Case, ...]) -> Setup:
    """Return a set-up with domains spread over services and levels; bulk mail waits, and goes in parts of two."""

    def spread(over: tuple[str, ...], end: str) -> str:
        return "".join(f"{case.domain} {over[number % len(over)]}{end}\n" for number, case in enumerate(cases))

    parts = "".join(f"{case.domain} parts:\n" for case in _IN_PARTS)
    kept = "".join(f"{case.domain} keep:\n" for case in _KEPT)
    return (
        VARIANTS["postfix-3.7"]
        .setup.with_services(_SERVICES)
        .with_map("transport", spread(_TRANSPORTS, ":") + parts + kept)
        .setting("transport_maps", "texthash:/etc/postfix/transport")
        .setting("parts_destination_recipient_limit", "2")
        .setting("parts_destination_concurrency_limit", "1")
        .setting("parts_initial_destination_concurrency", "1")
        .with_map("policy", spread(_LEVELS, ""))
        .setting("smtp_tls_policy_maps", "texthash:/etc/postfix/policy")
        .setting("max_use", "3")
        .setting("enable_long_queue_ids", "yes")
    )


@pytest.mark.lab
def test_every_line_is_true(tmp_path: Path) -> None:
    """Each line of a mail that was sent is read as its receiver saw it, and of few is nothing known."""
    drawn = random_cases(71, 40)
    setup = _set_up(drawn)
    require_root(setup.root)
    result = run_scenario(make_scenario(7, 10, (*drawn, *_IN_PARTS, *_KEPT)), setup, tmp_path / "run")
    lines = list(sent_lines(result.log, result.truth, tmp_path))
    assert [line for line in lines if line.said not in (line.saw, "unknown")] == []
    assert [line.text for reading in read_log(str(result.log)) for line in reading.unread] == []
    said = Counter(line.said for line in lines)
    assert said["unknown"] <= len(lines) / 20
    assert min(said["encrypted"], said["plaintext"]) > 50
