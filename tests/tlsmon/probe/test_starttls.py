"""One conversation: every behaviour of a server is named, and nobody can hold or fill the client."""

import resource
import socket
import ssl
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tlsmon.probe import authority
from tests.tlsmon.probe.receivers import BANNER, EHLO, READY, Play, context, read_line, receiving, says, starttls

from tlsmon.probe.model import Ending, Trust, Why
from tlsmon.probe.starttls import Caller, Contexts, Conversation, Manner, _chain

ENDLESS_LINES = b"250-more\r\n" * 200


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the trusted root and a good certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    authority.root().write(folder / "root.pem")
    authority.issue(["mx.example"], authority.root()).write(folder / "good.pem")
    return folder


def talk(play: Play, store: Path, manner: Manner = Manner.AUTHENTICATING, seconds: float = 2.0) -> Conversation:
    """Hold one conversation with a server that behaves like this."""
    with receiving({"127.0.0.1": play}) as (port, _):
        caller = Caller(Contexts(str(store / "root.pem")), port, "probe.example", seconds, lambda: 60.0)
        return caller("127.0.0.1", "mx.example", manner)


@pytest.mark.parametrize(
    ("steps", "ending", "why"),
    [
        pytest.param([BANNER, b"250 mx.example\r\n", b"221 x\r\n"], Ending.NOT_OFFERED, None, id="not offered"),
        pytest.param([BANNER, b"250 STARTTLS\r\n"], Ending.NOT_OFFERED, None, id="the greeting is no extension"),
        pytest.param([BANNER, b"250-x\r\n250 XSTARTTLS\r\n"], Ending.NOT_OFFERED, None, id="another verb"),
        pytest.param([BANNER, b"502 what?\r\n"], Ending.NOT_OFFERED, None, id="no ESMTP"),
        pytest.param([BANNER, EHLO, b"454 not now\r\n"], Ending.REFUSED, None, id="refused for now"),
        pytest.param([BANNER, EHLO, b"554 never\r\n"], Ending.REFUSED, None, id="refused"),
        pytest.param([BANNER, EHLO, READY + b"250 hi\r\n"], Ending.INJECTED, None, id="injected"),
        pytest.param([BANNER, EHLO, READY], Ending.BROKEN, None, id="closes in the handshake"),
        pytest.param([BANNER, EHLO, READY, b"nonsense" * 9], Ending.BROKEN, None, id="no TLS"),
        pytest.param([b"421 too many\r\n"], Ending.UNTOLD, Why.BUSY, id="rate limit"),
        pytest.param([BANNER, b"451 greylisted\r\n"], Ending.UNTOLD, Why.BUSY, id="greylisted"),
        pytest.param([b"554 go away\r\n"], Ending.UNTOLD, Why.TURNED_AWAY, id="blocked"),
        pytest.param([BANNER, b"550 bad name\r\n"], Ending.UNTOLD, Why.TURNED_AWAY, id="our name refused"),
        pytest.param([b"HTTP/1.0 200 OK\r\n"], Ending.UNTOLD, Why.GARBLED, id="not SMTP"),
        pytest.param([b"99 x\r\n"], Ending.UNTOLD, Why.GARBLED, id="short code"),
        pytest.param([BANNER, ENDLESS_LINES], Ending.UNTOLD, Why.TOO_MUCH, id="too many lines"),
        pytest.param([b"220 " + b"x" * 5000 + b"\r\n"], Ending.UNTOLD, Why.TOO_MUCH, id="long line"),
        pytest.param([BANNER, b""], Ending.UNTOLD, Why.TIMEOUT, id="silent after EHLO"),
    ],
)
def test_replies(steps: list[bytes], ending: Ending, why: Why | None, store: Path) -> None:
    """What the server says before TLS is told apart: not offered, refused, and could not tell."""
    found = talk(says(*steps), store)
    assert (found.ending, found.why) == (ending, why)
    assert found.words


def test_nobody_listens(store: Path) -> None:
    """A refused connection says nothing about what is offered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = Caller(Contexts(str(store / "root.pem")), port, "x", 1.0, lambda: 60.0)("127.0.0.1", None, Manner.VERIFYING)
    assert (found.ending, found.why) == (Ending.UNTOLD, Why.CONNECTION_REFUSED)


def test_no_time_left(store: Path) -> None:
    """Without time there is no connection."""
    found = Caller(Contexts(str(store / "root.pem")), 1, "x", 1.0, lambda: 0.0)("127.0.0.1", None, Manner.VERIFYING)
    assert found.why is Why.LATE


@pytest.mark.parametrize("manner", Manner, ids=str)
def test_good(manner: Manner, store: Path) -> None:
    """A good server is encrypted in every manner, with protocol, cipher and chain as sent; verified where asked."""
    found = talk(starttls(context(store / "good.pem")), store, manner)
    assert (found.ending, found.protocol, bool(found.cipher)) == (Ending.ENCRYPTED, "TLSv1.3", True)
    assert [len(part) > 100 for part in found.chain] == [True]
    assert found.chain_whole
    assert found.trust is (Trust.TRUSTED if manner is Manner.VERIFYING else Trust.UNTOLD)


class _Session:
    """A session as Pythons show it: ``public`` since 3.13, ``private`` below, neither elsewhere."""

    def __init__(self, public: bool, private: bool) -> None:
        if public:
            self.get_unverified_chain = lambda: [b"leaf", b"issuer"]
        if private:
            certificates = [SimpleNamespace(public_bytes=lambda _, data=data: data) for data in (b"leaf", b"issuer")]
            self._sslobj = SimpleNamespace(get_unverified_chain=lambda: certificates)

    def getpeercert(self, binary_form: bool) -> bytes:
        """Return the first certificate."""
        assert binary_form
        return b"leaf"


@pytest.mark.parametrize(
    ("session", "want"),
    [
        (_Session(public=True, private=True), ((b"leaf", b"issuer"), True)),
        (_Session(public=False, private=True), ((b"leaf", b"issuer"), True)),
        (_Session(public=False, private=False), ((b"leaf",), False)),
    ],
    ids=["3.13", "3.11", "neither"],
)
def test_chain_by_version(session: _Session, want: tuple[tuple[bytes, ...], bool]) -> None:
    """Every Python shows the chain in its way; where only the first certificate is shown, the answer says so."""
    assert _chain(session) == want  # type: ignore[arg-type]


def test_chain_as_sent(store: Path) -> None:
    """All certificates are read, in the order in which they were sent."""
    identity = authority.issue(["mx.example"], authority.private_root())
    found = talk(starttls(context(identity.write(store / "chain.pem"))), store)
    assert found.chain == identity.chain


@pytest.mark.parametrize(
    ("identity", "trust"),
    [
        pytest.param(lambda: authority.issue(["a.example"]), Trust.SELF_SIGNED, id="self-signed"),
        pytest.param(lambda: authority.issue(by=authority.private_root()), Trust.PRIVATE, id="private"),
        pytest.param(
            lambda: authority.issue(
                by=authority.Identity(authority.intermediate().key, authority.intermediate().certificate)
            ),
            Trust.UNKNOWN_ISSUER,
            id="intermediate missing",
        ),
        pytest.param(lambda: authority.issue(by=authority.intermediate()), Trust.TRUSTED, id="intermediate sent"),
        pytest.param(lambda: authority.issue(by=authority.root(), days=(-9, -2)), Trust.EXPIRED, id="expired"),
        pytest.param(lambda: authority.issue(by=authority.root(), days=(2, 9)), Trust.NOT_YET_VALID, id="not yet"),
        pytest.param(
            lambda: authority.issue(by=authority.root(), usage=ExtendedKeyUsageOID.CODE_SIGNING),
            Trust.INVALID,
            id="wrong purpose",
        ),
    ],
)
def test_trust(identity: "type[authority.Identity]", trust: Trust, store: Path) -> None:
    """OpenSSL's judgement of a chain becomes one word."""
    made = identity()  # type: ignore[call-arg]
    found = talk(starttls(context(made.write(store / "judged.pem"))), store, Manner.VERIFYING)
    assert found.trust is trust
    assert (found.ending is Ending.ENCRYPTED) == (trust is Trust.TRUSTED)


def test_anonymous(store: Path) -> None:
    """A server without a certificate takes senders that authenticate nobody, and no others."""
    made = context(None, maximum_version=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers("aNULL:@SECLEVEL=0")
    assert talk(starttls(made), store, Manner.AUTHENTICATING).ending is Ending.BROKEN
    lax = talk(starttls(made), store, Manner.OPPORTUNISTIC)
    assert (lax.ending, lax.chain) == (Ending.ENCRYPTED, ())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
def test_old_protocol(store: Path) -> None:
    """TLS 1.0 passes at encrypt and fails where the security level rises."""
    made = context(store / "good.pem", maximum_version=ssl.TLSVersion.TLSv1)
    made.set_ciphers("ALL:@SECLEVEL=0")
    assert talk(starttls(made), store, Manner.OPPORTUNISTIC).protocol == "TLSv1"
    assert talk(starttls(made), store, Manner.AUTHENTICATING).ending is Ending.BROKEN


def test_client_certificate_demanded(store: Path) -> None:
    """In TLS 1.3 a server that demands a certificate fails after the handshake: no mail would get through."""
    made = context(store / "good.pem", verify_mode=ssl.CERT_REQUIRED)
    made.load_verify_locations(store / "root.pem")
    assert talk(starttls(made), store).ending is Ending.BROKEN


def test_dies_after_handshake(store: Path) -> None:
    """A session that gives no answer over TLS is not encrypted mail."""
    assert talk(starttls(context(store / "good.pem"), after=b"421 bye\r\n"), store).ending is Ending.UNTOLD


def drip(client: socket.socket) -> None:
    """Send a byte now and then, for ever."""
    client.sendall(b"220 ")
    while True:
        client.sendall(b"x")
        time.sleep(0.05)


def flood(client: socket.socket) -> None:
    """Send a banner of 10 MB in one line."""
    client.sendall(b"220-" + b"x" * (10 << 20) + b"\r\n")


def endless(client: socket.socket) -> None:
    """Send short lines of a banner for ever."""
    while True:
        client.sendall(b"220-hello\r\n" * 100)


def stall_in_handshake(client: socket.socket) -> None:
    """Send half of a record in the handshake and wait."""
    for step in (BANNER, EHLO, READY):
        client.sendall(step)
        read_line(client)
    client.sendall(b"\x16\x03\x03\x40\x00")
    time.sleep(5)


def flood_over_tls(store: Path) -> Play:
    """Send lines without end over TLS."""
    made = context(store / "good.pem")

    def play(client: socket.socket) -> None:
        for step in (BANNER, EHLO, READY):
            client.sendall(step)
            if step is not READY:
                read_line(client)
        with made.wrap_socket(client, server_side=True) as session:
            while True:
                session.sendall(b"250-" + b"y" * 60 + b"\r\n")

    return play


@pytest.mark.parametrize(
    "play", [drip, flood, endless, stall_in_handshake, flood_over_tls], ids=lambda play: play.__name__
)
def test_hostile(play: Play, store: Path) -> None:
    """No server holds a conversation longer than its limit or makes the process grow by 50 MB."""
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    found = talk(flood_over_tls(store) if play is flood_over_tls else play, store, seconds=0.5)  # type: ignore[comparison-overlap]
    assert time.monotonic() - begin < 1.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10
    assert found.ending is Ending.UNTOLD
    assert found.why in {Why.TIMEOUT, Why.TOO_MUCH}


def test_certificate_bomb(store: Path) -> None:
    """A chain of hundreds of certificates is not kept and not judged."""
    good = authority.issue(["mx.example"], authority.root())
    bomb = authority.Identity(good.key, good.certificate, (authority.root().certificate,) * 200)
    found = talk(starttls(context(bomb.write(store / "bomb.pem"))), store)
    assert found.ending in {Ending.UNTOLD, Ending.BROKEN}
    assert found.chain == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_any_bytes(store: Path, steps: list[bytes]) -> None:
    """Whatever bytes a server sends, the conversation ends in a value, with printable words."""
    found = talk(says(*steps), store, seconds=0.3)
    assert found.ending in Ending
    assert found.words.isascii()
    assert found.words.isprintable()
