"""The letter to a postmaster: what the log proves, in words and times, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.cli.process import ROOT
from tests.tlsmon.logs import ingest
from tests.tlsmon.report.stores import filled
from tests.tlsmon.verdict.stories import observations
from typer.testing import CliRunner, Result

from tlsmon.cli.app import app
from tlsmon.evidence.model import Observation

RUNNER = CliRunner()


def letter(store: Path, *arguments: str) -> Result:
    """Ask for a letter."""
    return RUNNER.invoke(app, ["letter", "--store", str(store), *arguments])


def told(folder: Path, story: str, domain: str = "partner.test", **other: Any) -> Path:
    """Return a store with the story of a domain."""
    found = [item._replace(**other) for item in observations(story, domain)]
    filled(folder / "store", found)
    return folder / "store"


def test_the_whole_letter(tmp_path: Path) -> None:
    """Counts by MX host, the fault in words, first and last time with their zone, and what to change."""
    done = letter(told(tmp_path, "a=eeepppp b=eee"), "partner.test")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("To: postmaster@partner.test\nSubject: TLS of the mail servers of partner.test\n")
    host = "  a.partner.test (192.0.2.97)\n    7 sessions, 3 of them as they should be\n"
    fault = "    took mail without encryption: 4 times,\n      first 2023-11-14 22:16:20 UTC\n"
    assert host + fault + "      last  2023-11-14 22:19:20 UTC\n" in done.stdout
    assert "Your other MX hosts are in order:\n\n  b.partner.test (192.0.2.98)\n" in done.stdout
    assert "1. Offer STARTTLS (RFC 3207)" in done.stdout
    assert "  openssl s_client -starttls smtp -connect a.partner.test:25\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 72


@pytest.mark.parametrize(
    ("story", "cause", "level", "says"),
    [
        ("a=enn", "tls_not_offered", "encrypt", "did not offer STARTTLS: 2 times"),
        ("a=err", "tls_refused", "encrypt", "offered STARTTLS and then refused it: 2 times"),
        ("a=ehh", "tls_handshake", "encrypt", "broke off the TLS handshake: 2 times"),
        ("a=vnn", "cert_name", "verify", "showed a certificate for another name: 2 times"),
        ("a=vnn", "cert_expired", "verify", "showed a certificate that is expired or not yet valid: 2 times"),
        ("a=dnn", "dane", "dane-only", "did not agree with the TLSA records of the domain (DANE): 2 times"),
    ],
)
def test_faults(tmp_path: Path, story: str, cause: str, level: str, says: str) -> None:
    """Each cause has words of its own, and something to change."""
    found = list(observations(story, "partner.test"))
    items = [item._replace(cause=cause) if item.outcome != "sent" else item for item in found]
    filled(tmp_path / "store", items)
    text = letter(tmp_path / "store", "partner.test", "--level", level).stdout
    assert says in " ".join(text.split())
    assert "\n1. " in text
    assert "\n2. " not in text


def test_levels(tmp_path: Path) -> None:
    """At verify a certificate that does not verify is a fault, and the check is one of names."""
    store = told(tmp_path, "a=uuuu other=tttt")
    assert letter(store, "partner.test").exit_code == 1
    text = letter(store, "partner.test", "--level", "verify").stdout
    assert "showed no certificate that could be verified: 4 times" in text
    assert "-verify_hostname a.partner.test" in text
    old = told(tmp_path / "old", "a=1111")
    assert letter(old, "partner.test").exit_code == 1
    text = letter(old, "partner.test", "--oldest-protocol", "TLSv1.2").stdout
    assert "TLS 1.2 and TLS 1.3 (RFC 8996)" in text


@pytest.mark.parametrize(
    ("domain", "story", "why"),
    [
        ("partner.test", "a=eeee", "its MX hosts are in order, 4 sessions were as they should be"),
        (
            "partner.test",
            "a=pppppppp" + 60 * "e",
            "are in order, 60 sessions were as they should be; 8 sessions before",
        ),
        ("unheard.test", "a=pppp", "no mail to it in this time tells of TLS"),
        ("partner.test", "a=????", "no mail to it in this time tells of TLS"),
    ],
)
def test_nothing_to_write(tmp_path: Path, domain: str, story: str, why: str) -> None:
    """Nobody is accused of what is mended, unknown or not seen; the answer is no."""
    done = letter(told(tmp_path, story), domain)
    assert (done.exit_code, done.stdout) == (1, "")
    assert why in done.stderr


def test_our_own_fault_is_not_theirs(tmp_path: Path) -> None:
    """A day on which many unrelated hosts fail together is our own: no letter about it."""
    day = 86_400_000_000

    def week(domain: str) -> list[Observation]:
        mails = list(observations("a=eeeeeep", domain))
        return [
            item._replace(attempts=20, connections=20, first=item.first + number * day, last=item.last + number * day)
            for number, item in enumerate(mails)
        ]

    items = [item for number in range(6) for item in week(f"partner{number}.test")]
    filled(tmp_path / "store", items)
    done = letter(tmp_path / "store", "partner0.test")
    assert (done.exit_code, "120 sessions were as they should be" in done.stderr) == (1, True)
    filled(tmp_path / "alone", week("partner0.test"))
    assert letter(tmp_path / "alone", "partner0.test").exit_code == 0


def test_window(tmp_path: Path) -> None:
    """As of an earlier time only what was known then is told."""
    store = told(tmp_path, "a=eeee")
    later = [item._replace(first=item.first + 86_400_000_000, last=item.last + 86_400_000_000)
             for item in observations("a=pppp", "partner.test")]  # fmt: skip
    filled(store, later)
    assert letter(store, "partner.test").exit_code == 0
    assert letter(store, "partner.test", "--as-of", "2023-11-15").exit_code == 1


def test_hostile_names(tmp_path: Path) -> None:
    """What strangers call their hosts neither steers a terminal, nor gets into the command to copy."""
    store = tmp_path / "store"
    (item, *_) = observations("a=p", "partner.test")
    evil = "mx;reboot\x1b[2J\n." + 30 * "long-" + ".test"
    addresses = [item.address._replace(host=evil, ip=f"2001:db8::{number:x}") for number in range(9)]
    filled(store, [item._replace(address=address) for address in addresses])
    text = letter(store, "partner.test").stdout
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "openssl" not in text
    assert "and 5 more" in text
    assert [line for line in text.splitlines() if len(line) > 72 and "long-" not in line] == []


def test_a_real_log(tmp_path: Path) -> None:
    """From what a real Postfix wrote: the domain in the words of a person, and no address of anybody."""
    ingest(tmp_path / "store", ROOT / "sample_logs/postfix-3.7/mail.log")
    text = letter(tmp_path / "store", "Busy-Clear.example").stdout
    assert "45 sessions, 0 of them as they should be" in text
    assert [word for word in text.split() if "@" in word] == ["postmaster@busy-clear.example"]


def test_output(tmp_path: Path) -> None:
    """It can be written to a file; it is never sent."""
    store = told(tmp_path, "a=pppp")
    done = letter(store, "partner.test", "-o", str(tmp_path / "letter.txt"))
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "letter.txt").read_text() == letter(store, "partner.test").stdout
