"""The parts of a report about the mail as a whole: weeks, protocols and ciphers, providers, enforced failures."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from tlsmon.provider import provider
from tlsmon.report.facts import Facts
from tlsmon.report.model import Cell, Column, Kind, Section, Table
from tlsmon.report.words import cause, mails, name, old_protocol, utc_day
from tlsmon.traffic.model import Counts
from tlsmon.verdict.model import HostCounts
from tlsmon.wording import count

MOST_PROVIDERS: Final = 60
"""The others are added up."""
_MAILS: Final = Column("mails", "Mails", Kind.COUNT)


def weeks(facts: Facts) -> Section:
    """Return the mail sent by week, which the first page draws."""
    columns = (
        Column("week", "Week", width=1.0),
        Column("monday", "Begins", Kind.DAY),
        Column("sent", "Sent", Kind.COUNT),
        Column("dane", "DANE", Kind.COUNT),
        Column("verified", "Verified", Kind.COUNT),
        Column("encrypted", "Other TLS", Kind.COUNT),
        Column("plaintext", "In clear", Kind.COUNT),
        Column("unknown", "Unknown", Kind.COUNT),
        Column("share_encrypted", "Share encrypted", Kind.SHARE),
    )
    rows = tuple(
        (
            week.label,
            week.monday,
            week.sent,
            week.dane,
            week.verified,
            week.encrypted,
            week.plaintext,
            week.unknown,
            week.share_encrypted,
        )
        for week in facts.weeks
    )
    text = (
        "Mail sent to hosts on the internet, by ISO week in UTC. Verified: the certificate was valid and named the "
        "host. The share encrypted is that of what is known."
    )
    return Section("weeks", "Mail by week", (text,), (Table(columns, rows, ""),))


def enforced(facts: Facts) -> Section:
    """Return the failures of domains for which TLS is mandatory already."""
    columns = (
        Column("domain", "Domain", width=1.5),
        Column("mx_host", "MX host", width=1.5),
        Column("cause", "Cause", width=1.3),
        Column("attempts", "Attempts", Kind.COUNT),
        Column("first", "First", Kind.DAY),
        Column("last", "Last", Kind.DAY),
        Column("advice", "Now", width=0.8),
    )
    rows = tuple(
        (
            name(one.domain),
            name(one.host),
            cause(one.cause),
            one.attempts,
            utc_day(one.first),
            utc_day(one.last),
            facts.advice.get(one.domain, "mail gets through again"),
        )
        for one in facts.enforced
    )
    text = ("Attempts that failed because TLS is demanded: look at these before you enforce more.",)
    empty = "The log shows no mail that is held up by mandatory TLS."
    return Section("enforced", "Failures after enforcement", text if rows else (), (Table(columns, rows, empty),))


def protocols(facts: Facts) -> Section:
    """Return over which protocols and ciphers mail was sent."""
    total = sum(one.mails for one in facts.used)
    by_protocol: dict[str | None, int] = defaultdict(int)
    for one in facts.used:
        by_protocol[one.protocol] += one.mails
    ordered = sorted(by_protocol.items(), key=lambda pair: (-pair[1], pair[0] or ""))
    protocol = Column("protocol", "Protocol", width=1.0)
    share = Column("share", "Share", Kind.SHARE)
    rows = tuple((_known(word), number, number / total, old_protocol(word)) for word, number in ordered)
    ciphers = tuple((_known(one.protocol), _known(one.cipher), one.mails, one.mails / total) for one in facts.used)
    old = sum(number for word, number in ordered if old_protocol(word))
    window = f"Of {mails(total)} sent encrypted in the last {count(facts.asked.days, 'day')}, "
    said = f"{old:,} went over TLS 1.1 or older." if old else "none is known to have gone over TLS 1.1 or older."
    note = Column("note", "Note", width=2.5)
    return Section(
        "protocols",
        "Protocols and ciphers",
        (window + said,) if total else (),
        (
            Table((protocol, _MAILS, share, note), rows, "No encrypted mail in the window."),
            Table((protocol, Column("cipher", "Cipher", width=2.5), _MAILS, share), ciphers, ""),
        ),
    )


def _known(word: str | None) -> str:
    return name(word) if word else "not in the log"


def providers(facts: Facts) -> Section:
    """Return what each provider took, the one with the most mail first."""
    counts: dict[str, Counts] = defaultdict(Counts)
    domains: dict[str, set[str]] = defaultdict(set)
    for item in facts.now.judgements:
        for host in item.mx_hosts:
            key = provider(host.host) or host.host
            counts[key] += _counts(host)
            domains[key].add(item.domain)
    rows = _provider_rows(counts, domains)
    columns = (
        Column("provider", "Provider", width=2.0),
        Column("domains", "Domains", Kind.COUNT),
        _MAILS,
        Column("encrypted", "Encrypted", Kind.COUNT),
        Column("plaintext", "In clear", Kind.COUNT),
        Column("unknown", "Unknown", Kind.COUNT),
        Column("share_encrypted", "Share encrypted", Kind.SHARE),
    )
    text = ("The organisational domain of the MX hosts, by the Public Suffix List.",)
    table = Table(columns, tuple(rows), "No mail in the window.")
    return Section("providers", "Providers", text if counts else (), (table,))


def _counts(host: HostCounts) -> Counts:
    sent = host.encrypted + host.plaintext + host.unknown
    return Counts(sent, sent, host.encrypted, host.plaintext, host.unknown)


def _provider_rows(counts: dict[str, Counts], domains: dict[str, set[str]]) -> Iterable[tuple[Cell, ...]]:
    ordered = sorted(counts, key=lambda key: (-counts[key].sent, key))
    for key in ordered[:MOST_PROVIDERS]:
        yield _provider_row(name(key), len(domains[key]), counts[key])
    if rest := ordered[MOST_PROVIDERS:]:
        sums = sum((counts[key] for key in rest), Counts())
        reached = set[str]().union(*(domains[key] for key in rest))
        yield _provider_row(f"{count(len(rest), 'other provider')} together", len(reached), sums)


def _provider_row(label: str, domains: int, sums: Counts) -> tuple[Cell, ...]:
    return label, domains, sums.sent, sums.encrypted, sums.plaintext, sums.unknown, sums.share_encrypted
