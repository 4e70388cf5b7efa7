"""
A letter to the postmaster of a recipient domain: what their MX hosts do, since when, and what to change.

Only sums of the store go into it: no address of a person, no subject. Times are in UTC.
"""

import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from tlsmon.evidence.history import behaviour
from tlsmon.evidence.model import Observation, Standing
from tlsmon.report.words import name
from tlsmon.verdict.fates import Seen
from tlsmon.verdict.own_side import set_aside
from tlsmon.verdict.recommend import Window, at_level
from tlsmon.wording import count

_COLUMNS: Final = 72
_ADDRESSES_SHOWN: Final = 4
_PLAIN_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*\.)*[a-z0-9-]+")
_WANTED: Final = {
    "encrypt": "that it is encrypted (STARTTLS)",
    "verify": "that it is encrypted (STARTTLS), and that the certificate is valid and names the MX host",
    "secure": "that it is encrypted (STARTTLS), and that the certificate is valid and names the domain",
    "dane-only": "that it is encrypted (STARTTLS), and that the certificate agrees with DANE (RFC 7672)",
}


class Fault(NamedTuple):
    """What is wrong, and what to do about it."""

    says: str
    change: str


_CERTIFICATE: Final = (
    "Install a certificate that names the MX host and comes from a public authority, and send the intermediate "
    "certificates with it. A client that renews it by itself (ACME) keeps it valid."
)
_FAULTS: Final = {
    "plaintext": Fault(
        "took mail without encryption",
        "Offer STARTTLS (RFC 3207) on port 25 always and to everybody, on each host and address. If it is offered, "
        "look for a firewall that takes the word STARTTLS out of the answer to EHLO, and for errors after STARTTLS in "
        "the log of the server.",
    ),
    "tls_not_offered": Fault(
        "did not offer STARTTLS",
        "Offer STARTTLS (RFC 3207) on port 25 always and to everybody, on each host and address. If it is offered, "
        "look for a firewall that takes the word STARTTLS out of the answer to EHLO.",
    ),
    "tls_refused": Fault(
        "offered STARTTLS and then refused it",
        "See the log of the server for the reason: as a rule the certificate or its key cannot be read. Until it is "
        "mended, do not offer STARTTLS.",
    ),
    "tls_handshake": Fault(
        "broke off the TLS handshake",
        "Offer TLS 1.2 and TLS 1.3 with their usual ciphers, ask clients for no certificate, and see the log of the "
        "server for the alert that was sent or received.",
    ),
    "cert_untrusted": Fault("showed a certificate that no public authority vouches for", _CERTIFICATE),
    "certificate": Fault("showed no certificate that could be verified", _CERTIFICATE),
    "cert_name": Fault("showed a certificate for another name", _CERTIFICATE),
    "cert_expired": Fault("showed a certificate that is expired or not yet valid", _CERTIFICATE),
    "dane": Fault(
        "did not agree with the TLSA records of the domain (DANE)",
        "Publish the TLSA record of a new key before the key is used, and take out the old one later. Check that "
        "DNSSEC works for all names involved.",
    ),
    "protocol": Fault(
        "used only TLS of a version that is no longer accepted", "Enable TLS 1.2 and TLS 1.3 (RFC 8996)."
    ),
}
"""By cause of the store, and by what a session lacked. Others are not the recipient's."""


class Asked(NamedTuple):
    """What is going to be demanded."""

    level: str = "encrypt"
    oldest_protocol: str = "TLSv1"


class Episode(NamedTuple):
    """One fault of one host. Times: microseconds since 1970, UTC."""

    cause: str
    attempts: int
    first: int
    last: int


class Host(NamedTuple):
    """What one MX host did with the mail to the domain."""

    name: str
    addresses: tuple[str, ...]
    good: int
    """Attempts that the level accepts."""
    last_good: int | None
    episodes: tuple[Episode, ...]
    """The latest first."""
    fails: bool
    """It still does, as far as one can tell."""

    @property
    def bad(self) -> int:
        """Attempts that the level would have refused, or that failed for TLS."""
        return sum(episode.attempts for episode in self.episodes)


class Evidence(NamedTuple):
    """All that a letter says."""

    domain: str
    level: str
    window: Window
    senders: tuple[str, ...]
    """The hosts that wrote the logs."""
    hosts: tuple[Host, ...]
    """Those that fail first."""


def evidence(
    found: Sequence[Observation], domain: str, asked: Asked, window: Window, provider_of: Callable[[str], str]
) -> Evidence:
    """
    Return what the observations of a window say about a domain (A-label) at a level.

    Days on which our own side failed are left out, see :mod:`tlsmon.verdict.own_side`: all observations are needed.
    """
    seen = [item for item in set_aside(at_level(found, *asked), provider_of).seen if item.observation.domain == domain]
    by_host: dict[str, list[Seen]] = defaultdict(list)
    for item in seen:
        if item.standing in (Standing.GOOD, Standing.BAD):
            by_host[item.observation.address.host].append(item)
    hosts = (_host(each, items) for each, items in by_host.items())
    ordered = sorted(hosts, key=lambda host: (not host.fails, -host.bad, host.name))
    senders = sorted({item.observation.sender.host for item in seen if item.observation.sender.host})
    return Evidence(domain, asked.level, window, tuple(senders), tuple(ordered))


def _host(host: str, items: Sequence[Seen]) -> Host:
    good = [item.observation for item in items if item.standing is Standing.GOOD]
    causes: dict[str, list[Observation]] = defaultdict(list)
    for item in items:
        if item.standing is Standing.BAD and (cause := _cause(item.observation)):
            causes[cause].append(item.observation)
    episodes = (
        Episode(cause, sum(o.attempts for o in those), min(o.first for o in those), max(o.last for o in those))
        for cause, those in causes.items()
    )
    return Host(
        host,
        tuple(sorted({item.observation.address.ip for item in items if item.observation.address.ip})),
        sum(item.attempts for item in good),
        max((item.last for item in good), default=None),
        tuple(sorted(episodes, key=lambda one: -one.last)),
        bool(causes) and behaviour(item.sessions for item in items).bad > 0,
    )


def _cause(item: Observation) -> str | None:
    """Return the fault; None where it is none of the recipient's."""
    if item.cause and item.cause != "unrelated":
        return item.cause if item.cause in _FAULTS else None
    if item.security == "plaintext":
        return "plaintext"
    return "certificate" if item.authentication in ("anonymous", "untrusted") else "protocol"


class Letter(NamedTuple):
    """A letter, or why there is none to write."""

    domain: str
    text: str | None
    why: str


def letter(found: Evidence) -> Letter:
    """Return the letter that the evidence asks for."""
    if not found.hosts:
        return Letter(found.domain, None, "no mail to it in this time tells of TLS")
    if any(host.fails for host in found.hosts):
        return Letter(found.domain, write(found), "")
    good = sum(host.good for host in found.hosts)
    bad = sum(host.bad for host in found.hosts)
    before = f"; {count(bad, 'session')} before that were not" if bad else ""
    return Letter(
        found.domain, None, f"its MX hosts are in order, {count(good, 'session')} were as they should be{before}"
    )


def write(found: Evidence) -> str:
    """Return the letter: plain text of 72 columns; only a host name that is longer makes a longer line."""
    failing = [host for host in found.hosts if host.fails]
    others = [host for host in found.hosts if not host.fails]
    domain = name(found.domain)
    parts = [
        f"To: postmaster@{domain}\nSubject: TLS of the mail servers of {domain}",
        "Dear postmaster,",
        _wrapped(
            f"we send mail to {domain}, and are going to make TLS mandatory for mail that leaves us: it will be "
            f"delivered only on condition {_WANTED[found.level]}. With your servers as they are, mail to you would "
            "then be late or come back to its sender. So we ask you for a change before we do this."
        ),
        _wrapped(
            f"What our log says, from {_moment(found.window.since)} to {_moment(found.window.until)}{_by(found)}:"
        ),
        *(_block(host) for host in failing),
        *([_wrapped("Your other MX hosts are in order:"), "\n".join(map(_line, others))] if others else []),
        "What to change:",
        *_changes(failing),
        *_checks(failing, found.level),
        _wrapped(
            "All times are in UTC and are those at which deliveries ended. Please tell us when it is done; we shall "
            "see it in our log, too. If another company runs your mail servers, please hand this on to them."
        ),
        "With kind regards,\n[your name, organisation and telephone number]",
    ]
    return "\n\n".join(parts) + "\n"


def _by(found: Evidence) -> str:
    return f" (written by {', '.join(map(name, found.senders))})" if found.senders else ""


def _block(host: Host) -> str:
    total = host.good + host.bad
    lines = [_line(host), f"    {count(total, 'session')}, {host.good:,} of them as they should be"]
    for episode in host.episodes:
        lines += textwrap.wrap(
            f"{_FAULTS[episode.cause].says}: {episode.attempts:,} {'time' if episode.attempts == 1 else 'times'},",
            _COLUMNS,
            initial_indent="    ",
            subsequent_indent="    ",
        )
        lines += [f"      first {_instant(episode.first)}", f"      last  {_instant(episode.last)}"]
    if host.last_good is not None:
        lines.append(f"    last session as it should be: {_instant(host.last_good)}")
    return "\n".join(lines)


def _line(host: Host) -> str:
    shown = [name(each) for each in host.addresses[:_ADDRESSES_SHOWN]]
    more = len(host.addresses) - _ADDRESSES_SHOWN
    addresses = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    title = f"  {name(host.name) if host.name else 'no host was reached'}"
    if not shown:
        return title
    joined = f"{title} ({addresses})"
    return (
        joined
        if len(joined) <= _COLUMNS
        else "\n".join((title, *textwrap.wrap(addresses, _COLUMNS - 4))).replace("\n", "\n    ")
    )


def _changes(hosts: Sequence[Host]) -> Iterator[str]:
    """Yield the advice for each fault once, however many hosts have it."""
    changes = dict.fromkeys(_FAULTS[episode.cause].change for host in hosts for episode in host.episodes)
    for number, change in enumerate(changes, 1):
        yield textwrap.fill(f"{number}. {change}", _COLUMNS, subsequent_indent="   ", break_on_hyphens=False)


def _checks(hosts: Sequence[Host], level: str) -> Iterator[str]:
    """Yield how to see it, for hosts whose name can be put into a shell as it is."""
    plain = [host.name for host in hosts if _PLAIN_HOST.fullmatch(host.name)]
    if plain:
        yield _wrapped("To see what we see, from outside of your network:")
        yield f"  openssl s_client -starttls smtp -connect {plain[0]}:25" + (
            "" if level == "encrypt" else f" \\\n    -verify_hostname {plain[0]} -verify_return_error"
        )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _instant(time: int) -> str:
    return f"{datetime.fromtimestamp(time / 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
