"""What is stored and printed of a probe says all that the probe found, but for the certificates' bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.probe.authority import NOW
from tests.tlsmon.probe.test_readiness import GOOD, both, changed, judged

from tlsmon.evidence.recall import looks
from tlsmon.probe.document import DocumentError, from_document, to_document
from tlsmon.probe.keep import probe_and_keep
from tlsmon.probe.ledger import recall, remember
from tlsmon.probe.model import (
    Addresses,
    CouldNotTell,
    Dnssec,
    DomainResult,
    Ending,
    MxKind,
    Route,
    Settings,
    Trust,
    Why,
)
from tlsmon.store.probes import COLUMNS, Probes
from tlsmon.store.table import StoreError

RESULTS = {
    "good": judged(),
    "trouble": judged(
        changed(ending=Ending.UNTOLD, why=Why.TIMEOUT, certificate=None),
        addresses=Addresses(("192.0.2.1",), Dnssec.UNKNOWN, trouble=CouldNotTell(Why.LOOKUP, "no answer")),
    ),
    "null": judged(hosts=(), route=Route(MxKind.NULL)),
    "clear": judged(changed(ending=Ending.NOT_OFFERED, certificate=None, chain=(), trust=Trust.UNTOLD)),
}


def unchained(result: DomainResult) -> DomainResult:
    """Return a result as it comes back: without the certificates themselves."""
    hosts = tuple(
        replace(
            host,
            reached=tuple(
                replace(each, plain=replace(each.plain, chain=()), named=replace(each.named, chain=()))
                for each in host.reached
            ),
        )
        for host in result.hosts
    )
    return replace(result, hosts=hosts)


@pytest.mark.parametrize("name", RESULTS)
def test_there_and_back(name: str) -> None:
    """A document becomes the result that it was made of."""
    document = json.loads(json.dumps(to_document(RESULTS[name])))
    assert from_document(document) == unchained(RESULTS[name])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("route"),
        lambda document: document.update(time="yesterday"),
        lambda document: document.update(domain=7),
        lambda document: document["route"].update(kind="motorway"),
        lambda document: document.update(hosts=[1]),
    ],
    ids=["field missing", "no time", "no text", "no word", "no host"],
)
def test_not_a_document(spoil: Callable[[Any], None]) -> None:
    """Anything else is refused in words."""
    document = to_document(RESULTS["good"])
    spoil(document)
    with pytest.raises(DocumentError, match="cannot read"):
        from_document(document)


def test_kept(tmp_path: Path) -> None:
    """What is remembered comes back, the latest of each domain, and not what is too old."""
    probes, hour = Probes(str(tmp_path)), timedelta(hours=1)
    assert recall(probes, NOW - hour, NOW) == {}
    old = replace(RESULTS["good"], time=NOW - 2 * hour)
    lately = replace(RESULTS["clear"], time=NOW - hour / 2)
    remember(probes, [old, replace(old, domain="old.example")], "here")
    remember(probes, [lately], "here")
    assert recall(probes, NOW - hour, NOW) == {"example": unchained(lately)}
    assert set(recall(probes, NOW - 3 * hour, NOW)) == {"example", "old.example"}


def test_looks(tmp_path: Path) -> None:
    """Verdicts get the answers for each address, of hosts that can take mail; a plain reason why something is open."""
    remember(Probes(str(tmp_path)), [replace(RESULTS[name], domain=name) for name in RESULTS], "here")
    found = looks(str(tmp_path), 7, NOW, fixed=True)
    assert found
    good = found.latest("good")
    assert good
    assert (good.vantage, good.route, dict(good.answers)) == (
        "here", "mx", dict.fromkeys(["encrypt", "verify", "secure", "dane-only", "mta-sts"], "yes"),
    )  # fmt: skip
    (address,) = good.addresses
    assert address[:6] == ("mx.example", 10, "192.0.2.1", 25, "encrypted", "trusted")
    assert address.not_after == GOOD.certificate.not_after  # type: ignore[union-attr]
    trouble = found.latest("trouble")
    assert trouble
    assert [each.ip for each in trouble.addresses] == ["192.0.2.1", None]  # there may be more addresses
    assert {each.answers["encrypt"] for each in trouble.addresses} == {"unknown"}
    null = found.latest("null")
    assert null
    assert (null.route, null.addresses) == ("null", ())


def test_age_of_looks(tmp_path: Path) -> None:
    """Looks count from the end that is given, or from the last look where that is later and the end is not fixed."""
    store, day = str(tmp_path), timedelta(days=1)
    assert looks(store, 7, NOW, fixed=False) is None
    remember(Probes(store), [RESULTS["good"], replace(RESULTS["clear"], domain="old", time=NOW - 8 * day)], "here")
    assert set(looks(store, 7, NOW, fixed=True).by_domain) == {"example"}  # type: ignore[union-attr]
    assert set(looks(store, 7, NOW - 2 * day, fixed=True).by_domain) == {"old"}  # type: ignore[union-attr]
    assert set(looks(store, 7, NOW - 2 * day, fixed=False).by_domain) == {"example"}  # type: ignore[union-attr]
    assert looks(store, 0, NOW, fixed=False) is None


def test_no_permission(tmp_path: Path) -> None:
    """What cannot be kept is not asked: the store is tried first."""
    (tmp_path / "_probes").write_text("in the way")
    with pytest.raises(StoreError):
        next(probe_and_keep(str(tmp_path), ["good.example"], Settings(total_seconds=1), 1))


def test_one_address_of_many() -> None:
    """An address that passes and one that does not are told apart."""
    document = to_document(judged(both(GOOD), replace(changed(ending=Ending.REFUSED), ip="192.0.2.2")))
    assert [each["plain"]["ending"] for each in document["hosts"][0]["reached"]] == ["encrypted", "refused"]


def test_columns_are_documented() -> None:
    """docs/store.md names every column of the table and of its addresses."""
    page = (Path(__file__).parents[3] / "docs/store.md").read_text()
    section = page.partition("## What probes found")[2].partition("## Exactly once")[0]
    names = [*COLUMNS.names, *(field.name for field in COLUMNS.field("addresses").type.value_type)]
    assert [name for name in names if f"`{name}`" not in section] == []
