"""RFC 8460 reports: read in every wrapping, counted by policy, each once; whatever they hold."""

import gzip
import json
import subprocess
import sys
import tracemalloc
import zlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlsmon.logs import day
from tests.tlsmon.tlsrpt.reports import RFC_EXAMPLE, as_json, as_mail, report

from tlsmon import api, config, tlsrpt
from tlsmon.config import Config
from tlsmon.errors import TlsmonError
from tlsmon.tlsrpt.document import MAX_BYTES, MAX_HOSTS, read
from tlsmon.tlsrpt.envelope import MAX_FILE, documents, is_report
from tlsmon.tlsrpt.model import Failure, ReportError

WRAPPED = {
    "json": as_json(RFC_EXAMPLE),
    "json with a mark": b"\xef\xbb\xbf \n" + as_json(RFC_EXAMPLE),
    "indented": json.dumps(RFC_EXAMPLE, indent=2).encode(),
    "gzip": gzip.compress(as_json(RFC_EXAMPLE)),
    "mail": as_mail(RFC_EXAMPLE),
    "mail with json": as_mail(RFC_EXAMPLE, "tlsrpt+json"),
    "mail of an mbox": b"From tls@provider.example Mon Nov  2 00:00:00 2026\n" + as_mail(RFC_EXAMPLE),
    "mail, packed": gzip.compress(as_mail(RFC_EXAMPLE)),
    "mail with another type": as_mail(RFC_EXAMPLE, "gzip"),
}


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """Return settings with a store of its own."""
    return config.resolve(store=str(tmp_path / "store"), timezone="UTC")


def ingested(settings: Config, folder: Path, **contents: bytes) -> api.Report:
    """Bring files in."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return api.ingest(settings, [str(folder / name) for name in contents])


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED)
def test_the_rfcs_example(content: bytes) -> None:
    """The example of the RFC, however it comes."""
    assert is_report(content[: 1 << 16])
    (document,) = documents(content)
    found = read(document)
    assert found.organization == "Company-X"
    assert (found.successful, found.failed) == (5326, 303)
    (policy,) = found.policies
    assert (policy.policy_type, policy.policy_domain) == ("sts", "company-y.example")
    assert policy.failures == {
        Failure("certificate-expired", "mx1.mail.company-y.example"): 100,
        Failure("starttls-not-supported", "mx2.mail.company-y.example"): 200,
        Failure("validation-failure", "mx-backup.mail.company-y.example"): 3,
    }


@pytest.mark.parametrize(
    "head",
    [
        day(3), gzip.compress(day(3)), b"", b"{", b'{"MESSAGE":"x","__REALTIME_TIMESTAMP":"1"}',
        b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":"{\\"report-id\\":1}"}', b"2026-11-20 10:00:00 exim 4.96 daemon: ",
        b"Subject: hello\n\nI am no report.", b"\x1f\x8bno gzip",
    ],
)  # fmt: skip
def test_logs_are_no_reports(head: bytes) -> None:
    """Logs, journals and other mail are left to those who read them."""
    assert not is_report(head)


class TestCounts:
    """What is counted."""

    def test_by_policy(self, settings: Config, tmp_path: Path) -> None:
        """A report with two policies counts for both; two reports of one policy add up."""
        ingested(settings, tmp_path, a=as_json(report(1, 10, 2)), b=as_json(report(2, 5)))
        found = tlsrpt.summary(settings.store, "our.example")
        assert (found.reports, found.organizations) == (2, ("Provider Inc.",))
        assert [(one.policy_type, one.successful, one.failed) for one in found.policies] == [
            ("sts", 15, 2),
            ("tlsa", 15, 2),
        ]
        assert found.policies[0].failures == ((Failure("unspecified", None), 2),)

    def test_once(self, settings: Config, tmp_path: Path) -> None:
        """The same report by mail and by itself, in one call and in the next, counts once."""
        first = ingested(settings, tmp_path, a=as_json(report()), b=as_mail(report()))
        assert [one.new for one in first.tls_reports] == [True, False]
        again = ingested(settings, tmp_path, c=gzip.compress(as_json(report())))
        assert [one.new for one in again.tls_reports] == [False]
        assert tlsrpt.summary(settings.store).policies[0].successful == 10

    def test_other_organisations_may_use_the_same_id(self, settings: Config, tmp_path: Path) -> None:
        """An id is the organisation's own."""
        other = report() | {"organization-name": "Other"}
        ingested(settings, tmp_path, a=as_json(report()), b=as_json(other))
        assert tlsrpt.summary(settings.store).reports == 2

    def test_with_logs(self, settings: Config, tmp_path: Path) -> None:
        """Reports and logs may be named together, and a broken report keeps nothing from being read."""
        found = ingested(settings, tmp_path, log=day(4), report=as_json(report()), broken=as_json(report())[:-20])
        assert (found.new_deliveries, len(found.tls_reports)) == (4, 1)
        assert [problem.partition(": ")[2] for problem in found.problems] == [
            "no TLSRPT report that can be read: it is no JSON (JSONDecodeError)"
        ]

    def test_nothing_there(self, settings: Config) -> None:
        """Without a report, and without a store, there is nothing to tell."""
        assert tlsrpt.summary(settings.store, "our.example") == ("our.example", 0, (), None, None, ())

    def test_sums_hold(self) -> None:
        """Failures that no detail tells of are there, too."""
        document = deepcopy(RFC_EXAMPLE)
        document["policies"][0]["summary"]["total-failure-session-count"] = 1000
        assert read(as_json(document)).failed == 1000

    def test_nothing_personal(self, settings: Config, tmp_path: Path) -> None:
        """Neither who wrote a report nor its id is kept."""
        ingested(settings, tmp_path, a=as_json(RFC_EXAMPLE))
        kept = b"".join(path.read_bytes() for path in (tmp_path / "store" / "_tlsrpt").rglob("*") if path.is_file())
        assert b"sts-reporting" not in kept
        assert b"5065427c" not in kept


def changed(path: str, value: Any) -> bytes:
    """Return the example with one value replaced."""
    document = deepcopy(RFC_EXAMPLE)
    *way, last = path.split("/")
    place: Any = document
    for step in way:
        place = place[int(step) if step.isdecimal() else step]
    place[last] = value
    return as_json(document)


BROKEN = {
    "no organisation": changed("organization-name", None),
    "no range": changed("date-range", 1),
    "no time": changed("date-range/start-datetime", "yesterday"),
    "year": changed("date-range/start-datetime", "0001-01-01T00:00:00Z"),
    "backwards": changed("date-range/end-datetime", "2016-03-01T00:00:00Z"),
    "no policies": changed("policies", []),
    "policies": changed("policies", {"a": 1}),
    "many policies": changed("policies", [RFC_EXAMPLE["policies"][0]] * 1001),
    "policy": changed("policies/0/policy", "sts"),
    "kind": changed("policies/0/policy/policy-type", "none"),
    "domain": changed("policies/0/policy/policy-domain", "a b"),
    "negative": changed("policies/0/summary/total-successful-session-count", -1),
    "huge": changed("policies/0/summary/total-successful-session-count", 1 << 60),
    "fraction": changed("policies/0/summary/total-successful-session-count", 1.5),
    "flag": as_json(RFC_EXAMPLE).replace(b"5326", b"true"),
    "details": changed("policies/0/failure-details", [1]),
    "no object": b"[]",
    "NaN": as_json(RFC_EXAMPLE).replace(b"5326", b"NaN"),
    "digits": as_json(RFC_EXAMPLE).replace(b"5326", b"1" * 10_000),
    "deep": b'{"report-id":' * 100_000,
    "deep lists": b'{"report-id":' + b"[" * 200_000,
    "large": b'{"report-id":"' + b"x" * MAX_BYTES + b'"}',
    "not UTF-8": b'{"report-id":"\xff"}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken(content: bytes) -> None:
    """What is no report is refused in words."""
    with pytest.raises(ReportError):
        read(content)


def bomb(layers: int = 1) -> bytes:
    """Return 200 MB of blanks in gzip."""
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(b'{"report-id":1,' + b" " * 1000)
    data += b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
    return data if layers == 1 else gzip.compress(data)


HOSTILE = {
    "bomb": bomb(),
    "cut off": gzip.compress(as_json(RFC_EXAMPLE))[:-30],
    "damaged": gzip.compress(as_json(RFC_EXAMPLE))[:40] + b"x" * 60,
    "large file": b"{" + b" " * MAX_FILE,
    "mail without report": as_mail(RFC_EXAMPLE).replace(b"tlsrpt+gzip", b"x-unknown"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_wrapping(content: bytes) -> None:
    """Nothing is unpacked beyond what a report may be."""
    tracemalloc.start()
    with pytest.raises(ReportError):
        [read(document) for document in documents(content)]
    assert tracemalloc.get_traced_memory()[1] < 8 * MAX_FILE
    tracemalloc.stop()


def test_bomb_in_a_mail() -> None:
    """The same where it is attached."""
    mail = as_mail(RFC_EXAMPLE)
    head, _, tail = mail.partition(b"Content-Transfer-Encoding: base64\n")
    assert tail
    import base64  # noqa: PLC0415

    body = head + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(bomb())
    with pytest.raises(ReportError, match="unpacks to more than"):
        documents(body)


def test_nested_mail() -> None:
    """A mail of parts within parts within parts."""
    deep = b"Content-Type: multipart/mixed; boundary=a\nX: application/tlsrpt+gzip\n\n"
    with pytest.raises(ReportError):
        documents(deep + b"--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 20_000)


def test_many_hosts() -> None:
    """A report that names very many hosts is summed up, and nothing is lost."""
    details = [
        {"result-type": "x", "receiving-mx-hostname": f"h{number}.example", "failed-session-count": 1}
        for number in range(3 * MAX_HOSTS)
    ]
    found = read(changed("policies/0/failure-details", details))
    assert len(found.policies[0].failures) <= MAX_HOSTS + 2
    assert found.failed == 3 * MAX_HOSTS
    assert {failure.result_type for failure in found.policies[0].failures} == {"other"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(RFC_EXAMPLE)), JSON, st.binary(max_size=20), st.integers(0, 2000))
def test_any_content(key: str, value: Any, noise: bytes, at: int) -> None:
    """Whatever a report holds, it is read or refused in words."""
    text = as_json(RFC_EXAMPLE | {key: value})
    for content in (text, text[:at] + noise + text[at:], as_mail(RFC_EXAMPLE)[:at] + noise):
        is_report(content)
        try:
            for document in documents(content):
                read(document)
        except TlsmonError:
            pass


def test_command(settings: Config, tmp_path: Path) -> None:
    """``ingest`` tells of reports, also through a pipe as an alias would give them; ``tlsrpt`` shows what they say."""

    def run(*words: str, text: bytes = b"") -> str:
        command = [sys.executable, "-m", "tlsmon", *words, "--store", settings.store]
        return subprocess.run(command, input=text, capture_output=True, check=True).stdout.decode()

    assert "No TLS reports are in the store" in run("tlsrpt")
    assert run("ingest", "-", text=as_mail(RFC_EXAMPLE)) == (
        "-: TLS report of Company-X for company-y.example, 2016-04-01: 5,326 sessions succeeded, 303 failed.\n"
    )
    (tmp_path / "report.json").write_bytes(as_json(RFC_EXAMPLE))
    assert (
        json.loads(run("ingest", str(tmp_path / "report.json"), "--format", "json"))["tls_reports"][0]["new"] is False
    )
    shown = run("tlsrpt", "Company-Y.example").splitlines()
    assert shown[0].startswith("1 report of 1 organisation, 2016-04-01 to 2016-04-01.")
    assert shown[3].split() == ["company-y.example", "sts", "5,326", "303"]
    assert json.loads(run("tlsrpt", "--format", "json"))["policies"][0]["failures"][0]["sessions"] == 200
    assert json.loads(run("tlsrpt", "other.example", "--format", "json"))["reports"] == 0
