"""Run a scenario against a mail server and say where its log and the receivers' truth are, and each mail's fate."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.lab.authority import Authority, Certificate
from tests.lab.machine import Machine, cache_folder
from tests.lab.mta import MailServer, Setup
from tests.lab.mta_exim import Exim
from tests.lab.mta_postfix import Postfix
from tests.lab.network import DNS_SERVER, Network, lab_network
from tests.lab.receivers import Plan
from tests.lab.scenario import Scenario
from tests.lab.signed_names import RESOLVER, SignedZone, signed_names
from tests.lab.truth import read_truth

_REPOSITORY = Path(__file__).resolve().parents[2]
_SETTLE = 25
"""Seconds that retries get after the last mail: several times the longest back-off of the lab."""


class Fate(StrEnum):
    """What had become of one recipient's mail when the run ended."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    BOUNCED = "bounced"


@dataclass(frozen=True)
class Result:
    """What a run leaves behind."""

    log: Path
    truth: Path
    setup: Setup
    fates: dict[str, Fate]
    """By recipient; no recipient gets two mails in a run."""


def _python(namespace: str, module: str, plan: Path) -> list[str]:
    return ["ip", "netns", "exec", namespace, sys.executable, "-m", module, str(plan)]


def _dump(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_bytes(pickle.dumps(value))
    return path


@contextmanager
def _helper(namespace: str, module: str, plan: Path) -> Iterator[None]:
    """Run a process of the lab beside the MTA; it ends with its standard input."""
    command = _python(namespace, module, plan)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_REPOSITORY) as process:
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{module} did not start; its message stands above")
        yield


def _plan(scenario: Scenario, authority: Authority, folder: Path) -> Plan:
    certificates = {}
    for host, domain in scenario.world.hosts():
        for endpoint in host.endpoints:
            kind = endpoint.behaviour.certificate
            if (host.name, kind) not in certificates:
                certificates[host.name, kind.value] = authority.issue(kind, host.name, domain)
    return Plan(scenario.world, certificates, authority.path, folder / "truth.jsonl", DNS_SERVER)


@contextmanager
def _names(scenario: Scenario, plan: Plan, network: Network, folder: Path) -> Iterator[str]:
    """Yield the address that the MTA asks for names: where something is signed, that of a validating resolver."""
    if not scenario.world.signed_zones:
        yield DNS_SERVER
        return
    certificates = {host: path for (host, _), path in plan.certificates.items()}
    with signed_names(network, SignedZone(scenario.world, certificates, plan.authority), folder):
        yield RESOLVER


def _server(machine: Machine, setup: Setup, authority: Authority) -> MailServer:
    own = authority.issue(Certificate.TRUSTED, "mail.sender.example", "sender.example")
    make = Postfix if setup.root.startswith("postfix") else Exim
    return make(machine, setup, authority.path, own)


def _drive(server: MailServer, network: Network, mails: Path, log: Path) -> set[str]:
    """Start the MTA, hand it the mail, let it retry; return the recipients that still wait."""
    try:
        server.start()
        subprocess.run(_python(network.mta, "tests.lab.inject", mails), check=True, cwd=_REPOSITORY)
        time.sleep(_SETTLE)
        return server.waiting()
    finally:
        server.stop(log)


def _fates(scenario: Scenario, truth: Path, waiting: set[str]) -> dict[str, Fate]:
    accepted = {row.recipient.lower() for row in read_truth(truth)}
    fates = {}
    for recipient in (recipient for mail in scenario.mails for recipient in mail.recipients):
        if recipient.lower() in accepted:
            fates[recipient] = Fate.ACCEPTED
        else:
            fates[recipient] = Fate.WAITING if recipient in waiting else Fate.BOUNCED
    return fates


def nothing_more(_network: Network, _resolver: str, _authority: Path) -> None:
    """Do nothing when the mail is done."""


def run_scenario(
    scenario: Scenario, setup: Setup, folder: Path, then: Callable[[Network, str, Path], None] = nothing_more
) -> Result:
    """
    Send a scenario's mail with a mail server set up as told; everything is written below ``folder``.

    ``then`` is called when the mail is done, while all receivers are still there: with the network, the address of the
    MTA's resolver, and the file of the lab's authority.

    Takes the scenario's seconds and about half a minute more. Raises CalledProcessError or RuntimeError where a part of
    the lab does not work; ``daemon.out`` in ``folder`` has the MTA's own words then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificates = folder / "certificates"
    certificates.mkdir()
    authority = Authority(certificates)
    plan = _plan(scenario, authority, folder)
    plan.truth.touch()
    mails = _dump(folder, "mails.pickle", list(scenario.mails))
    log = folder / "log"
    with lab_network() as network:
        machine = Machine(cache_folder() / setup.root, network.mta, folder)
        server = _server(machine, setup, authority)
        with (
            _helper(network.receivers, "tests.lab.receivers", _dump(folder, "plan.pickle", plan)),
            _helper(network.mta, "tests.lab.content_filter", mails),
            _names(scenario, plan, network, folder) as resolver,
        ):
            # glibc hides from the MTA that an answer was validated, unless told to trust the resolver.
            machine.replace_file("/etc/resolv.conf", f"nameserver {resolver}\noptions trust-ad\n")
            waiting = _drive(server, network, mails, log)
            then(network, resolver, authority.path)
    return Result(log, plan.truth, setup, _fates(scenario, plan.truth, waiting))
