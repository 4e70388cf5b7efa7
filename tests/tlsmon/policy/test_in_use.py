"""Which line of a policy in use an attempt is under."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.verdict.stories import observations

from tlsmon.evidence.model import Address, Observation
from tlsmon.policy.in_use import InUse
from tlsmon.verdict.watch import Rule

TABLE = """\
# people's
a.example encrypt

B.example
  secure match=mx.b.example
c.example may
.example verify
# tlsmon proposes to remove the next line: d.test: why
d.test encrypt
[smart.relay.test]:587 encrypt
[mx.hop.test] encrypt
broken.test encrypted
"""


def attempt(domain: str, host: str = "mx.x.test", port: int | None = 25) -> Observation:
    """Return an attempt at a host."""
    (found,) = observations("a=n", domain)
    return found._replace(address=Address(host, "192.0.2.1", port))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (attempt("a.example"), Rule(2, "a.example")),
        (attempt("b.example"), Rule(4, "b.example")),
        (attempt("c.example"), None),  # its own line is opportunistic, whatever its parent says
        (attempt("sub.c.example"), Rule(7, ".example")),
        (attempt("d.test"), Rule(9, "d.test")),
        (attempt("e.test"), None),
        (attempt("a.example", "smart.relay.test", 587), Rule(10, "[smart.relay.test]:587")),
        (attempt("a.example", "other.relay.test", 587), None),
        (attempt("e.test", "mx.hop.test"), Rule(11, "[mx.hop.test]")),
        (attempt("a.example", "mx.hop.test"), Rule(2, "a.example")),
        (attempt("a.example", "", None), Rule(2, "a.example")),
        (attempt("broken.test"), None),
    ],
)
def test_postfix(asked: Observation, expected: Rule | None) -> None:
    """The domain's line counts, then its parents', then the hop's; numbers are those of the file as it lies there."""
    assert InUse.of_postfix(TABLE)(asked) == expected


def test_problems() -> None:
    """A line that the mail server cannot read is named by its number."""
    assert [problem.line for problem in InUse.of_postfix(TABLE).problems] == [12]


def test_exim() -> None:
    """A list of domains governs exactly these."""
    listed = InUse.of_exim("# ours\na.example:\nB.example : note\n")
    assert listed(attempt("b.example")) == Rule(3, "b.example")
    assert listed(attempt("sub.a.example")) is None


@given(
    st.lists(st.sampled_from(["# c", "", "  ", "x.test encrypt", "y.test may", "  match=z", "bad", "z.test encrypt"]))
)
def test_numbers_are_those_of_the_file(lines: list[str]) -> None:
    """Whatever stands between, the line of that number begins with the key."""
    in_use = InUse.of_postfix("\n".join(lines))
    for domain in ("x.test", "z.test"):
        rule = in_use(attempt(domain))
        assert rule is None or lines[rule.line - 1].startswith(domain)
