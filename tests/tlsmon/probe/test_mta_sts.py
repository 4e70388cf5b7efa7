"""MTA-STS and TLSRPT: which records and policies count."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmon.probe import tlsrpt
from tlsmon.probe.model import StsMode, StsPolicy, TlsRpt
from tlsmon.probe.mta_sts import MAX_AGE, StsError, allows, parse_policy, record_id

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 86400\r\n"


def test_records() -> None:
    """Exactly one record that begins with the version, with an id of letters and digits (RFC 8461, section 3.1)."""

    def good(texts: list[str], want: str | None) -> None:
        assert record_id(texts) == want

    def bad(texts: list[str]) -> None:
        with pytest.raises(StsError):
            record_id(texts)

    good([], None)
    good(["v=spf1 -all"], None)
    good(["v=STSv1; id=20160831085700Z;"], "20160831085700Z")
    good(["v=STSv1;id=1"], "1")
    good(["v=STSv1 ; id=1 ; "], "1")
    good(["v=STSv1; id=1; ext=some:thing;"], "1")
    good(["v=spf1 -all", "v=STSv1; id=1"], "1")
    good(["v=STSv2; id=1"], None)
    good(["v=STSv1"], None)  # not even the separator: not meant
    good([" v=STSv1; id=1"], None)
    bad(["v=STSv1; id=1", "v=STSv1; id=2"])
    bad(["v=STSv1;"])
    bad(["v=STSv1; id="])
    bad(["v=STSv1; id=" + "1" * 33])
    bad(["v=STSv1; id=a-b"])
    bad(["v=STSv1; id"])
    bad(["v=STSv1; ID=1"])


def test_policies() -> None:
    """Version, mode, max_age and mx are needed; unknown fields are passed over (RFC 8461, section 3.2)."""

    def good(text: str, want: StsPolicy) -> None:
        assert parse_policy(text) == want

    def bad(text: str) -> None:
        with pytest.raises(StsError):
            parse_policy(text)

    one = StsPolicy(StsMode.ENFORCE, 86400, ("mx.example.com",))
    good(POLICY, one)
    good(POLICY.replace("\r\n", "\n"), one)
    good(POLICY.rstrip(), one)
    good("mode: enforce\nmx: mx.example.com\nmax_age: 86400\nversion: STSv1", one)
    good(POLICY.replace("mx.ex", "MX.ex"), one)
    good(POLICY.replace(": ", ":"), one)
    good(POLICY + "other: thing\n", one)
    good(POLICY + "mode: testing\n", one)  # the first counts
    good(POLICY + "mx: *.example.net\n", StsPolicy(StsMode.ENFORCE, 86400, ("mx.example.com", "*.example.net")))
    good("version: STSv1\nmode: none\nmax_age: 0\n", StsPolicy(StsMode.NONE, 0))
    good(POLICY.replace("86400", str(MAX_AGE)), StsPolicy(StsMode.ENFORCE, MAX_AGE, ("mx.example.com",)))
    bad("")
    bad("<html>no such page</html>")
    bad(POLICY.replace("STSv1", "STSv2"))
    bad(POLICY.replace("version: STSv1\r\n", ""))
    bad(POLICY.replace("enforce", "report"))
    bad(POLICY.replace("enforce", "Enforce"))
    bad(POLICY.replace("mx: mx.example.com\r\n", ""))
    bad(POLICY.replace("max_age: 86400", "max_age: soon"))
    bad(POLICY.replace("max_age: 86400", "max_age: -1"))
    bad(POLICY.replace("max_age: 86400\r\n", ""))
    bad(POLICY.replace("86400", str(MAX_AGE + 1)))
    bad(POLICY.replace("mx.example.com", "mx.*.com"))
    bad(POLICY.replace("mx.example.com", "*"))
    bad(POLICY.replace("mx.example.com", ".example.com"))
    bad(POLICY.replace("mx.example.com", "192.0.2.1 "[:-1] + "/x"))
    bad(POLICY + "\r\n\r\nnot a field")
    bad(POLICY + "mx: a.example\n" * 1001)


@pytest.mark.parametrize(
    ("pattern", "host", "allowed"),
    [
        ("mx.example.com", "mx.example.com", True),
        ("*.example.com", "mx.example.com", True),
        ("*.example.com", "a.mx.example.com", False),
        ("*.example.com", "example.com", False),
        ("example.com", "mx.example.com", False),
        ("*.example.com", "mx.badexample.com", False),
    ],
)
def test_patterns(pattern: str, host: str, allowed: bool) -> None:
    """A wildcard stands for exactly one label (RFC 8461, section 4.1)."""
    assert allows(StsPolicy(StsMode.ENFORCE, 1, (pattern,)), host) is allowed


@pytest.mark.parametrize(
    ("texts", "want"),
    [
        ([], TlsRpt()),
        (["v=spf1"], TlsRpt()),
        (["v=TLSRPTv1; rua=mailto:jane.doe@example.com"], TlsRpt(("mailto:example.com",))),
        (
            ["v=TLSRPTv1;rua=mailto:a@Example.COM!10m,https://rep.example/v1?x=y;"],
            TlsRpt(("mailto:example.com", "https://rep.example")),
        ),
        (["v=TLSRPTv1; rua=ftp://x"], TlsRpt((), "the TLSRPT record has a rua that is neither mailto: nor https:")),
        (["v=TLSRPTv1; "], TlsRpt(trouble="the TLSRPT record has no rua")),
        (
            ["v=TLSRPTv1; rua=mailto:a@b"] * 2,
            TlsRpt(trouble="there are 2 TLSRPT records; more than one counts as none"),
        ),
    ],
)
def test_tlsrpt(texts: list[str], want: TlsRpt) -> None:
    """Destinations are named without local parts and paths (RFC 8460, section 3)."""
    assert tlsrpt.parse(texts) == want


fieldish = st.text(st.sampled_from("version: STSv1\r\nmode:enforcemx*.=;idmailto:@!,") | st.characters(), max_size=200)


@given(fieldish)
def test_any_text(text: str) -> None:
    """Any text is a policy, a record, or an error that says what is wrong; nothing else."""
    for read in (parse_policy, lambda text: record_id([text, "v=STSv1;" + text])):
        with suppress(StsError):
            read(text)
    assert "jane" not in str(tlsrpt.parse([f"v=TLSRPTv1; rua=mailto:jane@{text.replace('jane', '')}"]))
