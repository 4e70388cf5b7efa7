"""The rungs as a table, and the owner's check: pure rules on values."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.probe.authority import NOW, issue, private_root
from tests.tlsmon.probe.test_certificate import EE, LEAF, STRANGER, record

from tlsmon.probe.certificate import read
from tlsmon.probe.check import CheckResult, Weight, assess
from tlsmon.probe.model import (
    Addresses,
    AddressResult,
    Answer,
    CouldNotTell,
    Dnssec,
    DomainResult,
    Ending,
    Exchange,
    HostResult,
    MxKind,
    Offer,
    Route,
    Rung,
    Sts,
    StsMode,
    StsPolicy,
    Tlsa,
    TlsRpt,
    Trust,
    Why,
)
from tlsmon.probe.readiness import combined, judge

YES, NO, SOME, UNKNOWN = Answer.YES, Answer.NO, Answer.SOME, Answer.UNKNOWN
HOST, DOMAIN = "mx.example", "example"
GOOD = Offer(
    NOW,
    None,
    Ending.ENCRYPTED,
    "",
    protocol="TLSv1.3",
    authenticable=True,
    trust=Trust.TRUSTED,
    certificate=read(LEAF.der),
    chain=LEAF.chain,
)
POLICY = StsPolicy(StsMode.ENFORCE, 604_800, (HOST,))
SECURE = Addresses(("192.0.2.1",), Dnssec.SECURE)
TLSA = Tlsa(HOST, (EE,), Dnssec.SECURE)


def both(offer: Offer, ip: str = "192.0.2.1") -> AddressResult:
    """Return an address that offers the same with and without SNI."""
    return AddressResult(ip, 25, offer, replace(offer, sni=HOST))


def judged(
    *reached: AddressResult, tlsa: Tlsa = TLSA, addresses: Addresses = SECURE, **changes: object
) -> DomainResult:
    """Return a domain that is all in order but for what is given."""
    host = HostResult(HOST, 10, addresses, tlsa, reached or (both(GOOD),))
    route = Route(MxKind.MX, (Exchange(HOST, 10),), Dnssec.SECURE)
    result = DomainResult(
        DOMAIN, NOW, route, (host,), Sts("1", POLICY), TlsRpt(("mailto:example",)), resolver_validates=True
    )
    return judge(replace(result, **changes))  # type: ignore[arg-type]


def answers(result: DomainResult) -> tuple[Answer, ...]:
    """Return the answers in the order of the rungs: encrypt, verify, secure, dane-only, mta-sts."""
    return tuple(result.passage(rung).answer for rung in Rung)


def changed(**changes: object) -> AddressResult:
    """Return an address whose offer differs in this from a good one."""
    return both(replace(GOOD, **changes))  # type: ignore[arg-type]


def shown(names: list[str], common_name: str = "x") -> AddressResult:
    """Return an address with a trusted certificate for these names."""
    made = issue(names, private_root(), common_name=common_name)
    return changed(certificate=read(made.der), chain=made.chain)


@pytest.mark.parametrize(
    ("address", "want"),
    [
        pytest.param(both(GOOD), (YES, YES, YES, YES, YES), id="all in order"),
        pytest.param(changed(ending=Ending.NOT_OFFERED), (NO, NO, NO, NO, NO), id="not offered"),
        pytest.param(changed(ending=Ending.REFUSED), (NO, NO, NO, NO, NO), id="refused"),
        pytest.param(changed(ending=Ending.BROKEN), (NO, NO, NO, NO, NO), id="broken"),
        pytest.param(changed(ending=Ending.INJECTED), (UNKNOWN,) * 5, id="injected"),
        pytest.param(changed(ending=Ending.UNTOLD, why=Why.TIMEOUT), (UNKNOWN,) * 5, id="timeout"),
        pytest.param(changed(authenticable=False), (YES, NO, NO, NO, NO), id="anonymous or weak"),
        pytest.param(changed(trust=Trust.UNTOLD), (YES, UNKNOWN, UNKNOWN, YES, UNKNOWN), id="trust untold"),
        *(
            pytest.param(changed(trust=trust), (YES, NO, NO, YES, NO), id=trust)
            for trust in Trust
            if trust not in {Trust.TRUSTED, Trust.UNTOLD, Trust.NO_CERTIFICATE}
        ),
        pytest.param(
            changed(trust=Trust.NO_CERTIFICATE, chain=(), certificate=None), (YES, NO, NO, NO, NO), id="no certificate"
        ),
        pytest.param(changed(certificate=None), (YES, UNKNOWN, UNKNOWN, YES, UNKNOWN), id="unreadable"),
        pytest.param(changed(protocol="TLSv1"), (YES, YES, YES, YES, NO), id="TLSv1"),
        pytest.param(changed(chain=STRANGER.chain), (YES, YES, YES, NO, YES), id="TLSA of another"),
        pytest.param(
            changed(chain=STRANGER.chain, chain_whole=False), (YES, YES, YES, UNKNOWN, YES), id="chain not seen"
        ),
        pytest.param(shown(["mx.other.example"]), (YES, NO, YES, NO, NO), id="another host of the domain"),
        pytest.param(shown(["mx.provider.test"]), (YES, NO, NO, NO, NO), id="name of a provider"),
        pytest.param(shown([], HOST), (YES, UNKNOWN, UNKNOWN, NO, UNKNOWN), id="CN only"),
    ],
)
def test_addresses(address: AddressResult, want: tuple[Answer, ...]) -> None:
    """What each rung asks of an address, as Postfix and RFC 8461 have it."""
    assert answers(judged(address)) == want


@pytest.mark.parametrize(
    ("result", "answer", "words"),
    [
        (judged(resolver_validates=False), UNKNOWN, "does not validate"),
        (judged(resolver_validates=None), UNKNOWN, "does not validate"),
        (judged(tlsa=Tlsa(dnssec=Dnssec.SECURE)), NO, "has no TLSA record"),
        (judged(tlsa=Tlsa(HOST, (EE,), Dnssec.INSECURE)), NO, "not signed"),
        (judged(tlsa=Tlsa(HOST, (), Dnssec.BOGUS)), NO, "signature is broken"),
        (judged(tlsa=Tlsa(HOST, trouble=CouldNotTell(Why.LOOKUP, "no answer"))), UNKNOWN, "no answer"),
        (judged(tlsa=Tlsa(HOST, (record(1, 1, 1, LEAF),), Dnssec.SECURE)), NO, "none of the TLSA records can be used"),
        (judged(addresses=Addresses(("192.0.2.1",), Dnssec.BOGUS)), NO, "addresses of mx.example"),
        (judged(addresses=Addresses(("192.0.2.1",), Dnssec.INSECURE), tlsa=Tlsa()), NO, "addresses of mx.example"),
        (judged(route=Route(MxKind.MX, (Exchange(HOST, 1),), Dnssec.INSECURE)), NO, "MX records of example"),
        (judged(route=Route(MxKind.MX, (Exchange(HOST, 1),), Dnssec.UNKNOWN)), UNKNOWN, "MX records of example"),
    ],
)
def test_dane_only(result: DomainResult, answer: Answer, words: str) -> None:
    """dane-only asks a secure MX, secure addresses and usable, secure TLSA records (RFC 7672)."""
    found = result.passage(Rung.DANE_ONLY)
    assert found.answer is answer
    assert words in found.blocks[0]


@pytest.mark.parametrize(
    ("sts", "answer", "words"),
    [
        (Sts(), NO, "has no MTA-STS policy"),
        (Sts("1", trouble="bad"), NO, "bad"),
        (Sts("1", untold=CouldNotTell(Why.TIMEOUT, "late")), UNKNOWN, "late"),
        (Sts("1", replace(POLICY, mode=StsMode.TESTING)), NO, "mode testing"),
        (Sts("1", replace(POLICY, mx=("*.mx.example",))), NO, "does not name mx.example"),
    ],
)
def test_mta_sts(sts: Sts, answer: Answer, words: str) -> None:
    """MTA-STS asks a policy in mode enforce that names the host."""
    found = judged(sts=sts).passage(Rung.MTA_STS)
    assert found.answer is answer
    assert words in found.blocks[0]


def test_incomplete_sights_are_never_yes() -> None:
    """An address that was not seen, not looked at or not asked leaves the answer open."""
    trouble = CouldNotTell(Why.LOOKUP, "no AAAA answer")
    assert judged(addresses=replace(SECURE, trouble=trouble)).passage(Rung.ENCRYPT).answer is UNKNOWN
    assert judged(addresses=replace(SECURE, left_out=3)).passage(Rung.ENCRYPT).answer is UNKNOWN
    route = Route(MxKind.MX, (Exchange(HOST, 1),), Dnssec.SECURE, left_out=1)
    assert judged(route=route).passage(Rung.ENCRYPT).answer is UNKNOWN
    late = changed(ending=Ending.UNTOLD, why=Why.TIMEOUT)
    assert judged(both(GOOD), late).passage(Rung.ENCRYPT).answer is UNKNOWN


def test_skipped_ipv6() -> None:
    """An address that this machine has no way to counts only where there is no other."""
    skipped = changed(ending=Ending.UNTOLD, why=Why.SKIPPED)
    assert judged(both(GOOD), skipped).passage(Rung.ENCRYPT).answer is YES
    assert judged(skipped).passage(Rung.ENCRYPT).answer is UNKNOWN


@given(st.lists(st.sampled_from(Answer), max_size=6))
def test_combined(parts: list[Answer]) -> None:
    """Yes needs all, no needs all; an unknown part is never covered up."""
    found = combined(parts)
    assert (found is YES) == (bool(parts) and set(parts) == {YES})
    assert (found is NO) == (bool(parts) and set(parts) == {NO})
    if found is SOME:
        assert SOME in parts or {YES, NO} <= set(parts)
    assert combined(parts[::-1]) is found


@given(
    st.sampled_from(Ending),
    st.sampled_from(Trust),
    st.booleans(),
    st.sampled_from(["TLSv1", "TLSv1.2", "TLSv1.3", None]),
)
def test_rungs_are_a_ladder(ending: Ending, trust: Trust, authenticable: bool, protocol: str | None) -> None:
    """Whatever is seen: no rung above passes where encrypt does not, and each other answer than yes has a reason."""
    address = changed(ending=ending, trust=trust, authenticable=authenticable, protocol=protocol, words="w")
    result = judged(address)
    if result.passage(Rung.ENCRYPT).answer is not YES:
        assert YES not in answers(result)
    assert all(bool(passage.blocks) is (passage.answer is not YES) for passage in result.passages)


def words_of(found: CheckResult, weight: Weight) -> list[str]:
    """Return what was found with this weight."""
    return [finding.words for finding in found.findings if finding.weight is weight]


def test_check_in_order() -> None:
    """A domain in order is ready for both; what remains is advice on the next TLSA record."""
    found = assess(judged())
    assert found.ready
    assert found.summary == "example is ready: others can require TLS of it, and it can require TLS of others."
    assert words_of(found, Weight.FIX) == []
    assert any("present certificate only" in words for words in words_of(found, Weight.ADVICE))


NEXT = replace(TLSA, records=(EE, record(3, 1, 1, STRANGER)))
SOON = issue([HOST], private_root(), days=(-80, 5))


@pytest.mark.parametrize(
    ("result", "weight", "words"),
    [
        pytest.param(judged(tlsa=NEXT), Weight.GOOD, "ready for a new certificate", id="rollover"),
        pytest.param(
            judged(changed(certificate=read(SOON.der), chain=SOON.chain), tlsa=Tlsa(dnssec=Dnssec.SECURE)),
            Weight.FIX,
            "expires in 5 days",
            id="expires soon",
        ),
        pytest.param(judged(changed(chain=STRANGER.chain)), Weight.FIX, "no TLSA record matches", id="stale TLSA"),
        pytest.param(judged(changed(protocol="TLSv1")), Weight.FIX, "speaks TLSv1 at best", id="old protocol"),
        pytest.param(
            judged(both(GOOD), replace(shown([HOST]), ip="192.0.2.2")),
            Weight.ADVICE,
            "2 different certificates",
            id="two",
        ),
        pytest.param(judged(sts=Sts()), Weight.ADVICE, "no MTA-STS policy", id="no policy"),
        pytest.param(judged(sts=Sts("1", trouble="bad")), Weight.FIX, "bad", id="bad policy"),
        pytest.param(judged(sts=Sts("1", replace(POLICY, max_age=60))), Weight.ADVICE, "below a day", id="max_age"),
        pytest.param(
            judged(sts=Sts("1", replace(POLICY, mx=(HOST, "old.example")))),
            Weight.ADVICE,
            "old.example",
            id="left over",
        ),
        pytest.param(
            judged(sts=Sts("1", replace(POLICY, mx=("a.example",)))),
            Weight.FIX,
            "does not name mx.example",
            id="not named",
        ),
        pytest.param(
            judged(sts=Sts("1", replace(POLICY, mode=StsMode.TESTING, mx=("a.example",)))),
            Weight.FIX,
            "does not name mx.example",
            id="not named, testing",
        ),
        pytest.param(judged(tlsrpt=TlsRpt()), Weight.ADVICE, "no TLSRPT record", id="no reports"),
        pytest.param(judged(tlsrpt=TlsRpt(trouble="two")), Weight.FIX, "two", id="bad reports"),
        pytest.param(judged(changed(trust=Trust.UNKNOWN_ISSUER), tlsa=Tlsa()), Weight.FIX, "intermediate", id="chain"),
        pytest.param(judged(changed(trust=Trust.SELF_SIGNED)), Weight.ADVICE, "self-signed", id="DANE instead of a CA"),
    ],
)
def test_findings(result: DomainResult, weight: Weight, words: str) -> None:
    """Each fault is found with its weight; nothing with something to fix can be relied on."""
    found = assess(result)
    assert [line for line in words_of(found, weight) if words in line]
    if weight is Weight.FIX:
        assert not found.ready
        assert found.can_be_required is not YES
        assert "first: " in found.summary


@pytest.mark.parametrize(("ending", "trust"), list(product(Ending, Trust)))
def test_check_is_never_too_hopeful(ending: Ending, trust: Trust) -> None:
    """Without DANE, only a trusted certificate over a working session can be required by others."""
    found = assess(judged(changed(ending=ending, trust=trust), tlsa=Tlsa(dnssec=Dnssec.SECURE)))
    assert found.ready is (ending is Ending.ENCRYPTED and trust is Trust.TRUSTED)


def test_days_left_count_from_the_probe() -> None:
    """Days left are counted from when the certificate was seen."""
    old = changed(time=NOW + timedelta(days=85))
    assert any("expires in 5 days" in words for words in words_of(assess(judged(old)), Weight.FIX))
