"""How a policy is fetched: what counts, what does not, and that no host holds or fills the client."""

import ast
import resource
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tlsmon.probe import authority
from tests.tlsmon.probe.receivers import Play, context, read_line, receiving

from tlsmon.probe.model import CouldNotTell, StsMode, StsPolicy, Why
from tlsmon.probe.mta_sts import StsError, _body, fetch, policy_context

POLICY = b"version: STSv1\nmode: testing\nmx: mx.example\nmax_age: 1\n"
WANT = StsPolicy(StsMode.TESTING, 1, ("mx.example",))
PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"
SOURCES = Path(__file__).parents[3] / "src/tlsmon/probe"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the trusted root and certificates for policy hosts."""
    made = tmp_path_factory.mktemp("policy")
    authority.root().write(made / "root.pem")
    authority.issue(["mta-sts.own.example"], authority.root()).write(made / "good.pem")
    authority.issue(["*.own.example"], authority.root()).write(made / "wildcard.pem")
    authority.issue(["www.own.example"], authority.root()).write(made / "wrong.pem")
    authority.issue(["mta-sts.own.example"], authority.root(), days=(-9, -1)).write(made / "expired.pem")
    authority.issue([], authority.root(), common_name="mta-sts.own.example").write(made / "cn.pem")
    authority.issue(["mta-sts.own.example"]).write(made / "self.pem")
    return made


def got(play: Play, folder: Path, seconds: float = 2.0) -> StsPolicy | CouldNotTell:
    """Fetch from a host that behaves like this."""
    with receiving({"127.0.0.1": play}) as (port, _):
        return fetch(
            "own.example", "127.0.0.1", port, policy_context(str(folder / "root.pem")), time.monotonic() + seconds
        )


def over_tls(identity: Path, *parts: bytes, pause: float = 0.0, times: int = 1) -> Play:
    """Answer a request with these parts."""
    made = context(identity)

    def play(client: socket.socket) -> None:
        with made.wrap_socket(client, server_side=True) as session:
            while read_line(session).strip():
                pass
            for _ in range(times):
                for part in parts:
                    session.sendall(part)
                    time.sleep(pause)
            session.unwrap()

    return play


@pytest.mark.parametrize("identity", ["good", "wildcard"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + PLAIN + b"\r\n" + POLICY, id="to the end"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\n" + PLAIN + b"Content-Length: %d\r\n\r\n" % len(POLICY) + POLICY, id="length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n"
            + PLAIN
            + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(POLICY)
            + POLICY
            + b"\r\n0\r\n\r\n",
            id="chunked",
        ),
    ],
)
def test_good(identity: str, answer: bytes, folder: Path) -> None:
    """A policy as plain text over verified HTTPS counts, however HTTP frames it."""
    assert got(over_tls(folder / f"{identity}.pem", answer), folder) == WANT


@pytest.mark.parametrize("identity", ["wrong", "expired", "self", "cn"])
def test_certificates(identity: str, folder: Path) -> None:
    """A policy host whose certificate fails has no policy (RFC 8461, section 3.3); CN does not count."""
    with pytest.raises(StsError, match="the certificate of mta-sts"):
        got(over_tls(folder / f"{identity}.pem", b""), folder)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: https://x.example/\r\n" + PLAIN + b"\r\n" + POLICY, "with 301, not 200"),
        (b"HTTP/1.1 404 Not found\r\n" + PLAIN + b"\r\n", "with 404, not 200"),
        (OK + b"Content-Type: text/html\r\n\r\n" + POLICY, "as text/html, not text/plain"),
        (OK + PLAIN + b"\r\n" + POLICY + b"x: y\n" * 14_000, "larger than 64 KB"),
        (OK + PLAIN + b"\r\n" + "mx: müller.example".encode(), "not plain ASCII"),
        (OK + PLAIN + b"\r\n<html>", "not a name, a colon and a value"),
        (b"220 smtp.example\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (OK + PLAIN + b"Content-Length: 9999\r\n\r\nversion", "does not speak HTTP"),
        (OK + b"A: b\r\n" * 500 + b"\r\n", "does not speak HTTP"),
    ],
)
def test_bad_answers(answer: bytes, words: str, folder: Path) -> None:
    """No redirect, no error page, no other type, nothing cut off (RFC 8461, section 3.3)."""
    with pytest.raises(StsError, match=words):
        got(over_tls(folder / "good.pem", answer), folder)


def test_hostile(folder: Path) -> None:
    """Neither a drip nor a flood holds the client longer than its limit or makes it grow."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    drip = over_tls(folder / "good.pem", b"x", pause=0.05, times=200)
    flood = over_tls(folder / "good.pem", b"x" * 65_536, times=2000)
    for play, why in ((drip, Why.TIMEOUT), (flood, Why.TOO_MUCH)):
        begin = time.monotonic()
        found = got(play, folder, seconds=0.6)
        assert isinstance(found, CouldNotTell)
        assert found.why is why
        assert time.monotonic() - begin < 1.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_no_tls(folder: Path) -> None:
    """A host that speaks no TLS has no policy."""

    def play(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises((StsError, ssl.SSLError), match="speaks no TLS"):
        got(play, folder)


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_answer(data: bytes, head: bool) -> None:
    """Any bytes are a text or an error that says what is wrong."""
    with suppress(StsError):
        assert isinstance(_body((OK + PLAIN + b"\r\n" if head else b"") + data, "mta-sts.own.example"), str)


def test_only_lookups_knows_dns() -> None:
    """One module talks to DNS; everything else gets values."""
    importing = {
        path.name
        for path in SOURCES.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
        )
        if (name or "").split(".")[0] == "dns"
    }
    assert importing == {"lookups.py"}
