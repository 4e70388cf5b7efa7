"""The part of a report that says what to do: waves of domains, and the lines of the policy."""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from tlsmon.policy import exim, postfix
from tlsmon.policy.model import LEVELS, Enforcement, accept
from tlsmon.policy.names import domain_key
from tlsmon.report.domains import left_alone
from tlsmon.report.facts import Facts
from tlsmon.report.model import Column, Kind, Lines, Section, Table
from tlsmon.report.words import count, name
from tlsmon.verdict.model import Verdict

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
    lines = () if found.smarthost else tuple(_lines(mta, facts) for mta in facts.mtas if mta in _WRITERS)
    table = Table(_COLUMNS, rows, "No domain can be enforced yet.")
    return Section("plan", "Plan", tuple(text), (table,), tuple(each for each in lines if each.lines or each.text))


def _lines(mta: str, facts: Facts) -> Lines:
    """Return the policy of an MTA for all safe domains that are not left alone, the first wave first."""
    writer = _WRITERS[mta]
    if facts.asked.level not in writer.levels:
        return Lines(writer.title, (f"{mta.title()} has no level {facts.asked.level}.",), ())
    safe = {item.domain for item in facts.now.verdicts(Verdict.SAFE)}
    exempt = left_alone(facts)
    lines, rejected, left = [], [], 0
    for wave in facts.now.waves:
        chosen = [domain for domain in wave.domains if domain in safe and domain not in exempt]
        left += sum(domain in safe and domain in exempt for domain in wave.domains)
        accepted = accept((Enforcement(domain, facts.asked.level, "") for domain in chosen), domain_key, writer.levels)
        lines += [writer.line(each).rstrip("\n") for each in accepted.enforcements]
        rejected += [each.name for each in accepted.rejected]
    return Lines(writer.title, tuple(_left_out(left, rejected)), tuple(lines))


def _left_out(left: int, rejected: list[str]) -> Iterable[str]:
    if left:
        yield f"{count(left, 'safe domain')} left out by the exceptions register."
    if rejected:
        shown = ", ".join(map(name, rejected[:5]))
        yield f"{count(len(rejected), 'name')} cannot be a key of a policy and left out: {shown}."
