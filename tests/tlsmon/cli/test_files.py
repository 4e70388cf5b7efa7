"""Files are written whole or not at all."""

from pathlib import Path

import pytest

from tlsmon.cli.files import write, written_to
from tlsmon.cli.output import say
from tlsmon.config import SettingError


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """What fails half-way changes nothing, and leaves nothing behind."""
    file = tmp_path / "result"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), written_to(file):
        say(f"half {1 / 0}")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])
    with written_to(file):
        say("whole")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("whole\n", [file])


def test_links_and_modes(tmp_path: Path) -> None:
    """A link stays a link, and a file keeps its mode; a new one has that of a plain open."""
    target, link, plain = (tmp_path / name for name in ("target", "link", "plain"))
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write(link, b"new")
    assert (link.is_symlink(), target.read_text(), target.stat().st_mode & 0o777) == (True, "new", 0o600)
    plain.write_text("")
    write(tmp_path / "fresh", b"")
    assert (tmp_path / "fresh").stat().st_mode == plain.stat().st_mode


def test_devices_and_errors(tmp_path: Path) -> None:
    """A device is written, not replaced; what cannot be written is wrong use."""
    write(Path("/dev/null"), b"text")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(SettingError, match="cannot be written"):
        write(tmp_path / "no/such/file", b"")
