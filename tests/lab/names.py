"""The lab's DNS: one small authoritative server for everything that exists."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Iterator
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from tests.lab.world import World

_TTL = 30
_Records = dict[dns.name.Name, dict[dns.rdatatype.RdataType, list[str]]]


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, idna_codec=dns.name.IDNA_2008_Practical)


class Zone:
    """All records of a world. A name without records does not exist."""

    def __init__(self, world: World) -> None:
        self._records: _Records = {}
        self._broken = {_name(domain.name) for domain in world.domains if domain.broken_dns}
        self._moved = {_name(domain.name): domain for domain in world.domains if domain.later_at is not None}
        self._begun = time.monotonic()
        for domain in world.domains:
            for alias, host_name in domain.aliases:
                self._add(alias, dns.rdatatype.CNAME, f"{host_name}.")
            names = {host_name: alias for alias, host_name in domain.aliases}
            for preference, host in domain.mx:
                self._add(domain.name, dns.rdatatype.MX, f"{preference} {names.get(host.name, host.name)}.")
            if domain.null_mx:
                self._add(domain.name, dns.rdatatype.MX, "0 .")
        for host, _ in world.hosts():
            for address in (*(endpoint.address for endpoint in host.endpoints), *host.closed):
                self._add(host.name, dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A, address)

    def _add(self, owner: str, kind: dns.rdatatype.RdataType, value: str) -> None:
        values = self._records.setdefault(_name(owner), {}).setdefault(kind, [])
        if value not in values:
            values.append(value)

    def answer(self, wire: bytes) -> bytes | None:
        """Answer one query; None for what is no query."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if not query.question:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        question = query.question[0]
        records = self._records.get(question.name)
        if question.name in self._broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            response.answer.extend(self._answers(question.name, question.rdtype))
        return response.to_wire()

    def _answers(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Iterator[dns.rrset.RRset]:
        alias = self._records.get(name, {}).get(dns.rdatatype.CNAME)
        if alias:
            yield dns.rrset.from_text(name, _TTL, "IN", dns.rdatatype.CNAME, *alias)
            yield from self._answers(dns.name.from_text(alias[0]), kind)
        elif values := self._values(name, kind):
            # Servers rotate what they hold; Exim takes addresses in the order in which they come.
            yield dns.rrset.from_text(name, _TTL, "IN", kind, *random.sample(values, len(values)))

    def _values(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> list[str]:
        moved = self._moved.get(name)
        if moved and kind is dns.rdatatype.MX and time.monotonic() - self._begun >= (moved.later_at or 0):
            return [f"{preference} {host.name}." for preference, host in moved.later]
        return self._records.get(name, {}).get(kind, [])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        answer = self._zone.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


async def serve_names(zone: Zone, address: str) -> None:
    """Answer at ``address``, UDP and TCP, for as long as the event loop runs."""

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = zone.answer(await reader.readexactly(length))
            if answer is not None:
                writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Datagrams(zone), local_addr=(address, 53))
    await asyncio.start_server(over_tcp, address, 53)
