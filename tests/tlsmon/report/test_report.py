"""The report: its figures are those of the other commands, and its words hold in quiet, odd and empty weeks."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.report.stores import START, filled
from tests.tlsmon.verdict.stories import observations

from tlsmon import api
from tlsmon.errors import TlsmonError
from tlsmon.evidence.model import Address, Observation, Sender
from tlsmon.report import compose, domains, facts
from tlsmon.report.model import Changes, Report, Section, Table
from tlsmon.report.register import Exemption
from tlsmon.store.table import Table as Rows
from tlsmon.verdict.model import Probed, Verdict

DAY = 86_400_000_000
HOSTILE = "<script>alert(1)</script>$x^2$\u202e\x1b[2J&amp;.test"


def section(report: Report, key: str) -> Section:
    """Return a part of a report."""
    (found,) = (part for part in report.sections if part.key == key)
    return found


def column(table: Table, key: str) -> list[object]:
    """Return a column of a table."""
    number = [column.key for column in table.columns].index(key)
    return [row[number] for row in table.rows]


def sent(domain: str, day: float, number: int = 1, security: str = "encrypted", **other: Any) -> Observation:
    """Return mails sent on a day of the synthetic world."""
    at = START + int(day * DAY)
    protocol = "TLSv1.3" if security == "encrypted" else None
    item = Observation(
        domain,
        Address(f"mx.{domain}", "192.0.2.1", 25),
        Sender("postfix", "mail", None),
        security,
        None,
        protocol,
        None,
        "sent",
        None,
        None,
        number,
        number,
        at,
        at,
    )
    return item._replace(**other)


def report_of(store: Path, *items: Observation, **asked: Any) -> Report:
    """Return the report on some observations."""
    filled(store, items)
    return compose.compose(facts.gather(Rows.open(str(store)), facts.Asked()._replace(**asked)))


def test_domains_are_those_of_recommend(year: Path, weekly: Report) -> None:
    """Each table of domains holds exactly the domains and mails that recommend gives for its verdict."""
    found = api.open(str(year)).recommend()
    for verdict in (Verdict.LOSES, Verdict.DELAYS, Verdict.UNPROVEN):
        (table,) = section(weekly, str(verdict)).tables
        expected = {(item.domain, item.mails) for item in found.verdicts(verdict)}
        assert expected, "the world is made so that each verdict occurs"
        assert set(zip(column(table, "domain"), column(table, "mails"), strict=True)) == expected


def test_ladder_is_that_of_recommend(year: Path, weekly: Report) -> None:
    """Every level of the ladder shows what recommend says at that level."""
    assert [rung.level for rung in weekly.ladder] == list(api.Level)
    for rung in weekly.ladder:
        found = api.open(str(year)).recommend(api.Level(rung.level))
        safe = found.verdicts(Verdict.SAFE)
        assert (rung.safe_domains, rung.safe) == (len(safe), sum(item.mails for item in safe))
        assert rung.mails == found.coverage.mails == rung.safe + rung.delays + rung.loses + rung.unproven


def test_weeks_are_those_of_traffic(year: Path, weekly: Report) -> None:
    """The weeks, at least 13, have the numbers that traffic gives for them."""
    rows = {row.period: row.counts for row in api.open(str(year)).traffic(api.Period.WEEK).rows}
    assert len(weekly.weeks) == 13
    for week in weekly.weeks:
        counts = rows[week.label]
        assert (week.sent, week.all_encrypted, week.plaintext, week.unknown) == counts[1:]
        assert week.share_encrypted == counts.share_encrypted


def test_policy_lines_are_the_safe_domains(year: Path, weekly: Report) -> None:
    """The policy names all safe domains and no other."""
    safe = {f"{item.domain} encrypt" for item in api.open(str(year)).recommend().verdicts(Verdict.SAFE)}
    lines = [line for block in section(weekly, "plan").lines for line in block.lines]
    assert safe
    assert sorted(lines) == sorted(safe)


def test_exceptions_are_in_no_policy(tmp_path: Path) -> None:
    """A domain of the register is left out of the policy until the exception has expired, and the report says so."""
    items = [sent("keep.test", day, 300) for day in range(7)] + [sent("gone.test", day, 300) for day in range(7)]
    exemptions = (
        Exemption("gone.test", "me", "why not", date(2026, 1, 10)),
        Exemption("keep.test", "me", "partner", date(2026, 2, 1)),
    )
    report = report_of(tmp_path, *items, exemptions=exemptions)
    (block,) = section(report, "plan").lines
    assert block.lines == ("gone.test encrypt",)
    assert block.text == ("Left out by the exceptions register: 1 domain.",)
    (table,) = section(report, "exceptions").tables
    assert column(table, "note") == ["expired 1 day ago", "not needed any more: safe"]


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ("plaintext", "encrypted", "newly_ready"),
        ("encrypted", "plaintext", "regressed"),
        ("unknown", "plaintext", "newly_failing"),
        (None, "plaintext", "newly_failing"),
        (None, "encrypted", "newly_ready"),
        ("encrypted", "encrypted", None),
        ("plaintext", "plaintext", None),
        (None, "unknown", None),
    ],
)
def test_changes(tmp_path: Path, before: str | None, now: str, kind: str | None) -> None:
    """A change is named for what was and what is; no change, and nothing new to say, is none."""
    old = [sent("a.test", day, 400, before) for day in (1, 2, 3)] if before else []
    new = [sent("a.test", day, 400, now) for day in (9, 10, 11, 12, 13.9)]
    report = report_of(tmp_path, *old, sent("other.test", 2), *new)
    named = {field for field, names in report.changes._asdict().items() if "a.test" in names}
    assert named == ({kind} if kind else set())


def test_first_week_has_no_changes(tmp_path: Path) -> None:
    """Where nothing is known of a week ago, nothing is called a change."""
    report = report_of(tmp_path, *(sent("a.test", day, 400) for day in (1, 2, 3)))
    assert report.changes == Changes()
    (table,) = section(report, "changes").tables
    assert table.empty == report.unchanged == "There is no earlier week in the store to compare with."


def test_running_week(tmp_path: Path) -> None:
    """The week that is over is reported; the running one only where it is the only one, and then it says so."""
    filled(tmp_path, [sent("a.test", 8)])
    only = api.open(str(tmp_path)).report()
    assert (only.weeks[-1].label, "not over yet" in only.subtitle) == ("2026-W03", True)
    filled(tmp_path, [sent("a.test", 2)])
    both = api.open(str(tmp_path)).report()
    assert (both.weeks[-1].label, "not over yet" in both.subtitle) == ("2026-W02", False)


def test_reporting_hosts(tmp_path: Path) -> None:
    """Hosts with a name come first; the one without is told apart from a name."""
    senders = [Sender("postfix", host, None) for host in ("mail2", None, "mail1")]
    report = report_of(tmp_path, *(sent("a.test", 1)._replace(sender=sender) for sender in senders))
    assert report.subtitle.endswith("as logged by mail1, mail2 and a host that its log does not name")
    assert "Reporting hosts: mail1, mail2 and one that its log" in section(report, "method").text[2]


def test_change_of_the_share(tmp_path: Path) -> None:
    """The share of the week stands beside its change, in percentage points, and without one where it is the first."""
    first = [sent("a.test", 1, 3), sent("b.test", 1, 1, "plaintext")]
    assert report_of(tmp_path / "one", *first).key_figures[0] == ("75.0%", "encrypted")
    second = [sent("a.test", 8, 8), sent("b.test", 13.99, 2, "plaintext")]
    assert report_of(tmp_path / "two", *first, *second).key_figures[0] == ("80.0%", "encrypted, +5.0 points")


@pytest.mark.parametrize("days", [(1, 8), (7.5, 8)], ids=["week over", "running week"])
def test_as_of_sees_nothing_later(tmp_path: Path, days: tuple[float, float]) -> None:
    """A report as of a moment does not change by what comes after it, not even later in the same week."""
    moment = datetime(2026, 1, 14, tzinfo=UTC)
    first = report_of(tmp_path, *(sent("a.test", day) for day in days), as_of=moment)
    assert report_of(tmp_path, sent("a.test", 9.5, 50, "plaintext"), as_of=moment) == first


def test_empty_store(tmp_path: Path) -> None:
    """A store without mail gives a report that says so in each part, and no domain is called anything."""
    report = report_of(tmp_path, as_of=datetime(2026, 1, 14, tzinfo=UTC))
    assert report.sentence == "No mail was sent to the internet this week; no domain can be judged."
    assert [week.sent for week in report.weeks] == [0] * 13
    assert section(report, "plan").lines == ()
    assert not any(table.rows for part in report.sections[:-2] for table in part.tables)


def test_unknown_is_not_counted(tmp_path: Path) -> None:
    """The share is one of the mails that the log tells of; with none it is not made up."""
    some = report_of(
        tmp_path / "some", sent("a.test", 1, 3), sent("b.test", 2, 1, "plaintext"), sent("c.test", 3, 6, "unknown")
    )
    assert some.sentence.startswith(
        "75.0% of the 4 mails of which the log tells went encrypted this week (6 are unknown);"
    )
    none = report_of(tmp_path / "none", sent("a.test", 1, 3, "unknown"))
    assert none.sentence.startswith("Of 3 mails sent this week it is not known how many were encrypted;")
    assert any("smtp_tls_loglevel" in notice for notice in none.notices)


def test_enforced_failures(tmp_path: Path) -> None:
    """What fails only because TLS is mandatory is named; a handshake that fails at an unknown level may be harmless."""
    failed: dict[str, Any] = {"security": "none", "protocol": None, "outcome": "deferred"}
    report = report_of(
        tmp_path,
        sent("a.test", 1, 4)._replace(**failed, cause="tls_not_offered"),
        sent("b.test", 1, 2)._replace(**failed, cause="tls_handshake"),
        sent("c.test", 1, 3)._replace(**failed, cause="tls_handshake", level="encrypt"),
        sent("d.test", 1, 9)._replace(**failed, cause="unrelated", level="encrypt"),
    )
    (table,) = section(report, "enforced").tables
    assert list(zip(column(table, "domain"), column(table, "attempts"), strict=True)) == [("a.test", 4), ("c.test", 3)]


def test_gaps(tmp_path: Path) -> None:
    """Days without a delivery between others are named for each host."""
    report = report_of(tmp_path, sent("a.test", 1), sent("a.test", 2), sent("a.test", 6), sent("a.test", 7))
    gaps = section(report, "method").tables[0]
    assert gaps.rows == (("mail", date(2026, 1, 8), date(2026, 1, 10)),)


def lacks(store: Path, items: Iterable[Observation], **asked: Any) -> str:
    """Return what the report says that an unproven domain lacks."""
    filled(store, items)
    (item,) = api.open(str(store)).recommend(thresholds=api.Thresholds(**asked)).judgements
    assert item.verdict is Verdict.UNPROVEN
    return domains.missing(item, api.Thresholds(**asked))


MORE = "at least 294 more connections that the level accepts"
IN_CLEAR = "what hosts in clear answer to STARTTLS (`tlsmon probe`)"


@pytest.mark.parametrize(
    ("story", "words"),
    [
        ("a=eeeee", MORE),
        ("a=?????", "the log does not tell of 5 of 5 mails"),
        ("a=eeeee b=ppppp", f"{IN_CLEAR} and {MORE}"),
        ("a=" + "e" * 300 + " b=" + "p" * 300, IN_CLEAR),
    ],
)
def test_missing_evidence(story: str, words: str, tmp_path: Path) -> None:
    """An unproven domain is told what it lacks."""
    assert lacks(tmp_path, observations(story)) == words


def test_missing_evidence_of_a_big_mailing(tmp_path: Path) -> None:
    """A mail to thousands shows once that TLS is there; more of it is not what lacks."""
    mailing = [item._replace(attempts=2_000) for item in observations("a=eeeee")]
    assert lacks(tmp_path / "a", mailing) == MORE
    assert lacks(tmp_path / "b", mailing, min_mails=20_000, max_share=1) == "10,000 more mails"


def test_missing_evidence_after_a_probe(tmp_path: Path) -> None:
    """What a probe took back needs one that passes."""
    filled(tmp_path, observations("a=" + "e" * 400))
    (item,) = api.open(str(tmp_path)).recommend().judgements
    probed = Probed(datetime(2023, 11, 20, tzinfo=UTC), "here", "no", disagrees=True, findings=())
    assert domains.missing(item._replace(probed=probed), api.Thresholds()) == "a probe that it passes"


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    """What strangers write is shown as printable ASCII; a name that is no domain gets no policy line."""
    report = report_of(
        tmp_path, *(sent(HOSTILE, day, 200) for day in range(1, 14)), *(sent("a.test", day, 500) for day in (1, 10))
    )
    (block,) = section(report, "plan").lines
    assert block.lines == ("a.test encrypt",)
    assert "no policy can have them as key: 1 name" in block.text[0]
    texts = [text for part in report.sections for table in part.tables for row in table.rows for text in row]
    shown = [text for text in texts if isinstance(text, str) and "script" in text]
    assert shown
    assert all(text.isascii() and text.isprintable() for text in shown)


def test_reads_only_its_window(tmp_path: Path) -> None:
    """What lies before the weeks shown is not even opened: its files may be gone, and the report is the same."""
    for day in range(0, 210, 7):
        table = filled(tmp_path, [sent("a.test", day, 300), sent("b.test", day, 20, "plaintext")])
    first = compose.compose(facts.gather(table, facts.Asked()))
    files = sorted(tmp_path.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    assert len(files) == 30
    for file in files[: 30 - facts.WEEKS - 2]:
        file.unlink()
    assert compose.compose(facts.gather(Rows.open(str(tmp_path)), facts.Asked())) == first
    files[-3].unlink()
    with pytest.raises(TlsmonError, match=r"No such file|not found"):  # what is in the window is read
        facts.gather(Rows.open(str(tmp_path)), facts.Asked())
