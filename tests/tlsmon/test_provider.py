"""MX hosts to providers."""

import pytest

from tlsmon.provider import provider


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("aspmx.l.google.com", "google.com"),
        ("mx1.mail.example.co.uk", "example.co.uk"),
        ("MX.Example.ORG.", "example.org"),
        ("mx.customer.github.io", "github.io"),
        ("xn--mx-fka.xn--mller-kva.de", "xn--mller-kva.de"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("mx.unheard-of", "mx.unheard-of"),
        ("a.b.unheard-of", "b.unheard-of"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("", ""),
        (None, None),
    ],
    ids=str,
)
def test_provider(host: str | None, expected: str | None) -> None:
    """A provider is the organisational domain by the ICANN part of the list; what has none stands for itself."""
    assert provider(host) == expected
