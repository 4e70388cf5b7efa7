"""Where a relay stands, by its address."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.model import Scope
from maillog.scope import in_networks, scope_of

ADDRESSES = {
    "127.0.0.1": Scope.LOOPBACK,
    "127.255.0.9": Scope.LOOPBACK,
    "::1": Scope.LOOPBACK,
    "::ffff:127.0.0.1": Scope.LOOPBACK,
    "10.0.0.1": Scope.PRIVATE,
    "172.16.0.1": Scope.PRIVATE,
    "172.32.0.1": Scope.INTERNET,
    "192.168.1.1": Scope.PRIVATE,
    "100.64.0.1": Scope.PRIVATE,
    "169.254.1.1": Scope.PRIVATE,
    "fd00::1": Scope.PRIVATE,
    "fe80::1%eth0": Scope.PRIVATE,
    "::ffff:10.0.0.1": Scope.PRIVATE,
    "192.0.2.1": Scope.INTERNET,
    "203.0.113.7": Scope.INTERNET,
    "2001:db8::1": Scope.INTERNET,
    "8.8.8.8": Scope.INTERNET,
    "private/dovecot-lmtp": None,
    "1.2.3": None,
    "": None,
}


@pytest.mark.parametrize(("address", "scope"), ADDRESSES.items(), ids=[address or "empty" for address in ADDRESSES])
def test_scope(address: str, scope: Scope | None) -> None:
    """Each kind of address; documentation networks play the internet in tests."""
    assert scope_of(address) is scope


@given(st.text(max_size=60) | st.ip_addresses().map(str))
def test_any_text(text: str) -> None:
    """Any text has a scope or none, and lies in the network of all addresses just if it has one."""
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert in_networks(text, everything) is (scope_of(text) is not None)


def test_in_networks() -> None:
    """A network of one version holds no address of the other."""
    lab = (ip_network("10.9.0.0/16"),)
    assert [in_networks(address, lab) for address in ("10.9.1.1", "10.8.1.1", "::1", "x")] == [
        True,
        False,
        False,
        False,
    ]
