"""The real Postfix and Exim read what was written, in the lab's roots (tests/lab/install.sh); nothing is sent."""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from maillog.model import Level
from tlsmon.policy import exim, postfix
from tlsmon.policy.canary import canary
from tlsmon.policy.diff import against_exim, against_postfix
from tlsmon.policy.model import Enforcement

pytestmark = pytest.mark.lab

CACHE = Path(os.environ.get("TLSMON_LAB_CACHE", Path.home() / ".cache/tlsmon-lab"))
REQUIRED = os.environ.get("TLSMON_LAB") == "required"
HOSTILE = ["x.example encrypt\ny.example", "#z.example", "*.example", '"q.example"', "${run{x}}.example", "[192.0.2.1]"]
WISHES = [
    Enforcement("plain.example", "encrypt", "why"),
    Enforcement("Shared.Example", "verify", "why"),
    Enforcement("hosted.example", "secure", "why", ("mx.provider.example", ".mail.example.net")),
    Enforcement("signed.example", "dane-only", "why"),
    *(Enforcement(name, "encrypt", "why") for name in HOSTILE),
]
POLICIES = {
    "plain.example": "encrypt",
    "shared.example": "verify",
    "hosted.example": "secure match=.mail.example.net:mx.provider.example",
    "signed.example": "dane-only",
    "[smtp.isp.example]:587": "verify",
}
EXIM = """\
domainlist local_domains = here.example
primary_hostname = here.example
begin routers
{routers}
ordinary:
  driver = manualroute
  domains = ! +local_domains
  route_list = * 192.0.2.9
  transport = ordinary_smtp
  no_more
begin transports
{transports}
ordinary_smtp:
  driver = smtp
"""


class Root:
    """A Debian of the lab with a folder of its own for one test."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self.folder = folder
        self.inside = f"/{folder.relative_to(root)}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the root and return what it said."""
        command = ["chroot", str(self._root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def ask(self, table: str, *keys: str) -> dict[str, str]:
        """Return what postmap finds for each of the keys. Any complaint of it is a failure."""
        answers = {}
        for key in keys:
            done = self.run("postmap", "-c", self.inside, "-q", key, table)
            assert done.stderr == ""
            if done.returncode == 0:
                answers[key] = done.stdout.rstrip("\n")
        return answers


def opened(name: str) -> Iterator[Root]:
    """Give a folder in the root of that name; skip without it, or fail where the lab is required."""
    root = CACHE / name
    if os.geteuid() != 0 or not (root / "lab-complete").exists():
        message = f"needs root and {root}: run tests/lab/install.sh"
        pytest.fail(message) if REQUIRED else pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="policy-", dir=root / "tmp"))
    folder.chmod(0o755)
    try:
        yield Root(root, folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["postfix-bookworm", "postfix-sid"])
def postfix_root(request: pytest.FixtureRequest) -> Iterator[Root]:
    """Give a Postfix with a configuration folder of its own."""
    for root in opened(request.param):
        (root.folder / "main.cf").write_text("compatibility_level = 3.6\ninet_interfaces = loopback-only\n")
        (root.folder / "master.cf").write_text("smtp unix - - n - - smtp\n")
        yield root


@pytest.fixture
def exim_root() -> Iterator[Root]:
    """Give an Exim with a configuration folder of its own."""
    yield from opened("exim-bookworm")


def test_postmap_reads_the_table(postfix_root: Root) -> None:
    """Every key gives its policy and no hostile name became a key, from text and from an index."""
    table = postfix_root.folder / "policy"
    hop = Enforcement("[smtp.isp.example]:587", "verify", "why")
    table.write_text(postfix.render(WISHES, [hop], path=f"{postfix_root.inside}/policy").text)
    path = f"{postfix_root.inside}/policy"
    keys = [*POLICIES, "x.example", "y.example", "#z.example", *HOSTILE]
    assert postfix_root.ask(f"texthash:{path}", *keys) == POLICIES
    indexed = "lmdb" if "lmdb" in postfix_root.run("postconf", "-m").stdout.split() else "hash"
    done = postfix_root.run("postmap", "-c", postfix_root.inside, f"{indexed}:{path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert postfix_root.ask(f"{indexed}:{path}", *keys) == POLICIES


def test_postmap_reads_a_merged_table(postfix_root: Root) -> None:
    """Lines of people keep their answers, continued and commented as they are; the rest is as proposed."""
    used = (
        "# ours\nplain.example\n  may\n\n# partner\n"
        "[relay.example]:26\tsecure\n # name\n match=relay.example\nnone.example none"
    )
    losing = {"none.example": "x", "[relay.example]:26": "lost"}
    difference = against_postfix(used, [*WISHES, Enforcement("none.example", "encrypt", "why")], losing)
    (postfix_root.folder / "merged").write_text(difference.merged)
    wanted = {key: value for key, value in POLICIES.items() if "[" not in key}
    wanted |= {"[relay.example]:26": "secure match=relay.example", "none.example": "none"}
    path = f"texthash:{postfix_root.inside}/merged"
    assert postfix_root.ask(path, *wanted, "x.example", *HOSTILE) == wanted


def test_postconf_takes_the_setting(postfix_root: Root) -> None:
    """The canary's value survives main.cf, and Postfix finds nothing to complain about."""
    written = canary(WISHES, 0.25, path=f"{postfix_root.inside}/canary")
    done = postfix_root.run("postconf", "-c", postfix_root.inside, "-e", f"smtp_tls_policy_maps = {written.setting}")
    assert (done.returncode, done.stderr) == (0, "")
    read = postfix_root.run("postconf", "-c", postfix_root.inside, "-x", "-h", "smtp_tls_policy_maps")
    assert (read.stdout.rstrip("\n"), read.stderr) == (written.setting, "")
    assert postfix_root.run("postconf", "-c", postfix_root.inside, "-n").stderr == ""


def test_canary_draws_its_share(postfix_root: Root) -> None:
    """A listed domain gets its policy in about the share of lookups and else no answer; others never get one."""
    written = canary([WISHES[2]], 0.5, path=f"{postfix_root.inside}/canary")
    (table,) = written.tables
    (postfix_root.folder / Path(table.path).name).write_text(table.text)
    drawn = Counter(postfix_root.ask(written.setting, "hosted.example").get("hosted.example") for _ in range(60))
    assert set(drawn) == {POLICIES["hosted.example"], None}
    assert 12 <= drawn[None] <= 48  # a fair coin leaves this range once in a million runs
    assert [postfix_root.ask(written.setting, "other.example") for _ in range(5)] == [{}] * 5


def write_exim(root: Root) -> str:
    """Write lists and configuration; return the path of the latter."""
    written = exim.render(WISHES, folder=root.inside)
    # The lab's Exim has no DNS here: where mail would go is not the question, which transport takes it is.
    routers = written.routers.replace("driver = dnslookup", "driver = manualroute\n  route_list = * 192.0.2.1")
    for domains in written.lists:
        (root.folder / Path(domains.path).name).write_text(domains.text)
    (root.folder / "as-written.conf").write_text(EXIM.format(routers=written.routers, transports=written.transports))
    (root.folder / "routed.conf").write_text(EXIM.format(routers=routers, transports=written.transports))
    return f"{root.inside}/routed.conf"


def transport(root: Root, configuration: str, domain: str) -> str:
    """Return the transport that `exim -bt` names for an address in the domain."""
    said = root.run("exim", "-C", configuration, "-bt", f"postmaster@{domain}")
    return said.stdout.partition("transport = ")[2].split()[0] if "transport = " in said.stdout else said.stdout


def test_exim_accepts_the_configuration(exim_root: Root) -> None:
    """`exim -bV` has nothing to say against it, and the options are those of the level."""
    write_exim(exim_root)
    configuration = f"{exim_root.inside}/as-written.conf"
    done = exim_root.run("exim", "-C", configuration, "-bV")
    assert done.returncode == 0, done.stderr
    assert "Configuration file is" in done.stdout
    for level, wanted in exim.OPTIONS.items():
        name = f"tlsmon_{level.value.replace('-', '_')}_smtp"
        shown = exim_root.run("exim", "-C", configuration, "-bP", "transport", name).stdout
        assert all(option in shown.splitlines() for option in wanted)


def test_exim_routes_by_list(exim_root: Root) -> None:
    """Each listed domain goes to the transport of its level in any case of letters, and every other one as before."""
    configuration = write_exim(exim_root)
    domains = [
        "plain.example",
        "PLAIN.example",
        "shared.example",
        "signed.example",
        "hosted.example",
        "x.example",
        "sub.plain.example",
    ]
    assert {domain: transport(exim_root, configuration, domain) for domain in domains} == {
        "plain.example": "tlsmon_encrypt_smtp",
        "PLAIN.example": "tlsmon_encrypt_smtp",
        "shared.example": "tlsmon_verify_smtp",
        "signed.example": "tlsmon_dane_only_smtp",
        "hosted.example": "ordinary_smtp",  # secure: Exim has no such level
        "x.example": "ordinary_smtp",
        "sub.plain.example": "ordinary_smtp",
    }


def test_exim_reads_a_merged_list(exim_root: Root) -> None:
    """What people wrote into a list still holds after a merge, and so does what was added."""
    configuration = write_exim(exim_root)
    used = '# ours\nOld.example : a note\n  continued\n"quoted.example"'
    difference = against_exim(used, Level.ENCRYPT, WISHES, {"old.example": "lost"})
    (exim_root.folder / "tlsmon_encrypt").write_text(difference.merged)
    for domain in ("old.example", "quoted.example", "plain.example"):
        assert transport(exim_root, configuration, domain) == "tlsmon_encrypt_smtp"
    assert transport(exim_root, configuration, "continued") == "ordinary_smtp"
