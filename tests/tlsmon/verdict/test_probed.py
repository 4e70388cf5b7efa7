"""What probes may change in a verdict, and what they may not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from tests.tlsmon.verdict.stories import START, observations

from tlsmon.evidence.looks import Look, LookedAt, gathered
from tlsmon.evidence.model import Observation
from tlsmon.provider import provider
from tlsmon.verdict.model import Judgement, Level, Thresholds, Verdict
from tlsmon.verdict.recommend import Window, recommend

SAFE, UNPROVEN, LOSES, DELAYS = Verdict.SAFE, Verdict.UNPROVEN, Verdict.LOSES, Verdict.DELAYS
BEGIN = datetime.fromtimestamp(START / 1_000_000, UTC)
LATER = BEGIN + timedelta(hours=6)
"""After everything in a story."""
YES, NO, UNKNOWN = "yes", "no", "unknown"
DOMAIN = "example.com"


def ip_of(name: str) -> str:
    """Return the address that a host has in the stories."""
    (first, *_) = observations(f"{name}=e")
    assert first.address.ip
    return first.address.ip


def host(
    name: str,
    answer: str | Mapping[str, str] = YES,
    ip: str | None = None,
    *,
    preference: int = 10,
    ending: str = "encrypted",
    trust: str = "trusted",
    not_after: datetime = BEGIN + timedelta(days=60),
) -> LookedAt:
    """Return an address of ``NAME.example.com``; ``answer``: at all levels, or by level."""
    answers = {str(level): answer if isinstance(answer, str) else answer.get(level, YES) for level in Level}
    return LookedAt(f"{name}.{DOMAIN}", preference, ip or ip_of(name), 25, ending, trust, not_after, answers)


def clear(name: str, preference: int = 10, ip: str | None = None) -> LookedAt:
    """Return an address that does not offer STARTTLS."""
    return host(name, NO, ip, preference=preference, ending="not_offered", trust="untold")


def look(*addresses: LookedAt, time: datetime = LATER, route: str = "mx", left_out: int = 0) -> Look:
    """Return a look at the domain."""
    answers = {}
    for level in Level:
        found = {address.answers[level] for address in addresses}
        answers[str(level)] = found.pop() if len(found) == 1 else "some" if {YES, NO} <= found else UNKNOWN
    return Look(DOMAIN, time, "probe.example", route, left_out, answers, addresses)


def judged(story: str, *found: Look, level: Level = Level.ENCRYPT, validates: bool = False, **more: str) -> Judgement:
    """Judge a story together with looks, by what was seen alone."""
    seen: list[Observation] = list(observations(story))
    for domain, other in more.items():
        seen += observations(other, domain.replace("_", "."))
    window = Window(BEGIN, BEGIN + timedelta(days=1))
    asked = Thresholds(max_share=1.0, sender_validates=validates)
    moment = max([LATER, *(each.time for each in found)])
    result = recommend(seen, level, window, asked, provider, looks=gathered(found, moment) if found else None)
    return next(item for item in result.judgements if item.domain == DOMAIN)


@pytest.mark.parametrize(
    ("story", "found", "verdict", "words"),
    [
        pytest.param("a=eeeee", look(host("a")), SAFE, "every MX host passes", id="agree"),
        pytest.param(
            "a=eeeee", look(host("a"), clear("b", 20)), UNPROVEN,
            "b.example.com (MX 20) took no mail in the log and does not offer STARTTLS", id="clear backup",
        ),
        pytest.param(
            "a=eeeee", look(host("a"), clear("b", 10)), UNPROVEN, "b.example.com (MX 10)", id="clear and equal, unseen"
        ),
        pytest.param(
            "a=eeeee", look(host("a"), host("b", UNKNOWN, ending="untold", preference=20)), UNPROVEN,
            "could not be tested", id="backup that could not be tested",
        ),
        pytest.param("a=eeeee", look(host("a"), host("b", preference=20)), SAFE, "every MX host", id="good backup"),
        pytest.param(
            "a=eeeee", look(host("a"), host("b", ip="192.0.2.8"), clear("b", ip="192.0.2.9")), UNPROVEN,
            "at 1 of 2 addresses", id="backup with one clear address",
        ),
        pytest.param("a=eeeee", look(clear("a")), UNPROVEN, "and took mail well on 14 Nov", id="lost STARTTLS since"),
        pytest.param(
            "a=eeeee", look(host("a"), clear("a", ip="192.0.2.9"), time=BEGIN), UNPROVEN, "at 1 of 2 addresses",
            id="an address that took no mail",
        ),
        pytest.param("a=eeeee", look(host("a", UNKNOWN, ending="untold")), SAFE, "", id="seen, not tested"),
        pytest.param("a=eeeee", look(clear("a"), time=BEGIN), SAFE, "", id="the log is fresher"),
        pytest.param("a=ppppp", look(host("a")), LOSES, "only mail that passes can undo that", id="never undoes loss"),
        pytest.param(
            "a=ppppp", look(clear("a"), host("b", ip="192.0.2.9", preference=20)), LOSES,
            "b.example.com (MX 20) passes and took no mail", id="a backup that was not needed",
        ),
        pytest.param("a=epep", look(host("a")), DELAYS, "only mail that passes", id="never undoes delays"),
        pytest.param("a=e.e.e b=.p.p", look(host("a"), clear("b")), SAFE, "", id="the log knows it"),
        pytest.param(
            "a=e.e.e b=.p.p.", look(host("a"), host("b", NO, ending="refused")), UNPROVEN,
            "b.example.com refuses STARTTLS", id="what a refusal bounces nobody reroutes",
        ),
        pytest.param("a=eeeee", look(host("b")), UNPROVEN, "a.example.com did: the domain may have moved", id="moved"),
        pytest.param("a=eeeee", look(route="null"), UNPROVEN, "takes no mail (null MX)", id="null MX"),
        pytest.param("a=eeeee", look(route="missing"), UNPROVEN, "neither an MX record", id="gone"),
        pytest.param("a=eeeee", look(route="untold"), SAFE, "", id="DNS did not answer"),
        pytest.param("a=eeeee", look(host("a"), left_out=3), UNPROVEN, "3 further MX hosts", id="too many hosts"),
        pytest.param("a=.....", look(host("a")), None, "", id="no mail at all"),
        pytest.param("a=?????", look(host("a")), UNPROVEN, "", id="a probe does not tell how mail went"),
    ],
)  # fmt: skip
def test_encrypt(story: str, found: Look, verdict: Verdict | None, words: str) -> None:
    """A probe takes ``safe`` back where it finds what the log never saw, and makes no verdict better."""
    if verdict is None:
        with pytest.raises(StopIteration):
            judged(story, found)
        return
    item = judged(story, found)
    assert item.verdict is verdict
    assert words in "; ".join(item.reasons)


@pytest.mark.parametrize(
    ("story", "found", "verdict"),
    [
        pytest.param("a=ttttt", [], UNPROVEN, id="Postfix logs no names"),
        pytest.param("a=ttttt", [look(host("a"))], SAFE, id="the name is told"),
        pytest.param("a=ttttt", [look(host("a", NO))], LOSES, id="another name"),
        pytest.param("a=ttttt", [look(host("a", NO, trust="private"))], UNPROVEN, id="other authorities here"),
        pytest.param("a=ttttt", [look(clear("a"))], UNPROVEN, id="no STARTTLS now"),
        pytest.param("a=ttttt", [look(host("a", UNKNOWN))], UNPROVEN, id="not tested"),
        pytest.param("a=uuuuu other=t", [look(host("a"))], LOSES, id="the sender does not trust it"),
        pytest.param("a=uuuuu", [look(host("a"))], UNPROVEN, id="the sender may have no authorities"),
        pytest.param("a=eeeee other=t", [look(host("a"))], UNPROVEN, id="the log does not tell of trust"),
        pytest.param("a=ppppp", [look(host("a"))], LOSES, id="clear text is clear text"),
        pytest.param("a=t.t.t b=.t.t", [look(host("a"), host("b", NO))], SAFE, id="rerouted"),
        pytest.param("a=ttttt", [look(host("a"), host("a", NO, "192.0.2.9"))], UNPROVEN, id="an address unseen"),
        pytest.param("a=ttttt", [look(host("a", ip="192.0.2.8"))], SAFE, id="other addresses now"),
        pytest.param(
            "a=ttttt", [look(host("a", ip="192.0.2.8"), host("a", NO, "192.0.2.9"))], UNPROVEN, id="one of others"
        ),
        pytest.param("a=ttttt", [look(host("a"), host("b", NO, "192.0.2.9"))], UNPROVEN, id="backup with another name"),
        pytest.param(
            "a=ttttt", [look(host("a", NO), time=BEGIN), look(host("a"))], UNPROVEN, id="another name lately"
        ),
        pytest.param("a=ttttt", [look(host("a"), time=BEGIN), look(host("a", NO))], LOSES, id="another name now"),
        pytest.param(
            "a=ttttt", [look(host("a")), look(host("a", UNKNOWN), time=LATER + timedelta(hours=1))], SAFE,
            id="not tested the second time",
        ),
        pytest.param("a=ttttt", [look(host("a", not_after=LATER))], UNPROVEN, id="expired since"),
        pytest.param("exim a=ttttt", [look(host("a"))], UNPROVEN, id="not what Exim logs"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("level", [Level.VERIFY, Level.SECURE])
def test_names(story: str, found: list[Look], verdict: Verdict, level: Level) -> None:
    """A probe tells the name of a certificate that Postfix logged as trusted, and nothing else."""
    assert judged(story, *found, level=level).verdict is verdict


@pytest.mark.parametrize(
    ("story", "answer", "validates", "verdict"),
    [
        ("a=ttttt", YES, False, UNPROVEN),
        ("a=ttttt", YES, True, SAFE),
        ("a=uuuuu", YES, True, SAFE),
        ("a=eeeee", NO, False, LOSES),
        ("a=eeeee", NO, True, LOSES),
        ("a=eeeee", UNKNOWN, True, UNPROVEN),
        ("a=aaaaa", YES, True, LOSES),
        ("exim a=eeeee", YES, True, UNPROVEN),
        ("a=ddddd", YES, False, SAFE),
        ("a=ddddd", UNKNOWN, False, SAFE),
        ("a=ddddd", NO, False, UNPROVEN),
    ],
)
def test_dane_only(story: str, answer: str, validates: bool, verdict: Verdict) -> None:
    """DANE needs a sender that can, besides a recipient that offers it; without an offer it would lose all mail."""
    found = judged(story, look(host("a", {"dane-only": answer})), level=Level.DANE_ONLY, validates=validates)
    assert found.verdict is verdict


def test_dane_of_sessions_that_could_not_have_it() -> None:
    """Clear text now, where the log saw TLS, is a disagreement; and of unknown sessions nothing is said."""
    now_clear = look(host("a", {"dane-only": NO}, ending="not_offered"))
    assert judged("a=eeeee", now_clear, level=Level.DANE_ONLY).verdict is UNPROVEN
    without = look(host("a", {"dane-only": NO}))
    assert judged("a=?????", without, level=Level.DANE_ONLY).fates.unknown == 5


def test_addresses_of_a_host_are_told_apart() -> None:
    """Where one address of a host passes and the other one is known to be in clear, mail goes to the first."""
    good, bad = list(observations("a=t.t.t.t")), list(observations("a=.p.p.p."))
    bad = [item._replace(address=item.address._replace(ip="192.0.2.9")) for item in bad]
    known = gathered([look(host("a"), clear("a", ip="192.0.2.9"))], LATER)
    window, asked = Window(BEGIN, LATER), Thresholds(max_share=1.0)
    (item,) = recommend([*good, *bad], Level.VERIFY, window, asked, provider, looks=known).judgements
    assert (item.verdict, item.fates.delivered, item.fates.rerouted) == (SAFE, 4, 3)


def test_a_host_is_known_whoever_is_served() -> None:
    """The name of an MX host was told by a look at one domain: the mail of another there counts as well at verify."""
    shared = list(observations("a=ttt"))
    mine = [item._replace(domain="other.test") for item in shared]
    window, asked = Window(BEGIN, LATER), Thresholds(max_share=1.0)
    known = gathered([look(host("a"))], LATER)
    verdicts = {
        (item.domain, level): (item.verdict, item.fates.delivered)
        for level in (Level.VERIFY, Level.SECURE)
        for item in recommend([*shared, *mine], level, window, asked, provider, looks=known).judgements
    }
    assert verdicts == {
        ("example.com", "verify"): (SAFE, 3),
        ("other.test", "verify"): (SAFE, 3),
        ("example.com", "secure"): (SAFE, 3),
        ("other.test", "secure"): (UNPROVEN, 0),
    }


def test_disagreement_is_shown() -> None:
    """The judgement says what the probe found, when, from where, and whether the log says otherwise."""
    item = judged("a=ppppp", look(host("a")))
    assert item.probed
    assert (item.probed.time, item.probed.vantage, item.probed.answer) == (LATER, "probe.example", YES)
    assert item.probed.disagrees
    assert not judged("a=eeeee", look(host("a"))).probed.disagrees  # type: ignore[union-attr]
    assert not judged("a=eeeee", look(host("a"), clear("b"))).probed.disagrees  # type: ignore[union-attr]
    assert judged("a=eeeee", look(clear("a"))).probed.disagrees  # type: ignore[union-attr]
    assert judged("a=eeeee").probed is None


def test_why_a_name_loses() -> None:
    """The reason names the certificate, not the protocol; an old protocol remains the reason where it is one."""
    named = judged("a=ttttt", look(host("a", NO)), level=Level.VERIFY)
    assert "a.example.com has a certificate for another name: 5 of 5 sessions" in named.reasons
    old = judged("a=11111", look(host("a", NO)), level=Level.VERIFY)
    assert "a.example.com uses TLSv1, which this level refuses: 5 of 5 sessions" in old.reasons


def test_a_smarthost_is_not_the_mx() -> None:
    """Where one hop takes all mail, what lies behind it changes no verdict."""
    mail = [item._replace(address=item.address._replace(port=587)) for item in observations("a=eeeee")]
    known = gathered([look(clear("a"))], LATER)
    found = recommend(mail, Level.ENCRYPT, Window(BEGIN, LATER), Thresholds(max_share=1.0), provider, looks=known)
    assert found.smarthost
    assert [item.verdict for item in found.judgements] == [SAFE]


def test_nothing_without_looks_changes() -> None:
    """A look at another domain changes nothing of this one."""
    other = look(clear("a"))._replace(domain="somewhere.test")
    assert judged("a=eeeee", other) == judged("a=eeeee")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], UNPROVEN),
        ([look(host("a"), clear("b"))], SAFE),
        ([look(host("a"), clear("b"), time=BEGIN), look(host("a"), host("b", NO, ending="refused"))], UNPROVEN),
        ([look(host("a"), host("b", NO, ending="refused"))], UNPROVEN),
        ([look(host("a"), host("b", NO, ending="broken"))], UNPROVEN),
    ],
    ids=["not asked", "not offered", "refused since", "refused", "broken"],
)
def test_a_probe_tells_whether_starttls_may_be_refused(found: list[Look], verdict: Verdict) -> None:
    """In the log, clear text may be a refusal with 5xx, after which Postfix tries no other host."""
    thresholds = Thresholds()
    story = list(observations("a=" + "e" * 320 + " b=" + "p" * 320))
    window = Window(BEGIN - timedelta(days=1), LATER + timedelta(days=1))
    looks = gathered(found, LATER + timedelta(days=1)) if found else None
    (judgement,) = recommend(story, "encrypt", window, thresholds, provider, looks=looks).judgements
    assert judgement.verdict is verdict, judgement.reasons
