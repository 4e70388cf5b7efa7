"""
The difference between the policy in use and the one proposed.

Lines are added and made stronger, never weakened and never taken out: where a line should go, a comment says so and
a person decides. Levels are partly ordered only; where two cannot be compared, the line in use stays.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from maillog.model import Level
from tlsmon.policy import exim, postfix
from tlsmon.policy.model import Accepted, Enforcement, Rejected, accept, printable
from tlsmon.policy.names import domain_key, next_hop_key
from tlsmon.policy.table import Entry, Piece, Table, is_blank, mark, read_exim, read_postfix

STRONGER: Mapping[Level, frozenset[Level]] = MappingProxyType(
    {
        Level.NONE: frozenset(Level) - {Level.NONE},
        Level.MAY: frozenset(Level) - {Level.NONE, Level.MAY},
        Level.ENCRYPT: frozenset({Level.FINGERPRINT, Level.VERIFY, Level.SECURE, Level.DANE_ONLY}),
        # secure takes no name from DNS that is not signed.
        Level.VERIFY: frozenset({Level.SECURE}),
        # dane falls back to may without TLSA records, so it is neither above nor below encrypt.
        Level.DANE: frozenset({Level.DANE_ONLY}),
    }
)
"""
What each level can be raised to without losing anything that it asked for.

fingerprint, secure and dane-only are three tops: a pinned key, a CA's word and DNSSEC's word replace no other.
"""

_NOT_MANDATORY = frozenset({None, Level.NONE, Level.MAY})


class Kind(StrEnum):
    """What happens to a line."""

    ADD = "add"
    UPGRADE = "upgrade"
    KEEP = "keep"
    PROPOSE_REMOVAL = "propose_removal"
    """The line stays; a comment above it says why it should go."""
    UNREADABLE = "unreadable"
    """The line stays; the mail server cannot read it as a policy either."""


class Change(NamedTuple):
    """One line of the difference."""

    kind: Kind
    key: str
    """Empty where an unreadable line has none."""
    old: str
    """The line in use on one line; empty for an addition."""
    new: str
    """The line proposed; empty where the line in use stays."""
    reason: str


class Difference(NamedTuple):
    """What would change, and the file that results."""

    changes: tuple[Change, ...]
    """Sorted by key. A line that is as proposed already is no change."""
    merged: str
    rejected: tuple[Rejected, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is to be done; lines that are kept are nothing to do."""
        return all(change.kind in {Kind.KEEP, Kind.UNREADABLE} for change in self.changes)


def against_postfix(
    text: str,
    enforcements: Iterable[Enforcement],
    losing: Mapping[str, str] = MappingProxyType({}),
    next_hops: Iterable[Enforcement] = (),
) -> Difference:
    """
    Compare a table of smtp_tls_policy_maps with the enforcements that are proposed.

    ``losing``: domain or next hop -> why mail is now lost under the line in use.
    """
    domains, hops = accept(enforcements, domain_key), accept(next_hops, next_hop_key)
    wished = Accepted(domains.enforcements + hops.enforcements, domains.rejected + hops.rejected)
    return _compare(read_postfix(text), wished, losing, postfix.line)


def against_exim(
    text: str, level: Level, enforcements: Iterable[Enforcement], losing: Mapping[str, str] = MappingProxyType({})
) -> Difference:
    """Compare Exim's list of domains for one level with what is proposed at that level; others are passed over."""
    wished = accept(enforcements, domain_key, exim.OPTIONS)
    here = tuple(each for each in wished.enforcements if each.level == level)
    return _compare(read_exim(text, level), wished._replace(enforcements=here), losing, exim.line)


def render(difference: Difference) -> str:
    """
    Return the difference for people: each line with the reason above it.

    ``+`` and ``-`` as in a unified diff; ``?`` should go, ``!`` cannot be read, a space stays.
    """
    signs = {Kind.KEEP: " ", Kind.PROPOSE_REMOVAL: "?", Kind.UNREADABLE: "!"}
    blocks = []
    for change in difference.changes:
        old = f"{signs.get(change.kind, '-')}{change.old}\n" if change.old else ""
        new = f"+{change.new}\n" if change.new else ""
        blocks.append(f"# {change.reason}\n{old}{new}")
    blocks += [f"# left out, {each.reason}: {each.name}\n" for each in difference.rejected]
    return "\n".join(blocks)


def _compare(
    table: Table, wished: Accepted, losing: Mapping[str, str], line: Callable[[Enforcement], str]
) -> Difference:
    losing = {domain.lower(): reason for domain, reason in losing.items()}
    wishes = {each.domain: each for each in wished.enforcements if each.domain not in losing}
    contradicted = (
        Rejected(each.domain, f"loses mail: {printable(losing[each.domain])}")
        for each in wished.enforcements
        if each.domain in losing
    )
    proposals = _proposals(table, losing)
    changes: list[Change] = []
    merged: list[str] = []
    for piece in table.pieces:
        change = _change(piece, wishes, proposals, line)
        changes += [change] if change else []
        merged.append(_rewritten(piece, change))
    additions = list(_additions(table, wishes, line))
    changes += additions
    merged += [f"{change.new}\n" for change in additions if change.kind is Kind.ADD]
    ordered = sorted(changes, key=lambda change: (change.key, change.kind))
    return Difference(tuple(ordered), _joined(merged), wished.rejected + tuple(contradicted))


def _proposals(table: Table, losing: Mapping[str, str]) -> dict[str, str]:
    """Return by key why its line should go: the domain loses mail, or one that a parent's line governs."""
    entries = table.entries()
    reasons: dict[str, list[str]] = {}
    for domain, reason in sorted(losing.items()):
        entry = _governing(table, entries, domain)
        if entry and entry.level not in _NOT_MANDATORY:
            reasons.setdefault(entry.key, []).append(printable(f"{domain}: {reason}"))
    return {key: "; ".join(found) for key, found in reasons.items()}


def _governing(table: Table, entries: Mapping[str, Entry], domain: str) -> Entry | None:
    """Return the entry that the mail server finds for a domain: its own, or its nearest parent's with a leading dot."""
    if domain in entries:
        return entries[domain]
    # A next hop with brackets or a port is looked up as it is (smtp_tls_policy.c:tls_policy_lookup).
    if table.covers_parents and not set("[]:") & set(domain):
        labels = domain.split(".")
        parents = ("." + ".".join(labels[cut:]) for cut in range(1, len(labels)))
        return next((entries[parent] for parent in parents if parent in entries), None)
    return None


def _change(
    piece: Piece, wishes: Mapping[str, Enforcement], proposals: Mapping[str, str], line: Callable[[Enforcement], str]
) -> Change | None:
    entry = piece.entry
    old = _shown(piece)
    if piece.problem or not entry:
        key = entry.key if entry else ""
        return Change(Kind.UNREADABLE, printable(key), old, "", piece.problem) if piece.problem else None
    key = printable(entry.key)
    if entry.key in proposals:
        return Change(Kind.PROPOSE_REMOVAL, key, old, "", proposals[entry.key])
    wish = wishes.get(entry.key)
    if not wish:
        return Change(Kind.KEEP, key, old, "", f"{key}: kept, nothing is proposed for it")
    if _is_same(entry, wish):
        return None
    objection = _objection(entry, wish)
    if objection:
        return Change(Kind.KEEP, key, old, "", f"{key}: kept, {objection}")
    return Change(Kind.UPGRADE, key, old, line(wish).rstrip("\n"), f"{key}: {wish.reason}")


def _additions(table: Table, wishes: Mapping[str, Enforcement], line: Callable[[Enforcement], str]) -> Iterator[Change]:
    entries = table.entries()
    for key in sorted(wishes.keys() - entries.keys()):
        parent = _governing(table, entries, key)
        wish = wishes[key]
        if parent and _is_same(parent, wish):
            continue
        objection = _objection(parent, wish) if parent else None
        if parent and objection:
            reason = f"{key}: not added, governed by the line of {printable(parent.key)}: {objection}"
            yield Change(Kind.KEEP, key, "", "", reason)
        else:
            yield Change(Kind.ADD, key, "", line(wish).rstrip("\n"), f"{key}: {wish.reason}")


def _is_same(entry: Entry, wish: Enforcement) -> bool:
    return entry.level == wish.level and entry.attributes == {f"match={name}" for name in wish.match}


def _objection(entry: Entry, wish: Enforcement) -> str | None:
    """Return why the line in use must not give way to the wish; None where the wish is stronger in every respect."""
    if entry.level is None:
        return "it is not a TLS policy; mend it first"
    if entry.level is Level.NONE:
        return "somebody switched TLS off here; take the line out to have the domain judged"
    if entry.attributes:
        return f"its attributes are for a person to weigh against {wish.level}"
    return _rank_objection(entry.level, Level(wish.level))


def _rank_objection(level: Level, wished: Level) -> str | None:
    if wished in STRONGER.get(level, ()):
        return None
    if level in STRONGER.get(wished, ()):
        return f"stronger than {wished}"
    if level is wished:
        return "it asks for other names"
    return f"{level} and {wished} cannot be compared"


def _shown(piece: Piece) -> str:
    lines = (line.strip() for line in piece.text.split("\n") if not is_blank(line))
    return printable(" ".join(lines))


def _rewritten(piece: Piece, change: Change | None) -> str:
    if change and change.kind is Kind.UPGRADE:
        comments = (line for line in piece.text.split("\n")[:-1] if line.strip() and is_blank(line))
        return "".join(f"{comment}\n" for comment in comments) + f"{change.new}\n"
    if change and change.kind is Kind.PROPOSE_REMOVAL:
        return mark(change.reason) + piece.text
    return piece.text


def _joined(texts: Iterable[str]) -> str:
    """Put pieces together; the last line of the old file may lack its newline."""
    merged = ""
    for text in texts:
        merged += "\n" if merged and not merged.endswith("\n") else ""
        merged += text
    return merged
