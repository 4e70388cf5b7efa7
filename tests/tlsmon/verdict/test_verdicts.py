"""The table of verdicts that a mail administrator can read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.tlsmon.verdict.stories import observations

from tlsmon.evidence.model import Address, Sender
from tlsmon.provider import provider
from tlsmon.verdict.model import Fates, Thresholds
from tlsmon.verdict.recommend import Window, recommend

TABLE = Path(__file__).parents[2] / "tables" / "verdicts.txt"
WINDOW = Window(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC))


class Case(NamedTuple):
    """One row of the table."""

    level: str
    verdict: str
    mails: int
    fates: Fates
    story: str
    because: str


def _cases() -> list[Case]:
    rows = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    cases = []
    for row in rows:
        level, verdict, numbers, story, because = (field.strip() for field in row.split("|"))
        mails, *fates = map(int, numbers.split())
        cases.append(Case(level, verdict, mails, Fates(*fates), story, because))
    return cases


@pytest.mark.parametrize("case", _cases(), ids=lambda case: f"{case.level}: {case.because}")
def test_story(case: Case) -> None:
    """A story is judged as the table says, and its mails are told by fate."""
    found = recommend(list(observations(case.story)), case.level, WINDOW, Thresholds(max_share=1.0), provider)
    judgement = next(item for item in found.judgements if item.domain == "example.com")
    assert (judgement.verdict, judgement.mails, judgement.fates) == (case.verdict, case.mails, case.fates), (
        judgement.reasons
    )
    assert sum(judgement.fates) == judgement.mails


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("a=" + "e" * 400 + " b=" + "p" * 400, "unproven"),
        ("a=" + "e" * 400 + " b=" + "p" * 400 + " exim", "safe"),  # goes on to the next host whatever the refusal
        ("a=" + "e" * 400 + " b=" + "p" * 399 + "n", "safe"),  # seen not to offer STARTTLS
        ("a=" + "e" * 400 + " b=" + "." * 399 + "p" + " a=e", "safe"),  # one mail in 400
    ],
    ids=["postfix", "exim", "not offered", "few"],
)
def test_host_in_clear_may_refuse_for_good(story: str, expected: str) -> None:
    """Where much mail relies on another host, a 5xx to STARTTLS, which no log at ``may`` shows, is asked about."""
    (judgement,) = recommend(list(observations(story)), "encrypt", WINDOW, Thresholds(), provider).judgements
    assert (str(judgement.verdict), judgement.fates.lost) == (expected, 0)
    assert ("tlsmon probe" in " ".join(judgement.reasons)) == (("p" in story and expected != "safe") or "..p" in story)


@pytest.mark.parametrize("branch", ["branch", "mail"])
def test_relay_is_no_way_out(branch: str) -> None:
    """A relay at a submission port, of this sender or another one, takes no mail that an MX host is refused for."""
    direct = list(observations("mx=ppp"))
    relayed = [
        item._replace(sender=Sender("postfix", branch, None), address=Address("smart.relay.test", "192.0.2.9", 587))
        for item in observations("mx=eeee")
    ]
    (judgement,) = recommend([*direct, *relayed], "encrypt", WINDOW, Thresholds(max_share=1.0), provider).judgements
    assert (judgement.verdict, judgement.mails, judgement.fates) == ("loses", 7, Fates(delivered=4, lost=3))


@pytest.mark.parametrize(
    ("elsewhere", "expected"),
    [
        ("", ("loses", 0)),
        ("....eeeeee", ("safe", 2)),
        ("....pppppp", ("loses", 0)),
        ("....epepepep", ("delays", 0)),
        ("eee", ("unproven", 2)),
    ],
    ids=["unknown", "good", "in clear", "now and then", "good until this one appeared"],
)
def test_all_addresses_of_an_mx_host_count(elsewhere: str, expected: tuple[str, int]) -> None:
    """What another domain's mail shows of a second address of the same MX host speaks for this domain, too."""
    mine = list(observations("mx=....pp exim"))
    second = mine[0].address._replace(ip="192.0.2.99")
    others = [item._replace(address=second) for item in observations(f"mx={elsewhere} exim", domain="other.test")]
    found = recommend([*mine, *others], "encrypt", WINDOW, Thresholds(max_share=1.0), provider).judgements
    judgement = next(item for item in found if item.domain == "example.com")
    assert (str(judgement.verdict), judgement.fates.rerouted) == expected


def test_address_that_an_mx_host_has_no_more_saves_nothing() -> None:
    """Another domain met it before; since then all mail to the host went to the first address, and its own would."""
    mine = list(observations("mx=" + "." * 20 + "p" * 10 + " exim"))
    former = mine[0].address._replace(ip="192.0.2.99")
    others = [item._replace(address=former) for item in observations("mx=" + "e" * 8 + " exim", domain="other.test")]
    found = recommend([*mine, *others], "encrypt", WINDOW, Thresholds(max_share=1.0), provider).judgements
    assert [str(item.verdict) for item in found] == ["loses", "unproven"]


def test_recipients_of_one_mail_are_one_choice_of_an_address() -> None:
    """An address is not gone for a few mails to many recipients that happened to go to the other one."""
    items = list(observations("a=eee... b=...pp"))
    (judgement,) = recommend(items, "encrypt", WINDOW, Thresholds(max_share=1.0), provider).judgements
    several = [item._replace(attempts=20, connections=20) for item in items]
    (of_several,) = recommend(several, "encrypt", WINDOW, Thresholds(max_share=1.0), provider).judgements
    assert judgement.fates == Fates(delivered=3, rerouted=2)
    assert of_several.fates == Fates(delivered=60, rerouted=40)


def test_addresses_of_one_host_are_told_apart() -> None:
    """Where an MX host has several addresses, the reasons say which of them they speak of."""
    first = list(observations("mx=pppp"))
    second = [item._replace(address=item.address._replace(ip="192.0.2.99")) for item in observations("mx=????")]
    (judgement,) = recommend([*first, *second], "encrypt", WINDOW, Thresholds(), provider).judgements
    assert "mx.example.com[192.0.2.109] took mail in clear: 4 of 4 sessions" in judgement.reasons
    assert "mx.example.com[192.0.2.99] took mail, but the log does not tell" in "; ".join(judgement.reasons)
    (judgement,) = recommend(first, "encrypt", WINDOW, Thresholds(), provider).judgements
    assert "mx.example.com took mail in clear: 4 of 4 sessions" in judgement.reasons


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("mx=" + "e" * 400 + "?" * 5, "unproven"),
        ("mx=" + "e" * 400 + "?" * 4, "safe"),
        ("mx=" + "e" * 200 + "?" * 30 + "e" * 200, "safe"),
    ],
    ids=["may have lost STARTTLS", "too few", "known again"],
)
def test_the_last_mails_of_which_the_log_does_not_tell(story: str, expected: str) -> None:
    """What a server did before says nothing of it where the log has not told of it since."""
    for asked in (Thresholds(), Thresholds(max_share=1.0)):
        (judgement,) = recommend(list(observations(story)), "encrypt", WINDOW, asked, provider).judgements
        assert str(judgement.verdict) == expected
    assert ("of the last 5 mails" in "; ".join(judgement.reasons)) == (expected == "unproven")


@pytest.mark.parametrize(
    ("story", "max_share", "expected"),
    [
        ("mx=" + "e" * 300 + "?e" * 300, 0.01, "unproven"),
        ("mx=" + "e" * 301 + "?e" * 299, 0.01, "safe"),
        ("mx=" + "?" * 900 + "e" * 300, 0.01, "safe"),
        ("mx=eeeee" + "?e" * 5, 1.0, "unproven"),
        ("mx=eeee" + "?e" * 4, 1.0, "safe"),
    ],
    ids=["a third", "less", "before the log told", "a third of few", "few"],
)
def test_mail_of_which_the_log_does_not_tell_among_the_rest(story: str, max_share: float, expected: str) -> None:
    """It may be just what went in clear, so much of it leaves a verdict open; what was before the log told does not."""
    asked = Thresholds(max_share=max_share)
    (judgement,) = recommend(list(observations(story)), "encrypt", WINDOW, asked, provider).judgements
    assert str(judgement.verdict) == expected
    assert ("may be just those in clear" in "; ".join(judgement.reasons)) == (expected == "unproven")
