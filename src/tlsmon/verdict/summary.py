"""A recommendation in words: the sentence for a manager."""

from datetime import UTC, datetime

from tlsmon.verdict.model import Verdict
from tlsmon.verdict.recommend import Recommendation
from tlsmon.verdict.words import share


def headline(found: Recommendation) -> str:
    """Return what can be enforced, in a sentence or two."""
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
            (Verdict.UNPROVEN, "are unproven"),
        )
        if (items := found.verdicts(verdict))
    ]
    return f"{text}; {', '.join(rest)}." if rest else f"{text}."


def last_seen(time: int | None) -> datetime | None:
    """Return a time of the evidence, given in microseconds since 1970, as an aware one."""
    return None if time is None else datetime.fromtimestamp(time / 1_000_000, UTC)
