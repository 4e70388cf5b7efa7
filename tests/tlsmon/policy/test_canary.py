"""Enforcement for a share of connections."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.policy.canary import canary, nearest
from tlsmon.policy.model import Enforcement, PolicyError


def test_setting() -> None:
    """Each policy has its table; the share is thrown by a list; a policy with names keeps its spaces."""
    written = canary(
        [
            Enforcement("b.example", "encrypt", ""),
            Enforcement("a.example", "encrypt", ""),
            Enforcement("c.example", "secure", "", ("mx.example.net",)),
            Enforcement("x y", "encrypt", ""),
        ],
        0.33,
        path="/etc/postfix/c",
    )
    assert written.share == Fraction(1, 3)
    assert written.setting == (
        "pipemap:{texthash:/etc/postfix/c_1, randmap:{on, off, off}, inline:{{on = encrypt}}}, "
        "pipemap:{texthash:/etc/postfix/c_2, randmap:{on, off, off}, inline:{{on = secure match=mx.example.net}}}"
    )
    lines = [[line for line in table.text.splitlines() if not line.startswith("#")] for table in written.tables]
    assert lines == [["a.example canary", "b.example canary"], ["c.example canary"]]
    assert written.setting in written.instructions
    assert [each.name for each in written.rejected] == ["x y"]


def test_nothing_to_do() -> None:
    """Without domains there is nothing to install."""
    assert canary([], 0.1)[1:] == ((), "", "", ())


@pytest.mark.parametrize("share", [0, -0.1, 0.009, 1.01, float("nan"), float("inf")])
def test_shares_out_of_range(share: float) -> None:
    """A share that no list can throw is refused with a hint, not rounded up to more enforcement."""
    with pytest.raises(PolicyError) as caught:
        nearest(share)
    assert caught.value.hint


@given(st.floats(0.01, 1))
def test_nearest(share: float) -> None:
    """A list of at most 100 words throws the share within a twentieth of it, never none."""
    found = nearest(share)
    assert 0 < found <= 1
    assert found.denominator <= 100
    assert abs(found - Fraction(share)) <= max(Fraction(share) / 20, Fraction(1, 200))
