"""What holds for all tests: none of them reaches beyond this machine."""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine, and it may be busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_closed = True


def _is_near(address: object) -> bool:
    """Tell whether a socket address is on loopback or a UNIX socket."""
    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if not _closed or event not in {"socket.connect", "socket.sendto"}:
        return
    sender, address = arguments[:2]
    if isinstance(sender, socket.socket) and not _is_near(address):
        raise RuntimeError(f"a test tries to reach {address}: tests need no network but loopback")


sys.addaudithook(_refuse_network)


@pytest.fixture(autouse=True)
def _lab_may_connect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tests of the lab reach the addresses in its own namespaces."""
    global _closed  # noqa: PLW0603, an audit hook cannot be taken away
    _closed = request.node.get_closest_marker("lab") is None
    yield
    _closed = True


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    monkeypatch.setenv("TLSMON_CONFIG", os.devnull)
