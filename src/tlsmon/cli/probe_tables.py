"""The results of probes as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from tlsmon.cli.output import Cell, moment, say, say_table
from tlsmon.live import Answer, DomainResult, Ending, HostResult, MxKind, Offer, Passage, Rung, Trust

_LADDER: Final = (Rung.ENCRYPT, Rung.VERIFY, Rung.SECURE)
"""Each one asks more than the one before; DANE and MTA-STS stand beside it."""
_WORDS: Final = {
    Ending.ENCRYPTED: "yes",
    Ending.NOT_OFFERED: "not offered",
    Ending.REFUSED: "refused",
    Ending.BROKEN: "broken",
    Ending.INJECTED: "not tested",
    Ending.UNTOLD: "not tested",
}
_TRUST: Final = {Trust.UNTOLD: None, Trust.NO_CERTIFICATE: "none"}
_HEADER: Final = ("domain", "reached", "dane-only", "mta-sts", "what is in the way of more")
_HOST_HEADER: Final = ("mx host", "pref", "address", "starttls", "protocol", "certificate", "days left", "remark")
CSV_HEADER: Final = (
    "domain", "time", "route", "mx_host", "preference", "ip", *(str(rung) for rung in Rung), "starttls", "why",
    "protocol", "cipher", "trust", "not_after", "names", "words",
)  # fmt: skip


def show(results: Sequence[DomainResult], *, with_hosts: bool) -> None:
    """Print the results for people: a line for each domain, and where asked for its rungs and addresses."""
    say(_sentence(results))
    if any(result.resolver_validates is not True for result in results):
        say(
            "The resolver does not validate DNSSEC, so nothing can be said of DANE; name one that does with --resolver."
        )
    say("")
    say_table(_HEADER, [_summary(result) for result in results])
    if with_hosts:
        for result in results:
            say("")
            _show_domain(result)


def reached(result: DomainResult) -> str:
    """Return the highest rung that mail would pass: a level, ``none``, ``not tested``, ``takes no mail``."""
    if result.route.kind in (MxKind.NULL, MxKind.MISSING):
        return "takes no mail"
    best = "none"
    for rung in _LADDER:
        answer = result.passage(rung).answer
        if answer is Answer.YES:
            best = str(rung)
        elif best == "none":
            return {Answer.SOME: f"{rung} in part", Answer.UNKNOWN: "not tested"}.get(answer, "none")
        else:
            return best
    return best


def _sentence(results: Sequence[DomainResult]) -> str:
    found = Counter(map(reached, results))
    order = (*map(str, reversed(_LADDER)), f"{Rung.ENCRYPT} in part", "none", "not tested", "takes no mail")
    parts = ", ".join(f"{name} {found[name]:,}" for name in order if found[name])
    return f"Reached by {len(results):,} domain{'s' * (len(results) != 1)}: {parts}."


def _summary(result: DomainResult) -> list[Cell]:
    beside = [str(result.passage(rung).answer) for rung in (Rung.DANE_ONLY, Rung.MTA_STS)]
    next_one = next((rung for rung in _LADDER if result.passage(rung).answer is not Answer.YES), None)
    return [result.domain, reached(result), *beside, _in_the_way(result.passage(next_one)) if next_one else None]


def _in_the_way(passage: Passage) -> str:
    more = f" (and {len(passage.blocks) - 1} more)" if len(passage.blocks) > 1 else ""
    return f"{passage.rung}: {passage.blocks[0]}{more}"


def _show_domain(result: DomainResult) -> None:
    say(f"{result.domain}, asked {result.time:%Y-%m-%d %H:%M} UTC{_route(result)}")
    for passage in result.passages:
        blocks = passage.blocks or ("",)
        say(f"  {passage.rung:<10} {passage.answer:<8} {blocks[0]}".rstrip())
        for block in blocks[1:]:
            say(f"{'':22}{block}")
    say(f"  {'tls reports':<10} {_reports(result)}")
    rows = [row for host in result.hosts for row in _host_rows(host, result.time)]
    if rows:
        say("")
        say_table(_HOST_HEADER, rows)


def _route(result: DomainResult) -> str:
    alias = f"; stands for {result.route.alias}" if result.route.alias else ""
    return f"; MX records {result.route.dnssec} by DNSSEC{alias}" if result.route.kind is MxKind.MX else alias


def _reports(result: DomainResult) -> str:
    tlsrpt = result.tlsrpt
    if tlsrpt.untold:
        return f"unknown: {tlsrpt.untold.words}"
    return ", ".join(tlsrpt.destinations) or tlsrpt.trouble or "not asked for"


def _host_rows(host: HostResult, now: datetime) -> Iterator[list[Cell]]:
    for address in host.reached:
        offer = address.plain
        yield [host.host, host.preference, address.ip, _WORDS[offer.ending], *_offered(offer, now), _remark(offer)]
    if not host.reached:
        trouble = host.addresses.trouble
        yield [host.host, host.preference, None, None, None, None, None, trouble.words if trouble else "has no address"]


def _offered(offer: Offer, now: datetime) -> list[Cell]:
    certificate = _TRUST.get(offer.trust, str(offer.trust).replace("_", " "))
    days = (offer.certificate.not_after - now).days if offer.certificate else None
    return [offer.protocol, certificate, days]


def _remark(offer: Offer) -> str | None:
    slow = f"greets after {offer.greet_delay:.0f} s" if offer.greet_delay and offer.greet_delay >= 1 else ""
    return "; ".join(filter(None, (offer.words, slow))) or None


def csv_rows(result: DomainResult) -> Iterator[list[Cell]]:
    """Yield a row for each address; one without address for a host, or a domain, that has none."""
    start = [result.domain, moment(result.time), str(result.route.kind)]
    for host in result.hosts:
        answers = [str(passage.answer) for passage in host.passages]
        for address in host.reached:
            yield [*start, host.host, host.preference, address.ip, *answers, *_csv_offer(address.plain)]
        if not host.reached:
            words = host.addresses.trouble.words if host.addresses.trouble else "has no address"
            yield [*start, host.host, host.preference, None, *answers, *[None] * 7, words]
    if not result.hosts:
        blocks = result.passages[0].blocks
        yield [*start, None, None, None, *(str(each.answer) for each in result.passages), *[None] * 7, *blocks[:1]]


def _csv_offer(offer: Offer) -> list[Cell]:
    certificate = offer.certificate
    return [
        str(offer.ending),
        str(offer.why) if offer.why else None,
        offer.protocol,
        offer.cipher,
        str(offer.trust),
        moment(certificate.not_after) if certificate else None,
        " ".join(certificate.names) if certificate else None,
        offer.words or None,
    ]
