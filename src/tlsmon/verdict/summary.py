"""A recommendation in words: the sentence for a manager."""

from datetime import UTC, datetime

from tlsmon.rollup.model import Direction
from tlsmon.verdict.model import Verdict
from tlsmon.verdict.recommend import Recommendation
from tlsmon.wording import count, percent


def headline(found: Recommendation) -> str:
    """Return what can be enforced, in a sentence or two."""
    if found.direction is Direction.INBOUND:
        return _inbound(found)
    if not found.judgements:
        return "No mail to the internet is in the store for this time, so nothing can be said."
    total = found.coverage.mails
    safe = found.verdicts(Verdict.SAFE)
    mails = sum(item.mails for item in safe)
    of_mail = f"{percent(mails / total) if total else '0%'} of {count(total, 'mail')}"
    text = f"{len(safe):,} of {count(len(found.judgements), 'domain')} ({of_mail}) can be moved to {found.level} now"
    rest = [
        f"{len(items):,} {what}"
        for verdict, what in ((Verdict.LOSES, "would lose mail"), (Verdict.DELAYS, "would see delays"))
        if (items := found.verdicts(verdict))
    ]
    if unproven := found.verdicts(Verdict.UNPROVEN):
        rest.append(f"{_are(len(unproven))} unproven")
    return f"{text}; {', '.join(rest)}." if rest else f"{text}."


def _inbound(found: Recommendation) -> str:
    """Return whom a demand for TLS would refuse."""
    if not found.judgements:
        return "No mail from the internet is in the store for this time, so nothing can be said."
    refused = sum(item.fates.lost for item in found.judgements)
    losing, safe, unproven = (
        len(found.verdicts(verdict)) for verdict in (Verdict.LOSES, Verdict.SAFE, Verdict.UNPROVEN)
    )
    whose = f"of {losing:,} of {count(len(found.judgements), 'sending domain')}" if losing else "that is known of"
    return (
        f"If TLS was demanded from all who send to you, {refused:,} of {count(found.coverage.mails, 'mail')} {whose} "
        f"would be refused; {count(safe, 'domain')} would notice nothing, {_are(unproven)} unproven."
    )


def _are(number: int) -> str:
    return f"{number:,} {'is' if number == 1 else 'are'}"


def last_seen(time: int | None) -> datetime | None:
    """Return a time of the evidence, given in microseconds since 1970, as an aware one."""
    return None if time is None else datetime.fromtimestamp(time / 1_000_000, UTC)
