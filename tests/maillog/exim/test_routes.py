"""The fields of a line mean the same whether the grammar reads them with the host or with what stands for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maillog.exim import events

_parts = st.sampled_from(
    [
        " R=dnslookup",
        " T=remote_smtp",
        " T=lmtp",
        " H=mx.a.example [192.0.2.7]",
        " H=mx.b.example DS [2001:db8::1]:25*",
        " H=MX.c.example [10.0.0.1]",
        " H=host.invalid [192.0.2.1]",
        " H=mx.d.example [1.2.3]",
        " H=H=x [192.0.2.9]",
        " H=[192.0.2.9]",
        " H=store",
        " I=[192.0.2.3]",
        " X=TLS1.3:A:256",
        " CV=yes",
        ' DN="CN=x"',
        ' DN="H=y [192.0.2.8]"',
        ' DN=" H=y [192.0.2.8] "',
        " A=plain",
        " L",
        " K",
        " odd",
    ]
)
phrases = st.lists(_parts, max_size=7).map("".join)


@settings(deadline=None)
@given(phrases)
def test_the_host_makes_no_difference(phrase: str) -> None:
    """With and without the placeholder, the route is the same."""
    told = events._read_route(phrase)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_PLACEHOLDER", "")  # stands in every phrase, so nothing is replaced
        assert events._read_route(phrase) == told
