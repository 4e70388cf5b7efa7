"""What Postfix's configuration lacks: each rule with the text of postconf that sets it off, and one that does not."""

import pytest

from tlsmon.doctor import postfix
from tlsmon.doctor.model import Finding, Weight, merged
from tlsmon.policy.postfix import TABLE

WELL = f"""\
mail_version = 3.7.11
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtp_tls_CApath = /etc/ssl/certs
smtp_tls_policy_maps = texthash:{TABLE}
"""
SERVICES = """\
smtp       inet  n       -       y       -       -       smtpd
smtp       unix  -       -       y       -       -       smtp
relay      unix  -       -       y       -       -       smtp -o syslog_name=postfix/$service_name
amavis     unix  -       -       -       -       2       smtp
    -o smtp_data_done_timeout=1200
lmtp       unix  -       -       y       -       -       lmtp
"""


def found(text: str, level: str = "encrypt") -> dict[str, Finding]:
    """Return the findings by what they are about."""
    return {each.about: each for each in merged(list(postfix.judge(postfix.read(text), level)))}


def test_all_is_well() -> None:
    """A configuration that tells everything gives no finding."""
    assert found(WELL + SERVICES) == {}


@pytest.mark.parametrize(
    ("change", "about", "weight", "line"),
    [
        ("smtp_tls_security_level =", "smtp_tls_security_level", "missing", "smtp_tls_security_level = may"),
        ("smtp_tls_security_level = none", "smtp_tls_security_level", "missing", "smtp_tls_security_level = may"),
        ("smtp_tls_loglevel = 0", "smtp_tls_loglevel", "missing", "smtp_tls_loglevel = 1"),
        ("smtp_tls_CApath =", "smtp_tls_CAfile", "warning", postfix.CA_LINE),
        ("smtp_tls_policy_maps =", "smtp_tls_policy_maps", "note", f"smtp_tls_policy_maps = texthash:{TABLE}"),
        ("smtp_tls_security_level = dane", "smtp_dns_support_level", "warning", "smtp_dns_support_level = dnssec"),
        ("maximal_queue_lifetime = 36h", "maximal_queue_lifetime", "note", "queue_days = 1.5"),
        (
            "smtp_tls_mandatory_protocols = >=TLSv1.2",
            "smtp_tls_mandatory_protocols",
            "note",
            'oldest_protocol = "TLSv1.2"',
        ),
        (
            "smtp_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1",
            "smtp_tls_mandatory_protocols",
            "note",
            'oldest_protocol = "TLSv1.1"',
        ),
    ],
)
def test_one_change(change: str, about: str, weight: str, line: str) -> None:
    """Each setting sets off its own rule and no other, and the line is the exact one."""
    (finding,) = found(WELL + change + "\n").values()
    assert (finding.about, finding.weight, finding.lines) == (about, weight, (line,))


def test_the_level_decides_what_is_missing() -> None:
    """Certificates do not matter at encrypt; where names are checked there is no verdict without them."""
    text = WELL + "smtp_tls_CApath =\n"
    weights = {level: found(text, level)["smtp_tls_CAfile"].weight for level in ("encrypt", "verify", "dane-only")}
    assert weights == {"encrypt": Weight.WARNING, "verify": Weight.MISSING, "dane-only": Weight.WARNING}


def test_postfix_3_11_says_it_on_each_line() -> None:
    """Since 3.11 the level is may by default and each line has tls=; more is told with smtp_tls_loglevel only."""
    new = "mail_version = 3.11.7\ncompatibility_level = 3.11\nsmtp_tls_CApath = /x\nsmtp_tls_policy_maps = x:y\n"
    assert {about: each.weight for about, each in found(new).items()} == {"smtp_tls_loglevel": Weight.WARNING}
    assert found(new, "verify")["smtp_tls_loglevel"].weight is Weight.MISSING
    off = found(new + "smtp_log_tls_feature_status = no\n")
    assert off["smtp_tls_loglevel"].weight is Weight.MISSING
    assert "smtp_tls_security_level" in found(new + "compatibility_level = 3.6\n")


def test_log_levels_of_single_servers() -> None:
    """Since 3.12 a table may switch TLS logging off for some servers; then only tls= tells them from clear text."""
    table = WELL + "mail_version = 3.12-20260821\nsmtp_tls_loglevel_maps = cidr:/etc/postfix/quiet\n"
    assert found(table) == {}
    (finding,) = found(table + "smtp_log_tls_feature_status = no\n").values()
    assert (finding.weight, finding.lines) == (Weight.MISSING, ("smtp_log_tls_feature_status = yes",))


@pytest.mark.parametrize("old", ["smtp_use_tls = yes", "smtp_enforce_tls = yes"])
def test_older_settings(old: str) -> None:
    """The settings of Postfix 2.2 still switch TLS on."""
    assert found(WELL.replace("smtp_tls_security_level = may", old)) == {}


@pytest.mark.parametrize(
    ("filter_", "where", "line"),
    [
        ("amavis:[127.0.0.1]:10024", "below the line of the service amavis", "  -o smtp_tls_security_level=none"),
        ("smtp:127.0.0.1:10024", "the table of smtp_tls_policy_maps", "127.0.0.1:10024 none"),
        ("smtp:[::1]:10024", "the table of smtp_tls_policy_maps", "[::1]:10024 none"),
        ("unheard:[localhost]:26", "the table of smtp_tls_policy_maps", "[localhost]:26 none"),
    ],
)
def test_local_filters(filter_: str, where: str, line: str) -> None:
    """A filter on this machine would be stopped by a mandatory level; the exception is spelt as the setting is."""
    (finding,) = found(WELL + f"content_filter = {filter_}\n" + SERVICES).values()
    assert (finding.weight, finding.lines) == (Weight.WARNING, (line,))
    assert where in str(finding.where)


@pytest.mark.parametrize("filter_", ["lmtp:[127.0.0.1]:10024", "smtp:[filter.example]:25", "lmtp:unix:/run/x"])
def test_filters_that_do_not_matter(filter_: str) -> None:
    """LMTP is not governed by smtp_tls_security_level, and another machine is not this one."""
    assert found(WELL + f"content_filter = {filter_}\n" + SERVICES) == {}


def test_a_filter_under_a_mandatory_level() -> None:
    """Where TLS is mandatory for all already, the filter is not only a danger."""
    text = WELL + "smtp_tls_security_level = encrypt\ncontent_filter = amavis:[127.0.0.1]:10024\n" + SERVICES
    (finding,) = found(text).values()
    assert "no mail gets through" in finding.text


def test_filter_of_a_service() -> None:
    """A filter may be set for one listener only, and its service may have its exception already."""
    listener = SERVICES.replace("smtpd\n", "smtpd -o content_filter=amavis:[127.0.0.1]:10024\n")
    assert set(found(WELL + listener)) == {"local hop [127.0.0.1]:10024"}
    excepted = listener.replace("-o smtp_data_done", "-o smtp_tls_security_level=none -o smtp_data_done")
    assert found(WELL + excepted) == {}
    assert found(WELL + listener + "amavis/unix/smtp_tls_security_level = none\n") == {}


def test_relay() -> None:
    """All mail through one hop: the policy belongs on it, spelt so."""
    (finding,) = found(WELL + "relayhost = [smtp.isp.example]:587\n").values()
    assert finding.weight is Weight.WARNING
    assert "begin with exactly this: [smtp.isp.example]:587" in finding.text


def test_a_service_without_logging() -> None:
    """A transport with settings of its own is named."""
    services = SERVICES.replace("-o syslog_name=postfix/$service_name", "-o { smtp_tls_loglevel = 0 }")
    (finding,) = found(WELL + services).values()
    assert (finding.about, finding.weight) == ("smtp_tls_loglevel of relay", Weight.MISSING)


def test_main_cf_is_understood() -> None:
    """Comments, continued lines and odd blanks of main.cf itself."""
    text = "# smtp_tls_loglevel = 0\nsmtp_tls_policy_maps =\n    hash:/a,\n# in between\n    hash:/b\n"
    assert postfix.read(text).parameters == {"smtp_tls_policy_maps": "hash:/a, hash:/b"}


def test_the_table_is_the_one_that_policy_writes() -> None:
    """Both modules stand beside each other and must agree."""
    assert postfix.POLICY_TABLE == TABLE
