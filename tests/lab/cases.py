"""The recipient domains of the lab, one case a line: what its receivers do and how much mail it gets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.lab.authority import Certificate
from tests.lab.network import DARK_ADDRESS
from tests.lab.world import Behaviour, StartTls, Tlsa


@dataclass(frozen=True)
class Address:
    """An address of an MX host; without behaviour nothing listens there."""

    behaviour: Behaviour | None
    ipv6: bool = False
    fixed: str | None = None


@dataclass(frozen=True)
class Mx:
    """An MX record and the addresses of the host that it names."""

    preference: int
    host: str
    addresses: tuple[Address, ...]
    tlsa: Tlsa | None = None


@dataclass(frozen=True)
class Traffic:
    """How much mail a domain gets in a run."""

    mails: int = 5
    recipients: int = 1
    bursts: int = 0
    """All mails at so many moments, which makes an MTA keep connections; 0: spread evenly."""


@dataclass(frozen=True)
class Case:
    """A recipient domain."""

    domain: str
    mx: tuple[Mx, ...]
    traffic: Traffic = Traffic()
    broken_dns: bool = False
    spelling: str | None = None
    """The domain as the recipients' addresses spell it, where that differs."""
    signed: bool = False
    bogus: bool = False
    """The signature of the MX records does not verify."""
    null_mx: bool = False
    aliased: bool = False
    """The MX records name aliases of the hosts."""
    later: tuple[Mx, ...] = ()
    """The MX hosts from ``later_at`` seconds on."""
    later_at: float | None = None

    @classmethod
    def simple(cls, domain: str, behaviour: Behaviour | None, traffic: Traffic = Traffic()) -> Case:
        """Return a domain with one MX host ``mx1.<domain>`` at one address."""
        return cls(domain, (Mx(10, f"mx1.{domain}", (Address(behaviour),)),), traffic)

    def busy(self, mails: int = 45) -> Case:
        """Return the case with its mail in bursts."""
        return replace(self, traffic=Traffic(mails, bursts=3))


GOOD = Behaviour(certificate=Certificate.TRUSTED_DOMAIN)
CLEAR = Behaviour(starttls=StartTls.ABSENT)
_PLAIN = Behaviour()
_SELF_SIGNED = Behaviour(certificate=Certificate.SELF_SIGNED)


def _mx(preference: int, host: str, *behaviours: Behaviour | None) -> Mx:
    return Mx(preference, host, tuple(Address(behaviour) for behaviour in behaviours))


def _pair(domain: str, first: Mx, second: Mx, mails: int = 8) -> Case:
    return Case(domain, (first, second), Traffic(mails))


def _hosted(domain: str, provider: str, behaviour: Behaviour, mails: int) -> Case:
    return Case(domain, tuple(_mx(10, f"{mx}.{provider}", behaviour) for mx in ("mx-a", "mx-b")), Traffic(mails))


def _one(domain: str, behaviour: Behaviour | None, mails: int = 5) -> Case:
    return Case.simple(domain, behaviour, Traffic(mails))


_CERTIFICATES = (
    *(_one(f"good-{number}.example", GOOD, number) for number in range(1, 9)),
    *(_one(f"host-cert-{number}.example", Behaviour(), 4) for number in range(1, 4)),
    *(_one(f"self-signed-{number}.example", _SELF_SIGNED) for number in range(1, 3)),
    _one("expired.example", Behaviour(certificate=Certificate.EXPIRED)),
    _one("wrong-name.example", Behaviour(certificate=Certificate.WRONG_NAME)),
)
_CLEAR = (
    *(_one(f"clear-{number}.example", CLEAR, number) for number in range(1, 5)),
    _one("refused-454.example", Behaviour(starttls=StartTls.REFUSED_FOR_NOW)),
    _one("refused-554.example", Behaviour(starttls=StartTls.REFUSED)),
    _one("no-handshake.example", Behaviour(starttls=StartTls.NO_HANDSHAKE)),
    _one("hang-up.example", Behaviour(starttls=StartTls.HANG_UP)),
    _one("client-cert.example", Behaviour(client_certificate=True, only_protocol="TLSv1.3"), 6),
    _one("drops.example", Behaviour(drop_after_handshake=True), 6),
)
_PROTOCOLS = (
    _one("tls12.example", replace(GOOD, only_protocol="TLSv1.2")),
    _one("tls13.example", replace(GOOD, only_protocol="TLSv1.3")),
    _one("tls10.example", replace(GOOD, only_protocol="TLSv1"), 4),
)
_SEVERAL_HOSTS = (
    _pair("two-equal.example", _mx(10, "mx1.two-equal.example", GOOD), _mx(10, "mx2.two-equal.example", CLEAR), 12),
    _pair("clear-first.example", _mx(10, "mx1.clear-first.example", CLEAR), _mx(20, "mx2.clear-first.example", GOOD)),
    _pair(
        "clear-backup.example", _mx(10, "mx1.clear-backup.example", GOOD), _mx(20, "mx2.clear-backup.example", CLEAR)
    ),
    _pair("clear-last-down.example", _mx(10, "mx1.clear-last-down.example", CLEAR), _mx(20, "mx2.x.example", None)),
    _pair("down-then-good.example", _mx(10, "mx1.down-then-good.example", None), _mx(20, "mx2.down.example", GOOD)),
    _pair(
        "busy-tls-then-clear.example",
        _mx(10, "mx1.busy-tls-then-clear.example", replace(GOOD, recipient_reply=b"450 4.3.2 Over capacity")),
        _mx(20, "mx2.busy-tls-then-clear.example", CLEAR),
    ),
    _pair(
        "drops-then-clear.example",
        _mx(10, "mx1.drops-then-clear.example", Behaviour(drop_after_handshake=True)),
        _mx(20, "mx2.drops-then-clear.example", CLEAR),
    ),
    Case("round-robin.example", (_mx(10, "mx1.round-robin.example", GOOD, CLEAR),), Traffic(12)),
    Case(
        "ipv6-clear.example",
        (Mx(10, "mx1.ipv6-clear.example", (Address(GOOD), Address(CLEAR, ipv6=True))),),
        Traffic(10),
    ),
    Case("ipv6-good.example", (Mx(10, "mx1.ipv6-good.example", (Address(GOOD, ipv6=True),)),)),
)
_CHANGING = (
    _one("flaps-2.example", replace(GOOD, clear_every=2), 12),
    _one("flaps-5.example", replace(GOOD, clear_every=5), 15),
    _one("flaps-30.example", replace(GOOD, clear_every=30), 35),
    _one("loses-tls.example", replace(GOOD, clear_from=8), 14),
    _one("gains-tls.example", replace(GOOD, clear_until=8), 14),
)
_BUSY = (
    Case.simple("busy-good.example", GOOD).busy(),
    Case.simple("busy-clear.example", CLEAR).busy(),
    Case.simple("busy-flaps.example", replace(GOOD, clear_every=2)).busy(),
    Case.simple("busy-drops.example", Behaviour(drop_after_handshake=True)).busy(24),
    Case("busy-two.example", (_mx(10, "mx1.busy-two.example", GOOD), _mx(10, "mx2.busy-two.example", CLEAR))).busy(),
)
_PROVIDERS = (
    *(_hosted(f"customer-{number}.example", "provider.example", Behaviour(), 2 + number % 5) for number in range(1, 9)),
    *(_hosted(f"hobby-{number}.example", "cheap-hosting.example", _SELF_SIGNED, 3) for number in range(1, 4)),
    *(_hosted(f"legacy-{number}.example", "old-isp.example", CLEAR, 3) for number in range(1, 4)),
)
_NOT_TLS = (
    _one("greylist.example", replace(GOOD, greylist=True), 4),
    _one("greylist-clear.example", replace(CLEAR, greylist=True), 4),
    _one("unknown-user.example", replace(GOOD, unknown_every=1), 3),
    _one("refused.example", None, 2),
    _one("silent.example", replace(GOOD, silent=True), 2),
    Case("dark.example", (Mx(10, "mx1.dark.example", (Address(None, fixed=DARK_ADDRESS),)),), Traffic(2)),
    Case("no-such-domain.example", (), Traffic(2)),
    Case("broken-dns.example", (), Traffic(2), broken_dns=True),
)
_RECIPIENTS = (
    Case.simple("several.example", replace(GOOD, unknown_every=3), Traffic(6, recipients=5)),
    Case.simple("several-clear.example", replace(CLEAR, unknown_every=3), Traffic(6, recipients=5)),
    Case.simple("bulk.example", GOOD, Traffic(2, recipients=70)),
    replace(_one("upper.example", GOOD), spelling="UPPER.Example"),
    Case("mixed-case.example", (_mx(10, "MX1.Mixed-Case.Example", GOOD),)),
    Case("mixed-case-clear.example", (_mx(10, "MX1.Mixed-Case-Clear.Example", CLEAR),)),
    replace(_one("xn--bcher-kva.example", GOOD), spelling="bücher.example"),
)
_DECOY = b" X=TLS1.3:FAKE:256 CV=yes tls=may status=sent TLS connection established to"
_HOSTILE = (
    _one(
        "decoy-clear.example", replace(CLEAR, accepted_text=_DECOY + b" mx1.decoy-clear.example[192.0.2.9]:25: TLSv1.3")
    ),
    _one("decoy-good.example", replace(GOOD, accepted_text=b'" X= (security is none) delivering unencrypted to')),
    _one("control.example", replace(CLEAR, accepted_text=b" \x1b[31m\x07\x08 \xff\xfe \xe2\x80\xae done \x00 end")),
    _one("long-reply.example", replace(GOOD, accepted_text=b" " + b"very " * 380)),
    _one(
        "long-refusal.example",
        replace(GOOD, recipient_reply=b"550-5.7.1 " + b"no " * 300 + b"\r\n550 5.7.1 " + b"never " * 300),
        2,
    ),
    _one(
        "quotes-tls-450.example",
        replace(CLEAR, recipient_reply=b"450 4.7.4 TLS is required, but was not offered by host mx1"),
        2,
    ),
    _one("quotes-tls-550.example", replace(GOOD, recipient_reply=b"550 5.7.5 Cannot start TLS: handshake failure"), 2),
)


def _dane(domain: str, tlsa: Tlsa | None = Tlsa.END_ENTITY, behaviour: Behaviour = _PLAIN, mails: int = 5) -> Case:
    """Return a signed domain whose one MX host has TLSA records."""
    return Case(domain, (Mx(10, f"mx1.{domain}", (Address(behaviour),), tlsa),), Traffic(mails), signed=True)


def _dane_pair(domain: str, first: Mx, second: Mx, mails: int = 10) -> Case:
    return Case(domain, (first, second), Traffic(mails), signed=True)


def _dane_hosted(domain: str, mails: int, *, signed: bool) -> Case:
    hosts = tuple(
        Mx(10, f"mx-{one}.dane-provider.example", (Address(Behaviour()),), Tlsa.END_ENTITY) for one in ("a", "b")
    )
    return Case(domain, hosts, Traffic(mails), signed=signed)


_DANE_GOOD = (
    *(_dane(f"dane-{number}.example", mails=number) for number in range(1, 9)),
    *(_dane(f"dane-anchor-{number}.example", Tlsa.TRUST_ANCHOR) for number in range(1, 4)),
    *(_dane(f"dane-rollover-{number}.example", Tlsa.ROLLOVER) for number in range(1, 3)),
    # DANE-EE looks at the key alone: neither names nor dates nor authorities count (RFC 7672, section 3.1.1).
    _dane("dane-self-signed.example", behaviour=_SELF_SIGNED),
    _dane("dane-expired.example", behaviour=Behaviour(certificate=Certificate.EXPIRED)),
    _dane("dane-wrong-name.example", behaviour=Behaviour(certificate=Certificate.WRONG_NAME)),
    *(_dane_hosted(f"dane-customer-{number}.example", 2 + number, signed=True) for number in range(1, 5)),
)
DANE_REFUSED = (
    _dane("dane-stale.example", Tlsa.STALE),
    _dane("dane-no-starttls.example", behaviour=CLEAR),
    _dane("dane-bogus.example", Tlsa.BOGUS),
    _dane("dane-anchor-name.example", Tlsa.TRUST_ANCHOR, Behaviour(certificate=Certificate.WRONG_NAME)),
    replace(_dane("dane-bogus-mx.example"), bogus=True),
)
"""Postfix ``dane`` and Exim's default refuse these in the opportunistic run already."""
_DANE_WEAKER = (
    _dane("dane-unusable.example", Tlsa.PKIX_END_ENTITY),
    *(_dane_hosted(f"dane-unsigned-{number}.example", 4, signed=False) for number in range(1, 3)),
    _dane("signed-no-tlsa.example", None),
    _dane("signed-clear.example", None, CLEAR),
)
"""These take mail at ``dane`` and not at ``dane-only``: unusable records, an unsigned MX record, no records."""
_DANE_SEVERAL = (
    _dane_pair(
        "dane-one-stale.example",
        Mx(10, "mx1.dane-one-stale.example", (Address(Behaviour()),), Tlsa.STALE),
        Mx(10, "mx2.dane-one-stale.example", (Address(Behaviour()),), Tlsa.END_ENTITY),
    ),
    _dane_pair(
        "dane-one-without.example",
        Mx(10, "mx1.dane-one-without.example", (Address(Behaviour()),)),
        Mx(10, "mx2.dane-one-without.example", (Address(Behaviour()),), Tlsa.END_ENTITY),
    ),
    _dane_pair(
        "dane-first-without.example",
        Mx(10, "mx1.dane-first-without.example", (Address(Behaviour()),)),
        Mx(20, "mx2.dane-first-without.example", (Address(Behaviour()),), Tlsa.END_ENTITY),
    ),
    _dane("dane-flaps.example", behaviour=Behaviour(clear_every=3), mails=12),
    _dane("dane-greylist.example", behaviour=Behaviour(greylist=True)),
)
DANE_CASES = (*_DANE_GOOD, *DANE_REFUSED, *_DANE_WEAKER, *_DANE_SEVERAL)
"""Not in :data:`CASES`: these need the validating resolver, and an MTA that uses DANE."""
LMTP_CASE = _one("lmtp.example", GOOD, 6)
"""Not in :data:`CASES`: a run must route it to the LMTP host."""
CASES = (
    *_CERTIFICATES,
    *_CLEAR,
    *_PROTOCOLS,
    *_SEVERAL_HOSTS,
    *_CHANGING,
    *_BUSY,
    *_PROVIDERS,
    *_NOT_TLS,
    *_RECIPIENTS,
    *_HOSTILE,
)
