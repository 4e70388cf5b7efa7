"""A day of a busy Exim 4.96 main log: arrivals, deliveries with their TLS fields, deferrals, failures and ends."""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.world import Domain, Host, World

_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
_DAY = 86_400
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_INBOUND = "P=esmtps X=TLS1.3:ECDHE_X25519__ECDSA_SECP256R1_SHA256__AES_256_GCM:256 CV=no"


class EximLog:
    """Writes one log."""

    def __init__(self, world: World, deliveries: int) -> None:
        self._world = world
        self._random = world.random
        self._deliveries = deliveries
        self._heap: list[tuple[float, int, str]] = []
        self._serial = 0
        self._second = -1
        self._stamp = ""

    def lines(self) -> Iterator[str]:
        """Yield the lines in order, each with its newline."""
        self._add(0, "exim 4.96 daemon started: pid=801, -q30m, listening for SMTP on port 25 (IPv6 and IPv4)")
        gap = _DAY / self._deliveries
        done, at = 0, 1.0
        while done < self._deliveries:
            count = 1 if self._random.random() < 0.84 else self._random.choice((2, 2, 2, 3, 5))
            done += count
            self._mail(at, count)
            at += gap * count
            yield from self._until(at)
        yield from self._until(float("inf"))

    def _until(self, time: float) -> Iterator[str]:
        while self._heap and self._heap[0][0] < time:
            at, _, text = heapq.heappop(self._heap)
            second = int(at)
            if second != self._second:
                self._second, self._stamp = second, f"{_BEGIN + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"
            yield f"{self._stamp} {text}\n"

    def _add(self, time: float, text: str) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (time, self._serial, text))

    def _mail(self, at: float, recipients: int) -> None:
        rng, serial = self._random, self._serial
        ident = f"{_base62(1_772_400_000 + int(at), 6)}-{_base62(serial, 6)}-{_base62(serial % 3844, 2)}"
        client = 1 + serial % 60
        self._add(
            at,
            f"{ident} <= anna@sender.example H=(client{client}.sender.example) [192.0.2.{client}] {_INBOUND} "
            f"S={1_500 + serial * 7919 % 90_000} id={serial:012}@client.sender.example",
        )
        if serial % 9 == 0:
            self._add(at, f"no host name found for IP address 203.0.113.{client}")
        domain = self._world.recipients(1)[0]
        host = rng.choice(domain.hosts)
        when = at + 0.3 + rng.random() * 2
        chance = rng.random()
        if chance < 0.02:
            self._deferred(when, ident, domain, host)
            when += 400
        for number in range(recipients):
            self._add(when, self._delivered(ident, domain, host, number, failed=chance > 0.985))
        self._add(when + 0.01, f"{ident} Completed")

    def _delivered(self, ident: str, domain: Domain, host: Host, number: int, *, failed: bool) -> str:
        flag = "**" if failed else "->" if number else "=>"
        to = f"user{(self._serial * 31 + number) % 9973}@{domain.name}"
        tls = f" X={host.exim_cipher} CV={'yes' if host.trusted else 'no'}" if host.tls else ""
        fields = f"R=dnslookup T=remote_smtp H={host.name} [{host.ip}]{tls}"
        if failed:
            said = f"SMTP error from remote mail server after RCPT TO:<{to}>: 550 5.1.1 User unknown"
            return f"{ident} ** {to} {fields}: {said}"
        return f'{ident} {flag} {to} {fields} C="250 2.0.0 Ok: queued as {self._serial:010X}"'

    def _deferred(self, at: float, ident: str, domain: Domain, host: Host) -> None:
        where = f"H={host.name} [{host.ip}]"
        to = f"user1@{domain.name}"
        if self._random.random() < 0.5:
            self._add(at, f"{ident} {where} Connection timed out")
            self._add(
                at + 0.01,
                f"{ident} == {to} R=dnslookup T=remote_smtp defer (110): Connection timed out {where}",
            )
            return
        self._add(
            at,
            f"{ident} == {to} R=dnslookup T=remote_smtp defer (-44) {where}: SMTP error from remote mail server after "
            f"RCPT TO:<{to}>: 450 4.2.0 Greylisted",
        )


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _LETTERS[digit] + text
    return text
