"""A name server on loopback that answers from a literal zone: records, what is secure, what fails."""

import socket
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_ALIAS = dns.rdatatype.CNAME


@dataclass
class Zone:
    """What the name server knows: one record a line, ``NAME TYPE DATA``; all names end with a dot."""

    text: str
    secure: Collection[str] = ()
    """Endings of names whose answers carry AD, as ``example.``."""
    bogus: Collection[str] = ()
    """Names that fail unless CD is set."""
    failing: Collection[str] = ()
    silent: Collection[str] = ()
    validates: bool = True
    follows: bool = True
    """Follow aliases, as a resolver does."""
    delay: float = 0.0
    """Seconds before each answer."""
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.records: dict[tuple[str, int], list[str]] = defaultdict(list)
        self.names = {"."}
        for line in filter(None, map(str.strip, self.text.splitlines())):
            name, kind, data = line.split(None, 2)
            self.records[name.lower(), dns.rdatatype.from_text(kind)].append(data)
            self.names.add(name.lower())

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """Return the response; None: say nothing."""
        question = query.question[0]
        name = question.name.to_text().lower()
        self.asked[name] += 1
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.failing or (name in self.bogus and not query.flags & dns.flags.CD):
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        self._fill(response, name, question.rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        secure = self.validates
        for _ in range(20):
            secure = secure and (name == "." or any(name.endswith(end) for end in self.secure))
            alias = self.records.get((name, _ALIAS)) if kind != _ALIAS else None
            found = alias or self.records.get((name, kind), ["x."] if (name, kind) == (".", dns.rdatatype.NS) else [])
            if found:
                rrset = dns.rrset.from_text_list(name, 60, "IN", _ALIAS if alias else kind, found)
                response.answer.append(rrset)
            if not alias or not self.follows:
                break
            name = alias[0].lower()
        if name not in self.names:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if secure:
            response.flags |= dns.flags.AD


@contextmanager
def serving(zone: Zone) -> Iterator[str]:
    """Serve a zone over UDP; give ``address:port``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.1)
        stop = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, zone, stop), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def _serve(server: socket.socket, zone: Zone, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            wire, peer = server.recvfrom(4096)
        except TimeoutError:
            continue
        response = zone.answer(dns.message.from_wire(wire))
        if response is not None:
            data = response.to_wire(max_size=65535)
            if zone.delay:
                threading.Timer(zone.delay, server.sendto, (data, peer)).start()
            else:
                server.sendto(data, peer)
