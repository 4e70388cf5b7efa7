"""What DNS says: routes, aliases, DNSSEC, TLSA; and what a hostile zone cannot do."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.tlsmon.probe.names import Zone, serving

from tlsmon.probe.lookups import Lookups, NameserverError, resolver
from tlsmon.probe.model import Addresses, CouldNotTell, Dnssec, Exchange, MxKind, Route, Settings, Tlsa, Why

DIGEST = "3 1 1 " + "ab" * 32
ZONE = f"""
    two.example. MX 20 mx2.two.example.
    two.example. MX 10 MX1.two.example.
    mx1.two.example. A 192.0.2.1
    mx1.two.example. AAAA 2001:db8::1
    mx2.two.example. A 192.0.2.2
    _25._tcp.mx1.two.example. TLSA {DIGEST}
    implicit.example. A 192.0.2.3
    null.example. MX 0 .
    empty.example. TXT "nothing else"
    alias.example. CNAME two.example.
    insecure.test. MX 5 mx.insecure.test.
    mx.insecure.test. A 192.0.2.9
    _25._tcp.mx.insecure.test. TLSA {DIGEST}
    loop.example. CNAME loop2.example.
    loop2.example. CNAME loop.example.
    out.example. CNAME mx.insecure.test.
    _25._tcp.out.example. TLSA {DIGEST}
    in.example. CNAME mx1.two.example.
    broken.example. MX 1 mx1.two.example.
    many.example. TXT "v=STSv1;" " id=1"
"""


def asked(question: Callable[[Lookups], Any], zone: Zone | None = None, **settings: Any) -> Any:
    """Ask one question of a zone."""
    with serving(zone or Zone(ZONE, secure=["example."])) as server:
        made = Settings(nameservers=(server,), lookup_seconds=1.0, **settings)
        return question(Lookups(resolver(made.nameservers), made))


TWO = (Exchange("mx1.two.example", 10), Exchange("mx2.two.example", 20))


@pytest.mark.parametrize(
    ("domain", "route"),
    [
        ("two.example", Route(MxKind.MX, TWO, Dnssec.SECURE)),
        ("implicit.example", Route(MxKind.IMPLICIT, (Exchange("implicit.example", 0),), Dnssec.SECURE)),
        ("null.example", Route(MxKind.NULL, (), Dnssec.SECURE)),
        ("nowhere.example", Route(MxKind.MISSING, (), Dnssec.SECURE)),
        ("empty.example", Route(MxKind.MISSING, (), Dnssec.SECURE)),
        ("alias.example", Route(MxKind.MX, TWO, Dnssec.SECURE, "two.example")),
        ("insecure.test", Route(MxKind.MX, (Exchange("mx.insecure.test", 5),), Dnssec.INSECURE)),
        ("[192.0.2.7]", Route(MxKind.LITERAL, (Exchange("192.0.2.7", 0),))),
        ("[IPv6:2001:DB8::7]", Route(MxKind.LITERAL, (Exchange("2001:db8::7", 0),))),
    ],
)
def test_routes(domain: str, route: Route) -> None:
    """Where mail goes: MX by preference, implicit, null, literal, or nowhere (RFC 5321, 5.1; RFC 7505)."""
    assert asked(lambda lookups: lookups.route(domain)) == route


@pytest.mark.parametrize("follows", [True, False])
def test_aliases(follows: bool) -> None:
    """Aliases are followed whether or not the resolver does it."""
    zone = Zone(ZONE, secure=["example."], follows=follows)
    assert asked(lambda lookups: lookups.route("alias.example"), zone).exchanges == TWO


@pytest.mark.parametrize("domain", ["loop.example", "a..b", "x" * 64 + ".example", "ü\ud800.example"])
def test_no_usable_name(domain: str) -> None:
    """Looping aliases and impossible names could not be told, and end in time."""
    begin = time.monotonic()
    found = asked(lambda lookups: lookups.route(domain), Zone(ZONE, follows=False))
    assert found.kind is MxKind.UNTOLD
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("zone", "dnssec"),
    [
        (Zone(ZONE, failing=["broken.example."]), Dnssec.UNKNOWN),
        (Zone(ZONE, silent=["broken.example."]), Dnssec.UNKNOWN),
        (Zone(ZONE, bogus=["broken.example."]), Dnssec.BOGUS),
    ],
    ids=["failing", "silent", "bogus"],
)
def test_no_answer(zone: Zone, dnssec: Dnssec) -> None:
    """No answer is not "no record"; a failed validation is told from a dead server."""
    found = asked(lambda lookups: lookups.route("broken.example"), zone)
    assert (found.kind, found.dnssec, found.trouble.why) == (MxKind.UNTOLD, dnssec, Why.LOOKUP)


@pytest.mark.parametrize("validates", [True, False])
def test_validation(validates: bool) -> None:
    """Without a validating resolver DNSSEC is unknown, not insecure."""
    zone = Zone(ZONE, secure=["example."], validates=validates)
    assert asked(lambda lookups: lookups.validates, zone) is validates
    want = Dnssec.INSECURE if validates else Dnssec.UNKNOWN
    assert asked(lambda lookups: lookups.route("insecure.test"), zone).dnssec is want


@pytest.mark.parametrize(
    ("host", "base", "count", "dnssec"),
    [
        ("mx1.two.example", "mx1.two.example", 1, Dnssec.SECURE),
        ("mx2.two.example", None, 0, Dnssec.SECURE),
        ("mx.insecure.test", None, 0, Dnssec.INSECURE),
        ("in.example", "mx1.two.example", 1, Dnssec.SECURE),
        ("out.example", "out.example", 1, Dnssec.SECURE),
        ("192.0.2.1", None, 0, Dnssec.INSECURE),
    ],
)
def test_tlsa(host: str, base: str | None, count: int, dnssec: Dnssec) -> None:
    """The TLSA base domain: after expansion if all is secure, else the host's own; nothing below insecure names."""
    found: Tlsa = asked(lambda lookups: lookups.tlsa(host, lookups.addresses(host)))
    assert (found.base, len(found.records), found.dnssec) == (base, count, dnssec)


def test_tlsa_fails() -> None:
    """A failing TLSA lookup could not be told; it is not "no TLSA"."""
    zone = Zone(ZONE, secure=["example."], failing=["_25._tcp.mx1.two.example."])
    found = asked(lambda lookups: lookups.tlsa("mx1.two.example", lookups.addresses("mx1.two.example")), zone)
    assert found.trouble
    assert not found.records


def test_addresses() -> None:
    """IPv4 comes first; one family that fails leaves a trouble beside what was found."""
    found: Addresses = asked(lambda lookups: lookups.addresses("mx1.two.example"))
    assert (found.ips, found.dnssec, found.trouble) == (("192.0.2.1", "2001:db8::1"), Dnssec.SECURE, None)


def test_bounds() -> None:
    """Of hundreds of MX hosts, addresses and TLSA records a bounded number is looked at, and the rest is counted."""
    lines = [f"big.example. MX {n} mx{n}.big.example.\nmx.big.example. A 10.0.0.{n}" for n in range(1, 200)]
    zone = Zone("\n".join(lines), secure=["example."])
    route = asked(lambda lookups: lookups.route("big.example"), zone)
    assert (len(route.exchanges), route.left_out) == (20, 179)
    addresses = asked(lambda lookups: lookups.addresses("mx.big.example"), zone)
    assert (len(addresses.ips), addresses.left_out) == (16, 183)


def test_texts() -> None:
    """The strings of a TXT record are one text; a failing lookup is no empty answer."""
    assert asked(lambda lookups: lookups.texts("many.example")) == ("v=STSv1; id=1",)
    assert asked(lambda lookups: lookups.texts("nowhere.example")) == ()
    zone = Zone(ZONE, failing=["many.example."])
    assert isinstance(asked(lambda lookups: lookups.texts("many.example"), zone), CouldNotTell)


@pytest.mark.parametrize("text", ["ns.example", "127.0.0.1:99999", "", "[::1", "1.2.3"])
def test_bad_nameserver(text: str) -> None:
    """A name server is given by address; anything else is refused with advice."""
    with pytest.raises(NameserverError) as error:
        resolver([text])
    assert error.value.hint
