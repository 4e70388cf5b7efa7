"""X= that is another session's: Exim writes the cipher of a connection it has at hand on lines that have none."""

import json

import pytest
from tests.maillog.exim.samples import ID, SOURCE, numbered, read, record

from maillog import Delivery, Evidence, Security
from maillog.exim import ciphers, known_hosts
from maillog.exim.deliveries import EximDeliveries

RT = "R=dnslookup T=remote_smtp"
X13 = "X=TLS1.3:ECDHE_SECP256R1__ECDSA_SECP256R1_SHA256__AES_256_GCM:256"
MX1, MX2 = "H=mx1.half.example [203.0.113.1]", "H=mx2.half.example [203.0.113.2]"
OK = 'C="250 2.0.0 Ok"'
NAME = 'DN="CN=mx"'
LATER = "SMTP error from remote mail server after RCPT TO:<u1@half.example>: 450 4.2.0 x"
ENCRYPTED, PLAINTEXT, UNKNOWN = Security.ENCRYPTED, Security.PLAINTEXT, Security.UNKNOWN

# As Exim 4.96 and 4.100.1 wrote them; mx1 did TLS and mx2 took its mail in clear, but where it is said otherwise.
SEEN = {
    "4.96, further message on a connection, then the next host": (
        [
            f"{MX1}: {LATER}",
            f"=> u1@half.example {RT} {MX2} {X13} CV=no {OK}",
            f"=> u2@half.example {RT} {MX1} {X13} CV=no {OK}",
            f"-> u3@half.example {RT} {MX2} {X13} CV=no {OK}",
        ],
        [UNKNOWN] * 3,
    ),
    "4.96, one recipient": ([f"{MX1}: {LATER}", f"=> u1@half.example {RT} {MX2} {X13} CV=no {OK}"], [UNKNOWN]),
    "4.96, a host beside a continued connection": (
        [f"=> a@t.example {RT} {MX1}* {X13} CV=no {OK}", f"=> b@c.example {RT} {MX2} {X13} CV=no {OK}"],
        [UNKNOWN] * 2,
    ),
    "4.100, clear first, the next host with TLS": (
        [
            f"{MX2} {LATER}",
            f"=> u1@half.example {RT} {MX2} {X13} CV=yes {OK}",
            f"=> u2@half.example {RT} {MX1} {X13} CV=yes {NAME} {OK}",
        ],
        [UNKNOWN, ENCRYPTED],
    ),
    "4.96, a good certificate beside a continued connection": (
        [f"=> a@t.example {RT} {MX1}* {X13} CV=no {OK}", f"=> b@c.example {RT} {MX2} {X13} CV=yes {OK}"],
        [UNKNOWN, ENCRYPTED],
    ),
    # The flag is of the session that mx2 broke off, the cipher that of the continued connection.
    "4.96, a good certificate, then in clear, beside a continued connection": (
        [
            f"=> a@t.example {RT} {MX1}* {X13} CV=no {OK}",
            f"TLS session: error on first read: delivering unencrypted to {MX2} (not in hosts_require_tls)",
            f"=> b@c.example {RT} {MX2} {X13} CV=yes {OK}",
        ],
        [UNKNOWN] * 2,
    ),
    "4.100, in clear after TLS, by a process that had another connection": (
        [
            f"TLS session: error on first read: delivering unencrypted to {MX2} (not in hosts_require_tls)",
            f"=> b@c.example {RT} {MX2} {X13} CV=yes {OK}",
        ],
        [UNKNOWN],
    ),
    "the same, with a host beside it": (
        [
            f"TLS session: error on first read: delivering unencrypted to {MX2} (not in hosts_require_tls)",
            f"=> a@t.example {RT} {MX1} {X13} CV=no {OK}",
            f"=> b@c.example {RT} {MX2} {OK}",
        ],
        [ENCRYPTED, PLAINTEXT],
    ),
    "4.100, a connection in clear that is continued": ([f"=> u@c.example {RT} {MX2}* {X13} CV=no {OK}"], [UNKNOWN]),
    "4.96, a kept connection that is gone, then the next host": (
        [
            f"{MX1}: smtp send to mx1.half.example [203.0.113.1] failed: Broken pipe: Broken pipe",
            f"=> u1@half.example {RT} {MX2} {X13} CV=no {OK}",
        ],
        [UNKNOWN],
    ),
    "bounced": ([f"{MX1}: {LATER}", f"** u@c.example {RT} {MX2} {X13} CV=no: SMTP error x"], [UNKNOWN]),
    "its own": ([f"=> u@c.example {RT} {MX1} {X13} CV=yes {OK}"], [ENCRYPTED]),
    "its own, to several hosts": (
        [f"=> a@t.example {RT} {MX1} {X13} CV=yes {OK}", f"=> b@u.example {RT} {MX2} {X13} CV=yes {OK}"],
        [ENCRYPTED] * 2,
    ),
    "its own, after a refused connection": (
        ["H=mx0.half.example [203.0.113.9] Connection refused", f"=> u@c.example {RT} {MX1} {X13} CV=yes {OK}"],
        [ENCRYPTED],
    ),
    "with a name": ([f"{MX1}: {LATER}", f"=> u@c.example {RT} {MX2} {X13} CV=yes {NAME} {OK}"], [ENCRYPTED]),
    "cutthrough": ([f"{MX1}: {LATER}", f">> u@c.example {RT} {MX2} {X13} CV=no {OK}"], [ENCRYPTED]),
}


@pytest.mark.parametrize(("lines", "expected"), SEEN.values(), ids=SEEN)
def test_seen(lines: list[str], expected: list[Security]) -> None:
    """A cipher that may be of another connection says nothing."""
    found = read(*(f"{ID} {line}" for line in lines), f"{ID} Completed")
    assert [one.tls.security for one in found] == expected


CONTINUED = [f"{ID} => u@t.example {RT} {MX1}* {X13} CV=no {OK}", f"{ID} Completed"]
OPENED = [f"{numbered(1)} => u@t.example {RT} {MX1} {X13} CV=yes {OK}", f"{numbered(1)} Completed"]
CLEAR = [f"{numbered(2)} => u@t.example {RT} {MX1} {OK}", f"{numbered(2)} Completed"]
LEFT = [
    f"{numbered(3)} TLS session: error on first read: delivering unencrypted to {MX1} (not in hosts_require_tls)",
    f"{numbered(3)} => u@t.example {RT} {MX1} {X13} CV=yes {OK}",
]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([*OPENED, *CONTINUED], ENCRYPTED),
        ([*CONTINUED, *OPENED], UNKNOWN),
        ([*CLEAR, *OPENED, *CONTINUED], UNKNOWN),
        ([*OPENED, *CLEAR, *CONTINUED], UNKNOWN),
        ([*OPENED, *LEFT, *CONTINUED], UNKNOWN),
        (["exim 4.89 daemon started: pid=1", *CONTINUED], ENCRYPTED),
        (["exim 4.96 daemon started: pid=1", *CONTINUED], UNKNOWN),
    ],
)
def test_a_host_that_surely_did_tls_and_was_never_clear(texts: list[str], expected: Security) -> None:
    """A further message on a connection is believed where all that is known of its host speaks for it."""
    [found] = [one for one in read(*texts) if one.queue_id == ID]
    assert found.tls.security is expected
    assert found.tls.evidence is not Evidence.STATED or "4.89" in texts[0]


KEPT, DOWN = f"=> a@t.example {RT} {MX1}* {X13} CV=no {OK}", "H=mx0.c.example [203.0.113.9] Connection refused"
# As Exim 4.100.1 wrote it with +tls_cipher alone: the second host, and what was kept open with it, was in clear.
WITHIN = [
    f"{ID} => a@t.example {RT} {MX2} {X13} CV=yes {OK}",
    f"{ID} => b@c.example {RT} {MX1} {X13} CV=no {OK}",
    f"{ID} -> c@c.example {RT} {MX1} {X13} CV=no {OK}",
    f"{numbered(3)} => d@c.example {RT} {MX1}* {X13} CV=no {OK}",
    f"{numbered(3)} Completed",
    f"{ID} Completed",
]
# The same to one host that has STARTTLS now and then, with max_rcpt = 1; what was sent last stands first.
AT_ONE_HOST = [
    f"{ID} => b@c.example {RT} {MX1} {X13} CV=no {OK}",
    f"{ID} => a@t.example {RT} {MX1} {X13} CV=yes {OK}",
    f"{ID} Completed",
]


@pytest.mark.parametrize("lines", [WITHIN, AT_ONE_HOST])
@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ([], UNKNOWN),
        (["exim 4.100.1 daemon started: pid=1"], UNKNOWN),
        (["exim 4.96 daemon started: pid=1"], ENCRYPTED),
    ],
)
def test_one_connection_of_a_message_may_have_the_cipher_of_another(
    started: list[str], expected: Security, lines: list[str]
) -> None:
    """Since 4.98 without any sign of it; a host that did TLS before and lost it is not seen in clear by that."""
    found = {one.recipient_domain: one.tls.security for one in read(*started, *OPENED, *lines)}
    assert (found["t.example"], found["c.example"]) == (ENCRYPTED, expected)


SLOW = {
    "the next host answers after minutes": ([f"{MX1}: {LATER}"], 599, UNKNOWN),
    "a further host, minutes after one with a kept connection": ([KEPT], 599, UNKNOWN),
    "a further host, minutes after one that was down": ([KEPT, DOWN], 599, UNKNOWN),
    "a new attempt": ([f"{MX1}: {LATER}"], 900, ENCRYPTED),
    "a new attempt after one that ended": (
        [f"{MX1}: {LATER}", f"== u@c.example {RT} defer (-44) {MX1}: {LATER}"],
        599,
        ENCRYPTED,
    ),
}


@pytest.mark.parametrize(("before", "seconds", "expected"), SLOW.values(), ids=SLOW)
def test_an_attempt_is_remembered_to_its_end(before: list[str], seconds: float, expected: Security) -> None:
    """A server may take minutes for an answer, and nothing is logged meanwhile."""
    sent = (seconds, f"{ID} => u@c.example {RT} {MX2} {X13} CV=no {OK}")
    for between in [], [(100, f"{numbered(1)} Completed")]:
        assert read(*[(0, f"{ID} {line}") for line in before], *between, sent)[-1].tls.security is expected


def test_what_failed_beside_a_kept_connection_is_remembered() -> None:
    """The flag of a good certificate may be of the session that broke, though lines stood between, minutes ago."""
    broke = f"TLS session: error on first read: delivering unencrypted to {MX2} (not in hosts_require_tls)"
    before = [f"{ID} {line}" for line in (KEPT, broke, KEPT)]
    sent = f"{ID} => u@c.example {RT} {MX2} {X13} CV=yes {OK}"
    assert read(*before, (599, sent))[-1].tls.security is UNKNOWN


A_NAME, B_NAME, OWN_NAME = 'DN="CN=mx1.a.example"', 'DN="/C=UK/CN=mx1.b.example"', 'DN="CN=*.fallback.example,O=x"'
FALLBACK = "H=relay.fallback.example [203.0.113.5]"
# As Exim 4.96 wrote them with fallback_hosts: the relay has no TLS, and the hosts of a and b had put the recipient off.
STOOD_IN = {
    "took mail in clear before": (["", f"{X13} CV=yes {A_NAME}"], [PLAINTEXT, UNKNOWN]),
    "the same, names not logged": (["", f"{X13} CV=yes"], [PLAINTEXT, UNKNOWN]),
    "shows the names of two": (
        [f"{X13} CV=yes {A_NAME}", f"{X13} CV=no {B_NAME}", f"{X13} CV=yes {A_NAME}"],
        [ENCRYPTED, UNKNOWN, UNKNOWN],
    ),
    "has TLS, at times": (["", f"{X13} CV=yes {OWN_NAME}", ""], [PLAINTEXT, ENCRYPTED, PLAINTEXT]),
    "has TLS": ([f"{X13} CV=yes {OWN_NAME}", f"{X13} CV=yes {OWN_NAME}"], [ENCRYPTED] * 2),
    "has TLS, and another's certificate": ([f"{X13} CV=no {A_NAME}"] * 3, [ENCRYPTED] * 3),
}


@pytest.mark.parametrize(("fields", "expected"), STOOD_IN.values(), ids=STOOD_IN)
def test_a_host_that_stands_in_for_others(fields: list[str], expected: list[Security]) -> None:
    """X= and DN= may be of the host before; where the host is of another name, and was clear, they say nothing."""
    proof = f"{numbered(9)} => u@t.example {RT} {MX1} {X13} {NAME} {OK}"
    for version in [], ["exim 4.89 daemon started: pid=1"]:
        texts = [
            text
            for number, said in enumerate(fields)
            for text in (
                f"{numbered(number)} => u@a.example {RT} {FALLBACK} {said} {OK}",
                f"{numbered(number)} Completed",
            )
        ]
        found = read(*version, proof, *texts, proof.replace("=> u@t.example", "-> v@t.example"))
        assert [one.tls.security for one in found if one.recipient_domain == "a.example"] == expected


def test_clear_text_is_forgotten_after_hours() -> None:
    """A host that took mail in clear and does TLS since then is believed again."""

    def at(seconds: float, texts: list[str]) -> list[tuple[float, str]]:
        return [(seconds, text) for text in texts]

    def said(later: float) -> Security:
        texts = [*at(0, CLEAR), *at(later, OPENED), *at(later, CONTINUED)]
        [found] = [one for one in read(*texts) if one.queue_id == ID]
        return found.tls.security

    seconds = known_hosts.REMEMBERED / 1_000_000
    assert said(seconds - 1) is UNKNOWN
    assert said(seconds + 1) is ENCRYPTED


def test_where_names_are_logged_a_cipher_without_one_is_another_sessions() -> None:
    """Debian logs DN=. Then even a line that stands alone is doubted if it has none."""
    named = [
        f"{numbered(number)} {text}"
        for number in range(ciphers.NAMES_ENOUGH)
        for text in (f"=> u@t.example {RT} {MX1} {X13} CV=yes {NAME} {OK}", "Completed")
    ]
    alone = [f"{ID} => u@c.example {RT} {MX2} {X13} CV=no {OK}", f"{ID} Completed"]
    assert read(*named[2:], *alone)[-1].tls.security is ENCRYPTED
    assert read(*named, *alone)[-1].tls.security is UNKNOWN
    # A certificate without a subject has no name either; that it is good is said of a session of one's own.
    good = [text.replace("CV=no", "CV=yes") for text in alone]
    further = [text.replace(ID, numbered(99)).replace(MX2, f"{MX2}*") for text in alone]
    assert [one.tls.security for one in read(*named, *good, *further)[-2:]] == [ENCRYPTED] * 2
    assert read(*named, f"{ID} {MX1}: {LATER}", *good)[-1].tls.security is UNKNOWN


NOW_AND_THEN = {"4.100": 'CV=yes DN="CN=mx1.half.example"', "4.96, no names": "CV=yes"}


@pytest.mark.parametrize("own", NOW_AND_THEN.values(), ids=NOW_AND_THEN)
def test_a_host_that_has_starttls_now_and_then(own: str) -> None:
    """It did TLS before; this connection is in clear, and shows the cipher of one to another host."""
    found = read(
        f"{numbered(1)} => u@half.example {RT} {MX1} {X13} {own} {OK}",
        f"{numbered(1)} Completed",
        f"{numbered(2)} => u@other.example {RT} {MX2}* {X13} CV=no {OK}",
        f"{numbered(2)} => v@half.example {RT} {MX1} {X13} CV=no {OK}",
        f"{numbered(3)} => w@half.example {RT} {MX1}* {X13} CV=no {OK}",
        f"{numbered(3)} Completed",
        f"{numbered(2)} Completed",
    )
    assert [one.tls.security for one in found if one.recipient_domain == "half.example"] == [
        ENCRYPTED,
        UNKNOWN,
        UNKNOWN,
    ]


def test_a_message_with_further_recipients_opens_the_connection() -> None:
    """What follows over it is judged first, and is encrypted all the same."""
    found = read(
        f'{ID} => u@half.example {RT} {MX1} {X13} CV=yes DN="CN=mx1.half.example" {OK}',
        f"{numbered(3)} => w@half.example {RT} {MX1}* {X13} CV=no {OK}",
        f"{numbered(3)} Completed",
        f"{ID} => u@c.example {RT} {MX2} {OK}",
        f"{ID} Completed",
    )
    assert [(one.tls.security, one.tls.evidence) for one in found if one.recipient_domain == "half.example"] == [
        (ENCRYPTED, Evidence.STATED),
        (ENCRYPTED, Evidence.INFERRED),
    ]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host that was not seen for longest is forgotten."""
    monkeypatch.setattr(known_hosts, "HOSTS_LIMIT", 3)
    reader = EximDeliveries(SOURCE)
    for number in range(9):
        for text in (f"=> u@t.example {RT} H=mx [192.0.2.{number % 5}] {X13} {OK}", "Completed"):
            reader.feed(record(f"{numbered(number)} {text}", number))
    encrypted, clear, *_ = reader.carry()["hosts"]
    assert (list(encrypted), clear) == (["192.0.2.1", "192.0.2.2", "192.0.2.3"], {})


@pytest.mark.parametrize("lines", [lines for lines, _ in SEEN.values()], ids=SEEN)
def test_a_cut_changes_nothing(lines: list[str]) -> None:
    """Whose cipher it may be is carried on."""
    texts = [*OPENED, *(f"{ID} {line}" for line in lines), f"{ID} Completed", *CONTINUED]
    whole, parts, reader = EximDeliveries(SOURCE), list[object](), EximDeliveries(SOURCE)
    expected = [found for text in texts for found in whole.feed(record(text))]
    for text in texts:
        state = json.loads(json.dumps(reader.carry()))
        reader = EximDeliveries(SOURCE)
        reader.restore(state)
        parts += reader.feed(record(text))
    assert parts == expected
    assert all(isinstance(one, Delivery) for one in parts)
    assert reader.carry() == whole.carry()
