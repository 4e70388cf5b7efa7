"""``tlsmon recommend``: which domains can be moved to mandatory TLS, and which would lose mail."""

from typing import Annotated, Any

import typer

from tlsmon import api, config
from tlsmon.api import Direction, Judgement, Level, Probed, Recommendation, Verdict
from tlsmon.cli.formats import Format, TableJsonCsv
from tlsmon.cli.judging import Asked, judging
from tlsmon.cli.options import DirectionOption, Store
from tlsmon.cli.output import moment, say, say_csv, say_json, say_table
from tlsmon.garbage import without_collection
from tlsmon.wording import count, percent

_COLUMNS = ("domain", "verdict", "mails", "encrypted", "plaintext", "unknown")
_FATES = ("delivered", "rerouted", "delayed", "lost")
_ORDER = ("loses", "delays", "unproven", "safe")


@judging()
def recommend(
    *,
    store: Store = None,
    asked: Asked,
    direction: DirectionOption = Direction.OUTBOUND,
    plan: Annotated[bool, typer.Option("--plan", help="Show in which order to enforce, as waves.")] = False,
    format_: TableJsonCsv = Format.TABLE,
) -> None:
    """
    Say which domains are safe to move to mandatory TLS, and which would lose mail, with reasons.

    Inbound: whose mail would be refused if you demanded TLS (smtpd_tls_security_level = encrypt).
    """
    if direction is Direction.INBOUND and (plan or asked.level is not Level.ENCRYPT):
        what = "--plan" if plan else "--level"
        raise typer.BadParameter("inbound there is one level, encrypt, and it is for all", param_hint=what)
    window = (asked.days, asked.as_of)
    judge = api.open(config.resolve(store=store).store).recommend
    found = judge(asked.level, asked.thresholds, *window, direction=direction)
    if format_ is Format.JSON:
        say_json(document(found))
    elif format_ is Format.CSV:
        header = [*_COLUMNS, *_FATES, "affected_upper_bound", "reasons"]
        say_csv(header, [_cells(item, "; ".join(item.reasons)) for item in found.judgements])
    elif plan:
        _show_plan(found)
    else:
        _show(found)


@without_collection()
def document(found: Recommendation) -> dict[str, Any]:
    """Return the recommendation as the design page fixes its JSON."""
    inbound = {"direction": found.direction} if found.direction is Direction.INBOUND else {}
    return {
        "level": found.level,
        **inbound,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "held": found.held,
        "notes": list(found.notes),
        "smarthost": found.smarthost,
        "domains": [_domain(item) for item in found.judgements],
        "waves": [wave._asdict() for wave in found.waves],
        "coverage": found.coverage._asdict()
        | {name: moment(api.last_seen(getattr(found.coverage, name))) for name in ("first", "last")},
    }


def _domain(item: Judgement) -> dict[str, Any]:
    fates = item.fates
    return {
        "domain": item.domain,
        "verdict": item.verdict,
        "mails": item.mails,
        "encrypted": item.encrypted,
        "plaintext": item.plaintext,
        "unknown": item.unknown,
        "delivered": fates.delivered,
        "rerouted": fates.rerouted,
        "delayed": fates.delayed,
        "lost": fates.lost,
        "undecided": fates.unknown,
        "affected_upper_bound": item.affected_upper_bound,
        "last_seen": moment(api.last_seen(item.last_seen)),
        "reasons": item.reasons,
        "mx_hosts": [host._asdict() for host in item.mx_hosts],
        "providers": item.providers,
        "probe": _probe(item.probed) if item.probed else None,
    }


def _probe(found: Probed) -> dict[str, Any]:
    return found._asdict() | {"time": moment(found.time), "findings": list(found.findings)}


def _cells(item: Judgement, reasons: str) -> list[str | int | float | None]:
    counts = [getattr(item.fates, name) for name in _FATES]
    return [*(getattr(item, name) for name in _COLUMNS), *counts, item.affected_upper_bound, reasons]


def _show(found: Recommendation) -> None:
    _show_headline(found)
    rows = sorted(found.judgements, key=lambda item: (_ORDER.index(item.verdict), -item.mails, item.domain))
    if rows:
        say("")
        say_table(
            ["domain", "verdict", "mails", "why"],
            [[item.domain, str(item.verdict), item.mails, "; ".join(item.reasons)] for item in rows],
        )


def _show_plan(found: Recommendation) -> None:
    _show_headline(found)
    for wave in found.waves:
        say("")
        say(
            f"Wave {wave.number}: {count(len(wave.domains), 'domain')}, {percent(wave.traffic_share)} of the traffic, "
            f"{wave.affected:,} of {count(wave.mails, 'mail')} affected ({wave.note})"
        )
        for domain in wave.domains:
            say(f"  {domain}")


def _show_headline(found: Recommendation) -> None:
    say(api.headline(found))
    if found.held:
        say(f"HELD: {found.held}.")
    for note in found.notes:
        say(f"Note: {note}.")
    disagree = sum(item.probed is not None and item.probed.disagrees for item in found.judgements)
    if disagree:
        say(f"Note: log and probe disagree about {count(disagree, 'domain')}; the reasons say how.")
    no_probe = not any(item.probed for item in found.judgements)
    if found.level != Level.ENCRYPT and no_probe and found.verdicts(Verdict.UNPROVEN):
        say("Note: logs tell little of names and DNS; `tlsmon probe --from-store` asks the recipients.")
    if found.direction is Direction.INBOUND:
        _show_inbound(found)
    elif found.smarthost:
        say(
            f"All mail goes through {found.smarthost}: the policy belongs on this next hop, not on the recipient "
            "domains; what happens behind it this log cannot tell."
        )


def _show_inbound(found: Recommendation) -> None:
    if found.smarthost:
        host = found.smarthost.partition("]")[0].removeprefix("[")
        say(f"Nearly all mail comes through {host}: how its senders reach that host this log cannot tell.")
    if found.judgements:
        say("Domains are what clients claim as sender; <> are bounces. An MTA-STS policy refuses nobody here:")
        say("senders who honour it come over TLS or not at all.")
