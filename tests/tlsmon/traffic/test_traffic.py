"""Traffic: what counts, over which time, and in which words."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.logs import FAILED, SENT, encrypted, ingest, line, silent

from tlsmon.store.table import Table
from tlsmon.traffic.model import Counts, Group, Period, Silence, Traffic
from tlsmon.traffic.shares import traffic
from tlsmon.traffic.summary import advice, sentence
from tlsmon.wording import percent, span

DAY = 86_400
FILTER = (
    "4F000A: to=<a@d1.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, "
    "status=sent (250 ok)"
)

counts = st.builds(Counts, *[st.integers(0, 1000)] * 5)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Return a store: day one half encrypted, day two encrypted and without a connection, a silent host on both."""
    text = b"".join(
        [
            encrypted(0, 1, 100),
            silent(60, 9, 100),
            encrypted(120, 2, 100),
            line(130, FILTER),
            line(140, SENT.format(7, 1000), 100, host="mute"),
            encrypted(DAY, 1, 900),
            line(DAY + 60, FAILED.format(3, 3000), 900),
            line(DAY + 140, SENT.format(7, 1000), 100, host="mute"),
        ]
    )
    (tmp_path / "mail.log").write_bytes(text)
    ingest(tmp_path / "store", tmp_path / "mail.log")
    return Table.open(str(tmp_path / "store"))


def test_days(table: Table) -> None:
    """Only mail to hosts on the internet counts; unknown is neither encrypted nor plaintext."""
    found = traffic(table)
    assert found.rows == [
        ("2026-11-20", None, Counts(4, 4, 2, 1, 1)),
        ("2026-11-21", None, Counts(2, 2, 1, 0, 1)),
    ]
    assert found.total == Counts(6, 6, 3, 1, 2)
    assert (found.first, found.last) == (
        datetime(2026, 11, 20, 9, 58, 0, 500_000, tzinfo=UTC),
        datetime(2026, 11, 21, 10, 0, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("by", "label"), [(Period.DAY, "2026-11-20"), (Period.WEEK, "2026-W47"), (Period.MONTH, "2026-11")], ids=str
)
def test_periods(table: Table, by: Period, label: str) -> None:
    """A period is labelled in a way that sorts by time; periods together have all mail."""
    found = traffic(table, by)
    assert found.rows[0].period == label
    assert sum((row.counts for row in found.rows), Counts()) == traffic(table).total


@pytest.mark.parametrize(
    ("group", "parts"),
    [
        (Group.DOMAIN, {"d1.example", "d2.example", "d7.example", "d9.example"}),
        (Group.PROVIDER, {"example.org"}),
        (Group.HOST, {"mx", "mute"}),
    ],
    ids=["domain", "provider", "host"],
)
def test_groups(table: Table, group: Group, parts: set[str]) -> None:
    """Each group has its own rows, and all of them together have all mail."""
    found = traffic(table, Period.MONTH, group)
    assert {row.group for row in found.rows} == parts
    assert sum((row.counts for row in found.rows), Counts()) == found.total == traffic(table).total


@pytest.mark.parametrize("group", list(Group), ids=str)
def test_order(tmp_path: Path, group: Group) -> None:
    """Oldest period first, the busiest group first within it, equal ones by name."""
    busy = [line(day * DAY + 10 * number, SENT.format(9, 1000), 100) for day in range(2) for number in range(3)]
    few = [
        line(DAY + 100 + number, SENT.format(number, 1000), 101 + number, host=f"mx{number}") for number in (7, 1, 4)
    ]
    (tmp_path / "mail.log").write_bytes(b"".join(busy + few))
    ingest(tmp_path / "store", tmp_path / "mail.log")
    rows = traffic(Table.open(str(tmp_path / "store")), Period.DAY, group).rows
    assert rows == sorted(rows, key=lambda row: (row.period, -row.counts.deliveries, row.group or ""))
    assert len({(row.period, row.group) for row in rows}) == len(rows)
    assert [row.counts.deliveries for row in rows][:2] == [3, 6 if group in (Group.PROVIDER, Group.CLIENT) else 3]


@pytest.mark.parametrize("domain", ["d1.example' OR 1=1 --", "''", "d1.example\\"], ids=ascii)
def test_domain_is_only_a_value(table: Table, domain: str) -> None:
    """A domain cannot be mistaken for a part of the query."""
    assert traffic(table, domain=domain).rows == []


def test_window(table: Table) -> None:
    """The first and the last day are part of the window, nothing else is."""
    first, second = date(2026, 11, 20), date(2026, 11, 21)
    assert traffic(table, domain="d1.example", window=(second, second)).total == Counts(1, 1, 1)
    assert traffic(table, window=(None, first)).total == Counts(4, 4, 2, 1, 1)
    assert traffic(table, window=(date(2026, 11, 22), None)).rows == []


def test_silent_host_is_named(table: Table) -> None:
    """A host whose log says nothing about TLS is named with the setting to change; others are not."""
    (silence,) = traffic(table).silences
    assert (silence.host, silence.sent, silence.always) == ("mute", 2, True)
    assert advice(silence) == (
        "The log of mute (Postfix) says nothing about TLS, so 2 mails sent are unknown: "
        "set smtp_tls_loglevel = 1 in main.cf and reload Postfix."
    )


def test_advice_names_the_time_and_exim() -> None:
    """Where only a part of the time is silent, that part is named."""
    first, last = datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
    assert advice(Silence(None, "exim", 1, first, last, always=False)) == (
        "The log of a host that its log does not name (Exim) says nothing about TLS from 3 to 4 Nov 2026, "
        "so 1 mail sent are unknown: set log_selector = +tls_cipher +tls_certificate_verified in the main section "
        "and restart Exim."
    )


@given(counts, counts, counts)
def test_counts_add(one: Counts, two: Counts, three: Counts) -> None:
    """Counts add up, in any order and grouping; nothing is the empty sum."""
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + Counts() == one


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_hundred_percent_is_exact(encrypted: int, plaintext: int) -> None:
    """0% and 100% are said only where they are exactly true."""
    share = Counts(encrypted=encrypted, plaintext=plaintext).share_encrypted
    if share is None:
        assert encrypted + plaintext == 0
        return
    assert (percent(share) == "100%") == (plaintext == 0)
    assert (percent(share) == "0%") == (encrypted == 0)


FIRST = datetime(2026, 11, 1, 3, tzinfo=UTC)
LAST = datetime(2026, 11, 14, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (Counts(12_400, 12_345, 12_000, 345), "97.2% were encrypted; 345 went in clear."),
        (Counts(12_400, 12_345, 12_345), "100% were encrypted; none went in clear."),
        (
            Counts(12_400, 12_345, 12_000, 300, 45),
            "at least 97.2% were encrypted; 300 went in clear, 45 are unknown.",
        ),
        (
            Counts(12_400, 12_345, 12_344, 0, 1),
            "at least 99.9% were encrypted; none is known to have gone in clear, 1 is unknown.",
        ),
        (
            Counts(12_400, 12_345, 0, 0, 12_345),
            "it is not known of any whether it was encrypted: the log does not tell.",
        ),
    ],
    ids=["clear", "all", "some unknown", "one unknown", "nothing known"],
)
def test_sentence(total: Counts, said: str) -> None:
    """The first line says how many mails, when, and what is known of them."""
    found = Traffic(Period.DAY, None, [], total, FIRST, LAST)
    assert sentence(found) == f"Of 12,345 mails sent to the internet from 1 to 14 Nov 2026, {said}"


def test_sentence_without_mail() -> None:
    """An empty time and a time of failures are not shares of anything."""
    assert sentence(Traffic(Period.DAY, None, [], Counts(), None, None)).startswith("No mail to the internet")
    failed = Traffic(Period.DAY, None, [], Counts(3), FIRST, FIRST)
    assert sentence(failed) == "None of 3 attempts on 1 Nov 2026 delivered a mail to the internet."


def test_spans() -> None:
    """A span names month and year once where they are the same."""
    assert span(datetime(2026, 10, 30, tzinfo=UTC), LAST) == "30 Oct to 14 Nov 2026"
    assert span(datetime(2025, 12, 31, tzinfo=UTC), LAST) == "31 Dec 2025 to 14 Nov 2026"
