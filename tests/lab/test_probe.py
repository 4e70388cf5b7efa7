"""What ``tlsmon probe`` says of real mail servers, and whether Postfix's own posttls-finger says the same."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.lab.authority import Authority, Certificate
from tests.lab.machine import Machine, cache_folder
from tests.lab.network import DNS_SERVER, Network, lab_network
from tests.lab.policy_host import PolicyHost
from tests.lab.real_receivers import (
    DELAY,
    EXIM,
    POSTFIX,
    Receiver,
    address_of,
    exim_receiving,
    postfix_receiving,
)
from tests.lab.receivers import Plan
from tests.lab.run import _dump, _helper
from tests.lab.signed_names import RESOLVER, ROOT, SignedZone, signed_names
from tests.lab.skipping import require_root
from tests.lab.world import Domain, Host, Tlsa, World

YES, NO, UNKNOWN = "yes", "no", "unknown"
BEFORE_THE_BANNER = ("smtpd_delay_reject", "no")
OLD = "ALL:@SECLEVEL=0"
RECEIVERS: dict[Receiver, tuple[str, str, str, str]] = {
    # encrypt, verify, secure, dane-only
    Receiver("p-good", POSTFIX, Certificate.TRUSTED_DOMAIN, tlsa=Tlsa.END_ENTITY): (YES, YES, YES, YES),
    Receiver("p-host", POSTFIX): (YES, YES, YES, NO),  # its host lies below the domain, so secure is content
    Receiver("p-clear", POSTFIX, settings=(("smtpd_tls_security_level", "none"),)): (NO, NO, NO, NO),
    Receiver("p-self", POSTFIX, Certificate.SELF_SIGNED, tlsa=Tlsa.END_ENTITY): (YES, NO, NO, YES),
    Receiver("p-private", POSTFIX, private=True): (YES, NO, NO, NO),
    Receiver("p-expired", POSTFIX, Certificate.EXPIRED): (YES, NO, NO, NO),
    Receiver("p-wrong", POSTFIX, Certificate.WRONG_NAME, tlsa=Tlsa.TRUST_ANCHOR): (YES, NO, NO, NO),
    Receiver("p-wildcard", POSTFIX, wildcard=True, tlsa=Tlsa.TRUST_ANCHOR): (YES, YES, YES, YES),
    Receiver("p-tls12", POSTFIX, settings=(("smtpd_tls_protocols", "TLSv1.2"),)): (YES, YES, YES, NO),
    Receiver("p-no-key", POSTFIX, None): (YES, NO, NO, NO),  # Postfix goes on without a certificate
    Receiver("p-slow", POSTFIX, settings=(BEFORE_THE_BANNER, ("smtpd_client_restrictions", f"sleep {DELAY}"))): (
        YES, YES, YES, NO,
    ),
    Receiver("p-blocked", POSTFIX, settings=(BEFORE_THE_BANNER, ("smtpd_client_restrictions", "reject"))): (
        UNKNOWN, UNKNOWN, UNKNOWN, NO,
    ),
    Receiver("p-busy", POSTFIX, settings=(BEFORE_THE_BANNER, ("smtpd_client_restrictions", "defer"))): (
        UNKNOWN, UNKNOWN, UNKNOWN, NO,
    ),
    Receiver("p-stale", POSTFIX, tlsa=Tlsa.STALE): (YES, YES, YES, NO),
    Receiver("p-pkix", POSTFIX, tlsa=Tlsa.PKIX_END_ENTITY): (YES, YES, YES, NO),
    Receiver("p-rollover", POSTFIX, tlsa=Tlsa.ROLLOVER): (YES, YES, YES, YES),
    Receiver("p-bogus", POSTFIX, tlsa=Tlsa.BOGUS): (YES, YES, YES, NO),
    Receiver("p-unsigned", POSTFIX, Certificate.TRUSTED_DOMAIN, signed=False): (YES, YES, YES, NO),
    Receiver("p-none", POSTFIX, settings=(("smtpd_tls_chain_files", ""), ("smtpd_tls_cert_file", "none"))): (
        YES, NO, NO, NO,
    ),
    # OpenSSL's security level is 0 at encrypt, and 1 above that, which refuses TLS 1.0.
    Receiver("p-tls10", POSTFIX, settings=(("smtpd_tls_protocols", "TLSv1"), ("tls_medium_cipherlist", OLD))): (
        YES, NO, NO, NO,
    ),
    Receiver("e-good", EXIM, Certificate.TRUSTED_DOMAIN, tlsa=Tlsa.END_ENTITY): (YES, YES, YES, YES),
    Receiver("e-clear", EXIM, settings=(("tls_advertise_hosts", ":"),)): (NO, NO, NO, NO),
    Receiver("e-self", EXIM, Certificate.SELF_SIGNED): (YES, NO, NO, NO),
    Receiver("e-private", EXIM, private=True): (YES, NO, NO, NO),
    Receiver("e-expired", EXIM, Certificate.EXPIRED, tlsa=Tlsa.END_ENTITY): (YES, NO, NO, YES),
    Receiver("e-wrong", EXIM, Certificate.WRONG_NAME): (YES, NO, NO, NO),
    Receiver("e-wildcard", EXIM, wildcard=True): (YES, YES, YES, NO),
    Receiver("e-tls12", EXIM, settings=(("tls_require_ciphers", "NORMAL:-VERS-ALL:+VERS-TLS1.2"),)): (
        YES, YES, YES, NO,
    ),
    Receiver("e-refused", EXIM, settings=(("starttls", "no"),)): (NO, NO, NO, NO),
    Receiver("e-no-key", EXIM, None): (NO, NO, NO, NO),
    Receiver("e-slow", EXIM, settings=(("greet_delay", f"{DELAY}s"),)): (YES, YES, YES, NO),
}  # fmt: skip
LEVELS = ("encrypt", "verify", "secure", "dane-only")
POLICIES = {"p-good": "mx: mx.p-good.example", "e-good": "mx: *.e-good.example", "p-host": "mx: mx.elsewhere.example"}
_ESTABLISHED = re.compile(r"(\w+) TLS connection established to")


class Zone(SignedZone):
    """The signed zone with the records of MTA-STS and TLSRPT."""

    def __init__(self, world: World, certificates: dict[str, Path], authority: Path, more: list[str]) -> None:
        self._more = more
        super().__init__(world, certificates, authority)

    def _lines(self, world: World, certificates: Any) -> Iterator[str]:
        yield from super()._lines(world, certificates)
        yield from self._more


class Lab:
    """The lab in operation."""

    def __init__(self, network: Network, authority: Path, folder: Path) -> None:
        self._network, self._authority, self.folder = network, authority, folder
        self._finger = Machine(cache_folder() / POSTFIX, network.mta, folder / "finger")
        self._finger.folder.mkdir()
        config = self._finger.overlay("/etc/postfix")
        self._finger.replace_file("/etc/resolv.conf", f"nameserver {RESOLVER}\noptions trust-ad\n")
        (config / "ca.pem").write_bytes(authority.read_bytes())
        (config / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mail.sender.example\n")

    def tlsmon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run tlsmon where the sending mail server is."""
        asking = ["--resolver", RESOLVER, "--allow-private", "--ca-file", str(self._authority)]
        command = [sys.executable, "-m", "tlsmon", *arguments, *asking, "--helo", "mail.sender.example"]
        return subprocess.run(
            ["ip", "netns", "exec", self._network.mta, *command],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"TLSMON_STORE": str(self.folder / "store")},
        )

    def finger(self, domain: str, level: str) -> str:
        """Return what posttls-finger says of a domain at a level."""
        options = ["-c", "-t", "20", "-T", "20", "-l", level, "-F", "/etc/postfix/ca.pem", "-L", "summary,certmatch"]
        try:
            return self._finger.run(["posttls-finger", *options, domain])
        except subprocess.CalledProcessError as error:
            return str(error.output) + str(error.stderr)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run all receivers, the name server with the signed zone, the resolver and the policy hosts."""
    for root in (POSTFIX, EXIM, ROOT):
        require_root(root)
    folder = tmp_path_factory.mktemp("lab")
    for name in ("certificates", "private"):
        (folder / name).mkdir()
    authority, private = Authority(folder / "certificates"), Authority(folder / "private", "Private Root")
    placed = [(each, address_of(number), each.issue(authority, private)) for number, each in enumerate(RECEIVERS, 1)]
    world = World(
        tuple(
            Domain(each.domain, ((10, Host(each.host, (), (address,), each.tlsa)),), signed=each.signed)
            for each, address, _ in placed
        )
    )
    policies, records = _policies(authority)
    with ExitStack() as stack:
        network = stack.enter_context(lab_network())
        plan = Plan(world, {}, authority.path, folder / "truth", DNS_SERVER)
        stack.enter_context(_helper(network.receivers, "tests.lab.receivers", _dump(folder, "plan", plan)))
        (folder / "policies").write_bytes(pickle.dumps(policies))
        stack.enter_context(_helper(network.receivers, "tests.lab.policy_host", folder / "policies"))
        zone = Zone(world, {each.host: pem for each, _, pem in placed}, authority.path, records)
        stack.enter_context(signed_names(network, zone, folder))
        for root, receiving in ((POSTFIX, postfix_receiving), (EXIM, exim_receiving)):
            mine = [each for each in placed if each[0].root == root]
            stack.enter_context(receiving(network, mine, folder / root))
        yield Lab(network, authority.path, folder)


def _policies(authority: Authority) -> tuple[list[PolicyHost], list[str]]:
    """Return the policy hosts and the records that lead to them."""
    hosts, records = [], []
    for number, (name, patterns) in enumerate(POLICIES.items(), 100):
        domain, address = f"{name}.example", address_of(number)
        pem = authority.issue(Certificate.TRUSTED, f"mta-sts.{domain}", domain)
        hosts.append(PolicyHost(address, pem, f"version: STSv1\nmode: enforce\n{patterns}\nmax_age: 604800\n"))
        records += [
            f'_mta-sts.{domain}. IN TXT "v=STSv1; id=1;"',
            f"mta-sts.{domain}. IN A {address}",
            f'_smtp._tls.{domain}. IN TXT "v=TLSRPTv1; rua=mailto:reports@{domain}"',
        ]
    return hosts, records


@pytest.fixture(scope="module")
def results(lab: Lab) -> dict[str, Any]:
    """Probe all of them once."""
    done = lab.tlsmon("probe", *(each.domain for each in RECEIVERS), "--format", "json")
    assert done.returncode == 0, done.stderr
    return {each["domain"]: each for each in json.loads(done.stdout)["domains"]}


def answers(result: dict[str, Any]) -> dict[str, str]:
    """Return the answers of a domain by rung."""
    return {each["rung"]: each["answer"] for each in result["passages"]}


@pytest.mark.lab
@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda each: each.name)
def test_receivers(receiver: Receiver, results: dict[str, Any], lab: Lab) -> None:
    """Each behaviour is named as it is, and posttls-finger agrees at every level."""
    found = answers(results[receiver.domain])
    assert tuple(found[level] for level in LEVELS) == RECEIVERS[receiver]
    said = {level: lab.finger(receiver.domain, level) for level in LEVELS}
    passes = {level: _passes(text, level) for level, text in said.items()}
    assert passes == {level: found[level] == YES for level in LEVELS}, said


def _passes(text: str, level: str) -> bool:
    words = _ESTABLISHED.findall(text)
    if level == "encrypt":
        return bool(words)
    # Without usable records posttls-finger goes on at another level; Postfix's dane-only would send nothing.
    return "Verified" in words and not (level == "dane-only" and 'resorting to "secure' in text)


@pytest.mark.lab
def test_details(results: dict[str, Any]) -> None:
    """Protocol, trust, delay, MTA-STS and TLSRPT are as they were set up."""

    def offer(name: str) -> dict[str, Any]:
        found: dict[str, Any] = results[f"{name}.example"]["hosts"][0]["reached"][0]["plain"]
        return found

    assert {name: offer(name)["protocol"] for name in ("p-tls12", "e-tls12", "p-good")} == {
        "p-tls12": "TLSv1.2", "e-tls12": "TLSv1.2", "p-good": "TLSv1.3",
    }  # fmt: skip
    for end, trust in (("self", "self_signed"), ("private", "private"), ("expired", "expired"), ("wrong", "trusted")):
        assert {offer(f"{program}-{end}")["trust"] for program in "pe"} == {trust}
    assert {offer(name)["ending"] for name in ("e-refused", "e-no-key")} == {"refused"}
    assert {offer(name)["ending"] for name in ("p-clear", "e-clear")} == {"not_offered"}
    assert (offer("p-blocked")["why"], offer("p-busy")["why"]) == ("turned_away", "busy")
    assert min(offer(name)["greet_delay"] for name in ("p-slow", "e-slow")) >= DELAY - 0.1
    assert {name: answers(results[f"{name}.example"])["mta-sts"] for name in ("p-good", "e-good", "p-host")} == {
        "p-good": YES, "e-good": YES, "p-host": NO,
    }  # fmt: skip
    assert results["p-good.example"]["tlsrpt"]["destinations"] == ["mailto:p-good.example"]
    assert all(result["resolver_validates"] for result in results.values())


@pytest.mark.lab
def test_check(lab: Lab) -> None:
    """The owner of a good domain is told that it is ready; that of an expired one what to fix, with exit code 1."""
    good, expired = lab.tlsmon("check", "e-good.example"), lab.tlsmon("check", "p-expired.example")
    assert (good.returncode, expired.returncode) == (0, 1), good.stdout
    assert "e-good.example is ready" in good.stdout.splitlines()[-1]
    assert "certificate has expired" in expired.stdout
