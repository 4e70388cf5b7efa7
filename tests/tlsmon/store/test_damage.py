"""A store with a file that is cut, overwritten or gone: a plain error that says what to do, and no traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tlsmon.logs import day, ingest
from typer.testing import CliRunner

from tlsmon.cli.app import app
from tlsmon.cli.exits import Exit

Damage = Callable[[Path], object]


def _overwritten(begin: int, end: int | None) -> Damage:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[begin:end] = b"\xff" * len(content[begin:end])
        path.write_bytes(content)

    return damage


DAMAGES: dict[str, Damage] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "begin overwritten": _overwritten(0, 40),
    "middle overwritten": _overwritten(60, 400),
    "end overwritten": _overwritten(-12, None),
    "gone": Path.unlink,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a log and a store with two commits of it."""
    folder = tmp_path_factory.mktemp("sound")
    for mails in (100, 200):
        (folder / "mail.log").write_bytes(day(mails))
        ingest(folder / "store", folder / "mail.log")
    return folder


@pytest.fixture
def place(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of it, as the working folder, with a further log."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    (tmp_path / "other.log").write_bytes(day(50, seed=9))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TLSMON_STORE", "store")
    monkeypatch.setenv("TLSMON_CONFIG", "/dev/null")
    return tmp_path


def assert_told(*arguments: str) -> None:
    """Hold a command to two lines on standard error: which store is damaged, and what to do."""
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == Exit.UNREADABLE
    what, advice = done.stderr.splitlines()
    assert what.startswith(f"tlsmon: {Path('store').absolute()}: the store is damaged (")
    assert len(what) < 600
    assert "<unknown>" not in what
    assert advice == "Restore it from a backup, or move it away and read the logs again with `tlsmon ingest LOG`."
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["traffic", "recommend", "watch", "policy"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_rows(place: Path, damage: Damage, command: str) -> None:
    """A damaged file of rows is told by whoever reads rows."""
    damage(min((place / "store").glob("*.parquet")))
    assert_told(command)


@pytest.mark.parametrize("command", [["traffic"], ["recommend"], ["ingest", "other.log"]], ids=lambda one: one[0])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_commits(place: Path, damage: Damage, number: int, command: list[str]) -> None:
    """A damaged commit is told by everybody; so is an empty one, whose rows would just be missing."""
    damage(place / f"store/_delta_log/{number:020}.json")
    assert_told(*command)


def test_damaged_rows_are_told_where_files_are_put_together(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest reads no rows, except where many small files become one."""
    for path in (place / "store").glob("*.parquet"):
        DAMAGES["cut"](path)
    assert CliRunner().invoke(app, ["ingest", "other.log"]).exit_code == Exit.DONE
    monkeypatch.setattr("tlsmon.store.table._SMALL_FILES", 1)
    (place / "third.log").write_bytes(day(50, seed=11))
    done = CliRunner().invoke(app, ["ingest", "third.log"])
    assert done.exit_code == Exit.UNREADABLE
    assert "/store: the store is damaged (" in done.stderr


@pytest.mark.usefixtures("place")
def test_other_faults_are_not_called_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be reached is not a damaged one, and a mistake of ours stays an exception."""

    def broken(error: Exception) -> Callable[..., None]:
        def raising(*_arguments: object) -> None:
            raise error

        return raising

    monkeypatch.setattr("tlsmon.store.table.QueryBuilder.register", broken(OSError("no route to host")))
    done = CliRunner().invoke(app, ["traffic"])
    assert (done.exit_code, "the store cannot be used (no route to host)" in done.stderr) == (Exit.UNREADABLE, True)
    network = "Parquet error: Failed to fetch metadata: Generic S3 error: connection refused"
    monkeypatch.setattr("tlsmon.store.table.QueryBuilder.register", broken(Exception(network)))
    assert "the store cannot be used" in CliRunner().invoke(app, ["traffic"]).stderr
    monkeypatch.setattr("tlsmon.store.table.QueryBuilder.register", broken(KeyError("x")))
    assert isinstance(CliRunner().invoke(app, ["traffic"]).exception, KeyError)
