"""``tlsmon policy``: nothing but what is safe, nothing taken back by accident, nothing of what people wrote lost."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import ROOT, RunBytes
from tests.tlsmon.logs import ingest
from tests.tlsmon.report.stores import filled
from tests.tlsmon.verdict.stories import observations

SEEN = ("--max-share", "1")
# Domain and story: e encrypted, p in clear, t trusted, r bounced by a refused STARTTLS, n deferred for want of it.
STORIES = {"safe.test": "a=eeeeeeee", "clear.test": "a=pppppppp", "refuses.test": "a=reeeeeeeeeee"}


def tell(store: Path, stories: dict[str, str]) -> None:
    """Fill a store with the stories of domains."""
    filled(store, [item for domain, story in stories.items() for item in observations(story, domain)])


def rules(text: bytes) -> list[bytes]:
    """Return the lines of a table that are no comments."""
    return [one for one in text.splitlines() if one and not one.startswith(b"#")]


def test_only_what_is_safe(run_bytes: RunBytes, tmp_path: Path) -> None:
    """The table holds the safe domains and no other; as a file it is the same, and readable for the mail server."""
    tell(tmp_path / "store", STORIES)
    shown = run_bytes("policy", *SEEN)
    assert (shown.returncode, rules(shown.stdout)) == (0, [b"safe.test encrypt"])
    written = run_bytes("policy", *SEEN, "-o", "table")
    assert (written.returncode, written.stdout, written.stderr) == (0, b"", b"tlsmon: wrote table\n")
    assert rules((tmp_path / "table").read_bytes()) == [b"safe.test encrypt"]
    assert f"texthash:{tmp_path}/table".encode() in (tmp_path / "table").read_bytes()
    assert (tmp_path / "table").stat().st_mode & 0o044 == 0o044
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "table"]


def test_nothing_safe_writes_nothing(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A table without a line in the place of a full one would end all enforcement: none is written."""
    tell(tmp_path / "store", {"clear.test": "a=pppppppp"})
    (tmp_path / "table").write_bytes(b"safe.test encrypt\n")
    for mta in ("postfix", "exim"):
        done = run_bytes("policy", *SEEN, "--mta", mta, "-o", "table")
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"no domain is safe at encrypt" in done.stderr
    assert (tmp_path / "table").read_bytes() == b"safe.test encrypt\n"


@pytest.mark.parametrize("how", [(), ("--canary", "0.5"), ("--against", "table"), ("--against", "table", "--merged")])
def test_held(run_bytes: RunBytes, tmp_path: Path, how: Sequence[str]) -> None:
    """When many unrelated providers change together, nothing is written and no line is proposed for removal."""
    tell(tmp_path / "store", {f"d{number}.test": "a=eeeeeeeepppppppp" for number in range(6)})
    (tmp_path / "table").write_bytes(b"d1.test encrypt\n")
    done = run_bytes("policy", *SEEN, *how)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"HELD" in done.stderr


@pytest.mark.parametrize("how", [(), ("--mta", "exim"), ("--canary", "0.5"), ("--against", "table", "--merged")])
def test_smarthost(run_bytes: RunBytes, tmp_path: Path, how: Sequence[str]) -> None:
    """Where one hop takes all mail the policy belongs on it: it is named, and no domain is written."""
    ingest(tmp_path / "store", ROOT / "sample_logs/postfix-3.7-smarthost/mail.log")
    (tmp_path / "table").write_bytes(b"")
    done = run_bytes("policy", *SEEN, *how)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b":587, so the policy belongs on this next hop" in done.stderr


def test_rejected_names_are_told(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A name that may not stand in a table is left out, and said so without control characters."""
    tell(
        tmp_path / "store", {"safe.test": "a=eeeeeeee", "evil.test secure\n*": "a=eeeeeeee", "[192.0.2.1]": "a=eeeeeee"}
    )
    for mta in ("postfix", "exim"):
        done = run_bytes("policy", *SEEN, "--mta", mta)
        assert done.stdout.count(b"evil") == done.stdout.count(b"192.0.2.1") == 0
        assert b"left out: evil.test secure?*: " in done.stderr
        assert b"left out: [192.0.2.1]: " in done.stderr


def test_against(run_bytes: RunBytes, tmp_path: Path) -> None:
    """The difference gives a reason for each line; merged, all bytes that people wrote are still there."""
    tell(tmp_path / "store", STORIES)
    ours = b"# caf\xe9\r\nother.test secure match=\xff.test\r\nclear.test encrypt\n\x85\n"
    (tmp_path / "table").write_bytes(ours)
    shown = run_bytes("policy", *SEEN, "--against", "table")
    assert shown.returncode == 0
    assert b"# safe.test: 8 of 8 mails encrypted" in shown.stdout
    assert b"\n+safe.test encrypt\n" in shown.stdout
    assert b"\n?clear.test encrypt\n" in shown.stdout
    merged = run_bytes("policy", *SEEN, "--against", "table", "--merged", "-o", "table")
    assert (merged.returncode, merged.stdout) == (0, b"")
    found = (tmp_path / "table").read_bytes()
    comment = b"# tlsmon proposes to remove the next line: clear.test: "
    kept = b"".join(one for one in found.splitlines(keepends=True) if not one.startswith(comment))
    assert (found != kept, kept) == (True, ours + b"safe.test encrypt\n")
    assert run_bytes("policy", *SEEN, "--against", "table", "--merged").stdout == found


def test_a_line_is_judged_by_its_own_level(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A domain that would lose mail at verify keeps its line at encrypt, under which all of it arrives."""
    tell(tmp_path / "store", {"self.test": "a=uuuuuuuu", "other.test": "a=tttttttt", "clear.test": "a=pppp"})
    (tmp_path / "table").write_bytes(b"self.test encrypt\nclear.test encrypt\n")
    shown = run_bytes("policy", *SEEN, "--level", "verify", "--against", "table")
    assert shown.returncode == 0
    assert b"?clear.test encrypt" in shown.stdout
    assert b"?self.test" not in shown.stdout


def test_a_line_that_fails_now(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A line under which mail bounces since its last success is proposed for removal."""
    tell(tmp_path / "store", {"fails.test": "a=eeeeeeeex", "safe.test": "a=eeeeeeee"})
    (tmp_path / "table").write_bytes(b"fails.test encrypt\n")
    shown = run_bytes("policy", *SEEN, "--against", "table")
    assert b"?fails.test encrypt" in shown.stdout


def test_canary(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A canary takes new domains only, and none whose server bounced mail by refusing STARTTLS."""
    stories = {"safe.test": "a=eeeeeeee", "known.test": "a=eeeeeeee", "self.test": "a=eeeeeeee"}
    tell(tmp_path / "store", stories | {"refused.test": "a=r mx=eeeeeeeeeeee"})
    (tmp_path / "table").write_bytes(b"known.test may\nself.test encrypt\n")
    shown = run_bytes("policy", *SEEN, "--canary", "0.25", "--against", "table")
    assert (shown.returncode, rules(shown.stdout)) == (0, [b"safe.test canary"])
    assert b"randmap:{on, off, off, off}" in shown.stdout
    written = run_bytes("policy", *SEEN, "--canary", "0.25", "-o", "trial")
    assert b"texthash:%s/trial_1" % bytes(tmp_path) in written.stdout
    assert rules((tmp_path / "trial_1").read_bytes()) == [
        b"known.test canary",
        b"safe.test canary",
        b"self.test canary",
    ]


def test_canary_leaves_out_who_refuses(run_bytes: RunBytes, tmp_path: Path) -> None:
    """An address that bounced another domain's mail by refusing STARTTLS would bounce this domain's, too."""
    (first,) = observations("a=r", "shared.test")
    others = [item._replace(domain="safe.test", address=first.address) for item in observations("a=eeeee", "safe.test")]
    fine = observations("b=eeeee", "fine.test")
    better = observations("b=eeeeeeeeee", "safe.test")
    filled(tmp_path / "store", [first, *others, *better, *fine])
    shown = run_bytes("policy", *SEEN)
    assert b"safe.test encrypt" in rules(shown.stdout)
    trial = run_bytes("policy", *SEEN, "--canary", "0.5")
    assert rules(trial.stdout) == [b"fine.test canary"]
    assert b"left out: safe.test: a server of it bounced mail by refusing STARTTLS" in trial.stderr


def test_exim_files(run_bytes: RunBytes, tmp_path: Path) -> None:
    """A folder gets all that Exim needs; without one the parts are shown with their places."""
    ingest(tmp_path / "store", ROOT / "sample_logs/exim-4.96/mainlog")
    assert run_bytes("policy", *SEEN, "--mta", "exim", "-o", "exim4").returncode == 0
    names = ["dane_only", "encrypt", "routers", "transports", "verify"]
    assert sorted(path.name for path in (tmp_path / "exim4").iterdir()) == [f"tlsmon_{name}" for name in names]
    domains = rules((tmp_path / "exim4/tlsmon_encrypt").read_bytes())
    assert b"bulk.example:" in domains
    assert rules((tmp_path / "exim4/tlsmon_verify").read_bytes()) == []
    assert f"lsearch;{tmp_path}/exim4/tlsmon_encrypt".encode() in (tmp_path / "exim4/tlsmon_routers").read_bytes()
    shown = run_bytes("policy", *SEEN, "--mta", "exim").stdout
    assert b"### the file /etc/exim4/tlsmon_encrypt\n" in shown
    assert [one for one in rules(shown) if one.endswith(b".example:")] == domains


def test_exim_against(run_bytes: RunBytes, tmp_path: Path) -> None:
    """Against a list of Exim's, lines of such a list are proposed."""
    ingest(tmp_path / "store", ROOT / "sample_logs/exim-4.96/mainlog")
    (tmp_path / "list").write_bytes(b"bulk.example: ours\n")
    merged = run_bytes("policy", *SEEN, "--mta", "exim", "--against", "list", "--merged").stdout
    assert merged.startswith(b"bulk.example: ours\n")
    assert {one[-1:] for one in rules(merged)[1:]} == {b":"}


def test_warnings(run_bytes: RunBytes, tmp_path: Path) -> None:
    """Another program's logs, and names that only the table in use holds, are warned of."""
    secure = [item._replace(level="secure") for item in observations("a=vvvvvvvv", "safe.test")]
    filled(tmp_path / "store", secure)
    done = run_bytes("policy", *SEEN, "--level", "secure")
    assert (done.returncode, rules(done.stdout)) == (0, [b"safe.test secure"])
    assert b"match= names" in done.stderr
    assert b"no mail sent by exim" in run_bytes("policy", *SEEN, "--mta", "exim").stderr
    assert run_bytes("policy", *SEEN).stderr == b""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--mta", "exim", "--level", "secure"), 2, b"Use --level verify"),
        (("--mta", "exim", "--canary", "0.1"), 2, b"Exim has none"),
        (("--merged",), 2, b"--against"),
        (("--canary", "2"), 2, b"--canary"),
        (("--against", "nowhere"), 3, b"nowhere: cannot be read"),
        (("-o", "no/such/folder"), 2, b"no/such/folder: cannot be written"),
        (("-o", "a b"), 3, b"full path of letters"),
    ],
    ids=str,
)
def test_errors(run_bytes: RunBytes, tmp_path: Path, arguments: Sequence[str], code: int, said: bytes) -> None:
    """What cannot be written is said in words, before anything is."""
    tell(tmp_path / "store", STORIES)
    done = run_bytes("policy", *SEEN, *arguments)
    assert (done.returncode, done.stdout, said in done.stderr) == (code, b"", True), done.stderr
    assert b"Traceback" not in done.stderr


def test_same_findings_same_bytes(run_bytes: RunBytes, tmp_path: Path) -> None:
    """The order in which logs arrive does not show."""
    for name, turn in (("one", 1), ("two", -1)):
        tell(tmp_path / name, dict([*STORIES.items(), ("more.test", "a=eeeeeeee")][::turn]))
    first, second = (run_bytes("policy", *SEEN, "--store", name).stdout for name in ("one", "two"))
    assert first == second
    assert len(rules(first)) == 2
