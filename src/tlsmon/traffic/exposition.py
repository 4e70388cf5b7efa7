"""Traffic as metrics in Prometheus' text format 0.0.4, as node_exporter's textfile collector reads it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tlsmon.traffic.model import Counts, Traffic

OTHER: Final = "(other)"
"""All groups that are too small to stand alone. No domain and no host name has brackets."""
NAMELESS: Final = "(none)"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def exposition(traffic: Traffic, most: int) -> str:
    """
    Return what a traffic amounts to as counters: mails by security and attempts, over all of its periods.

    All have a label for the direction, so that both can be kept in one place. A group becomes a label with at most
    ``most`` values, the busiest, and OTHER, so that a stranger who sends mail to ever new domains cannot make ever new
    time series. Times are seconds since 1970.
    """
    groups = _groups(traffic, most)
    label = str(traffic.group) if traffic.group else None
    way: dict[str | None, str] = {"direction": str(traffic.direction)}
    lines = [
        *_head("tlsmon_mails_total", "counter", "Mails sent to hosts on the internet, or taken from them."),
        *_mails(groups, way, label),
        *_head("tlsmon_attempts_total", "counter", "Attempts to hand over mail, successful or not."),
        *(_sample("tlsmon_attempts_total", {**way, label: name}, counts.deliveries) for name, counts in groups.items()),
    ]
    if traffic.last is not None:
        name = "tlsmon_last_attempt_timestamp_seconds"
        lines += _head(name, "gauge", "When the latest attempt in the store ended.")
        lines.append(_sample(name, way, round(traffic.last.timestamp(), 3)))
    name = "tlsmon_silent_hosts"
    lines += _head(name, "gauge", "Hosts whose log says nothing about TLS on some day.")
    lines.append(_sample(name, way, len({silence.host for silence in traffic.silences})))
    return "".join(f"{line}\n" for line in lines)


def _mails(groups: Mapping[str, Counts], way: Mapping[str | None, str], label: str | None) -> Iterator[str]:
    for name, counts in groups.items():
        for security in ("encrypted", "plaintext", "unknown"):
            labels = {**way, label: name, "security": security}
            yield _sample("tlsmon_mails_total", labels, getattr(counts, security))


def _groups(traffic: Traffic, most: int) -> dict[str, Counts]:
    """Return the counts of the busiest groups, and of all others together."""
    sums: dict[str, Counts] = {}
    for row in traffic.rows:
        name = NAMELESS if row.group is None else row.group
        sums[name] = sums.get(name, Counts()) + row.counts
    if traffic.group is None:
        return sums or {NAMELESS: Counts()}
    busiest = Counter({name: counts.sent for name, counts in sums.items()}).most_common(most)
    kept = {name: sums[name] for name, _ in busiest}
    rest = [counts for name, counts in sums.items() if name not in kept]
    return kept | ({OTHER: sum(rest, Counts())} if rest else {})


def _head(name: str, kind: str, meaning: str) -> Iterable[str]:
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"


def _sample(name: str, labels: Mapping[str | None, str], value: float) -> str:
    """Return a line; a label without a name is left out."""
    pairs = ",".join(f'{key}="{_value(text)}"' for key, text in labels.items() if key)
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _value(text: str) -> str:
    r"""
    Return the value of a label between its quotes; characters that steer a terminal are spelt out.

    >>> print(_value('a"b\\c'))
    a\"b\\c
    """
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return shown.translate(_ESCAPES)
