"""The part of a report that says what to do: waves of domains, and the lines of the policy."""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from tlsmon.policy import exim, postfix
from tlsmon.policy.model import LEVELS, Enforcement, accept
from tlsmon.policy.names import domain_key
from tlsmon.report.domains import left_alone
from tlsmon.report.facts import Facts
from tlsmon.report.model import Column, Kind, Lines, Section, Table
from tlsmon.report.words import name
from tlsmon.verdict.model import Verdict
from tlsmon.verdict.plan import Wave
from tlsmon.wording import count

_COLUMNS: Final = (
    Column("wave", "Wave", Kind.COUNT),
    Column("domains", "Domains", Kind.COUNT),
    Column("mails", "Mails", Kind.COUNT),
    Column("share", "Of all mail", Kind.SHARE),
    Column("affected", "Late or lost", Kind.COUNT),
    Column("note", "What to know", width=3.0),
)


class _Writer(NamedTuple):
    """How one MTA's policy is written."""

    title: str
    line: Callable[[Enforcement], str]
    levels: Collection[str]


_WRITERS: Final = {
    "postfix": _Writer("Postfix, table for smtp_tls_policy_maps", postfix.line, LEVELS),
    "exim": _Writer("Exim, list of domains for lsearch", exim.line, exim.OPTIONS),
}


def plan(facts: Facts) -> Section:
    """Return the waves of domains to enforce, and the policy lines of those that are safe."""
    found = facts.now
    rows = tuple(
        (wave.number, len(wave.domains), wave.mails, wave.traffic_share, wave.affected, wave.note)
        for wave in found.waves
    )
    text = ["Enforce wave by wave, and watch the queue for some days before the next one."] if rows else []
    if found.smarthost:
        text.append(
            f"All mail goes through {name(found.smarthost)}: the policy belongs on this next hop, so no lines for "
            "domains are given."
        )
    lines = () if found.smarthost else tuple(_all_lines(facts))
    table = Table(_COLUMNS, rows, "No domain can be enforced yet.")
    return Section("plan", "Plan", tuple(text), (table,), lines)


def _all_lines(facts: Facts) -> Iterable[Lines]:
    """Yield the policy of each MTA, wave by wave, without the domains that are not safe or are left alone."""
    safe = {item.domain for item in facts.now.verdicts(Verdict.SAFE)}
    for writer in (_WRITERS[mta] for mta in facts.mtas if mta in _WRITERS):
        if facts.asked.level not in writer.levels:
            yield Lines(writer.title, (f"There is no level {facts.asked.level} here.",), ())
            continue
        for wave in facts.now.waves:
            if safe.intersection(wave.domains):
                yield _lines(writer, wave, safe, facts)


def _lines(writer: _Writer, wave: Wave, safe: Collection[str], facts: Facts) -> Lines:
    exempt = left_alone(facts)
    chosen = [domain for domain in wave.domains if domain in safe and domain not in exempt]
    left = sum(domain in safe and domain in exempt for domain in wave.domains)
    accepted = accept((Enforcement(domain, facts.asked.level, "") for domain in chosen), domain_key, writer.levels)
    lines = tuple(writer.line(each).rstrip("\n") for each in accepted.enforcements)
    rejected = [each.name for each in accepted.rejected]
    return Lines(f"Wave {wave.number}: {writer.title}", tuple(_left_out(left, rejected)), lines)


def _left_out(left: int, rejected: list[str]) -> Iterable[str]:
    if left:
        yield f"Left out by the exceptions register: {count(left, 'domain')}."
    if rejected:
        shown = ", ".join(map(name, rejected[:5])) + (", ..." if len(rejected) > 5 else "")  # noqa: PLR2004
        yield f"Left out because no policy can have them as key: {count(len(rejected), 'name')} ({shown})."
