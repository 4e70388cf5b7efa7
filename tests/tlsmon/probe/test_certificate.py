"""Which names a certificate covers, and how TLSA records stand to a chain."""

import hashlib
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.probe.authority import NOW, Identity, intermediate, issue, private_root, root

from tlsmon.probe.certificate import Cover, covers, covers_below, read
from tlsmon.probe.dane import Match, associates, compare, usable
from tlsmon.probe.model import TlsaRecord

NONE: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("names", "host", "cover"),
    [
        (["mx.example.com"], "mx.example.com", Cover.YES),
        (["MX.Example.com"], "mx.example.com", Cover.YES),
        (["other.example", "mx.example.com"], "mx.example.com", Cover.YES),
        (["*.example.com"], "mx.example.com", Cover.YES),
        (["*.example.com"], "a.mx.example.com", Cover.NO),
        (["*.example.com"], "example.com", Cover.NO),
        (["m*.example.com"], "mx.example.com", Cover.NO),
        (["mx.*.com"], "mx.example.com", Cover.NO),
        (["*.com"], "example.com", Cover.NO),
        (["*"], "example", Cover.NO),
        (["*.*.com", "mx.example.com"], "mx.example.com", Cover.YES),
        (["example.com"], "mx.example.com", Cover.NO),
        (["mx.example.com.evil.example"], "mx.example.com", Cover.NO),
        (["evilmx.example.com"], "mx.example.com", Cover.NO),
        (["192.0.2.1"], "192.0.2.1", Cover.NO),
        (NONE, "cn.example.com", Cover.COMMON_NAME_ONLY),
        (NONE, "mx.example.com", Cover.NO),
        (["mx.example.com"], "cn.example.com", Cover.NO),
    ],
)
def test_covers(names: list[str], host: str, cover: Cover) -> None:
    """A name counts by RFC 9525: whole, a wildcard for the whole first label only, CN only where nothing else is."""
    certificate = read(issue(names, common_name="cn.example.com").der)
    assert certificate
    assert covers(certificate, host) is cover


@pytest.mark.parametrize(
    ("names", "cover"),
    [
        (["example.com"], Cover.YES),
        (["mx.example.com"], Cover.YES),
        (["a.b.example.com"], Cover.YES),
        (["*.example.com"], Cover.YES),
        (["notexample.com"], Cover.NO),
        (["mx.provider.example"], Cover.NO),
        (["com"], Cover.NO),
        (NONE, Cover.COMMON_NAME_ONLY),
    ],
)
def test_covers_below(names: list[str], cover: Cover) -> None:
    """Postfix's default at secure: the next-hop domain or any name below it."""
    certificate = read(issue(names, common_name="mx.example.com").der)
    assert certificate
    assert covers_below(certificate, "example.com") is cover


def test_facts() -> None:
    """What is read is what was issued; times are aware."""
    made = issue(["mx.example"], root(), days=(-3, 30))
    found = read(made.der)
    assert found
    assert (found.names, found.common_name, found.issuer) == (("mx.example",), "nobody", "CN=Trusted Root")
    assert found.not_after == NOW + timedelta(days=30)
    assert found.fingerprint == hashlib.sha256(made.der).hexdigest()


def test_many_names() -> None:
    """Names beyond a bound are counted, not kept."""
    found = read(issue([f"a{number}.example" for number in range(1100)]).der)
    assert found
    assert (len(found.names), found.names_left_out) == (1000, 100)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_certificate(data: bytes) -> None:
    """Bytes that are no certificate are none; nothing is raised."""
    assert read(data) is None
    assert not usable(TlsaRecord(3, 0, 0, data))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.data())
def test_damaged_certificate(data: st.DataObject) -> None:
    """A certificate with any byte changed is read or not read; nothing is raised, neither by a TLSA match."""
    der = bytearray(LEAF.der)
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    changed = bytes(der)
    read(changed)
    compare([record(2, 0, 1, TOP), record(3, 1, 1, LEAF)], (changed, *LEAF.chain[1:]), ["mx.example"], NOW)


TOP = private_root()
LEAF = issue(["mx.example"], TOP)
FROM_INTERMEDIATE = issue(["mx.example"], intermediate())
MIDDLE = Identity(intermediate().key, intermediate().certificate)
STRANGER = issue(["mx.example"])
BASE = ["mx.example"]

SELECTED: dict[int, Callable[[Identity], bytes]] = {0: lambda one: one.der, 1: lambda one: one.spki}
DIGESTED: dict[int, Callable[[bytes], bytes]] = {
    0: lambda data: data,
    1: lambda data: hashlib.sha256(data).digest(),
    2: lambda data: hashlib.sha512(data).digest(),
}


def record(usage: int, selector: int, matching: int, identity: Identity) -> TlsaRecord:
    """Make the record that stands for a certificate."""
    return TlsaRecord(usage, selector, matching, DIGESTED[matching](SELECTED[selector](identity)))


COMBINATIONS = list(itertools.product(range(4), range(2), range(3)))


@pytest.mark.parametrize(("usage", "selector", "matching"), COMBINATIONS)
def test_tlsa_combinations(usage: int, selector: int, matching: int) -> None:
    """Each selector and matching type matches its own certificate and no other; usages 0 and 1 are unusable."""
    own = LEAF if usage in {1, 3} else TOP
    made, foreign = record(usage, selector, matching, own), record(usage, selector, matching, STRANGER)
    assert associates(made, own.der)
    if usage < 2:
        assert compare([made], LEAF.chain, BASE, NOW).match is Match.UNUSABLE
    else:
        assert compare([made], LEAF.chain, BASE, NOW).match is Match.MATCHES
        assert compare([foreign], LEAF.chain, BASE, NOW).match is Match.MISMATCH
        assert compare([foreign, made], LEAF.chain, BASE, NOW).match is Match.MATCHES


@pytest.mark.parametrize(
    "made",
    [
        TlsaRecord(4, 1, 1, b"x" * 32),
        TlsaRecord(255, 1, 1, b"x" * 32),
        TlsaRecord(3, 2, 1, b"x" * 32),
        TlsaRecord(3, 1, 3, b"x" * 32),
        TlsaRecord(3, 1, 1, b"x" * 31),
        TlsaRecord(3, 1, 2, b"x" * 32),
        TlsaRecord(3, 1, 1, b""),
        TlsaRecord(2, 0, 0, b"junk"),
        TlsaRecord(3, 1, 0, b"junk"),
    ],
    ids=str,
)
def test_unusable(made: TlsaRecord) -> None:
    """A record with an unknown number, a digest of the wrong length or junk cannot be used."""
    assert not usable(made)
    assert compare([made], LEAF.chain, BASE, NOW).match is Match.UNUSABLE


EE, TA = record(3, 1, 1, LEAF), record(2, 0, 1, TOP)


@pytest.mark.parametrize(
    ("records", "chain", "names", "days", "match"),
    [
        pytest.param([EE], LEAF.chain, ["other.example"], 0, Match.MATCHES, id="usage 3 looks at no name"),
        pytest.param([EE], LEAF.chain, BASE, 900, Match.MATCHES, id="usage 3 looks at no date"),
        pytest.param([TA], LEAF.chain, ["other.example"], 0, Match.MISMATCH, id="usage 2 needs the name"),
        pytest.param([TA], LEAF.chain, ["other.example", "mx.example"], 0, Match.MATCHES, id="one name is enough"),
        pytest.param([TA], LEAF.chain, BASE, 900, Match.MISMATCH, id="usage 2 needs dates"),
        pytest.param([TA], LEAF.chain[:1], BASE, 0, Match.MISMATCH, id="authority not sent"),
        pytest.param([record(2, 0, 0, TOP)], LEAF.chain[:1], BASE, 0, Match.MATCHES, id="authority in DNS"),
        pytest.param([TA], (STRANGER.der, TOP.der), BASE, 0, Match.MISMATCH, id="authority did not sign"),
        pytest.param(
            [record(2, 1, 1, LEAF)], LEAF.chain, BASE, 0, Match.MISMATCH, id="usage 2 for the certificate itself"
        ),
        pytest.param([record(3, 1, 1, TOP)], LEAF.chain, BASE, 0, Match.MISMATCH, id="usage 3 for the authority"),
        pytest.param(
            [record(2, 1, 1, MIDDLE)],
            (FROM_INTERMEDIATE.der, MIDDLE.der),
            BASE,
            0,
            Match.MATCHES,
            id="an intermediate is an anchor",
        ),
        pytest.param(
            [record(2, 0, 2, root())],
            (FROM_INTERMEDIATE.der, root().der, MIDDLE.der),
            BASE,
            0,
            Match.MATCHES,
            id="order of the chain does not matter",
        ),
        pytest.param([EE], (), BASE, 0, Match.MISMATCH, id="no certificate"),
        pytest.param([], LEAF.chain, BASE, 0, Match.UNUSABLE, id="no record"),
        pytest.param(
            [TA],
            (issue(["mx.example"], issue(["x.example"], TOP)).der, issue(["x.example"], TOP).der, TOP.der),
            BASE,
            0,
            Match.MISMATCH,
            id="issued by no authority",
        ),
    ],
)
def test_dane_rules(
    records: list[TlsaRecord], chain: tuple[bytes, ...], names: list[str], days: int, match: Match
) -> None:
    """RFC 7671 and 7672: what each usage looks at, and what it does not."""
    found = compare(records, chain, names, NOW + timedelta(days=days))
    assert found.match is match
    assert found.words


def signing(*, allowed: bool) -> x509.KeyUsage:
    """Return a key usage with or without the signing of certificates."""
    flags = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=allowed, crl_sign=False, **flags)


CONSTRAINTS = x509.NameConstraints(None, [x509.DNSName("example")])


@pytest.mark.parametrize(
    ("anchor", "between", "leaf", "match"),
    [
        pytest.param({"more": [signing(allowed=True)]}, None, {}, Match.MATCHES, id="may sign"),
        pytest.param({"more": [signing(allowed=False)]}, None, {}, Match.MISMATCH, id="may not sign"),
        pytest.param({"path_length": 0}, None, {}, Match.MATCHES, id="path length kept"),
        pytest.param({"path_length": 0}, {}, {}, Match.MISMATCH, id="path length exceeded"),
        pytest.param({"path_length": 1}, {}, {}, Match.MATCHES, id="path length of one"),
        pytest.param({"more": [CONSTRAINTS]}, None, {}, Match.MISMATCH, id="name constraints are not followed"),
        pytest.param({}, {"days": (-9, -1)}, {}, Match.MISMATCH, id="expired between"),
        pytest.param({}, None, {"days": (1, 9)}, Match.MISMATCH, id="not valid yet"),
        pytest.param({}, None, {"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, Match.MISMATCH, id="for clients"),
    ],
)
def test_anchor_path(
    anchor: dict[str, Any], between: dict[str, Any] | None, leaf: dict[str, Any], match: Match
) -> None:
    """The path from the certificate to the anchor is valid by RFC 5280, or there is no match."""
    top = issue(authority=True, common_name="Anchor", **anchor)
    middle = issue(by=top, authority=True, common_name="Between", **between) if between is not None else None
    made = issue(["mx.example"], middle or top, **leaf)
    chain = (made.der, *([middle.der] if middle else []), top.der)
    assert compare([record(2, 0, 1, top)], chain, BASE, NOW).match is match


def test_end_entity_as_issuer() -> None:
    """A server certificate that signs another one makes no chain, though its signature is right."""
    false_authority = issue(["x.example"], TOP)
    leaf = issue(["mx.example"], false_authority)
    chain = (leaf.der, false_authority.der, TOP.der)
    assert compare([TA], chain, BASE, NOW).match is Match.MISMATCH
