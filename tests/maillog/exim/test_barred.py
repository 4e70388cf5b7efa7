"""Deferrals of the last host, which was down, where TLS kept the mail from a host before it."""

import json

import pytest
from tests.maillog.exim.samples import ID, MX, SOURCE, feed, read

from maillog.exim.deliveries import EximDeliveries
from maillog.model import Cause

RT = "R=dnslookup T=remote_smtp"
OTHER = "H=mx2.g.example [198.51.100.8]"
FAILED_THERE = "SMTP error from remote mail server after RCPT TO:<u@g.example>: 450 later"
DONE = f"{ID} Completed"
BARRED = {
    "not offered": (
        f"{OTHER}: a TLS session is required, but the server did not offer TLS support",
        Cause.TLS_NOT_OFFERED,
    ),
    "refused": (f"{OTHER}: a TLS session is required, but an attempt to start TLS failed", Cause.TLS_REFUSED),
    "put off": (
        f"{OTHER}: SMTP error from remote mail server after STARTTLS: 454 4.7.0 TLS not available now",
        Cause.TLS_REFUSED,
    ),
    "hung up": (f"{OTHER}: Remote host closed connection in response to STARTTLS", Cause.TLS_HANDSHAKE),
    "no answer": (
        f"{OTHER}: SMTP timeout after STARTTLS (10 bytes written): Connection timed out",
        Cause.TLS_HANDSHAKE,
    ),
    "no reply": (f"{OTHER}: Malformed SMTP reply in response to pipelined STARTTLS: what?", Cause.TLS_HANDSHAKE),
    "busy": (f"{OTHER}: SMTP timeout after initial connection: Connection timed out", Cause.UNRELATED),
    "DANE": ("DANE attempt failed; TLS connection to mx2.g.example [198.51.100.8]: (SSL_connect): x", Cause.DANE),
    "TLSA": (f"{OTHER}: DANE error: tlsa lookup DEFER", Cause.DANE),
    "down": (f"{OTHER} Connection refused", Cause.UNRELATED),
    "certificate that need not be good": (
        "[198.51.100.8] SSL verify error: depth=0 error=x cert=/CN=x",
        Cause.UNRELATED,
    ),
}
DOWN = f"{RT} defer (111): Connection refused"


@pytest.mark.parametrize(("note", "cause"), BARRED.values(), ids=BARRED)
def test_last_host_down_after_one_that_failed_for_tls(note: str, cause: Cause) -> None:
    """The last host tells only of itself; without TLS the first one would have taken the mail."""
    gone = f"{ID} ** u@g.example: retry timeout exceeded"
    # As Exim 4.96 and 4.100.1 wrote it: where there was a session, with the host that had it.
    for down in DOWN, f"{DOWN} {OTHER}", f"{RT} defer (Connection refused) {OTHER}":
        found = read((0, f"{ID} {note}"), (300, f"{ID} == u@g.example {down}"), (300, gone))
        assert [one.result.cause for one in found] == [cause, cause]
    for other in (
        f"{DOWN} {MX}",
        f"{RT} defer (-44) {MX}: {FAILED_THERE}",
        f"{RT} defer (0) {MX}: SMTP error from remote mail server after initial connection: 421 busy",
        "R=dnslookup defer (-1): x",
    ):
        found = read(f"{ID} {note}", f"{ID} == u@g.example {other}", DONE)
        assert found[0].result.cause is Cause.UNRELATED, "the last one was not down"


def test_which_host_was_down_is_not_told_for_several_domains() -> None:
    """A note about a host does not say for which of the domains it was tried."""
    note = BARRED["not offered"][0]
    [_, other] = read(f"{ID} {note}", f"{ID} == u@g.example {DOWN}", f"{ID} == u@other.example {DOWN}", DONE)
    assert other.result.cause is Cause.UNRELATED
    # But where there was a session, the line names the host.
    lines = f"{ID} == u@other.example {DOWN}", f"{ID} == u@g.example {DOWN} {OTHER}"
    [_, named] = read(f"{ID} {note}", *lines, DONE)
    assert named.result.cause is Cause.TLS_NOT_OFFERED


def test_state_of_a_version_before() -> None:
    """It knew the cause of one host, but not which."""
    reader, later = EximDeliveries(SOURCE), EximDeliveries(SOURCE)
    feed(reader, [f"{ID} {BARRED['not offered'][0]}"])
    state = json.loads(json.dumps(reader.carry()))
    [run] = state["runs"]
    assert run[8] == [["198.51.100.8", "tls_not_offered"]]
    state["runs"] = [[*run[:8], "tls_not_offered", *run[9:11]]]
    later.restore(state)
    feed(later, [f"{ID} == u@g.example {DOWN}"])
    assert [one.result.cause for one in later.held()] == [Cause.TLS_NOT_OFFERED]
