"""Judged by column or one attempt after the other: the same recommendation, to the last word."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsmon.evidence.columns import Columns, columns
from tlsmon.evidence.looks import Look, LookedAt, Looks, gathered
from tlsmon.provider import provider
from tlsmon.rollup.model import Direction
from tlsmon.verdict import window as module
from tlsmon.verdict.judge import judge
from tlsmon.verdict.model import Thresholds
from tlsmon.verdict.recommend import Recommendation, Window, recommend
from tlsmon.verdict.watch import failed_in, watch
from tlsmon.verdict.window import recommend_window

START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=12))
HOUR = 3_600_000_000
LEVELS = ("encrypt", "verify", "secure", "dane-only")
DOMAINS = [f"d{number}.test" for number in range(8)]
HOSTS = ["a.p1.net", "b.p1.net", "a.p2.org", "mx.p3.com", "mx.p4.com", "mx.p5.com"]
SENDERS = [("postfix", "mail1", "postfix"), ("postfix", "mail2", "postfix"), ("exim", "mail3", None)]
GOOD = {"security": "encrypted", "protocol": "TLSv1.3", "outcome": "sent", "authentication": "trusted"}
ODD: list[dict[str, Any]] = [
    {"security": "plaintext", "protocol": None, "authentication": None},
    {"security": "unknown", "protocol": None, "authentication": None},
    {"security": "none", "protocol": None, "authentication": None, "outcome": "deferred", "cause": "unrelated"},
    {"security": "none", "protocol": None, "authentication": None, "outcome": "deferred", "cause": "tls_not_offered"},
    {"security": "none", "protocol": None, "authentication": None, "outcome": "bounced", "cause": "tls_refused"},
    {"security": "none", "protocol": None, "authentication": None, "outcome": "deferred", "cause": "tls_local"},
    {"outcome": "deferred", "cause": "unrelated"},
    {"authentication": "verified", "level": "verify"},
    {"authentication": "verified"},
    {"authentication": "untrusted"},
    {"authentication": "anonymous"},
    {"authentication": "dane", "level": "dane"},
    {"protocol": "TLSv1"},
    {"earlier": "192.0.2.1"},
    {"earlier": "?"},
    {"mx_ip": "192.0.2.77"},
    {"mx_port": 587},
    {"mx_port": None},
    {"mx_host": None, "mx_ip": None, "mx_port": None, "security": "none", "outcome": "deferred", "cause": "dane"},
    {"mx_host": None, "mx_ip": None, "mx_port": None, "security": "none", "outcome": "deferred", "cause": "unrelated"},
]
TEXTS = (
    *("recipient_domain", "sender_domain", "mx_host", "mx_ip", "mta", "host", "instance", "security", "authentication"),
    *("protocol", "cipher", "outcome", "cause", "level", "earlier"),
)
NUMBERS = ("mx_port", "hour", "count", "connections", "first", "last")


class Story:
    """What happens in a window: mostly mail that goes well, and here and there something else."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._trouble = random.choice([0.0, 0.02, 0.1, 0.5])
        self._favourites = random.sample(ODD, 2)
        self._hosts = {domain: random.sample(HOSTS, random.choice([1, 1, 1, 2, 3])) for domain in DOMAINS}
        self._senders = random.sample(SENDERS, random.randint(1, 3))
        self._usual = GOOD | (random.choice(ODD) if random.random() < 0.3 else {})
        self._in_clear = random.choice(HOSTS) if random.random() < 0.3 else None
        begin = random.randrange(12)
        self._outage = range(begin, random.choice([begin, begin + 1, 12]))
        """Days on which the own side fails."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield rows of the store."""
        domains = DOMAINS[: self._random.choice([1, 4, 8])]
        for _ in range(self._random.choice([5, 40, 150, 300])):
            day = self._random.randrange(12)
            hour = int(START.timestamp()) * 1_000_000 + (day * 24 + self._random.randrange(24)) * HOUR
            first = hour + self._random.randrange(HOUR)
            last = min(first + self._random.choice([0, 1_000, HOUR]), hour + HOUR - 1)
            number = self._random.choice([1, 2, 40, 3_000])
            connections = self._random.choice([number, number, number, 0, 1, number // 2])
            size = {"hour": hour, "count": number, "connections": connections, "first": first, "last": last}
            yield self._row(self._random.choice(domains), day) | size

    def _row(self, domain: str, day: int) -> dict[str, Any]:
        host = self._random.choice(self._hosts[domain])
        sender = zip(("mta", "host", "instance"), self._random.choice(self._senders), strict=True)
        row = {"recipient_domain": domain, "mx_host": host, "mx_ip": f"192.0.2.{HOSTS.index(host)}", "mx_port": 25}
        row |= dict(sender) | self._usual
        if day in self._outage or host == self._in_clear:
            row |= ODD[0] if day % 2 else ODD[3]
        elif self._random.random() < self._trouble:
            row |= self._random.choice(self._favourites)
        return row | (self._random.choice(ODD) if self._random.random() < self._trouble / 5 else {})


def rows_of(every: list[dict[str, Any]]) -> Columns:
    """Return the columns of a window."""
    words = {name: pa.array([row.get(name) for row in every], pa.string()) for name in TEXTS}
    every = [{"connections": row["count"]} | row for row in every]
    numbers = {name: pa.array([row.get(name) for row in every], pa.int64()) for name in NUMBERS}
    return columns(pa.table(words | numbers), Direction.OUTBOUND)


def world(random: Random) -> Columns:
    """Return the columns of some window."""
    return rows_of(list(Story(random).rows()))


def probes(random: Random) -> Looks:
    """Return what probes found."""

    def answers() -> dict[str, str]:
        return {level: random.choice(["yes", "yes", "no", "unknown"]) for level in LEVELS}

    def address(host: str) -> LookedAt:
        ending = random.choice(["encrypted", "encrypted", "not_offered", "refused"])
        ip = f"192.0.2.{HOSTS.index(host)}"
        return LookedAt(host, 10, ip, 25, ending, random.choice(["trusted", "untrusted"]), None, answers())

    found = [
        Look(domain, START, "here", "mx", 0, answers(), tuple(map(address, random.sample(HOSTS, 2))))
        for domain in random.sample(DOMAINS, random.choice([1, 3]))
    ]
    return gathered(found, WINDOW.until)


def both(random: Random, level: str, asked: Thresholds, looks: Looks | None) -> tuple[Recommendation, Recommendation]:
    """Return the recommendation made in either way."""
    found = world(random)
    plainly = recommend(found.observations(), level, WINDOW, asked, provider, looks=looks)
    return plainly, recommend_window(found, level, WINDOW, asked, provider, looks=looks)


def _asked(given: dict[str, Any]) -> Thresholds:
    return Thresholds()._replace(**given)


ASKED = st.fixed_dictionaries(
    {
        "max_share": st.sampled_from([0.01, 0.2, 0.0, 1.0]),
        "min_mails": st.sampled_from([0, 1, 60]),
        "confidence": st.sampled_from([0.95, 0.5]),
        "tolerated_delay": st.sampled_from([0.002, 0.0, 0.3]),
        "oldest_protocol": st.sampled_from(["TLSv1", "TLSv1.2"]),
        "in_force": st.sampled_from([None, None, "dane", "verify"]),
        "sender_validates": st.booleans(),
    }
).map(_asked)


@settings(deadline=None, max_examples=500)
@given(st.integers(0, 1 << 32), st.sampled_from(LEVELS), ASKED, st.booleans())
def test_the_same_recommendation(seed: int, level: str, asked: Thresholds, probed: bool) -> None:
    """Whatever the window holds: judgements and reasons, plan, hold, notes, coverage."""
    random = Random(seed)
    looks = probes(random) if probed else None
    plainly, by_column = both(random, level, asked, looks)
    for one, other in zip(plainly, by_column, strict=True):
        assert one == other


NOON = int(START.timestamp()) * 1_000_000 + 12 * HOUR


def plain(domain: str, host: str, ip: int, **other: Any) -> dict[str, Any]:
    """Return a row of mail that went well."""
    hour = int(START.timestamp()) * 1_000_000
    sender = dict(zip(("mta", "host", "instance"), SENDERS[0], strict=True))
    place = {"recipient_domain": domain, "mx_host": host, "mx_ip": f"192.0.2.{ip}", "mx_port": 25}
    return sender | place | GOOD | {"hour": hour, "count": 100, "first": hour + 1, "last": hour + 2} | other


CASES: dict[str, list[dict[str, Any]]] = {
    "another address of the host took mail for others": [
        plain("a.test", "mx.p.net", 1),
        plain("b.test", "mx.p.net", 2),
    ],
    "the other host had failed before": [
        plain("a.test", "a.p.net", 1),
        plain("a.test", "b.q.net", 2, **ODD[0]),
        *[plain("b.test", "c.r.net", 3, earlier="192.0.2.1", count=number) for number in (200, 3_000)],
    ],
    "much of which the log does not tell": [
        *[plain("a.test", "mx.p.net", 1, count=500, **later) for later in ({}, {"first": NOON, "last": NOON})],
        plain("a.test", "mx.p.net", 1, **ODD[1], count=600),
    ],
    "no host was reached": [plain("a.test", "mx.p.net", 1), plain("a.test", "mx.p.net", 1, **ODD[-1])],
    "one sender reached no host": [plain("a.test", "mx.p.net", 1), plain("a.test", "", 1) | ODD[-1] | {"host": "m"}],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_cases(case: str, level: str) -> None:
    """What chance hardly finds."""
    found = rows_of(CASES[case])
    for asked in (Thresholds(), Thresholds()._replace(min_mails=1_000)):
        plainly = recommend(found.observations(), level, WINDOW, asked, provider)
        assert recommend_window(found, level, WINDOW, asked, provider) == plainly


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 1 << 32))
def test_what_failed_is_all_that_a_watch_needs(seed: int) -> None:
    """The attempts of domains that never failed change nothing."""
    found = world(Random(seed))
    now = int(WINDOW.until.timestamp() * 1_000_000)
    assert watch(failed_in(found), None, now) == watch(found.observations(), None, now)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1 << 32), st.sampled_from(LEVELS))
def test_without_reasons(seed: int, level: str) -> None:
    """Where nobody asks for reasons all else is the same."""
    found = world(Random(seed))
    every, counted = (
        recommend_window(found, level, WINDOW, Thresholds(), provider, explained=explained).judgements
        for explained in (True, False)
    )
    assert [item._replace(reasons=()) for item in every] == [item._replace(reasons=()) for item in counted]


def test_most_are_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways are taken, or the other tests would compare little."""
    taken: Counter[str] = Counter()

    def counting(*given: Any) -> Any:
        judged = judge(*given)
        taken["single"] += len(judged)
        return judged

    monkeypatch.setattr(module, "judge", counting)
    for seed in range(100):
        found = world(Random(seed))
        taken["all"] += len(recommend_window(found, "encrypt", WINDOW, Thresholds(), provider).judgements)
    assert 0.1 < taken["single"] / taken["all"] < 0.8
