"""
Names with DNSSEC: NSD serves a signed root and a signed zone ``example``, Unbound beside the MTA validates them.

Domains that are not signed are delegated without DS records to the lab's small server (:mod:`tests.lab.names`), as most
of the world's are: the resolver answers for them without the AD bit. Keys are made anew for each run.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.RRSIG
import dns.zone
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.lab.machine import Machine, cache_folder
from tests.lab.network import DNS_SERVER, SIGNED_DNS_SERVER, Network
from tests.lab.world import Host, Tlsa, World, zone_of

ROOT = "names-bookworm"
RESOLVER = "127.0.0.1"
_ORIGIN = "example."
_NSD = f"""\
server:
  ip-address: {SIGNED_DNS_SERVER}
  username: ""
  zonesdir: "/etc/nsd"
  database: ""
  pidfile: ""
remote-control:
  control-enable: no
zone:
  name: "{_ORIGIN}"
  zonefile: "example.zone"
zone:
  name: "."
  zonefile: "root.zone"
"""
_ROOT_ZONE = f"""\
$TTL 30
@ IN SOA ns.{_ORIGIN} hostmaster.{_ORIGIN} 1 3600 600 86400 5
@ IN NS ns.{_ORIGIN}
{_ORIGIN} IN NS ns.{_ORIGIN}
{_ORIGIN} IN DS {{ds}}
ns.{_ORIGIN} IN A {SIGNED_DNS_SERVER}
"""
_UNBOUND = """\
server:
  interface: {resolver}
  directory: "/etc/unbound"
  chroot: ""
  username: ""
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
  qname-minimisation: no
  rrset-roundrobin: yes
remote-control:
  control-enable: no
stub-zone:
  name: "."
  stub-addr: {signed}
"""


class SignedZone:
    """The zone ``example`` of a world. ``certificates`` gives the PEM file of each host that has TLSA records."""

    def __init__(self, world: World, certificates: Mapping[str, Path], authority: Path) -> None:
        self._authority = authority
        zone = dns.zone.from_text("\n".join(self._lines(world, certificates)), _ORIGIN, relativize=False)
        dnskey = _sign(zone)
        digest = dns.dnssec.make_ds(dns.name.from_text(_ORIGIN), dnskey, "SHA256")
        root = dns.zone.from_text(_ROOT_ZONE.format(ds=digest.to_text()), ".", relativize=False)
        self.anchor = f". DNSKEY {_sign(root).to_text()}"
        self.root_text = root.to_text()
        for domain in world.domains:
            if domain.bogus:
                _spoil(zone, domain.name, dns.rdatatype.MX)
        for host, _ in world.hosts():
            if host.tlsa is Tlsa.BOGUS:
                _spoil(zone, f"_25._tcp.{host.name}", dns.rdatatype.TLSA)
        self.text = zone.to_text()

    def _lines(self, world: World, certificates: Mapping[str, Path]) -> Iterator[str]:
        yield f"$TTL 30\n@ IN SOA ns.{_ORIGIN} hostmaster.{_ORIGIN} 1 3600 600 86400 5"
        yield f"@ IN NS ns.{_ORIGIN}\nns IN A {SIGNED_DNS_SERVER}\nnames IN A {DNS_SERVER}"
        signed = world.signed_zones
        yield from (f"{zone}. IN NS names.{_ORIGIN}" for zone in sorted(_zones(world) - signed))
        for domain in world.domains:
            if zone_of(domain.name) in signed:
                yield from (f"{domain.name}. IN MX {preference} {host.name}." for preference, host in domain.mx)
        for host, _ in world.hosts():
            if zone_of(host.name) in signed:
                for address in (*(endpoint.address for endpoint in host.endpoints), *host.closed):
                    yield f"{host.name}. IN {'AAAA' if ':' in address else 'A'} {address}"
                for record in self._tlsa(host, certificates):
                    yield f"_25._tcp.{host.name}. IN TLSA {record}"

    def _tlsa(self, host: Host, certificates: Mapping[str, Path]) -> Iterator[str]:
        if host.tlsa is None:
            return
        key = _digest(_leaf(certificates[host.name]), only_key=True)
        old = hashlib.sha256(b"the key of last year").hexdigest()
        match host.tlsa:
            case Tlsa.TRUST_ANCHOR:
                yield f"2 0 1 {_digest(_leaf(self._authority), only_key=False)}"
            case Tlsa.PKIX_END_ENTITY:
                yield f"1 1 1 {key}"
            case Tlsa.STALE:
                yield f"3 1 1 {old}"
            case Tlsa.ROLLOVER:
                yield f"3 1 1 {old}"
                yield f"3 1 1 {key}"
            case _:
                yield f"3 1 1 {key}"


def _sign(zone: dns.zone.Zone) -> dns.rdtypes.ANY.DNSKEY.DNSKEY:
    """Sign a zone with a new key, and return the record of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], lifetime=86_400)
    return dnskey


def _zones(world: World) -> set[str]:
    return {zone_of(domain.name) for domain in world.domains} | {zone_of(host.name) for host, _ in world.hosts()}


def _leaf(pem: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem.read_bytes())[0]


def _digest(certificate: x509.Certificate, *, only_key: bool) -> str:
    encoding = serialization.Encoding.DER
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    whole = certificate.public_key().public_bytes(encoding, spki) if only_key else certificate.public_bytes(encoding)
    return hashlib.sha256(whole).hexdigest()


def _spoil(zone: dns.zone.Zone, owner: str, covers: dns.rdatatype.RdataType) -> None:
    """Break the signature over some records."""
    name = dns.name.from_text(owner)
    signatures = zone.find_rdataset(name, dns.rdatatype.RRSIG, covers)
    (signature,) = signatures
    assert isinstance(signature, dns.rdtypes.ANY.RRSIG.RRSIG)
    spoilt = signature.replace(signature=bytes(byte ^ 0xFF for byte in signature.signature))
    zone.replace_rdataset(name, dns.rdataset.from_rdata(signatures.ttl, spoilt))


@contextmanager
def signed_names(network: Network, zone: SignedZone, folder: Path) -> Iterator[None]:
    """Serve the zone, with a validating resolver at :data:`RESOLVER` of the MTA's namespace."""
    server = _machine(network.receivers, folder / "nsd")
    resolver = _machine(network.mta, folder / "unbound")
    try:
        settings = server.overlay("/etc/nsd")
        server.overlay("/var/lib/nsd")
        (settings / "nsd.conf").write_text(_NSD)
        (settings / "example.zone").write_text(zone.text)
        (settings / "root.zone").write_text(zone.root_text)
        server.start(["nsd", "-d", "-c", "/etc/nsd/nsd.conf"])
        # A resolver that cannot fetch the keys at first holds it against the zone for a minute.
        _await(server, SIGNED_DNS_SERVER, "aa")
        conf = _UNBOUND.format(resolver=RESOLVER, anchor=zone.anchor, signed=SIGNED_DNS_SERVER)
        (resolver.overlay("/etc/unbound") / "unbound.conf").write_text(conf)
        resolver.start(["unbound", "-d", "-c", "/etc/unbound/unbound.conf"])
        _await(resolver, RESOLVER, "ad")
        yield
    finally:
        resolver.stop()
        server.stop()


def _machine(namespace: str, folder: Path) -> Machine:
    folder.mkdir()
    return Machine(cache_folder() / ROOT, namespace, folder)


def _await(machine: Machine, address: str, flag: str) -> None:
    """Wait until the machine's daemon answers for the zone with a flag of RFC 1035 or 4035. Raises RuntimeError."""
    # Over TCP: to UDP before the daemon listens drill waits five seconds for an answer.
    flagged = re.compile(rf"^;; flags:.* {flag}\b", re.MULTILINE)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if flagged.search(machine.run(["drill", "-t", "-D", _ORIGIN, "SOA", f"@{address}"])):
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"{address} gave no answer for {_ORIGIN} with {flag}; its server says: {machine.said()}")
