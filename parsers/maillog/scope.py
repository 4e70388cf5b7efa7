"""Where a relay stands: internet, private network, or this machine."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from maillog.model import Scope

IpNetwork = IPv4Network | IPv6Network

# RFC 1122 and RFC 4291; ::ffff:0:0/104 under 127 is handled by unmapping.
LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
# RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. Documentation networks stay "internet": they are
# not routed anywhere, so a log that shows them comes from a test that plays the internet.
PRIVATE = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)


@lru_cache(maxsize=65_536)
def scope_of(ip: str) -> Scope | None:
    """Return the scope of an IPv4 or IPv6 address, or None where the text is no address."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if any(address in network for network in LOOPBACK):
        return Scope.LOOPBACK
    if any(address in network for network in PRIVATE):
        return Scope.PRIVATE
    return Scope.INTERNET


@lru_cache(maxsize=65_536)
def in_networks(ip: str, networks: tuple[IpNetwork, ...]) -> bool:
    """Tell whether the address lies in one of the networks; False where the text is no address."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)
