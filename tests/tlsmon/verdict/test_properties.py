"""What holds for every story."""

from datetime import UTC, datetime
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.tlsmon.verdict.stories import observations

from tlsmon.evidence.model import Observation
from tlsmon.provider import provider
from tlsmon.verdict.bounds import Counts, Pool, upper_bound
from tlsmon.verdict.model import Judgement, Thresholds
from tlsmon.verdict.recommend import Window, recommend

WINDOW = Window(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC))
LEVELS = st.sampled_from(["encrypt", "verify", "secure", "dane-only"])
HOSTS = st.lists(st.text("etvuad1p?hnrxg.", min_size=1, max_size=14), min_size=1, max_size=4)
STORIES = HOSTS.map(lambda hosts: " ".join(f"{name}={story}" for name, story in zip("abcd", hosts, strict=False)))
COUNTS = st.builds(Counts, st.integers(0, 2_000), st.integers(0, 2_000))
POOLS = st.builds(lambda number, good: Pool(number, number, number * good, 0), st.integers(0, 60), st.integers(1, 500))
CONFIDENCES = st.floats(0.5, 0.999)
unhurried = settings(deadline=None)  # the first call imports scipy


def judged(found: list[Observation], level: str, max_share: float = 0.2) -> list[Judgement]:
    """Return the judgements of a world that small, with a bound that can be reached."""
    return recommend(found, level, WINDOW, Thresholds(max_share=max_share), provider).judgements


@unhurried
@given(STORIES, LEVELS)
def test_fates_add_up(story: str, level: str) -> None:
    """Every mail has one fate; encrypted, in clear and unknown ones are no more than the mails."""
    for item in judged(list(observations(story)), level):
        assert sum(item.fates) == item.mails
        assert item.encrypted + item.plaintext + item.unknown <= item.mails
        assert item.affected_upper_bound is None or 0 < item.affected_upper_bound <= 1


@unhurried
@given(STORIES, LEVELS, st.randoms(use_true_random=False))
@example("a=hrxn", "encrypt", Random(1))
@example("a=hrxn", "encrypt", Random(2))
def test_order_does_not_matter(story: str, level: str, random: Random) -> None:
    """The observations may come in any order."""
    found = list(observations(story))
    shuffled = random.sample(found, len(found))
    assert judged(shuffled, level) == judged(found, level)


@unhurried
@given(STORIES, LEVELS, st.integers(2, 5))
def test_rows_may_be_finer(story: str, level: str, parts: int) -> None:
    """The same attempts of the same moment in finer rows are judged alike."""
    coarse = [item._replace(attempts=parts, connections=parts) for item in observations(story)]
    fine = [item._replace(attempts=1, connections=1) for item in coarse for _ in range(parts)]
    assert judged(fine, level) == judged(coarse, level)


@unhurried
@given(STORIES, LEVELS, st.lists(st.sampled_from("ab"), max_size=5))
def test_unrelated_failures_change_nothing(story: str, level: str, hosts: list[str]) -> None:
    """A failure without TLS in it (no route, an unknown user before TLS) changes no verdict and no number."""
    found = list(observations(story))
    extra = [
        item._replace(security="none", cause="unrelated", outcome="deferred", authentication=None, protocol=None)
        for host in hosts
        for item in observations(f"{host}=ee")
    ]
    assert [item for item in judged([*found, *extra], level) if found] == judged(found, level) or not found


@unhurried
@given(COUNTS, POOLS, CONFIDENCES, st.integers(1, 100))
def test_bound_falls_with_good_evidence(own: Counts, others: Pool, confidence: float, more: int) -> None:
    """More good sessions never raise the bound; more bad ones never lower it."""
    bound = upper_bound(own, others, confidence)
    assert upper_bound(own._replace(good=own.good + more), others, confidence) <= bound + 1e-12
    assert upper_bound(own._replace(bad=own.bad + more), others, confidence) >= bound - 1e-12


@unhurried
@given(COUNTS, CONFIDENCES)
def test_bound_is_above_what_was_seen(own: Counts, confidence: float) -> None:
    """The bound is never below the share that was seen, and 1 where nothing good was."""
    bound = upper_bound(own, Pool(), confidence)
    assert bound >= own.bad / max(own.good + own.bad, 1)
    assert (bound == 1) == (own.good == 0)


@settings(unhurried, max_examples=20)
@given(st.integers(1, 60), st.floats(0.001, 0.9))
def test_bound_is_exceeded_as_seldom_as_stated(number: int, bad: float) -> None:
    """Over all outcomes of a known share the bound covers it at least as often as the confidence says."""
    from scipy.stats import binom  # noqa: PLC0415, slow to import

    covered = sum(
        float(binom.pmf(seen, number, bad))
        for seen in range(number + 1)
        if upper_bound(Counts(number - seen, seen), Pool(), 0.95) >= bad
    )
    assert covered >= 0.95 - 1e-9
