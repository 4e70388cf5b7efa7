"""Facts -> the report: the first page, then its parts in the order in which they are read."""

from collections.abc import Iterable
from datetime import UTC, timedelta

from tlsmon.report import domains, mail, method, plan
from tlsmon.report.facts import Facts
from tlsmon.report.model import KeyFigure, Report, Section, Week
from tlsmon.report.words import listed, mails, name, points
from tlsmon.traffic.summary import advice
from tlsmon.verdict.model import Verdict
from tlsmon.wording import count, percent, span

_PARTS = (
    domains.changed,
    domains.loses,
    domains.delays,
    domains.unproven,
    plan.plan,
    mail.enforced,
    mail.protocols,
    mail.providers,
    domains.exceptions,
    mail.weeks,
    method.method,
)

_NAMELESS = "a host that its log does not name"


def compose(facts: Facts) -> Report:
    """Return the report on some facts."""
    week = facts.weeks[-1]
    return Report(
        f"TLS readiness, week {week.monday:%V} of {week.monday:%G}",
        _subtitle(facts),
        facts.now.until.astimezone(UTC),
        str(facts.asked.level),
        facts.now.since,
        facts.now.until,
        sentence(facts),
        tuple(_notices(facts)),
        _key_figures(facts),
        facts.weeks,
        facts.ladder,
        domains.changes(facts),
        domains.unchanged(facts),
        tuple(_parts(facts)),
    )


def _parts(facts: Facts) -> Iterable[Section]:
    return (part(facts) for part in _PARTS)


def _subtitle(facts: Facts) -> str:
    monday = facts.weeks[-1].monday
    named = [name(host) for host in facts.now.coverage.senders if host != "-"]
    hosts = named + ([_NAMELESS] if "-" in facts.now.coverage.senders else [])
    who = listed(hosts[:3]) if len(hosts) <= 3 else f"{', '.join(hosts[:2])} and {len(hosts) - 2:,} more hosts"  # noqa: PLR2004
    running = ", not over yet" if facts.running else ""
    return f"Mail sent {span(monday, monday + timedelta(days=6))} (UTC){running}, as logged by {who or 'no host'}"


def sentence(facts: Facts) -> str:
    """Return the week in one sentence: how much was encrypted, and what can be enforced."""
    return f"{_traffic(facts.weeks[-1], facts.weeks[-2])}; {_readiness(facts)}."


def _traffic(week: Week, before: Week) -> str:
    if not week.sent:
        return "No mail was sent to the internet this week"
    if week.share_encrypted is None:
        return f"Of {mails(week.sent)} sent this week it is not known how many were encrypted"
    text = f"{percent(week.share_encrypted)} of {mails(week.sent)} sent this week went encrypted"
    if week.unknown:
        known = week.sent - week.unknown
        text = f"{percent(week.share_encrypted)} of the {mails(known)} of which the log tells went encrypted this week"
        text += f" ({week.unknown:,} are unknown)"
    if before.share_encrypted is None:
        return text
    return f"{text}, {points(week.share_encrypted - before.share_encrypted)} the week before"


def _readiness(facts: Facts) -> str:
    found = facts.now
    if not found.judgements:
        return "no domain can be judged"
    safe = sum(item.mails for item in found.verdicts(Verdict.SAFE))
    total = found.coverage.mails
    of_mail = f", with {percent(safe / total)} of the mail," if total else ""
    number = f"{len(found.verdicts(Verdict.SAFE)):,} of {count(len(found.judgements), 'domain')}"
    return f"{number}{of_mail} can be moved to mandatory TLS (level {found.level}) now"


def _key_figures(facts: Facts) -> tuple[KeyFigure, ...]:
    before, encrypted = (week.share_encrypted for week in facts.weeks[-2:])
    change = "" if encrypted is None or before is None else f", {(encrypted - before) * 100:+.1f} points"
    return (
        KeyFigure("-" if encrypted is None else percent(encrypted), f"encrypted{change}"),
        *(
            KeyFigure(f"{len(facts.now.verdicts(verdict)):,}", label)
            for verdict, label in (
                (Verdict.SAFE, "domains safe"),
                (Verdict.DELAYS, "would see delays"),
                (Verdict.LOSES, "would lose mail"),
                (Verdict.UNPROVEN, "unproven"),
            )
        ),
    )


def _notices(facts: Facts) -> Iterable[str]:
    if facts.now.held:
        yield f"Held: {name(facts.now.held)}."
    if facts.now.smarthost:
        yield (
            f"All mail goes through {name(facts.now.smarthost)}: the policy belongs on this next hop, and what happens "
            "behind it this log cannot tell."
        )
    if facts.enforced:
        attempts = sum(one.attempts for one in facts.enforced)
        yield f"{count(attempts, 'attempt')} failed because TLS is mandatory already: see Failures after enforcement."
    yield from (advice(silence) for silence in facts.silences[:2])
