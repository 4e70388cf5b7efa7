"""What comes in by Exim: each line of an arrival by itself."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.maillog.exim.samples import ID, LONG_ID, SENT, SOURCE, X13, feed, record

from maillog import Cause, Delivery, Direction, Outcome, Scope
from maillog.exim.arrivals import Arrivals
from maillog.exim.both_ways import EximBothWays
from maillog.exim.deliveries import EximDeliveries
from maillog.exim.events import ARRIVAL, read_event
from maillog.exim.inbound_screen import inbound_relevant
from maillog.model import Unread

READER = Arrivals(SOURCE)
CLIENT = "H=mail.partner.example [198.51.100.7]"


def arrival(text: str) -> Delivery:
    """Return the delivery of a line that can be read."""
    found = READER.read(record(text))
    assert isinstance(found, Delivery)
    assert inbound_relevant(text.encode())
    return found


# As Exim 4.96 and 4.100 write them, and with the selectors that administrators add.
SECURITY = {
    "cipher": (f"P=esmtps {X13} CV=no S=357", "encrypted"),
    "cipher with group": (f"P=esmtps {X13}:X25519 S=366", "encrypted"),
    "openssl": ("P=esmtps X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no SNI=mx.our.example S=1", "encrypted"),
    "no selector": ("P=esmtps S=355", "encrypted"),
    "authenticated": (f"P=esmtpsa {X13} CV=no A=plain:ann S=1", "encrypted"),
    "HELO after STARTTLS": ("P=smtps S=1", "encrypted"),
    "TLS on connect": ("P=essmtp S=1", "encrypted"),
    "UTF-8": ("P=utf8esmtps S=1", "encrypted"),
    "clear": ("P=esmtp S=1", "plaintext"),
    "HELO": ("P=smtp S=1", "plaintext"),
    "clear with subject": ('P=esmtp S=9 id=x@y T="X=TLS1.3:A:256"', "plaintext"),
    "pipelining": (f"P=esmtps L {X13} CV=no S=1", "encrypted"),
    "early pipelining offered, none used": (f"P=esmtps L.- {X13} S=1", "encrypted"),
    "SPF": (f"P=esmtps SPF {X13} S=1", "encrypted"),
    "SPF with its result, 4.100": (f"P=esmtps SPF=softfail {X13} S=1", "encrypted"),
    "early pipelining": (f"P=esmtps L* {X13} S=1", "encrypted"),
    "fast open": ("TFO Ci=1AbC P=esmtp S=1", "plaintext"),
    "ident": (f"U=ann P=esmtps {X13} S=1", "encrypted"),
    "ident, or exim -bs -oMa": ("TFO U=root Ci=1AbC P=esmtp S=225", "unknown"),
    "exim -bS -oMa -oMr esmtps": ("U=root P=esmtps S=211", "unknown"),
    "anything by -oMr": ("P=scanned-ok S=1", "unknown"),
}


@pytest.mark.parametrize(("text", "security"), SECURITY.values(), ids=SECURITY)
def test_security(text: str, security: str) -> None:
    """P= tells whatever the selectors are; X= adds protocol and cipher."""
    assert arrival(f"{ID} <= ann@partner.example {CLIENT} {text}").tls.security == security


def test_all_of_it() -> None:
    """All that the line tells stands in the delivery."""
    found = arrival(f"{LONG_ID} <= ann@Partner.EXAMPLE {CLIENT} P=esmtps {X13} CV=no S=357")
    assert found.direction is Direction.INBOUND
    assert (found.queue_id, found.sender_domain, found.recipient_domain) == (LONG_ID, "partner.example", None)
    assert found.relay == ("mail.partner.example", "198.51.100.7", None, Scope.INTERNET)
    assert found.tls == (
        "encrypted", None, "stated", "TLSv1.3", "ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM",
    )  # fmt: skip
    assert found.result[:3] == (Outcome.SENT, None, None)


WHO = {
    "name": ("H=Mail.Partner.example [192.0.2.1]", ("mail.partner.example", "192.0.2.1", "internet")),
    "HELO alone": ("H=(friend) [192.0.2.1]", (None, "192.0.2.1", "internet")),
    "both": ("H=a.example (b.example) [192.0.2.1]:4711", ("a.example", "192.0.2.1", "internet")),
    "HELO is an address": ("H=([10.1.2.3]) [192.0.2.1]", (None, "192.0.2.1", "internet")),
    "IPv6": ("DS H=a.example [2001:db8::1] I=[2001:db8::2]:25", ("a.example", "2001:db8::1", "internet")),
    "private": ("H=(pc) [10.1.2.3]", (None, "10.1.2.3", "private")),
    "submission port": ("H=(pc) [192.0.2.1] I=[192.0.2.9]:587", (None, "192.0.2.1", "submission")),
}


@pytest.mark.parametrize("text", ["L", "L-", "L*", "L*-", "L.", "L.-", "SPF", "SPF=pass", "L.- SPF=none"])
def test_cipher_behind_what_a_session_used(text: str) -> None:
    """The cipher is read whatever stands before it."""
    found = arrival(f"{ID} <= ann@partner.example {CLIENT} P=esmtps {text} {X13} CV=no S=1")
    assert (found.tls.protocol, found.tls.cipher) == ("TLSv1.3", X13.split(":")[1])
    assert read_event(record(f"{ID} <= ann@partner.example {CLIENT} P=esmtps {text} {X13} CV=no S=1")) == ARRIVAL


@pytest.mark.parametrize(("text", "client"), WHO.values(), ids=WHO)
def test_client(text: str, client: tuple[str | None, str, str]) -> None:
    """The last brackets are the client's address; a HELO name is no name."""
    host, ip, _, scope = arrival(f"{ID} <= a@b.example {text} P=esmtp S=1").relay
    assert (host, ip, scope) == client


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("<>", "<>"), ("a@B.example", "b.example"), ('"x y"@b.example', "b.example"), ("root", None),
        ("<> R=1tAbCd-0000yy-1A", "<>"), ("ü@дом.example", "xn--d1aqf.example"),
    ],
)  # fmt: skip
def test_sender(sender: str, domain: str | None) -> None:
    """The domain that is claimed; the null sender has a sign of its own."""
    assert arrival(f"{ID} <= {sender} {CLIENT} P=esmtp S=1").sender_domain == domain


def test_login() -> None:
    """P= ends in a where the client logged in: one of our own users."""
    assert arrival(f"{ID} <= a@our.example H=(pc) [192.0.2.1] P=esmtpsa A=plain:a").relay.scope is Scope.SUBMISSION


def test_fakereject() -> None:
    """``(=``: the client was told no, and the mail was taken (fakereject): it came in."""
    assert arrival(f"{ID} (= a@b.example {CLIENT} P=esmtp S=1").tls.security == "plaintext"


NONE = {
    "handed in here": f"{ID} <= a@b.example U=a P=local S=100",
    "local bounce": f"{ID} <= <> R={ID} U=Debian-exim P=local S=100",
    "batch from elsewhere": f"{ID} <= a@b.example H=x [192.0.2.1] P=local-bsmtp S=100",
    "filter on loopback": f"{ID} <= a@b.example H=localhost [127.0.0.1] P=esmtp S=1",
    "loopback, IPv6": f"{ID} <= a@b.example H=localhost [::1] P=esmtps {X13} S=1",
    "delivery": SENT,
    "after the handshake": "TLS error on connection from h [192.0.2.1] (recv): The connection was closed.",
    "no address": f"{ID} <= a@b.example H=x [1:2:3] P=esmtp S=100",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_none_of_others(text: str) -> None:
    """Lines that tell of no client from elsewhere."""
    assert READER.read(record(text)) is None


UNREADABLE = {
    "sender's text": f"a@b.example {CLIENT} P=esmtps {X13} @c.example H=h [192.0.2.1] P=esmtp S=9",
    "unquoted sender": f"a b@c.example {CLIENT} P=esmtp S=9",
    "ident's text": f"a@b.example {CLIENT} U=x P=esmtps {X13} P=esmtp S=9",
    "HELO's text": f"a@b.example H=(x) [8.8.8.8] P=esmtps {X13}) [192.0.2.1] P=esmtp",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(text: str) -> None:
    """A line that the client could have made look like another is reported, not read."""
    assert isinstance(READER.read(record(f"{ID} <= {text}")), Unread)


FAILED = (
    "TLS error on connection from (scanner) [198.51.100.7] (SSL_accept): error:1408F10B:SSL routines::wrong version",
    "TLS error on connection from h.example (scanner) [198.51.100.7]:1 I=[192.0.2.9]:25 (gnutls_handshake): timed out",
    "TLS error on connection from H=h.example [198.51.100.7] (tls lib accept fn): Connection reset by peer",
    "TLS error on connection Ci=271 from (x) [198.51.100.7]:47131 I=[192.0.2.1]:25 (gnutls_handshake): An unexpected",
    "TLS error on connection from h.example [198.51.100.7] (via inetd) (gnutls_handshake): timed out",
)


@pytest.mark.parametrize("text", FAILED)
def test_handshake(text: str) -> None:
    """A handshake that fails brings no mail, so no sender."""
    found = arrival(text)
    assert (found.result.outcome, found.result.cause) == (Outcome.DEFERRED, Cause.TLS_HANDSHAKE)
    assert (found.tls.security, found.sender_domain, found.relay.ip) == ("none", None, "198.51.100.7")


def test_networks_that_count() -> None:
    """Loopback and private networks may be the internet of a lab."""
    reader = Arrivals(SOURCE, (ip_network("127.0.0.0/8"),))
    found = reader.read(record(f"{ID} <= a@b.example H=localhost [127.0.0.1] P=esmtp S=1"))
    assert isinstance(found, Delivery)
    assert found.relay.scope is Scope.INTERNET


def test_outbound_is_untouched() -> None:
    """What comes in changes nothing of what is said of mail that goes out."""
    clear = f'{ID} => b@clear.example R=d T=smtp H=mx.clear.example [192.0.2.4] C="250 OK"'
    texts = [SENT, *(f"{ID} <= a@b.example {CLIENT} P=esmtp S=1" for _ in range(3)), clear, FAILED[0], SENT]
    timed = [(0.0, text) for text in texts]
    both, alone = EximBothWays(SOURCE), EximDeliveries(SOURCE)
    found = [one for one in feed(both, timed) if isinstance(one, Delivery) and one.direction is Direction.OUTBOUND]
    assert found + both.held() == feed(alone, [one for one in timed if " => " in one[1]]) + alone.held()


@given(st.sampled_from([*NONE.values(), *UNREADABLE.values(), *FAILED]), st.data())
def test_any_text(text: str, data: st.DataObject) -> None:
    """Whatever stands in a line, the reader never fails."""
    at = data.draw(st.integers(0, len(text)))
    READER.read(record(text[:at] + data.draw(st.text(max_size=8)) + text[at + data.draw(st.integers(0, 3)) :]))
