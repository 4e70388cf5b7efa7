"""What Exim's configuration lacks."""

import pytest

from tlsmon.doctor import exim
from tlsmon.doctor.model import Finding, Weight

WELL = """\
log_file_path = /var/log/exim4/%slog
log_selector = +smtp_protocol_error +tls_peerdn
log_timezone
syslog_timestamp

dnslookup router:
no_disable_logging
driver = dnslookup
transport = remote_smtp

remote_smtp transport:
no_disable_logging
driver = smtp
*expand_multi_domain =
hosts_avoid_tls =
tls_verify_certificates = system

Support for: crypteq iconv() IPv6 GnuTLS move_frozen_messages
"""


def found(text: str, level: str = "encrypt") -> list[Finding]:
    """Return the findings."""
    return list(exim.judge(exim.read(text), level))


def test_all_is_well() -> None:
    """A configuration that tells everything gives no finding."""
    assert found(WELL) == []


@pytest.mark.parametrize(
    ("old", "new", "about", "weight", "line"),
    [
        (
            "+smtp_protocol_error +tls_peerdn",
            "+smtp_protocol_error -tls_cipher",
            "log_selector",
            "missing",
            "log_selector = +smtp_protocol_error +tls_cipher +tls_certificate_verified",
        ),
        (
            "+tls_peerdn",
            "-all +subject",
            "log_selector",
            "missing",
            "log_selector = +smtp_protocol_error -all +subject +tls_cipher +tls_certificate_verified",
        ),
        (
            "+tls_peerdn",
            "- tls_certificate_verified",
            "log_selector",
            "warning",
            "log_selector = +smtp_protocol_error +tls_cipher +tls_certificate_verified",
        ),
        ("hosts_avoid_tls =", "hosts_avoid_tls = *", "hosts_avoid_tls of remote_smtp", "missing", "hosts_avoid_tls ="),
        (
            "hosts_avoid_tls =",
            "hosts_avoid_tls = *.old.example",
            "hosts_avoid_tls of remote_smtp",
            "warning",
            "hosts_avoid_tls =",
        ),
        (
            "tls_verify_certificates = system",
            "tls_verify_certificates =",
            "tls_verify_certificates of remote_smtp",
            "warning",
            "tls_verify_certificates = system",
        ),
        ("log_timezone", "no_log_timezone", "log_timezone", "note", "log_timezone = true"),
        (
            "router:\nno_disable_logging",
            "router:\ndisable_logging",
            "disable_logging of dnslookup",
            "missing",
            "disable_logging = false",
        ),
    ],
)
def test_one_change(old: str, new: str, about: str, weight: str, line: str) -> None:
    """Each setting sets off its own rule and no other, and the line is the exact one."""
    (finding,) = found(WELL.replace(old, new))
    assert (finding.about, finding.weight, finding.lines) == (about, weight, (line,))


def test_words_without_a_line() -> None:
    """What no line mends is said in words."""
    (twice,) = found(WELL.replace("/var/log/exim4/%slog", "syslog : /var/log/exim4/%slog"))
    assert (twice.weight, twice.about) == (Weight.WARNING, "log_file_path")
    (left,) = found(WELL.replace("hosts_avoid_tls =", "fallback_hosts = relay.here.example"))
    assert (left.weight, left.about) == (Weight.WARNING, "fallback_hosts of remote_smtp")
    assert found(WELL.replace("hosts_avoid_tls =", "fallback_hosts =")) == []
    (build,) = found(WELL.replace("GnuTLS ", ""))
    assert (build.weight, build.about) == (Weight.MISSING, "TLS in Exim")


@pytest.mark.parametrize(
    ("route", "about"),
    [
        ("* smtp.isp.example::587 byname", "relay smtp.isp.example::587"),
        ("* 127.0.0.1", "local hop of smarthost"),
        ("*.here.example 10.0.0.1", None),
        ("", None),
    ],
)
def test_routes(route: str, about: str | None) -> None:
    """A router for all mail is a smarthost; one to this machine is a filter."""
    router = f"\nsmarthost router:\ndriver = manualroute\nroute_list = {route}\ntransport = remote_smtp\n"
    assert [each.about for each in found(WELL + router)] == ([about] if about else [])


def test_selectors_apply_from_left_to_right() -> None:
    """As Exim does: the last word about a selector counts."""
    chosen = {
        text: exim.CIPHER in exim.read(f"log_selector = {text}\n").selectors
        for text in ("", "-all", "-all +all", "-tls_cipher +tls_cipher", "+tls_cipher -tls_cipher", "-all+tls_cipher")
    }
    assert list(chosen.values()) == [True, False, True, True, False, True]
