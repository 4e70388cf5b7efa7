"""Two joined network namespaces: one for the sending MTA, one for everything that it sends to."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

DNS_SERVER = "198.51.100.53"
SIGNED_DNS_SERVER = "198.51.100.54"
DARK_ADDRESS = "192.0.2.200"
"""Routed to the receivers' side and dropped there without a word: a connection to it times out."""
_RECEIVERS = ("198.51.100.0/24", "203.0.113.0/24", "2001:db8:2::/64")
_MTA_LINK = ("192.0.2.1/25", "2001:db8:1::1/64")
_RECEIVER_LINK = ("192.0.2.2/25", "2001:db8:1::2/64")
_serial = itertools.count()


@dataclass(frozen=True)
class Network:
    """The names of the two namespaces, as ``ip netns`` knows them."""

    mta: str
    receivers: str


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _join(network: Network) -> None:
    """Lay a cable between the two; give the receivers every address of documentation ranges (RFC 5737, RFC 3849)."""
    _ip("link", "add", "lab0", "netns", network.mta, "type", "veth", "peer", "name", "lab0", "netns", network.receivers)
    for name, addresses in ((network.mta, _MTA_LINK), (network.receivers, _RECEIVER_LINK)):
        for address in addresses:
            # Duplicate address detection would leave IPv6 unusable for a second.
            _ip("-n", name, "address", "add", address, "dev", "lab0", *(["nodad"] if ":" in address else []))
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", "lab0", "up")
    for other_end in _RECEIVER_LINK:
        _ip("-n", network.mta, "route", "add", "default", "via", other_end.split("/")[0])
    # IPv6, unlike IPv4, lets nobody bind an address of a local route without this.
    _ip("netns", "exec", network.receivers, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind")
    for prefix in _RECEIVERS:
        _ip("-n", network.receivers, "route", "add", "local", prefix, "dev", "lo")


@contextmanager
def lab_network() -> Iterator[Network]:
    """Make the namespaces, yield their names, remove them. Nothing in them reaches the machine's own network."""
    stem = f"lab-{os.getpid()}-{next(_serial)}"
    network = Network(f"{stem}-mta", f"{stem}-net")
    made: list[str] = []
    try:
        for name in (network.mta, network.receivers):
            _ip("netns", "add", name)
            made.append(name)
        _join(network)
        yield network
    finally:
        for name in made:
            _ip("netns", "delete", name)
