"""Each distinct phrase is read once; names are compared in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.phrases import Phrases, domain_name, domain_of, host_name


class TestPhrases:
    """The bounded memory."""

    def test_once(self) -> None:
        """The grammar is asked once for each distinct phrase, also where it finds no meaning."""
        asked: list[str] = []
        phrases = Phrases[None](asked.append)
        assert [phrases(phrase) for phrase in ("a", "b", "a", "a")] == [None] * 4
        assert asked == ["a", "b"]

    @given(st.lists(st.integers(0, 20)), st.integers(1, 5))
    def test_bounded(self, numbers: list[int], limit: int) -> None:
        """However small the memory, the answers are the grammar's."""
        phrases = Phrases(str.upper, limit)
        for number in numbers:
            assert phrases(f"a{number}") == f"A{number}"
            assert len(phrases._known) <= limit


NAMES = {
    "Example.COM": "example.com",
    "example.com.": "example.com",
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "faß.example": "xn--fa-hia.example",
    "_dmarc.example": "_dmarc.example",
    "localhost": "localhost",
    "a..b": None,
    ".a": None,
    "a b": None,
    "-a": None,
    "": None,
    ".": None,
    "a" * 64 + ".test": None,
    "a." * 126 + "a": "a." * 126 + "a",
    "a." * 127 + "a": None,
    "\u2028.test": None,
    "a\n": None,
}


@pytest.mark.parametrize(("name", "domain"), NAMES.items(), ids=range(len(NAMES)))
def test_domain_name(name: str, domain: str | None) -> None:
    """Lower case A-labels without a trailing dot; None for what can be no domain."""
    assert domain_name(name) == domain


@given(st.text(max_size=300))
def test_any_name(name: str) -> None:
    """Any text has a domain or none; a domain is its own canonical form."""
    domain = domain_of(f"u@{name}")
    assert domain is None or domain.startswith("[") or domain_name(domain) == domain
    assert host_name(host_name("A" + name)) == host_name(host_name(host_name("A" + name)))


def test_endless_domain() -> None:
    """A domain of unlikely length is not looked at, and not kept."""
    before = domain_name.cache_info().currsize
    assert domain_of("u@" + "ä" * 1_000_000) is None
    assert domain_name.cache_info().currsize == before
