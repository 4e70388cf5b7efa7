"""Only names that can mean nothing else become keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.policy.model import Enforcement, PolicyError, accept, plain_path, printable
from tlsmon.policy.names import domain_key, match_name, next_hop_key

LONG = ".".join(["a" * 63] * 3 + ["a" * 61])
REFUSED = {
    "empty": "",
    "single label": "localhost",
    "comment": "#example.com",
    "second word": "example.com encrypt",
    "second line": "example.com\nexample.org",
    "last newline": "example.com\n",
    "line separator": "example.com\u2028x.example",
    "NUL": "example.com\0",
    "parent key": ".example.com",
    "wildcard": "*.example.com",
    "trailing dot": "example.com.",
    "two dots": "example..com",
    "leading hyphen": "-example.com",
    "trailing hyphen": "example-.com",
    "underscore": "_dmarc.example.com",
    "label of 64": "a" * 64 + ".com",
    "name of 254": LONG + "a",
    "IPv4": "192.0.2.1",
    "address literal": "[192.0.2.1]",
    "IPv6 literal": "[IPv6:2001:db8::1]",
    "next hop": "example.com:25",
    "U-label": "bücher.example",
    "Kelvin sign": "\u212aelvin.example",
    "Arabic digits": "\u0661.example",
    "quoted": '"example.com"',
    "Exim expansion": "${run{x}}.example",
    "Exim list separator": "a.example:b.example",
}


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED.keys())
def test_hostile_domains(name: str) -> None:
    """A name that an MTA could read as anything but one domain is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        domain_key(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Example.COM", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("3com.com", "3com.com"),
        (LONG, LONG),
    ],
)
def test_domains(name: str, key: str) -> None:
    """A domain in LDH labels is taken in lower case, up to 253 characters."""
    assert key == domain_key(name)


@pytest.mark.parametrize(
    "hop",
    [
        "[smtp.isp.example]:587",
        "[smtp.isp.example]",
        "smtp.isp.example:26",
        "[192.0.2.1]",
        "[2001:db8::1]:465",
        "[relay]",
    ],
)
def test_next_hops(hop: str) -> None:
    """A next hop keeps its brackets and port, as Postfix looks it up."""
    assert hop == next_hop_key(hop.upper()).lower()


@pytest.mark.parametrize(
    "hop",
    [
        "[a.example]:0",
        "[a.example]:65536",
        "[a.example]:x",
        "[a.example",
        "[a b]",
        "[]",
        "[[a.example]]",
        "[fe80::1%e #]",
        "[a]\n",
    ],
)
def test_hostile_next_hops(hop: str) -> None:
    """What is no next hop is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        next_hop_key(hop)


def test_match_names() -> None:
    """Names to match are domains or what is below one; Postfix's words are not names."""
    assert match_name(".MX.example.net") == ".mx.example.net"
    for word in ("hostname", "nexthop", "a.example:b.example", "..example.net", ""):
        with pytest.raises(ValueError, match=r"\w"):
            match_name(word)


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever passes consists of letters, digits, hyphens and inner dots."""
    try:
        key = domain_key(text)
    except ValueError:
        return
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", key)


def test_gate() -> None:
    """One enforcement a domain; both sides of a contradiction are left out; everything left out is named."""
    accepted = accept(
        [
            Enforcement("B.example", "encrypt", "later\nreason"),
            Enforcement("a.example", "verify", "first"),
            Enforcement("A.example", "verify", "same again"),
            Enforcement("c.example", "encrypt", ""),
            Enforcement("C.example", "secure", ""),
            Enforcement("d.example", "may", ""),
            Enforcement("e.example", "encrypt", "", ("mx.example",)),
            Enforcement("x\x1b[2J.example", "encrypt", ""),
        ],
        domain_key,
    )
    assert [(each.domain, each.level) for each in accepted.enforcements] == [
        ("a.example", "verify"),
        ("b.example", "encrypt"),
    ]
    assert accepted.enforcements[1].reason == "later?reason"
    assert [each.name for each in accepted.rejected] == ["c.example", "d.example", "e.example", "x?[2J.example"]


def test_printable() -> None:
    """Text for people is one line of bounded length."""
    assert printable("a\r\nb\u202ec") == "a??b?c"
    assert len(printable("a" * 1000)) < 200


@pytest.mark.parametrize("path", ["relative", "/a b", "/a,b", "/a}", "/a\n", "/$x", "/a;b", ""])
def test_paths(path: str) -> None:
    """A path that a configuration would read otherwise is an error with a hint."""
    with pytest.raises(PolicyError) as caught:
        plain_path(path)
    assert caught.value.hint
