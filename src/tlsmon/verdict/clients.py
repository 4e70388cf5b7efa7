"""
One sending domain and its many clients: what becomes of its mail if TLS is demanded from all of them.

Each client was judged by itself, as a recipient domain is with one MX host. A domain's mail comes through many: its own
servers, its newsletter's, those of everybody who forwards it. So a client that sent one mail must not decide about a
domain of thousands: the clients' bounds count by the mail that they brought.
"""

from collections.abc import Sequence
from typing import Final

from tlsmon.verdict.model import Judgement, Thresholds, Verdict
from tlsmon.wording import count, percent

NAMED: Final = 3
"""So many clients are named; of the rest only the number is told."""


def of_clients(joined: Judgement, parts: Sequence[Judgement], thresholds: Thresholds) -> Judgement:
    """
    Return the judgement of a domain with several clients.

    ``joined``: the sums and the worst verdict of ``parts``, one for each client. A client whose mail would be refused
    decides for the domain; whether the rest is sure enough is told by the bound of the domain's mail.
    """
    bound = _bound(parts)
    verdict = joined.verdict
    if verdict in (Verdict.SAFE, Verdict.UNPROVEN):
        sure = bound is not None and bound <= thresholds.max_share and joined.mails >= thresholds.min_mails
        verdict = Verdict.SAFE if sure else Verdict.UNPROVEN
    return joined._replace(verdict=verdict, affected_upper_bound=bound, reasons=_reasons(joined, parts, verdict, bound))


def _bound(parts: Sequence[Judgement]) -> float | None:
    """Return the bound of the share of the domain's mail: each client's, by the share of mail that it brought."""
    mails = sum(part.mails for part in parts)
    if not mails:
        return None
    bounds = (1.0 if part.affected_upper_bound is None else part.affected_upper_bound for part in parts)
    return min(sum(bound * part.mails for bound, part in zip(bounds, parts, strict=True)) / mails, 1.0)


def _reasons(joined: Judgement, parts: Sequence[Judgement], verdict: Verdict, bound: float | None) -> tuple[str, ...]:
    clients = count(len(joined.mx_hosts), "client")
    encrypted = f"{joined.encrypted:,} of {count(joined.mails, 'mail')} encrypted from {clients}"
    if verdict in (Verdict.SAFE, Verdict.UNPROVEN) and bound is not None:
        encrypted += f"; at most {percent(bound)} would fail"
    failing = sorted((part for part in parts if part.verdict is verdict), key=lambda part: -part.mails)
    if verdict is Verdict.SAFE:
        return (encrypted,)
    named = tuple(part.reasons[1] for part in failing[:NAMED] if len(part.reasons) > 1)
    more = len(failing) - NAMED
    rest = (f"and {count(more, 'more client')}",) if more > 0 else ()
    refused = count(joined.fates.lost, "mail")
    lost = (f"{refused} would be refused and go back to their senders",) if joined.fates.lost else ()
    return (encrypted, *named, *rest, *lost)
