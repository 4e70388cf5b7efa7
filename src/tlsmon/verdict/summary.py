"""A recommendation in words: the sentence for a manager."""

from datetime import UTC, datetime

from tlsmon.rollup.model import Direction
from tlsmon.verdict.model import Verdict
from tlsmon.verdict.recommend import Recommendation
from tlsmon.verdict.words import share


def headline(found: Recommendation) -> str:
    """Return what can be enforced, in a sentence or two."""
    if found.direction is Direction.INBOUND:
        return _inbound(found)
    if not found.judgements:
        return "No mail to the internet is in the store for this time, so nothing can be said."
    total = found.coverage.mails
    safe = found.verdicts(Verdict.SAFE)
    mails = sum(item.mails for item in safe)
    domains = f"{len(safe):,} of {len(found.judgements):,} domains"
    text = f"{domains} ({share(mails / total) if total else '0%'} of {total:,} mails) can be moved to {found.level} now"
    rest = [
        f"{len(items):,} {what}"
        for verdict, what in (
            (Verdict.LOSES, "would lose mail"),
            (Verdict.DELAYS, "would see delays"),
            (Verdict.UNPROVEN, "is unproven" if len(found.verdicts(Verdict.UNPROVEN)) == 1 else "are unproven"),
        )
        if (items := found.verdicts(verdict))
    ]
    return f"{text}; {', '.join(rest)}." if rest else f"{text}."


def _inbound(found: Recommendation) -> str:
    """Return whom a demand for TLS would refuse."""
    if not found.judgements:
        return "No mail from the internet is in the store for this time, so nothing can be said."
    refused = sum(item.fates.lost for item in found.judgements)
    losing, safe, unproven = (
        len(found.verdicts(verdict)) for verdict in (Verdict.LOSES, Verdict.SAFE, Verdict.UNPROVEN)
    )
    whose = f"of {losing:,} of {len(found.judgements):,} sending domains" if losing else "that is known of"
    return (
        f"If TLS was demanded from all who send to you, {refused:,} of {found.coverage.mails:,} mails {whose} would be "
        f"refused; {safe:,} domains would notice nothing, {unproven:,} are unproven."
    )


def last_seen(time: int | None) -> datetime | None:
    """Return a time of the evidence, given in microseconds since 1970, as an aware one."""
    return None if time is None else datetime.fromtimestamp(time / 1_000_000, UTC)
