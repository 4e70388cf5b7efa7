"""The parts of a report about single domains: what changed, what would be lost, delayed, or is not known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, log
from typing import Final

from tlsmon.report.facts import Facts, FailingHost
from tlsmon.report.model import Cell, Changes, Column, Kind, Section, Table
from tlsmon.report.register import Exemption
from tlsmon.report.words import cause, mails, name, prose, utc_day
from tlsmon.verdict.model import Judgement, Thresholds, Verdict
from tlsmon.wording import count, day

_DOMAIN: Final = Column("domain", "Domain", width=1.5)
_MAILS: Final = Column("mails", "Mails", Kind.COUNT)
_WHERE: Final = (
    Column("mx_host", "MX host", width=1.5),
    Column("cause", "Cause", width=1.3),
    Column("since", "Since", Kind.DAY),
)
_ROUNDING: Final = 1e-6
_FAILS: Final = (Verdict.LOSES, Verdict.DELAYS)


def changes(facts: Facts) -> Changes:
    """Return what is different from a week before."""
    kinds: dict[str, list[str]] = {kind: [] for kind in Changes._fields}
    for item, before in _changed(facts):
        kinds[_kind(item, before)].append(name(item.domain))
    return Changes(**{kind: tuple(names) for kind, names in kinds.items()})


def changed(facts: Facts) -> Section:
    """Return every domain whose readiness changed within the week."""
    rows = [
        (
            name(item.domain),
            item.mails,
            _kind(item, before).replace("_", " "),
            str(before) if before else "not seen",
            str(item.verdict),
            _why(item),
        )
        for item, before in _changed(facts)
    ]
    columns = (
        _DOMAIN,
        _MAILS,
        Column("change", "Change", width=0.8),
        Column("before", "A week ago", width=0.7),
        Column("now", "Now", width=0.6),
        Column("why", "What was seen", width=2.6),
    )
    text = (
        "Newly ready: safe now, and not a week ago. Newly failing: would lose mail or see delays now, and was not "
        "known to. Regressed: was safe a week ago, and is not any more."
    )
    table = Table(columns, tuple(rows), unchanged(facts))
    return Section("changes", "Changes since last week, domain by domain", (text,) if rows else (), (table,))


def unchanged(facts: Facts) -> str:
    """Return what is said where no domain changed."""
    if facts.before.judgements:
        return "No domain changed."
    return "There is no earlier week in the store to compare with."


def _changed(facts: Facts) -> list[tuple[Judgement, Verdict | None]]:
    """Return the domains that changed with their verdict of a week ago; none where nothing was known then."""
    if not facts.before.judgements:
        return []
    before = {item.domain: item.verdict for item in facts.before.judgements}
    pairs = [(item, before.get(item.domain)) for item in _by_mail(facts.now.judgements)]
    return [(item, old) for item, old in pairs if _kind(item, old)]


def _kind(item: Judgement, before: Verdict | None) -> str:
    if item.verdict is before:
        return ""
    if item.verdict is Verdict.SAFE:
        return "newly_ready"
    if before is Verdict.SAFE:
        return "regressed"
    return "newly_failing" if item.verdict in _FAILS and before not in _FAILS else ""


def loses(facts: Facts) -> Section:
    """Return the domains that would lose mail at the level."""
    columns = (_DOMAIN, _MAILS, Column("lost", "Lost", Kind.COUNT), *_WHERE)
    items = _by_mail(facts.now.verdicts(Verdict.LOSES))
    rows = tuple((name(item.domain), item.mails, item.fates.lost, *_where(item, facts)) for item in items)
    lost = sum(item.fates.lost for item in items)
    text = (
        f"At level {facts.asked.level}, {mails(lost)} of the last {count(facts.asked.days, 'day')} to "
        f"{count(len(items), 'domain')} would not have arrived. The cause lies at the MX host named; its operator can "
        "remove it. Since: when it began, or the first such mail of the window."
    )
    if not all(item.fates.lost for item in items):
        text += " Where none was lost in the window, the next mail would be: no attempt gets through now."
    empty = "No domain is known to lose mail."
    return Section("loses", "Domains that would lose mail", (text,) if items else (), (Table(columns, rows, empty),))


def delays(facts: Facts) -> Section:
    """Return the domains of which some mail would come late."""
    columns = (_DOMAIN, _MAILS, Column("delayed", "Delayed", Kind.COUNT), *_WHERE)
    items = _by_mail(facts.now.verdicts(Verdict.DELAYS))
    rows = tuple((name(item.domain), item.mails, item.fates.delayed, *_where(item, facts)) for item in items)
    text = ("Nothing is lost here: a later attempt or another MX host takes the mail, but some of it comes late.",)
    table = Table(columns, rows, "No domain is known to see delays.")
    return Section("delays", "Domains that would see delays", text if items else (), (table,))


def unproven(facts: Facts) -> Section:
    """Return the domains of which too little is known, and which evidence is missing."""
    columns = (
        _DOMAIN,
        _MAILS,
        Column("encrypted", "Encrypted", Kind.COUNT),
        Column("plaintext", "In clear", Kind.COUNT),
        Column("unknown", "Unknown", Kind.COUNT),
        Column("missing", "Missing evidence", width=2.2),
    )
    items = _by_mail(facts.now.verdicts(Verdict.UNPROVEN))
    rows = tuple(
        (
            name(item.domain),
            item.mails,
            item.encrypted,
            item.plaintext,
            item.unknown,
            missing(item, facts.asked.thresholds),
        )
        for item in items
    )
    text = ("Not known to fail, and not known to be safe: these stay as they are until the evidence is there.",)
    table = Table(columns, rows, "Nothing is unproven.")
    return Section("unproven", "Domains without enough evidence", text if items else (), (table,))


def missing(item: Judgement, thresholds: Thresholds) -> str:
    """Return which evidence would be needed for a verdict on an unproven domain."""
    if _held(item):
        return "held: see the first page"
    if not item.mails:
        return "no mail was delivered"
    if item.fates.unknown:
        return f"the log does not tell of {item.fates.unknown:,} of {mails(item.mails)}"
    if item.fates.affected:
        return "what the other MX hosts would do: the log does not tell"
    return " and ".join(_lacking(item, thresholds)) or "what its reasons say, see `tlsmon recommend`"


def _lacking(item: Judgement, thresholds: Thresholds) -> Iterator[str]:
    if item.mails < thresholds.min_mails:
        yield count(thresholds.min_mails - item.mails, "more mail")
    if item.probed and item.probed.answer in ("no", "some"):
        yield "a probe that it passes"
    if item.fates.rerouted:
        yield "what hosts in clear answer to STARTTLS (`tlsmon probe`)"
    upper = item.affected_upper_bound
    if upper is None or upper > thresholds.max_share:
        more = _sessions(thresholds.max_share, thresholds) - _sessions(upper, thresholds)
        yield f"at least {count(max(more, 1), 'more connection')} that the level accepts"


def _sessions(bound: float | None, thresholds: Thresholds) -> int:
    """Return how many sessions without a failure bring the share of affected mail down to a bound (verdict.bounds)."""
    if bound is None or not 0 < bound < 1:
        return 0
    return ceil(log(1 - thresholds.confidence) / log(1 - bound) - _ROUNDING)


def exceptions(facts: Facts) -> Section:
    """Return the exceptions register, with what is known of each domain now."""
    judged = {item.domain: item for item in facts.now.judgements}
    columns = (
        _DOMAIN,
        Column("owner", "Owner"),
        Column("reason", "Reason", width=1.8),
        Column("expires", "Expires", Kind.DAY),
        Column("verdict", "Verdict", width=0.6),
        Column("note", "Note", width=1.0),
    )
    rows = tuple(_exception(item, judged.get(item.domain), facts) for item in facts.asked.exemptions)
    text = (
        "Domains that somebody decided to leave as they are. They are in no policy of this report until they expire.",
    )
    table = Table(columns, rows, "No exceptions were given; name a register with --exceptions.")
    return Section("exceptions", "Exceptions register", text if rows else (), (table,))


def _exception(item: Exemption, judged: Judgement | None, facts: Facts) -> tuple[Cell, ...]:
    over = (facts.now.until.date() - item.expires).days
    if over > 0:
        note = f"expired {count(over, 'day')} ago"
    elif judged and judged.verdict is Verdict.SAFE:
        note = "not needed any more: safe"
    else:
        note = ""
    verdict = str(judged.verdict) if judged else "no mail"
    return name(item.domain), prose(item.owner), prose(item.reason), item.expires, verdict, note


def left_alone(facts: Facts) -> dict[str, Exemption]:
    """Return the exceptions that hold at the end of the window, by domain."""
    return {item.domain: item for item in facts.asked.exemptions if item.expires >= facts.now.until.date()}


def _where(item: Judgement, facts: Facts) -> tuple[Cell, Cell, Cell]:
    """Return MX host, cause and since of a domain's worst host."""
    hosts: Sequence[FailingHost] = facts.failing.get(item.domain, ())
    if not hosts:
        return "-", _why(item), None
    worst = hosts[0]
    words = cause(worst.cause)
    if worst.bad < worst.sessions:
        words += f" in {worst.bad:,} of {worst.sessions:,} sessions"
    if len(hosts) > 1:
        words += f"; {count(len(hosts) - 1, 'more host')} like this"
    return name(worst.host), words + _exempt(item.domain, left_alone(facts)), utc_day(worst.since)


def _exempt(domain: str, exemptions: Mapping[str, Exemption]) -> str:
    return f"; exception until {day(exemptions[domain].expires)}" if domain in exemptions else ""


def _why(item: Judgement) -> str:
    if _held(item):
        return "held: see the first page"
    return name("; ".join(item.reasons[:2])) if item.reasons else "-"


def _held(item: Judgement) -> bool:
    return bool(item.reasons) and item.reasons[0].startswith("held:")


def _by_mail(items: Iterable[Judgement]) -> list[Judgement]:
    return sorted(items, key=lambda item: (-item.mails, item.domain))
