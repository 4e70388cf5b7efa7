"""What is written for Postfix and Exim."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.model import Level
from tlsmon.policy import exim, postfix
from tlsmon.policy.model import LEVELS, Enforcement
from tlsmon.policy.table import read_postfix

WISHES = [
    Enforcement("plain.example", "encrypt", "412 of 412 mails encrypted"),
    Enforcement("Shared.example", "verify", ""),
    Enforcement("own.example", "secure", ""),
    Enforcement("hosted.example", "secure", "", ("mx2.provider.example", ".mail.provider.example")),
    Enforcement("signed.example", "dane-only", ""),
]


def body(text: str) -> list[str]:
    """Return the lines that are no comments."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_postfix_lines() -> None:
    """Each level is written with the attributes that it needs and no others, sorted by key."""
    assert body(postfix.render(WISHES).text) == [
        "hosted.example secure match=.mail.provider.example:mx2.provider.example",
        "own.example secure",
        "plain.example encrypt",
        "shared.example verify",
        "signed.example dane-only",
    ]


def test_postfix_bytes_depend_on_nothing_else() -> None:
    """The same enforcements in any order give the same bytes."""
    shuffled = random.Random(1).sample(WISHES, len(WISHES))
    assert postfix.render(WISHES) == postfix.render(shuffled)


def test_postfix_smarthost_needs_its_own_door() -> None:
    """A next hop is written only where it was named as one; a recipient domain that looks like one is not."""
    hop = Enforcement("[smtp.isp.example]:587", "encrypt", "")
    literal = Enforcement("[192.0.2.1]", "encrypt", "")
    written = postfix.render([literal], [hop])
    assert body(written.text) == ["[smtp.isp.example]:587 encrypt"]
    assert [each.name for each in written.rejected] == ["[192.0.2.1]"]


def test_single_labels_only_if_allowed() -> None:
    """A domain without a dot needs a switch."""
    wish = [Enforcement("intranet", "encrypt", "")]
    assert body(postfix.render(wish).text) == []
    assert body(postfix.render(wish, single_labels=True).text) == ["intranet encrypt"]


@given(st.lists(st.builds(Enforcement, st.text(), st.sampled_from(LEVELS), st.text(), st.just(()))))
def test_postfix_reads_what_was_meant(wishes: list[Enforcement]) -> None:
    """Any text as domain: every logical line is a domain that was asked for, with its level, or it is not there."""
    asked = {(each.domain.lower(), each.level) for each in wishes}
    table = read_postfix(postfix.render(wishes).text)
    assert [piece.problem for piece in table.pieces if piece.problem] == []
    assert {(entry.key, entry.level) for entry in table.entries().values()} <= asked


def test_exim_lists() -> None:
    """Each domain stands in the list of its level; Exim has no level that checks the domain's own name."""
    written = exim.render(WISHES, folder="/srv/exim")
    assert {each.path: body(each.text) for each in written.lists} == {
        "/srv/exim/tlsmon_dane_only": ["signed.example:"],
        "/srv/exim/tlsmon_verify": ["shared.example:"],
        "/srv/exim/tlsmon_encrypt": ["plain.example:"],
    }
    assert [each.name for each in written.rejected] == ["hosted.example", "own.example"]


@pytest.mark.parametrize("level", exim.OPTIONS)
def test_exim_pairs(level: Level) -> None:
    """Each list has a router that ends there and a transport of its own."""
    written = exim.render([])
    stem = f"tlsmon_{level.value.replace('-', '_')}"
    router = written.routers.split(f"\n{stem}:\n")[1].split("\n\n")[0]
    assert f"transport = {stem}_smtp\n" in router
    assert "  no_more" in router
    assert f"lsearch;/etc/exim4/{stem}\n" in router
    assert f"{stem}_smtp:\n" in written.transports


def test_exim_never_verifies_without_requiring() -> None:
    """tls_verify_hosts alone would send in clear when the certificate fails."""
    assert all(
        "hosts_require_tls = *" in options for options in exim.OPTIONS.values() if "tls_verify_hosts = *" in options
    )
    assert any("tls_verify_hosts = *" in options for options in exim.OPTIONS.values())
