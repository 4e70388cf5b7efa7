"""Each statement of the grammar says where it comes from, and reads its own samples and nobody else's."""

import pytest

from maillog.exim import grammar
from maillog.exim.grammar import FIELDS, REASONS, Phase, Reason, Statement, read_fields, read_reason
from maillog.exim.notes import NOTES
from maillog.model import Cause

ALL = (FIELDS, *REASONS, *NOTES)
HEAD = " R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]"


def samples_of(*statements: Statement) -> list[object]:
    """Return one case for each sample."""
    return [
        pytest.param(statement, sample, id=f"{statement.name}-{number}")
        for statement in statements
        for number, sample in enumerate(statement.samples)
    ]


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.name)
def test_statement_has_source_and_samples(statement: Statement) -> None:
    """A rule without a place in Exim's source, or without a line that shows it, is not accepted."""
    assert ".c:" in statement.source
    assert statement.samples


@pytest.mark.parametrize(("statement", "sample"), samples_of(*ALL))
def test_sample_is_read(statement: Statement, sample: str) -> None:
    """A rule reads its samples."""
    assert statement.expression.parse_string(sample, parse_all=statement is FIELDS)


@pytest.mark.parametrize("group", [REASONS, NOTES], ids=["reasons", "notes"])
def test_first_rule_that_fits_is_the_right_one(group: tuple[Statement, ...]) -> None:
    """No wider rule stands before a more exact one."""
    for statement in group:
        for sample in statement.samples:
            assert next(one for one in group if one.expression.matches(sample, parse_all=False)) is statement, sample


PROTOCOLS = {
    "X=TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256": ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),  # OpenSSL, until 4.92
    "X=TLS1.3:TLS_AES_256_GCM_SHA384:256": ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),  # OpenSSL, since 4.93
    "X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256": ("TLSv1.2", "ECDHE_RSA_AES_256_GCM_SHA384"),  # GnuTLS, until 4.92
    "X=TLS1.2-PKIX:RSA_ARCFOUR_SHA1:128": ("TLSv1.2", "RSA_ARCFOUR_SHA1"),  # GnuTLS
    "X=TLS1.3:AEAD-AES256-GCM-SHA384:256": ("TLSv1.3", "AEAD-AES256-GCM-SHA384"),  # LibreSSL
    "X=TLS1.3:TLS_AES_256_GCM_SHA384:256:X25519MLKEM768": ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),  # 4.100
    "X=TLS1:AES256-SHA:256*": ("TLSv1", "AES256-SHA"),  # resumed
    "X=TLS1.0:RSA_AES_128_CBC_SHA1:128": ("TLSv1", "RSA_AES_128_CBC_SHA1"),
    "X=TLS1.1:RSA_AES_128_CBC_SHA1:128": ("TLSv1.1", "RSA_AES_128_CBC_SHA1"),
    "X=TLS-1.0:RSA_ARCFOUR_MD5:16": ("TLSv1", "RSA_ARCFOUR_MD5"),  # GnuTLS, until 4.76
    "X=SSLv3:DES-CBC3-SHA:168": ("SSLv3", "DES-CBC3-SHA"),
    "X=UNKNOWN:NULL:0": (None, "NULL"),
    "X=TLS1.3:CUT_AT_128_BY": ("TLSv1.3", "CUT_AT_128_BY"),
    "X=TLS1.3": ("TLSv1.3", None),
}


@pytest.mark.parametrize(("field", "expected"), PROTOCOLS.items(), ids=PROTOCOLS)
def test_cipher(field: str, expected: tuple[str | None, str | None]) -> None:
    """X= gives the protocol in Postfix's spelling and the suite without bits, group and the mark of resumption."""
    fields = read_fields(f"{HEAD} {field} CV=no")
    assert fields is not None
    assert (fields.protocol, fields.cipher) == expected
    assert fields.encrypted
    assert fields.cipher_logged


CONTINUED = {
    "since 4.95": " R=r T=t H=mx.example.com [192.0.2.1]:25* I=[192.0.2.9]",
    "after I=, 4.88 to 4.94": " R=r T=t H=mx.example.com [192.0.2.1] I=[192.0.2.9]*",
    "after PRX=": " R=r T=t H=mx.example.com [192.0.2.1] PRX=[192.0.2.9]:1080*",
    "without port": " R=r T=t H=mx.example.com DS [192.0.2.1]*",
}


@pytest.mark.parametrize("phrase", CONTINUED.values(), ids=CONTINUED)
def test_continued(phrase: str) -> None:
    """The star that marks a further message on a connection is found wherever a version puts it."""
    fields = read_fields(phrase)
    assert fields is not None
    assert fields.continued


def test_star_of_a_resumed_session_is_no_continued_connection() -> None:
    """``X=…*`` tells of TLS resumption, not of the TCP connection."""
    fields = read_fields(f"{HEAD} X=TLS1.3:A:256* CV=yes")
    assert fields is not None
    assert not fields.continued


@pytest.mark.parametrize("rest", ["CV=no", 'DN="CN=mx.example.com"', 'CV=yes DN="/C=UK/CN=mx"'])
def test_encrypted_without_cipher(rest: str) -> None:
    """CV= and DN= are written for TLS sessions only, and prove nothing about the selector tls_cipher."""
    fields = read_fields(f"{HEAD} {rest}")
    assert fields is not None
    assert fields.encrypted
    assert not fields.cipher_logged


REFUSED = {
    "twice": f"{HEAD} X=TLS1.3:A:256 X=TLS1.3:A:256",
    "second transport": f"{HEAD} T=other H=mx.example.com [192.0.2.2]",
    "CV before X": f"{HEAD} CV=yes X=TLS1.3:A:256",
    "CV after DN": f'{HEAD} X=TLS1.3:A:256 DN="CN=x" CV=dane',
    "CV behind a name that closes its quotes": f'{HEAD} X=TLS1.3:A:256 DN="CN=x" A=b CV=dane Z=""',
    "name that holds a transport": f'{HEAD} DN="x@d> R=r T=t H=h [192.0.2.2] DN="CN=x"',
    "unknown verification": f"{HEAD} X=TLS1.3:A:256 CV=maybe",
    "bare words": f"{HEAD} free text",
    "quotes open": f'{HEAD} X=TLS1.3:A:256 DN="CN=x',
    "address that is none": " R=r T=t H=mx.example.com [mx]",
}


@pytest.mark.parametrize("phrase", REFUSED.values(), ids=REFUSED)
def test_fields_out_of_order_are_refused(phrase: str) -> None:
    """Fields that do not stand as Exim writes them are not read at all."""
    assert read_fields(phrase) is None


def test_fields_of_a_later_version_are_passed_over() -> None:
    """An unknown KEY=value does not make a line unreadable."""
    fields = read_fields(" Q=bulk NEW=1 R=r T=t ZZ=2 H=mx.example.com [192.0.2.1] NEW2=3 X=TLS1.3:A:256 CV=dane YY=z")
    assert fields is not None
    assert (fields.transport, fields.ip, fields.protocol, fields.verified) == ("t", "192.0.2.1", "TLSv1.3", "dane")


CODES = {
    "TLS failed, text unknown": ("anything", -37, Cause.TLS_HANDSHAKE, True),
    "TLS required, text unknown": ("anything", -38, Cause.TLS_NOT_OFFERED, True),
    "text says more": ("TLS session: (certificate verification failed): certificate invalid", -37,
                       Cause.CERT_UNTRUSTED, True),
    "remote host retry time since 4.95": ("retry time not reached for any host", -54, Cause.UNRELATED, False),
    "remote host retry time until 4.94": ("retry time not reached for any host", -53, Cause.UNRELATED, False),
    "routing retry time until 4.94": ("retry time not reached", -51, Cause.UNRELATED, False),
    "tainted data since 4.95": ("Tainted 'x' not permitted", -51, Cause.UNRELATED, True),
    "concurrency": ("x", -57, Cause.UNRELATED, False),
    "4xx to RCPT": ("SMTP error from remote mail server after RCPT TO", -44, Cause.UNRELATED, True),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "cause", "attempted"), CODES.values(), ids=CODES)
def test_error_numbers(text: str, code: int, cause: Cause, *, attempted: bool) -> None:
    """The number fills in where the text is unknown, and tells what was no attempt at all (macros.h)."""
    reason = grammar.refine_reason(read_reason(text), code)
    assert (reason.cause, reason.attempted) == (cause, attempted)


@pytest.mark.parametrize("text", ["", "Connection refused", "Unrouteable address", "550 TLS session: x", "STARTTLS"])
def test_everything_else_is_unrelated(text: str) -> None:
    """What is not known to be about TLS is unrelated."""
    assert read_reason(text) == Reason(Cause.UNRELATED, Phase.UNCLEAR)
