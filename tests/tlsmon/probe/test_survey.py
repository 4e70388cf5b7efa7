"""Many domains on loopback: every behaviour gets its rungs; polite, bounded, resumable, quick."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.probe.little_internet import HOSTS, IDENTITIES, little_internet
from tests.tlsmon.probe.names import Zone, serving
from tests.tlsmon.probe.receivers import Meter, context, receiving, starttls

from tlsmon.probe.model import Answer, DomainResult, Ending, Rung, Settings, Why
from tlsmon.probe.starttls import Caller, Conversation, Manner
from tlsmon.probe.survey import folded, probe

YES, NO, SOME, UNKNOWN = Answer.YES, Answer.NO, Answer.SOME, Answer.UNKNOWN


@pytest.fixture(scope="module")
def callers() -> Iterator[Meter]:
    """Count conversations where they are held: from before the connection to after its end."""
    meter, hold = Meter(), Caller.__call__

    def counted(self: Caller, ip: str, sni: str | None, manner: Manner) -> Conversation:
        with meter.connection(ip):
            return hold(self, ip, sni, manner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Caller, "__call__", counted)
        yield meter


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, callers: Meter) -> Iterator[tuple[Settings, Zone, Meter]]:
    """Serve the little internet; give settings to probe it."""
    with little_internet(tmp_path_factory.mktemp("world")) as (settings, zone):
        yield settings, zone, callers


@pytest.fixture(scope="module")
def results(world: tuple[Settings, Zone, Meter]) -> dict[str, DomainResult]:
    """Probe every domain once."""
    extra = ["mixed", "hosted", "null", "stale", "moved", "nowhere"]
    domains = [f"{name}.example" for name in [*HOSTS, *extra]] + ["unsigned.test"]
    return {result.domain: result for result in probe(domains, world[0])}


@pytest.mark.parametrize(
    ("domain", "rungs"),
    [
        ("good.example", (YES, YES, YES, YES, YES)),
        ("hosted.example", (YES, YES, NO, YES, NO)),
        ("clear.example", (NO, NO, NO, NO, NO)),
        ("wrong.example", (YES, NO, NO, NO, NO)),
        ("private.example", (YES, NO, NO, NO, NO)),
        ("self.example", (YES, NO, NO, YES, NO)),
        ("stale.example", (YES, NO, NO, NO, NO)),
        ("grey.example", (NO, NO, NO, NO, NO)),
        ("busy.example", (UNKNOWN, UNKNOWN, UNKNOWN, NO, NO)),
        ("refusing.example", (NO, NO, NO, NO, NO)),
        ("wantssni.example", (NO, NO, NO, NO, NO)),
        ("mixed.example", (SOME, SOME, NO, SOME, NO)),
        ("moved.example", (YES, YES, NO, YES, NO)),
        ("unsigned.test", (YES, YES, NO, NO, NO)),
        ("null.example", (UNKNOWN,) * 5),
        ("nowhere.example", (UNKNOWN,) * 5),
    ],
)
def test_rungs(domain: str, rungs: tuple[Answer, ...], results: dict[str, DomainResult]) -> None:
    """Each behaviour passes the rungs that Postfix would let it pass, and each other answer has its reason."""
    result = results[domain]
    assert tuple(result.passage(rung).answer for rung in Rung) == rungs
    assert all(bool(passage.blocks) == (passage.answer is not YES) for passage in result.passages)


@pytest.mark.parametrize(
    ("domain", "rung", "words"),
    [
        ("clear.example", Rung.ENCRYPT, r"mx\.clear\.example \[127\.0\.2\.2\]: does not offer STARTTLS"),
        ("refusing.example", Rung.ENCRYPT, r"refuses STARTTLS: 454 TLS not available"),
        ("wantssni.example", Rung.ENCRYPT, r"handshake fails: .*unrecognized name; with SNI it works"),
        ("busy.example", Rung.ENCRYPT, r"answered 421 too many"),
        ("wrong.example", Rung.VERIFY, r"does not name mx\.wrong\.example"),
        ("private.example", Rung.VERIFY, r"authority that is not known here"),
        ("self.example", Rung.VERIFY, r"self-signed"),
        ("hosted.example", Rung.SECURE, r"does not name hosted\.example or a name below it"),
        ("stale.example", Rung.DANE_ONLY, r"no TLSA record matches"),
        ("unsigned.test", Rung.DANE_ONLY, r"the MX records of unsigned\.test are not signed with DNSSEC"),
        ("wrong.example", Rung.DANE_ONLY, r"mx\.wrong\.example has no TLSA record"),
        ("moved.example", Rung.MTA_STS, r"with 302, not 200"),
        ("null.example", Rung.ENCRYPT, r"takes no mail \(null MX\)"),
    ],
)
def test_words(domain: str, rung: Rung, words: str, results: dict[str, DomainResult]) -> None:
    """What is in the way is said in words, with host and address."""
    assert re.search(words, results[domain].passage(rung).blocks[0])


def test_polite(results: dict[str, DomainResult], world: tuple[Settings, Zone, Meter]) -> None:
    """Never two connections at once to an address; a good host that serves many domains takes two or three in all."""
    assert results
    meter = world[2]
    assert set(meter.most.values()) == {1}
    assert meter.total[HOSTS["good"]] <= 3
    assert meter.total[HOSTS["busy"]] == 2  # the one repeat


def test_private_addresses_are_refused(world: tuple[Settings, Zone, Meter]) -> None:
    """Unless allowed, no connection is made to a loopback address, for SMTP or HTTPS."""
    settings, _, meter = world
    before = meter.total.total()  # the web servers are seen by the answer
    (result,) = probe(["good.example"], replace(settings, allow_private=False))
    assert meter.total.total() == before
    assert result.hosts[0].reached[0].plain.why is Why.FORBIDDEN
    assert result.sts.untold
    assert result.sts.untold.why is Why.FORBIDDEN
    assert result.passage(Rung.ENCRYPT).answer is UNKNOWN


def test_resume(world: tuple[Settings, Zone, Meter], results: dict[str, DomainResult]) -> None:
    """What is known is given back without a connection; what had no time is done again."""
    settings, _, meter = world
    (late,) = probe(["clear.example"], replace(settings, total_seconds=0))
    assert not late.finished
    assert late.passage(Rung.ENCRYPT).answer is UNKNOWN
    before = meter.total.copy()
    told: list[tuple[int, int]] = []
    known = [results["good.example"], late]
    found = list(probe(["good.example", "clear.example", "Good.Example."], settings, known, lambda *n: told.append(n)))
    assert found[0] is results["good.example"]
    assert found[1].hosts[0].reached[0].plain.ending is Ending.NOT_OFFERED
    assert (meter.total - before).keys() == {HOSTS["clear"]}
    assert told == [(1, 2), (2, 2)]


def test_broken_off(world: tuple[Settings, Zone, Meter]) -> None:
    """Who stops listening does not wait for the rest."""
    begin = time.monotonic()
    iterator = probe([f"{name}.example" for name in HOSTS], world[0])
    assert next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begin < 6


def test_not_a_domain(world: tuple[Settings, Zone, Meter]) -> None:
    """What is no domain could not be told; nothing is raised."""
    found = list(probe(["", "a..b", "no spaces.example", "\x1b[2J.example", "[10.0.0.1"], world[0]))
    assert {result.passage(Rung.ENCRYPT).answer for result in found} == {UNKNOWN}
    assert folded("Bücher.example.") == "xn--bcher-kva.example"


def test_a_thousand_domains(world: tuple[Settings, Zone, Meter], tmp_path: Path) -> None:
    """1,000 domains on 200 hosts with 20 ms delay take less than a minute, each address one connection at a time."""
    made: dict[str, Any] = {"tls": context(IDENTITIES["good"].write(tmp_path / "good.pem"))}
    ips = [f"127.1.{number // 100}.{number % 100 + 1}" for number in range(200)]
    lines = [f"mx{number}.big.example. A {ip}" for number, ip in enumerate(ips)]
    lines += [
        f"d{number}.example. MX 10 mx{(number * offset) % 200}.big.example."
        for number in range(1000)
        for offset in (1, 7)
    ]
    begin = time.monotonic()
    meter = world[2]
    with receiving(dict.fromkeys(ips, starttls(made["tls"], 0.02))) as (port, _):
        with serving(Zone("\n".join(lines), secure=["example."], delay=0.02)) as server:
            settings = replace(world[0], port=port, nameservers=(server,), lookup_seconds=5, conversation_seconds=20)
            found = list(probe([f"d{number}.example" for number in range(1000)], settings))
        assert {result.passage(Rung.ENCRYPT).answer for result in found} == {YES}
        assert {meter.most[ip] for ip in ips} == {1}
        assert max(meter.total[ip] for ip in ips) <= 3
    assert time.monotonic() - begin < 60
