"""The settings file and the variables: options win over variables, these over the file, and a mistake is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tlsmon.cli.process import ROOT
from tests.tlsmon.report.stores import filled
from tests.tlsmon.verdict.stories import observations
from typer.testing import CliRunner

from tlsmon import config
from tlsmon.cli.app import app

RUNNER = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return a store with one domain."""
    filled(tmp_path / "store", observations("a=eeeeeeee", "good.test"))
    return str(tmp_path / "store")


def level(file: Path, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    """Return the level that ``recommend`` judges at."""
    command = ["--config", str(file), "recommend", "--format", "json", *arguments]
    done = RUNNER.invoke(app, command, env=environment or {})
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["level"]


def test_precedence(store: str, tmp_path: Path) -> None:
    """Option over variable over the command's table over the top of the file over the default."""
    file = tmp_path / "tlsmon.toml"
    file.write_text(f'store = "{store}"\n')
    assert level(file) == "encrypt"
    file.write_text(f'store = "{store}"\nlevel = "verify"\n[policy]\nlevel = "secure"\n')
    assert level(file) == "verify"
    file.write_text(f'store = "{store}"\nlevel = "verify"\n[recommend]\nlevel = "dane-only"\n')
    assert level(file) == "dane-only"
    assert level(file, environment={"TLSMON_LEVEL": "secure"}) == "secure"
    assert level(file, "--level", "encrypt", environment={"TLSMON_LEVEL": "secure"}) == "encrypt"


def test_format_of_other_commands(store: str, tmp_path: Path) -> None:
    """TLSMON_FORMAT counts where the command has the format; elsewhere it is as if it was not set."""
    file = tmp_path / "tlsmon.toml"
    file.write_text(f'store = "{store}"\n')

    def run(*arguments: str, variable: str) -> Any:
        return RUNNER.invoke(app, ["--config", str(file), *arguments], env={"TLSMON_FORMAT": variable})

    assert run("traffic", variable="prometheus").stdout.startswith("# HELP ")
    table = run("recommend", variable="table")
    assert run("recommend", variable="prometheus").output == table.output
    assert "verdict" in table.stdout
    assert run("recommend", "--format", "csv", variable="prometheus").stdout.startswith("domain,")
    file.write_text(f'store = "{store}"\nformat = "json"\n')
    assert json.loads(run("recommend", variable="prometheus").stdout)["level"] == "encrypt"
    for arguments, variable in ((("--format", "prometheus"), "prometheus"), ((), "yaml")):
        refused = run("recommend", *arguments, variable=variable)
        assert refused.exit_code == 2
        assert "is not a format here" in refused.stderr


def test_file_by_variable(store: str, tmp_path: Path) -> None:
    """TLSMON_CONFIG names the file, and --config wins over it."""
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(f'store = "{store}"\nlevel = "verify"\n')
    two.write_text(f'store = "{store}"\nlevel = "secure"\n')
    done = RUNNER.invoke(app, ["recommend", "--format", "json"], env={"TLSMON_CONFIG": str(one)})
    assert json.loads(done.stdout)["level"] == "verify"
    assert level(two, environment={"TLSMON_CONFIG": str(one)}) == "secure"


def test_default_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root's file is the system's; others have theirs in the folder that XDG names. It need not be there."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert config.default_file({}) == Path("/etc/tlsmon.toml")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert config.default_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/tlsmon.toml")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.default_file({}) == tmp_path / ".config/tlsmon.toml"
    monkeypatch.setattr(config, "default_file", lambda: tmp_path / "none.toml")
    assert config.read_file() == (tmp_path / "none.toml", {})


def test_a_format_that_one_command_lacks(store: str, tmp_path: Path) -> None:
    """At the top a value holds for the commands that take it; the others keep their default."""
    file = tmp_path / "tlsmon.toml"
    file.write_text(f'store = "{store}"\nformat = "csv"\n')
    shown = RUNNER.invoke(app, ["--config", str(file), "recommend"])
    assert shown.stdout.startswith("domain,verdict,")
    assert RUNNER.invoke(app, ["--config", str(file), "watch"]).stdout.startswith("No domain fails")


def test_networks(tmp_path: Path) -> None:
    """A list in the file, and commas or blanks in the variable, are several networks."""
    file = tmp_path / "tlsmon.toml"
    (tmp_path / "log").write_text("")
    file.write_text('internet = ["10.0.0.0/8", "fd00::/8"]\n')
    parse = ["--config", str(file), "parse", str(tmp_path / "log")]
    assert RUNNER.invoke(app, parse).exit_code == 0
    done = RUNNER.invoke(app, parse, env={"TLSMON_INTERNET": "10.0.0.0/8, fd00::/8,x/8"})
    assert (done.exit_code, "'x/8' is not a network" in done.stderr) == (2, True)


def test_hyphens(store: str, tmp_path: Path) -> None:
    """A key may be spelt like the option."""
    file = tmp_path / "tlsmon.toml"
    file.write_text(f'store = "{store}"\nmax-share = 1\n')
    done = RUNNER.invoke(app, ["--config", str(file), "recommend", "--format", "csv"])
    assert "good.test,safe" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("days = [", "not TOML: "),
        ("days =\n", "at line 1"),
        ('days = "30"', 'days: "30" is not a whole number'),
        ("days = true", "days: true is not a whole number"),
        ("days = 0", "days: "),
        ("max_share = 2", "max_share: "),
        ('level = "strict"', "level: "),
        ("store = 5", "store: 5 is not a text"),
        ('internet = "10.0.0.0/8"', "internet: "),
        ('format = "yaml"', "format: 'yaml' is not a format here"),
        ("dayz = 3", "Did you mean days?"),
        ('paper = "letter"', "Put it below [report]"),
        ("[reports]\nlevel = 1", "Did you mean report?"),
        ("[report]\npapr = 1", "Did you mean paper?"),
        ("[ingest]\nfollow = 1", "ingest.follow: "),
        ('config = "/x"', "is not a setting"),
        ('"\\u001b[2J" = 1', "is not a setting"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    """A mistake is wrong use: the file and the key are named, whatever the command."""
    file = tmp_path / "tlsmon.toml"
    file.write_text(text)
    done = RUNNER.invoke(app, ["--config", str(file), "traffic"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{file}: " in done.stderr
    assert said in done.stderr
    assert "\x1b" not in done.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that somebody names must be there."""
    done = RUNNER.invoke(app, ["--config", str(tmp_path / "none.toml"), "traffic"])
    assert (done.exit_code, "there is no such file" in done.stderr) == (2, True)


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """The file that people copy from docs/settings.md is understood, and holds."""
    text = (ROOT / "docs/settings.md").read_text()
    file = tmp_path / "tlsmon.toml"
    file.write_text(text.partition("```toml\n")[2].partition("```")[0])
    done = RUNNER.invoke(app, ["--config", str(file), "report", "--help"])
    assert done.exit_code == 0
    for shown in ("default: /srv/tlsmon", "default: verify", "default: letter", "default: mail.example.org"):
        assert shown in " ".join(done.stdout.split())
