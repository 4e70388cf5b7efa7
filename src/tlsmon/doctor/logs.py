"""Logs -> what they tell about themselves: who wrote them, how much of the mail is known, and what is missing."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from maillog.errors import UnreadableSourceError
from maillog.model import Authentication, Delivery, Direction, Evidence, Mta, Outcome, Scope, Security
from maillog.reading import ReadSettings, UnreadLine
from maillog.sources import Log, rotated_siblings
from tlsmon.doctor.lines import Lines
from tlsmon.ingest.parse import parse

_PROVEN: Final = frozenset({Authentication.TRUSTED, Authentication.VERIFIED, Authentication.DANE})
_NUMBERED: Final = re.compile(r"(?P<base>.+)\.(?P<number>\d{1,3})(?:\.(?:gz|bz2|xz|zst))?")
_DOMAINS: Final = 100
"""So many domains of a hop are enough to know that it is a relay."""


class Sender(NamedTuple):
    """Who wrote delivery lines."""

    mta: Mta
    host: str | None


class Hop(NamedTuple):
    """Where mail went: an address of another program or a relay."""

    host: str
    ip: str | None
    port: int | None


class Counts:
    """Mails that one sender sent."""

    def __init__(self) -> None:
        self.sent = 0
        """To the internet."""
        self.unknown = 0
        self.encrypted = 0
        self.stated = 0
        """Those whose own line says what they went over."""
        self.worded = 0
        """Encrypted ones with a word about the certificate."""
        self.proven = 0
        """Of these, those whose certificate was found good."""
        self.unknown_first: datetime | None = None
        self.unknown_last: datetime | None = None
        self.near: Counter[Hop] = Counter()
        """Mails in clear to programs on this machine, by SMTP."""
        self.far: Counter[Hop] = Counter()
        """Mails to the internet by hop."""
        self.domains: dict[Hop, set[str | None]] = {}


class LogFacts:
    """What the logs tell; made by :func:`examine`."""

    def __init__(self, settings: ReadSettings) -> None:
        self.lines = Lines(settings)
        self.senders: dict[Sender, Counts] = {}
        self.logs: Counter[str] = Counter()
        """Lines by log, in the order in which they were read."""
        self.problems: list[str] = []
        self.unread: Counter[str] = Counter()
        """Lines that could not be read, by log."""
        self.deliveries = 0
        """Attempts to hand mail to another host, or another program."""
        self.missing_files: list[str] = []
        """Members of rotated sets that ought to be between others."""

    def take(self, delivery: Delivery) -> None:
        """Count a delivery."""
        if delivery.direction is not Direction.OUTBOUND:
            return
        self.deliveries += 1
        if delivery.result.outcome is not Outcome.SENT:
            return
        counts = self.senders.setdefault(Sender(delivery.source.mta, delivery.source.host), Counts())
        scope = delivery.relay.scope
        hop = Hop(delivery.relay.host or "", delivery.relay.ip, delivery.relay.port)
        if scope is Scope.INTERNET:
            _count(counts, delivery, hop)
        elif scope is Scope.LOOPBACK and delivery.tls.security is Security.PLAINTEXT:
            counts.near[hop] += 1


def examine(names: Sequence[str], settings: ReadSettings) -> LogFacts:
    """Read logs. What cannot be read stands in ``problems``."""
    facts = LogFacts(settings)

    def look(log: Log, lines: bytes) -> None:
        facts.logs[log.name] += lines.count(b"\n")
        facts.lines.take(log, lines)

    def unread(name: str, _line: UnreadLine) -> None:
        facts.unread[name] += 1

    for delivery in parse(names, settings, unread, facts.problems.append, look):
        facts.take(delivery)
    facts.missing_files = sorted({missing for name in facts.logs for missing in _missing(name)})
    return facts


def _count(counts: Counts, delivery: Delivery, hop: Hop) -> None:
    tls = delivery.tls
    counts.sent += 1
    counts.stated += tls.evidence is Evidence.STATED
    counts.far[hop] += 1
    domains = counts.domains.setdefault(hop, set())
    if len(domains) < _DOMAINS:
        domains.add(delivery.recipient_domain)
    if tls.security is Security.ENCRYPTED:
        counts.encrypted += 1
        counts.worded += tls.authentication is not None
        counts.proven += tls.authentication in _PROVEN
    elif tls.security is Security.UNKNOWN:
        counts.unknown += 1
        counts.unknown_first = min(counts.unknown_first or delivery.time, delivery.time)
        counts.unknown_last = max(counts.unknown_last or delivery.time, delivery.time)


def _missing(name: str) -> Iterator[str]:
    """Yield the numbers that a rotated set lacks, as names without what compression adds."""
    try:
        files = [Path(one) for one in (name, *rotated_siblings(name))]
    except UnreadableSourceError:
        return
    numbered = [found for found in (_NUMBERED.fullmatch(file.name) for file in files) if found]
    if numbered:
        there = {int(found["number"]) for found in numbered}
        folder = Path(name).absolute().parent
        yield from (
            str(folder / f"{numbered[0]['base']}.{number}") for number in range(1, max(there)) if number not in there
        )
