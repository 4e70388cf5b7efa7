"""
Names that strangers chose, in the store: none of them gets into a policy, a page or a terminal as more than text.

A domain comes from the address of a mail, the name of an MX host from DNS, the reporting host and the instance from a
syslog line; the reader lets through less, yet a store may hold anything.
"""

import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.tlsmon.report.stores import START, filled
from tests.tlsmon.report.test_report import DAY, report_of, sent
from tests.tlsmon.verdict.stories import columns_of
from typer.testing import CliRunner

from tlsmon import api
from tlsmon.cli.app import app
from tlsmon.evidence.model import Address, Observation, Sender
from tlsmon.policy import canary, exim
from tlsmon.policy.proposal import Proposal, propose
from tlsmon.provider import provider
from tlsmon.report.model import Form
from tlsmon.report.notebook import Notebook
from tlsmon.report.render import render
from tlsmon.verdict.model import Level, Thresholds
from tlsmon.verdict.recommend import Window

TOKENS = (
    "a", "B", "xn--bcher-kva", "bücher", ".example", ".victim.example", "\n", "\r\n", "\u2028", "\x85", "\0", "\t",
    " ",     " encrypt", " may", "\nvictim.example may\n", ":", ";", ",", "#", "\\", "\\\n", "'", '"', "{", "}", "=",
    "$",     "${run{x}}", "*", "!", "+", "/", ".", "..", "-", "_", "@", "[", "]", "192.0.2.1", "(", ")", "|",
    "<i>",     "<script>alert(1)</script>", "</td>", "<!--", "]]>", "&lt;", "&#60;", "&", "onload=x", '" onload="x',
    "$x^2$",     "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\u202e", "\u2066", "\u200b", "\ufeff", "\x7f", "a" * 64, "%s",
    "%(x)s", "{0}", "\\x1b",
)  # fmt: skip
names = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)
_VALID = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # fmt: skip # noqa: E501
WINDOW = Window(
    api.last_seen(START) or pytest.fail("no time"), api.last_seen(START + 14 * DAY) or pytest.fail("no time")
)


def items(domains: Sequence[str], hosts: Sequence[str]) -> Iterator[Observation]:
    """Yield what makes each domain safe at every level, at a host of its own."""
    plain = [f"d{number}.example" for number in range(6)]
    for number, domain in enumerate([*plain, *domains]):
        host = hosts[number % len(hosts)] if hosts and domain not in plain else f"mx.d{number}.example"
        address = Address(host, f"198.51.100.{number % 250}", 25)
        for day in range(1, 14):
            yield sent(domain, day, 200, address=address, authentication="verified")


def proposal_of(domains: Sequence[str], hosts: Sequence[str], level: Level) -> Proposal:
    """Return what a policy is made from, as if all that is safe at the lowest level was so at the level."""
    found = propose(columns_of(items(domains, hosts)), Level.ENCRYPT, WINDOW, Thresholds(), provider)
    return found._replace(recommendation=found.recommendation._replace(level=level))


def entries(text: str) -> list[str]:
    """Return the lines of a file that are no comments, as an MTA parts them: at newlines only."""
    return [line for line in text.removesuffix("\n").split("\n") if line and not line.startswith("#")]


_levels = st.sampled_from([Level.ENCRYPT, Level.VERIFY, Level.DANE_ONLY])


# --- policies ---------------------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=120)
@given(st.lists(names, max_size=6, unique=True), st.lists(names, max_size=3), _levels)
@example(["x\nvictim.example"], ["mx.example match=x"], Level.ENCRYPT)
@example(["A.example", "bücher.example", "a.example"], [], Level.VERIFY)
def test_policies_hold_the_safe_domains_and_nothing_else(domains: list[str], hosts: list[str], level: Level) -> None:
    """Each entry is a valid domain that is safe, on a line of its own; all around the entries is as it always is."""
    found = proposal_of(domains, hosts, level)
    safe = {item.domain.lower() for item in found.safe}
    assert {f"d{number}.example" for number in range(6)} <= safe
    expected = sorted(name for name in safe if _VALID.fullmatch(name))
    harmless = proposal_of([], [], level)

    postfix = found.for_postfix()
    assert entries(postfix.text) == [f"{name} {level}" for name in expected]
    assert postfix.text.splitlines()[:10] == harmless.for_postfix().text.splitlines()[:10]

    written = found.for_exim()
    assert {each.level: entries(each.text) for each in written.lists} == {
        each: [f"{name}:" for name in expected] if each == str(level) else [] for each in exim.OPTIONS
    }
    assert (written.routers, written.transports) == harmless.for_exim()[1:3]

    drawn = found.canary(0.5)
    assert [line for table in drawn.tables for line in entries(table.text)] == [f"{name} canary" for name in expected]
    assert (drawn.share, drawn.setting) == (Fraction(1, 2), harmless.canary(0.5).setting)
    assert canary.PATH in drawn.setting


# --- pages ------------------------------------------------------------------------------------------------------------
class Page(HTMLParser):
    """Sees the elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[tuple[str, tuple[tuple[str, str | None], ...]]] = set()
        self.others: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Note what should not be there."""
        self.others.append(data)

    handle_pi = unknown_decl = handle_comment


@settings(deadline=None, max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(st.lists(names, min_size=2, max_size=4, unique=True), st.lists(names, min_size=1, max_size=2))
@example(['<img src=x onerror="x">', "a&lt;b&#60;c", "</table>", "' onload='x"], ["<i>", '">'])
def test_report_in_html(tmp_path_factory: pytest.TempPathFactory, domains: list[str], hosts: list[str]) -> None:
    """Hostile names add no element and no attribute to a page, nor break out of an entity, a comment or a figure."""
    some = ["x0.example", "x1.example"]

    def page(domains: Sequence[str], hosts: Sequence[str]) -> Page:
        observed = list(items(domains, hosts))
        observed += [sent(name, day, 300, "plaintext", address=Address(hosts[0], "192.0.2.9", 25))
                     for name in domains[:1] for day in (2, 9)]  # fmt: skip
        return Page(render(report_of(tmp_path_factory.mktemp("store"), *observed), Form.HTML).decode())

    hostile, harmless = page(domains, hosts), page(some, ["mx.x.example"])
    known = {(tag, tuple(name for name, _ in attrs)) for tag, attrs in harmless.tags}
    assert {(tag, tuple(name for name, _ in attrs)) for tag, attrs in hostile.tags} <= known
    assert hostile.others == harmless.others


@settings(deadline=None, max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(["<img src=x>", "&lt;", "a\x1b[2J"])
def test_notebook(tmp_path_factory: pytest.TempPathFactory, domains: list[str]) -> None:
    """What Jupyter shows of an answer is a table with text in it."""
    store = tmp_path_factory.mktemp("store")
    filled(store, items(domains, ["<i>", "&x"]))
    notebook = Notebook(str(store))
    shown = (notebook.recommend(as_of=WINDOW.until), notebook.traffic(group="domain"), notebook.deliveries())
    for frame in shown:
        page = Page(frame._repr_html_())  # type: ignore[operator]
        known = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p", "b", "span"}
        assert {tag for tag, _ in page.tags} <= known
        assert {name for _, attrs in page.tags for name, _ in attrs} <= {"class", "style", "border", "scoped"}
        assert page.others == []


# --- terminals --------------------------------------------------------------------------------------------------------
EVIL = (
    "\x1b]0;x\x07\u202e.example",
    "a\x9b31m\x7f\u2028\x85b.example",
    "\x1b[2J\n\rvictim.example",
    '<i>"\\&\u2066.example',
)
COMMANDS = {
    "traffic": ["traffic"],
    "domains": ["traffic", "--group", "domain"],
    "providers": ["traffic", "--group", "provider"],
    "hosts": ["traffic", "--group", "host", "--format", "csv"],
    "one domain": ["traffic", "--domain", EVIL[0]],
    "metrics": ["traffic", "--group", "domain", "--format", "prometheus"],
    "json": ["traffic", "--group", "domain", "--format", "json"],
    "recommend": ["recommend"],
    "recommend plan": ["recommend", "--plan"],
    "recommend csv": ["recommend", "--format", "csv", "--level", "verify"],
    "recommend json": ["recommend", "--format", "json"],
    "watch": ["watch"],
    "watch json": ["watch", "--format", "json"],
    "watch policy": ["watch", "--policy", "\x1b[2Jtable"],
    "policy": ["policy"],
    "policy exim": ["policy", "--mta", "exim"],
    "canary": ["policy", "--canary", "0.5"],
    "difference": ["policy", "--against", "\x1b[2Jtable"],
    "letter": ["letter", EVIL[1]],
    "letter to one who loses": ["letter", EVIL[3]],
    "backtest": ["backtest"],
    "tlsrpt": ["tlsrpt", "\x1b[2Jreport.json"],
    "no store": ["traffic", "--store", "\x1b[2J\u202estore"],
    "no log": ["ingest", "\x1b[2J\u202e.log"],
    "no option": ["traffic", "--\x1b[2J"],
    "no option at all": ["--\x1b[2J"],
    "no command": ["\x1b[2J\u202e"],
    "too much": ["traffic", "\x1b[2J"],
    "no value": ["traffic", "--by", "\x1b[2J\u202e"],
    "no number": ["recommend", "--days", "\x1b[2J\u202e"],
    "no format": ["recommend", "--format", "\x1b[2J\u202e"],
    "no day": ["traffic", "--since", "\x1b[2J\u202e"],
    "no settings": ["--config", "\x1b[2J\u202e", "traffic"],
    "no place": ["report", "-o", "\x1b[2J/\u202e"],
    "no place to list": ["ingest", "log", "--unread", "\x1b[2J/\u202e"],
    "no exceptions": ["report", "--exceptions", "\x1b[2J/\u202e"],
    "no table": ["policy", "--against", "\x1b[2J/\u202e"],
    "no zone": ["ingest", "log", "--timezone", "\x1b[2J\u202e"],
    "no network": ["ingest", "log", "--internet", "\x1b[2J\u202e"],
    "doctor": ["doctor", "\x1b[2J\u202e.log"],
}


@pytest.fixture(scope="module")
def evil_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store full of such names, and files that are named so."""
    folder = tmp_path_factory.mktemp("evil")
    sender = Sender("postfix", "ma\x1b[2Jil", "post\u202efix")
    found = [item._replace(sender=sender) for item in items(EVIL[:3], [*EVIL])]
    found += [sent(EVIL[3], day, 300, "plaintext", sender=sender) for day in range(1, 14)]
    for day in range(8, 13):
        for name, cause in ((EVIL[2], "tls_handshake"), (EVIL[1], "tls_local")):
            found.append(sent(name, day, 9, "none", outcome="deferred", sender=sender, cause=cause))
    filled(folder / "store", found)
    table = "d0.example encrypt\n\x1b[2J.example may\nx\u202e.example encrypt match=\x1b[2J\nd1.example bogus\x1b[2J\n"
    (folder / "\x1b[2Jtable").write_text(table)
    (folder / "\x1b[2Jreport.json").write_text('{"organization-name": "\\u001b[2J"}')
    (folder / "log").write_bytes(b"Nov  3 10:00:00 mail postfix/smtp[1]: 4F00A1: to=<\x1b[2J\n")
    return folder


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_terminal(evil_place: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """No command prints a character that steers a terminal, in results or in messages, whatever the names."""
    monkeypatch.chdir(evil_place)
    for name, value in {"TLSMON_STORE": "store", "TLSMON_CONFIG": "/dev/null", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, arguments, color=True)  # else escape sequences are taken out
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.output
    assert [char for char in done.output if not char.isprintable() and char not in "\r\n"] == []
    if arguments[-1] == "json":
        json.loads(done.stdout)
    if arguments[-1] == "prometheus":
        assert list(text_string_to_metric_families(done.stdout))
