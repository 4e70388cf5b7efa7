"""The difference to the policy in use: nothing weaker, nothing lost, a reason for each line."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.model import Level
from tlsmon.policy import exim, postfix
from tlsmon.policy.diff import STRONGER, Kind, against_exim, against_postfix, render
from tlsmon.policy.model import LEVELS, Enforcement
from tlsmon.policy.table import read_exim, read_postfix

DOMAIN = st.sampled_from(["a.example", "b.example", "x.a.example", "y.x.a.example", "c.example"])
WISH = st.builds(Enforcement, DOMAIN, st.sampled_from(LEVELS), st.just("why"), st.just(()))
WISHES = st.lists(WISH, unique_by=lambda wish: wish.domain)
LINE = st.one_of(
    st.builds("{} {}\n".format, DOMAIN, st.sampled_from(Level)),
    st.builds(".{} {}\n".format, DOMAIN, st.sampled_from(Level)),
    st.sampled_from(
        ["\n", "# note\n", "  # note\n", " \t\n", "broken\n", "  ciphers=high\n", "a.example encrypt # x\n"]
    ),
    st.text(alphabet=" #\n\r\t\x0b\x0c\x85\u2028ab.=:\"'{}\0"),
)
FILE = st.lists(LINE).map("".join)


def enforce(domain: str, level: str = "encrypt", *match: str) -> Enforcement:
    """Return an enforcement with some reason."""
    return Enforcement(domain, level, "412 of 412 mails encrypted", match)


# The line in use, the wish for a.example or x.a.example, what happens, a word of the reason.
LINES = [
    ("", enforce("a.example"), Kind.ADD, "412"),
    ("a.example may\n", enforce("a.example"), Kind.UPGRADE, "412"),
    ("A.Example  MAY\n", enforce("a.example"), Kind.UPGRADE, "412"),
    ("a.example\n# on two lines\n   encrypt\n", enforce("a.example", "verify"), Kind.UPGRADE, "412"),
    ("a.example verify\n", enforce("a.example", "secure"), Kind.UPGRADE, "412"),
    ("a.example dane\n", enforce("a.example", "dane-only"), Kind.UPGRADE, "412"),
    ("a.example secure\n", enforce("a.example"), Kind.KEEP, "stronger"),
    ("a.example fingerprint match=00:11\n", enforce("a.example"), Kind.KEEP, "attributes"),
    ("a.example dane\n", enforce("a.example"), Kind.KEEP, "compared"),
    ("a.example dane-only\n", enforce("a.example", "secure"), Kind.KEEP, "compared"),
    ("a.example none\n", enforce("a.example"), Kind.KEEP, "switched TLS off"),
    ("a.example may protocols=>=TLSv1.2\n", enforce("a.example"), Kind.KEEP, "attributes"),
    ("a.example secure\n", enforce("a.example", "secure", "mx.example"), Kind.KEEP, "other names"),
    ("a.example secure match=b.example\n", enforce("a.example", "secure"), Kind.KEEP, "attributes"),
    ("a.example encrypt # why\n", enforce("a.example"), Kind.UNREADABLE, "deferred"),
    ("a.example encrpyt\n", enforce("a.example"), Kind.UNREADABLE, "deferred"),
    (".a.example secure\n", enforce("x.a.example"), Kind.KEEP, "governed"),
    (".a.example may\n", enforce("x.a.example"), Kind.ADD, "412"),
    (".example secure\n.a.example may\n", enforce("x.a.example"), Kind.ADD, "412"),
]


@pytest.mark.parametrize(("text", "wish", "kind", "word"), LINES, ids=[line[0] + line[1].level for line in LINES])
def test_one_line(text: str, wish: Enforcement, kind: Kind, word: str) -> None:
    """Each line gets what its strength allows, with the reason; unless it changes it stays byte for byte."""
    difference = against_postfix(text, [wish])
    changes = [change for change in difference.changes if "nothing is proposed" not in change.reason]
    assert [change.kind for change in changes] == [kind]
    assert word in changes[0].reason
    assert (text == difference.merged) is (kind in {Kind.KEEP, Kind.UNREADABLE})


def test_equal_lines_are_no_change() -> None:
    """A line that says what is proposed is left alone, whatever the order of its names."""
    text = "a.example SECURE  match=c.example\tmatch=b.example\n.b.example encrypt\n"
    difference = against_postfix(
        text, [enforce("a.example", "secure", "b.example", "c.example"), enforce("x.b.example")]
    )
    assert [change.kind for change in difference.changes] == [Kind.KEEP]
    assert difference.is_empty
    assert difference.merged == text


def test_removal_is_a_proposal() -> None:
    """A line whose domain loses mail stays in force, under a comment; a second merge writes the comment once."""
    text = "# ours\na.example encrypt"
    losing = {"a.example": "3 mails\nlost"}
    once = against_postfix(text, [enforce("a.example", "verify"), enforce("b.example")], losing)
    assert once.merged == (
        "# ours\n# tlsmon proposes to remove the next line: a.example: 3 mails?lost\n"
        "a.example encrypt\nb.example encrypt\n"
    )
    assert [each.name for each in once.rejected] == ["a.example"]
    assert against_postfix(once.merged, [enforce("b.example")], losing).merged == once.merged
    assert against_postfix(once.merged, []).merged == text + "\nb.example encrypt\n"


def test_removal_names_the_governing_line() -> None:
    """A parent's line is what holds a domain below it; a line at may holds nobody."""
    difference = against_postfix(
        ".a.example encrypt\nb.example may\n", [], {"x.a.example": "lost", "b.example": "lost"}
    )
    assert [(change.kind, change.key) for change in difference.changes] == [
        (Kind.PROPOSE_REMOVAL, ".a.example"),
        (Kind.KEEP, "b.example"),
    ]


def test_no_addition_of_what_loses() -> None:
    """A domain that loses mail is not added, whatever else was asked for, and is named as left out."""
    difference = against_postfix("", [enforce("a.example")], {"A.example": "lost"})
    assert (difference.merged, difference.changes) == ("", ())
    assert [each.name for each in difference.rejected] == ["a.example"]


def test_duplicates_are_named() -> None:
    """A running Postfix refuses a texthash table with a key twice, so the second line is pointed at."""
    difference = against_postfix("a.example encrypt\nA.EXAMPLE may\n", [enforce("a.example")])
    assert [(change.kind, change.reason) for change in difference.changes] == [
        (Kind.UNREADABLE, "a.example is written twice")
    ]


def test_rendered() -> None:
    """A person reads each line with its reason above it."""
    text = "a.example may\nbroken\n"
    assert render(against_postfix(text, [enforce("a.example"), enforce("b.example"), enforce("#x")])) == (
        "# a key without a policy\n!broken\n\n"
        "# a.example: 412 of 412 mails encrypted\n-a.example may\n+a.example encrypt\n\n"
        "# b.example: 412 of 412 mails encrypted\n+b.example encrypt\n\n"
        "# left out, not a domain name of letters, digits and inner hyphens: #x\n"
    )


def test_exim_list() -> None:
    """A list holds one level; what people wrote into it stays, as do values behind the keys."""
    text = '# ours\nA.example: note\n"b.example"\n:\n*.c.example'
    wishes = [enforce("a.example"), enforce("b.example"), enforce("d.example"), enforce("e.example", "verify")]
    difference = against_exim(text, Level.ENCRYPT, wishes, {"*.c.example": "lost"})
    assert (
        difference.merged
        == text.replace("*.c", "# tlsmon proposes to remove the next line: *.c.example: lost\n*.c") + "\nd.example:\n"
    )
    assert [change.kind for change in difference.changes] == [Kind.UNREADABLE, Kind.PROPOSE_REMOVAL, Kind.ADD]


def test_strength_is_an_order() -> None:
    """Stronger is transitive and never goes in a circle."""
    for low, middle, high in itertools.product(Level, repeat=3):
        if middle in STRONGER.get(low, ()) and high in STRONGER.get(middle, ()):
            assert high in STRONGER[low]
        assert not (middle in STRONGER.get(low, ()) and low in STRONGER.get(middle, ()))


@given(FILE)
def test_reading_loses_nothing(text: str) -> None:
    """A table that was read is the file again, and without wishes nothing changes but a missing last newline."""
    assert read_postfix(text).text == text
    assert read_exim(text, Level.ENCRYPT).text == text
    assert against_postfix(text, []).merged == text


@given(WISHES)
def test_own_file(wishes: list[Enforcement]) -> None:
    """What tlsmon wrote differs in nothing from what tlsmon would write."""
    assert against_postfix(postfix.render(wishes).text, wishes).changes == ()
    for domains in exim.render(wishes).lists:
        assert against_exim(domains.text, domains.level, wishes).changes == ()


@given(FILE, WISHES)
def test_merged_file(text: str, wishes: list[Enforcement]) -> None:
    """The merged file holds what was announced, no line got weaker or was lost, a second merge has nothing to do."""
    difference = against_postfix(text, wishes)
    before, after = read_postfix(text).entries(), read_postfix(difference.merged).entries()
    announced = {change.key: change.new for change in difference.changes if change.new}
    assert {key: f"{key} {after[key].level}" for key in announced} == announced
    assert {key: entry for key, entry in after.items() if key not in announced} == {
        key: entry for key, entry in before.items() if key not in announced
    }
    for key in announced.keys() & before.keys():
        old, new = before[key].level, after[key].level
        assert old is not None
        assert new in STRONGER[old]
    again = against_postfix(difference.merged, wishes)
    assert again.is_empty
    assert again.merged == difference.merged
