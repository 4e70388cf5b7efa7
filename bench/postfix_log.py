"""
A day of a busy Postfix 3.7 as syslog writes it: the lines of all daemons, interleaved as real ones are.

The texts are those of ``sample_logs``. A mail comes in over smtpd and goes out over one of some dozens of smtp
processes; lines of many mails overlap. 16 % of the mails go to several recipients, some connections are used again,
some hosts fail, greylist or refuse.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.world import Domain, Host, World

_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
_DAY = 86_400
_MAX_USE = 100
_MAX_IDLE = 100
_CACHED = 2
_SENDERS = ("news@sender.example", "shop@sender.example", "anna@sender.example", "office@branch.sender.example")
_REPLIES = (
    "250 2.0.0 Ok: queued as {0:010X}",
    "250 2.0.0 OK  17400{0:05d} a640c23a62f3a-abc{0:09d}si12345678ejc.412 - gsmtp",
    "250 2.6.0 <{0:012d}@client.sender.example> [InternalId={0:014d}, Hostname=AM0.provider.example] 15420 bytes",
    "250 OK id=1tRq{0:06d}-00AbCd-1x",
)
_CLIENT_TLS = (
    "Anonymous TLS connection established from client{0}.sender.example[192.0.2.{0}]: TLSv1.3 with cipher "
    "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) "
    "server-digest SHA256"
)


class PostfixLog:
    """Writes one log."""

    def __init__(self, world: World, deliveries: int) -> None:
        self._world = world
        self._random = world.random
        self._deliveries = deliveries
        self._second = 0
        self._stamp = ""
        self._pids = 2_000
        self._now = 0.0
        self._idle: list[tuple[float, int]] = []
        self._cached: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._serial = 0

    def lines(self) -> Iterator[str]:
        """Yield the lines in order, each with its newline."""
        self._add(0, "master[801]: daemon started -- version 3.7.11, configuration /etc/postfix")
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
        heap = self._heap
        while heap and heap[0][0] < time:
            at, _, text = heapq.heappop(heap)
            yield f"{self._at(at)} mail postfix/{text}\n"

    def _at(self, time: float) -> str:
        second = int(time)
        if second != self._second or not self._stamp:
            self._second = second
            moment = _BEGIN + timedelta(seconds=second)
            self._stamp = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S}"
        return self._stamp

    def _add(self, time: float, text: str) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (time, self._serial, text))

    # --- one mail ---------------------------------------------------------------------------------------------------
    def _mail(self, at: float, recipients: int) -> None:
        self._now = at
        rng, serial = self._random, self._serial
        queue_id = f"{serial % 0xFFFFF:05X}{0x2427E4 + serial % 977:06X}"
        client = 1 + serial % 60
        smtpd = f"smtpd[{1_000 + client}]"
        sender = rng.choice(_SENDERS)
        if serial % 6 == 0:
            self._noise(at, smtpd, client)
        self._add(at, f"{smtpd}: connect from client{client}.sender.example[192.0.2.{client}]")
        self._add(at + 0.01, f"{smtpd}: {_CLIENT_TLS.format(client)}")
        self._add(at + 0.02, f"{smtpd}: {queue_id}: client=client{client}.sender.example[192.0.2.{client}]")
        self._add(
            at + 0.03, f"cleanup[{1_100 + client % 7}]: {queue_id}: message-id=<{serial:012}@client.sender.example>"
        )
        size = 1_500 + serial * 7919 % 90_000
        active = f"qmgr[803]: {queue_id}: from=<{sender}>, size={size}, nrcpt={recipients} (queue active)"
        self._add(at + 0.05, active)
        self._add(
            at + 0.06,
            f"{smtpd}: disconnect from client{client}.sender.example[192.0.2.{client}] ehlo=2 starttls=1 mail=1 "
            f"rcpt={recipients} data=1 quit=1 commands={recipients + 6}",
        )
        domain = self._world.recipients(1)[0]
        at += 0.1 + rng.random()
        if rng.random() < 0.02:
            at = self._failure(at, queue_id, domain, rng.choice(domain.hosts), recipients)
            self._add(at - 0.01, active)
        end = self._delivery(at, queue_id, domain, recipients)
        self._add(end + 0.01, f"qmgr[803]: {queue_id}: removed")

    def _noise(self, at: float, smtpd: str, client: int) -> None:
        where = f"unknown[203.0.113.{client}]"
        self._add(at, f"{smtpd}: connect from {where}")
        self._add(
            at + 0.1,
            f"{smtpd}: NOQUEUE: reject: RCPT from {where}: 554 5.7.1 <office@sender.example>: Relay access denied; "
            f"from=<x@spam.example> to=<office@sender.example> proto=ESMTP helo=<pc{client}>",
        )
        self._add(at + 0.2, f"{smtpd}: disconnect from {where} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")

    def _delivery(self, at: float, queue_id: str, domain: Domain, recipients: int) -> float:
        """Deliver one mail; return when it was done."""
        rng = self._random
        host = rng.choice(domain.hosts)
        chance = rng.random()
        pid, reuse = self._process(at, host)
        connect, transfer = 0.05 + rng.random() * 0.6, 0.1 + rng.random() * 1.2
        if host.tls and not reuse:
            trust = "Trusted" if host.trusted else "Untrusted"
            self._add(
                at + connect,
                f"smtp[{pid}]: {trust} TLS connection established to {host.name}[{host.ip}]:25: {host.summary}",
            )
        end = at + connect + transfer
        use = "conn_use=2, " if reuse else ""
        delays = f"delay={transfer + 0.9:.1f}, delays=0.1/{at % 1:.2f}/{connect:.2f}/{transfer:.2f}"
        reply = rng.choice(_REPLIES).format(self._serial)
        for number in range(recipients):
            local = f"user{(self._serial * 31 + number) % 9973}"
            if chance > 0.985:
                said = f"host {host.name}[{host.ip}] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"
                what = f"dsn=5.1.1, status=bounced ({said})"
            else:
                what = f"dsn=2.0.0, status=sent ({reply})"
            self._add(
                end,
                f"smtp[{pid}]: {queue_id}: to=<{local}@{domain.name}>, relay={host.name}[{host.ip}]:25, "
                f"{use}{delays}, {what}",
            )
        self._free(pid, end, host)
        return end

    def _failure(self, at: float, queue_id: str, domain: Domain, host: Host, recipients: int) -> float:
        """Defer one mail; return when it is tried again, some minutes later."""
        rng = self._random
        pid, _ = self._process(at, None)
        peer = f"{host.name}[{host.ip}]"
        reason = rng.choice(
            (
                f"host {peer} said: 450 4.2.0 Greylisted, try again later (in reply to RCPT TO command)",
                f"connect to {peer}:25: Connection timed out",
                f"lost connection with {peer} while receiving the initial server greeting",
                "Cannot start TLS: handshake failure",
            )
        )
        relay = "none" if reason.startswith("connect") else f"{peer}:25"
        if reason.startswith("Cannot"):
            self._add(at + 0.3, f"smtp[{pid}]: SSL_connect error to {peer}:25: -1")
        for number in range(recipients):
            self._add(
                at + 0.5,
                f"smtp[{pid}]: {queue_id}: to=<user{number}@{domain.name}>, relay={relay}, delay=0.7, "
                f"delays=0.1/0.02/0.3/0.1, dsn=4.4.1, status=deferred ({reason})",
            )
        self._free(pid, at + 0.5, None)
        return at + 400 + rng.random() * 60

    def _process(self, at: float, host: Host | None) -> tuple[int, bool]:
        """Return a process that has nothing to do, and whether it takes a connection from the cache."""
        rng = self._random
        cached = host is not None and at < self._cached.get(host.name, 0) and rng.random() < 0.3
        idle = self._idle
        if at > self._now + _MAX_IDLE:
            idle = []  # a later attempt: whoever makes it is not born yet
        while idle and idle[0][0] < at - _MAX_IDLE:
            heapq.heappop(idle)
        if idle and idle[0][0] < at and rng.random() > 1 / _MAX_USE:
            return heapq.heappop(idle)[1], cached
        self._pids = 2_000 + (self._pids - 1_999) % 60_000
        return self._pids, cached

    def _free(self, pid: int, end: float, host: Host | None) -> None:
        """Note when a process is done, and that its connection is kept for a moment."""
        if end < self._now + _MAX_IDLE:
            heapq.heappush(self._idle, (end, pid))
        if host is not None:
            self._cached[host.name] = end + _CACHED
