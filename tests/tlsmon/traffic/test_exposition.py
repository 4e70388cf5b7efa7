"""Metrics that Prometheus itself can read, whatever strangers call their domains."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tlsmon.rollup.model import Direction
from tlsmon.traffic.exposition import NAMELESS, OTHER, exposition
from tlsmon.traffic.model import Counts, Group, Period, Traffic, TrafficRow

LAST = datetime(2026, 11, 20, 10, tzinfo=UTC)
HOSTILE = ['a"b.example', "a\\b", "a\nb 5", "\x1b[2J", "é.example", "a{b=c}", "\u2028", ""]


def traffic(groups: dict[str | None, int], group: Group | None = Group.DOMAIN) -> Traffic:
    """Return traffic with so many mails for each group, half of them encrypted, over two months."""
    rows = [
        TrafficRow(month, name, Counts(mails + 1, mails, mails // 2, mails - mails // 2, 0))
        for month in ("2026-10", "2026-11")
        for name, mails in groups.items()
    ]
    return Traffic(Period.MONTH, group, rows, sum((row.counts for row in rows), Counts()), LAST, LAST)


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what Prometheus' own parser reads: name -> values of the labels in their order -> value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_totals() -> None:
    """Without a group there is one series for each security, over all periods."""
    found = samples(exposition(traffic({None: 10}, None), 5))
    assert found["tlsmon_mails_total"] == {
        ("outbound", "encrypted"): 10,
        ("outbound", "plaintext"): 10,
        ("outbound", "unknown"): 0,
    }
    assert found["tlsmon_attempts_total"] == {("outbound",): 22}
    assert found["tlsmon_last_attempt_timestamp_seconds"] == {("outbound",): LAST.timestamp()}


def test_directions() -> None:
    """What comes in is told apart from what goes out, under the same names."""
    inbound = replace(traffic({None: 10}, None), direction=Direction.INBOUND)
    assert set(samples(exposition(inbound, 5))["tlsmon_attempts_total"]) == {("inbound",)}


def test_the_number_of_series_is_bound() -> None:
    """The busiest groups have their own series; all the others have one, and nothing is lost."""
    found = samples(exposition(traffic({f"d{number}.example": number for number in range(1, 101)}), 3))
    attempts = found["tlsmon_attempts_total"]
    assert list(attempts) == [("outbound", name) for name in ("d100.example", "d99.example", "d98.example", OTHER)]
    assert sum(attempts.values()) == 2 * (5050 + 100)


def test_hostile_names() -> None:
    """No name breaks out of its label, and none is mistaken for another."""
    text = exposition(traffic({**dict.fromkeys(HOSTILE, 2), None: 2}), 100)
    names = {labels[1] for labels in samples(text)["tlsmon_attempts_total"]}
    assert len(names) == len(HOSTILE) + 1
    assert {'a"b.example', "a\\b", "a\\nb 5", "\\x1b[2J", "é.example", NAMELESS} <= names
    assert all(char.isprintable() or char == "\n" for char in text)


@given(st.dictionaries(st.text(max_size=12), st.integers(1, 5), min_size=1, max_size=5))
def test_any_name(groups: dict[str, int]) -> None:
    """Whatever the names, the parser finds as many mails as there are."""
    found = samples(exposition(traffic({name or None: mails for name, mails in groups.items()}), 3))
    assert sum(found["tlsmon_mails_total"].values()) == 2 * sum(groups.values())


def test_an_empty_store() -> None:
    """No mail is a number, too: nought."""
    empty = Traffic(Period.MONTH, None, [], Counts(), None, None)
    found = samples(exposition(empty, 5))
    assert found["tlsmon_attempts_total"] == {("outbound",): 0}
    assert "tlsmon_last_attempt_timestamp_seconds" not in found


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool (Debian: prometheus)")
def test_promtool() -> None:
    """Prometheus' linter has nothing to say."""
    text = exposition(traffic({**dict.fromkeys(HOSTILE, 2), None: 2}), 4)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
