"""The grammar defines what a phrase means: each statement has its source, and samples that are its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maillog.model import Authentication, Cause, Level
from maillog.postfix.grammar import (
    REASONS,
    SUMMARY,
    TLS_STATUS,
    VERIFY_FAILURE,
    Phase,
    Statement,
    Summary,
    TlsStatus,
    read_reason,
    read_summary,
    read_tls_status,
    read_verify_failure,
)

STATEMENTS = (SUMMARY, TLS_STATUS, VERIFY_FAILURE, *REASONS)
SAMPLES = [(statement, sample) for statement in STATEMENTS for sample in statement.samples]
every_sample = pytest.mark.parametrize(("statement", "sample"), SAMPLES, ids=[sample for _, sample in SAMPLES])


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)
def test_source(statement: Statement) -> None:
    """Each statement names the file of Postfix that writes it, and has a sample."""
    assert re.match(r"(smtp|tls|global|util)/\w+\.c", statement.source)
    assert statement.samples


@every_sample
def test_sample_matches(statement: Statement, sample: str) -> None:
    """Each sample is read by its statement."""
    assert statement.expression.matches(sample, parse_all=statement is TLS_STATUS)


@every_sample
def test_sample_is_of_one_kind(statement: Statement, sample: str) -> None:
    """No sample of one kind of phrase is read as another kind; of two reasons the longer sentence wins."""
    kinds = {
        "summary": read_summary(sample) is not None,
        "status": read_tls_status(sample) is not None,
        "verify": read_verify_failure(sample) is not None,
        "reason": any(reason.expression.matches(sample, parse_all=False) for reason in REASONS),
    }
    own = {"tls_summary": "summary", "tls_status": "status", "verify_failure": "verify"}.get(statement.name, "reason")
    assert [kind for kind, matches in kinds.items() if matches] == [own]


@pytest.mark.parametrize("statement", REASONS, ids=lambda statement: statement.name)
def test_reason_wins(statement: Statement) -> None:
    """The whole table read through one door gives each sentence its own meaning."""
    (own,) = statement.expression.parse_string(statement.name)
    assert read_reason(statement.name) == own


SUMMARIES = {
    "tail of 3.4": (
        (
            "Trusted TLS connection established to H[A]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
            "key-exchange ECDHE (P-256) server-signature RSA-PSS (2048 bits) client-signature ECDSA (P-256)"
        ),
        Summary(Authentication.TRUSTED, reused=False, protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384"),
    ),
    "raw key": (
        (
            "Verified TLS connection established to H[A]: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits) "
            "key-exchange X25519MLKEM768 server-signature ECDSA (prime256v1 raw public key) server-digest SHA256"
        ),
        Summary(Authentication.VERIFIED, reused=False, protocol="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256"),
    ),
    "resumed": (
        "Untrusted TLS connection established to H[A]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        Summary(Authentication.UNTRUSTED, reused=False, protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384"),
    ),
    "reused": (
        "Anonymous TLS connection reused to H[A]: TLSv1.2 with cipher ADH-AES256-GCM-SHA384 (256/256 bits)",
        Summary(Authentication.ANONYMOUS, reused=True, protocol="TLSv1.2", cipher="ADH-AES256-GCM-SHA384"),
    ),
    "old": (
        "Untrusted TLS connection established to H[A]: SSLv3 with cipher RC4-SHA (128/128 bits)",
        Summary(Authentication.UNTRUSTED, reused=False, protocol="SSLv3", cipher="RC4-SHA"),
    ),
    "from a client": ("Anonymous TLS connection established from H[A]: TLSv1.3 with cipher X (1/1 bits)", None),
    "cut": ("Trusted TLS connection established to H[A]: TLSv1.3 with cip", None),
    "other word": ("Great TLS connection established to H[A]: TLSv1.3 with cipher X (1/1 bits)", None),
}


@pytest.mark.parametrize(("phrase", "meaning"), SUMMARIES.values(), ids=SUMMARIES)
def test_summary(phrase: str, meaning: Summary | None) -> None:
    """The forms of the summary since 2.11."""
    assert read_summary(phrase) == meaning


def status(level: str | None, final: str | None = "", flags: str = "") -> TlsStatus:
    """Return a status: ``!`` violated, ``?`` undecided, ``r`` REQUIRETLS refused."""
    first = Level(level) if level else None
    last = first if final == "" else Level(final) if final else None
    return TlsStatus(first, last, "!" in flags, "?" in flags, "r" in flags)


STATUSES = {
    **{level.value: status(level.value) for level in Level},
    **{f"!{level.value}": status(level.value, flags="!") for level in Level if level is not Level.NONE},
    **{f"{level.value}?": status(level.value, flags="?") for level in Level if level is not Level.NONE},
    "may:none": status("may", "none"),
    "dane:encrypt": status("dane", "encrypt"),
    "dane:halfdane": status("dane", "halfdane"),
    "unknown?": status(None, flags="?"),
    "verify/requiretls": status("verify"),
    "verify/requiretls:nocertmatch": status("verify"),
    "!verify/requiretls:nocertmatch": status("verify", flags="!"),
    "may?/!requiretls:nocertmatch": status("may", flags="?r"),
    "may/!requiretls:nostarttls": status("may", flags="r"),
    "none/!requiretls:noencryption": status("none", flags="r"),
    "secure/!requiretls:none": status("secure", flags="r"),
    "may/requiretls:none": status("may"),
    "secure?/requiretls?": status("secure", flags="?"),
}


@pytest.mark.parametrize(("value", "meaning"), STATUSES.items(), ids=STATUSES)
def test_tls_status(value: str, meaning: TlsStatus) -> None:
    """Every form of tls= (facts section 3)."""
    assert read_tls_status(value) == meaning


@pytest.mark.parametrize(
    "value", ["", "maybe", "may:", "may:perhaps", "may?x", "?may", "may/", "may/required", "none none"]
)
def test_no_tls_status(value: str) -> None:
    """What Postfix does not write is not read."""
    assert read_tls_status(value) is None


VERIFY = {
    "certificate verification failed for H[A]: self-signed certificate": Cause.CERT_UNTRUSTED,
    "CA certificate verification failed for H[A]: certificate has expired": Cause.CERT_EXPIRED,
    "server certificate verification failed for H[A]: certificate not yet valid": Cause.CERT_EXPIRED,
    "server certificate verification failed for H[A]: num=62:hostname mismatch": Cause.CERT_NAME,
    "server certificate verification failed for H[A]: num=64:IP address mismatch": Cause.CERT_NAME,
    "server certificate verification failed for H[A]: num=65:no matching DANE TLSA records": Cause.DANE,
    "certificate verification failed for H[A]: not trusted by local or TLSA policy": Cause.DANE,
    "H[A]: re-using session with untrusted peer credential": None,
}


@pytest.mark.parametrize(("phrase", "cause"), VERIFY.items(), ids=VERIFY)
def test_verify_failure(phrase: str, cause: Cause | None) -> None:
    """Why a certificate was refused."""
    assert read_verify_failure(phrase) == cause


@given(st.text(max_size=200))
def test_any_phrase(phrase: str) -> None:
    """No phrase makes the grammar stumble; what it does not know is unrelated to TLS."""
    read_summary(phrase)
    read_tls_status(phrase)
    read_verify_failure(phrase)
    assert read_reason(f"~{phrase}") == (Cause.UNRELATED, Phase.BEFORE_MAIL, False)
