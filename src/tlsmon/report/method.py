"""The last part of a report: how it was made, what it covers, what could not be read, and what its words mean."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from tlsmon.report.facts import Facts, Gap
from tlsmon.report.model import Column, Kind, Section, Table
from tlsmon.report.words import listed, mails, name, per_cent
from tlsmon.traffic.summary import advice
from tlsmon.wording import count, span

_MOST_HOSTS: Final = 20
_WORDS: Final = (
    ("safe", "With the level in force no mail of the window would have been lost, and the bound above is kept."),
    ("delays", "No mail would be lost; some would wait for a later attempt."),
    ("loses", "Some mail would not have arrived within the queue lifetime."),
    ("unproven", "The log does not tell enough for any of these; nothing is guessed."),
    ("encrypted, in clear", "Said only where the log proves it."),
    ("unknown", "Mail was handed over, and the log does not tell how."),
    ("verified", "The certificate was valid and named the host, as the mail server logged it."),
    ("DANE", "The certificate matched a TLSA record under DNSSEC (RFC 7672)."),
)


def method(facts: Facts) -> Section:
    """Return method, window, coverage and gaps, and the words."""
    words = Table((Column("word", "Word", width=0.6), Column("meaning", "Meaning", width=3.0)), _WORDS, "")
    columns = (
        Column("host", "Reporting host", width=2.0),
        Column("first", "First day", Kind.DAY),
        Column("last", "Last day", Kind.DAY),
    )
    gaps = tuple((_host(gap), gap.first, gap.last) for gap in facts.gaps)
    tables = (Table(columns, gaps, "No day without a delivery between others."), words)
    return Section("method", "Method and coverage", tuple(_text(facts)), tables)


def _host(gap: Gap) -> str:
    return name(gap.host) if gap.host else "not named by its log"


def _hosts(senders: Sequence[str]) -> str:
    named = [name(host) for host in senders if host != "-"]
    shown = named[:_MOST_HOSTS]
    if len(named) > _MOST_HOSTS:
        shown.append(f"{len(named) - _MOST_HOSTS:,} more")
    if "-" in senders:
        shown.append("one that its log does not name")
    return listed(shown) or "none"


def _text(facts: Facts) -> Iterable[str]:
    found, asked = facts.now, facts.asked
    first, last = found.since.date(), (found.until - timedelta(microseconds=1)).date()
    seen, rules = found.coverage, asked.thresholds
    yield (
        f"Verdicts at level {found.level} are made from the deliveries of {count(asked.days, 'day')}, "
        f"{span(first, last)} UTC: {mails(seen.mails)} to {count(seen.domains, 'domain')}, of which "
        f"{seen.encrypted:,} encrypted, {seen.plaintext:,} in clear, {seen.unknown:,} unknown."
    )
    yield (
        f"Safe asks that, with {per_cent(rules.confidence)} confidence, at most {per_cent(rules.max_share)} of the "
        f"mail would fail, where mail waits {rules.queue_days:g} days in the queue and {rules.oldest_protocol} is the "
        "oldest protocol admitted."
    )
    yield f"Reporting hosts: {_hosts(found.coverage.senders)}. {_logs(facts)}"
    yield from map(advice, facts.silences)
    yield (
        "A log shows what happened, not what will: an MX host that took no mail is invisible in it. Days between "
        "others on which a host logged no delivery, in the weeks shown:"
    )


def _logs(facts: Facts) -> str:
    if not facts.logs.logs:
        return "The store does not say from which logs it was filled."
    unread = f"{count(facts.logs.unread_lines, 'line')} that looked relevant could not be read"
    return f"{count(facts.logs.logs, 'log')} touched by the window, {count(facts.logs.lines, 'line')} in all; {unread}."
