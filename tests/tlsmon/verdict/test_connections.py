"""Mail that went over the connections of other mail tells nothing of its own: sessions are counted by connection."""

from datetime import UTC, datetime

import pytest
from tests.tlsmon.verdict.stories import columns_of, observations

from tlsmon.evidence.model import Observation
from tlsmon.provider import provider
from tlsmon.verdict.model import Fates, Judgement, Thresholds
from tlsmon.verdict.recommend import Window, recommend
from tlsmon.verdict.window import recommend_window

WINDOW = Window(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC))


def judged(items: list[Observation], max_share: float = 0.01) -> Judgement:
    """Return what is said of the only domain, which is the same in both ways of judging."""
    thresholds = Thresholds(max_share=max_share)
    (plainly,) = recommend(items, "encrypt", WINDOW, thresholds, provider).judgements
    (by_column,) = recommend_window(columns_of(items), "encrypt", WINDOW, thresholds, provider).judgements
    assert plainly == by_column
    return plainly


def mails(story: str, number: int, connections: int) -> list[Observation]:
    """Return a story in which each letter stands for some mails over some connections."""
    return [item._replace(attempts=number, connections=connections) for item in observations(story)]


@pytest.mark.parametrize(("connections", "verdict"), [(300, "safe"), (299, "safe"), (298, "unproven"), (3, "unproven")])
def test_the_bound_goes_by_connections(connections: int, verdict: str) -> None:
    """Three hundred recipients of three mails have shown three times that STARTTLS is there."""
    found = judged(mails("a=e", 300, connections))
    assert (str(found.verdict), found.mails) == (verdict, 300)
    assert found.affected_upper_bound == pytest.approx(1 - 0.05 ** (1 / connections))
    assert (f"300 mails over {connections} connections are too few to be sure of 1.0%" in found.reasons) is (
        verdict == "unproven"
    )


def test_mail_without_a_connection_of_its_own() -> None:
    """All of a domain's mail went over connections that were opened for others: there was one at least."""
    found = judged(mails("a=eee", 100, 0))
    assert found.affected_upper_bound == pytest.approx(0.95)
    assert found.fates == Fates(delivered=300)


def test_sessions_in_the_reasons() -> None:
    """What is called a session is one."""
    found = judged(mails("a=p", 50, 2))
    assert found.reasons[1] == "a.example.com took mail in clear: 2 of 2 sessions"
    assert (str(found.verdict), found.fates) == ("loses", Fates(lost=50))


@pytest.mark.parametrize(("connections", "rerouted"), [(20, 0), (1, 20)])
def test_a_burst_does_not_show_that_the_other_host_is_gone(connections: int, rerouted: int) -> None:
    """Twenty mails over one connection chose their host once."""
    first = mails("a=eeeeee", 1, 1)
    burst = [item._replace(last=item.first + 60_000_000) for item in mails("b=......p", 20, connections)]
    found = judged([*first, *burst], max_share=1.0)
    assert found.fates.rerouted == rerouted


def test_a_host_of_which_no_connection_is_known_goes_away_as_well() -> None:
    """Its one mail, over a connection that served another domain, does not keep it in use for ever."""
    before = mails("a=e", 1, 0)
    after = [item for minute in range(40) for item in mails("b=" + "." * (minute + 1) + "p", 1, 1)]
    found = judged([*before, *after], max_share=1.0)
    assert found.fates.rerouted == 0


@pytest.mark.parametrize(("connections", "rerouted"), [(1, 40), (100, 0)])
def test_a_big_mailing_that_is_put_off_says_no_more_than_a_mail(connections: int, rerouted: int) -> None:
    """A host that once answers 450 to a hundred recipients can still take what another one is refused."""
    regular = mails("a=" + "p." * 40 + " b=" + ".e" * 40 + " exim", 1, 1)
    put_off = mails("b=f exim", 100, connections)
    assert judged([*regular, *put_off], max_share=1.0).fates.rerouted == rerouted
