"""A real Exim, called as sendmail, takes the report for all readers and keeps it in its queue."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.machine import cache_folder
from tests.lab.skipping import require_root
from tests.tlsmon.report.stores import filled
from tests.tlsmon.report.test_report import sent
from typer.testing import CliRunner

from tlsmon.cli.app import app

pytestmark = pytest.mark.lab

ROOT = "exim-bookworm"
EXIM = """\
primary_hostname = here.example
spool_directory = {here}/spool
log_file_path = {here}/%slog
queue_only
begin routers
begin transports
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in the root of an Exim with its configuration."""
    require_root(ROOT)
    place = Path(tempfile.mkdtemp(dir=cache_folder() / ROOT / "tmp"))
    place.chmod(0o777)
    (place / "conf").write_text(EXIM.format(here=f"/tmp/{place.name}"))
    yield place
    shutil.rmtree(place)


def test_exim_takes_it(folder: Path, tmp_path: Path) -> None:
    """Both readers are recipients, and the headers are those that were written."""
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\nexec chroot {cache_folder() / ROOT} exim4 -C /tmp/{folder.name}/conf "$@"\n')
    program.chmod(0o755)
    filled(tmp_path / "store", [sent("a.test", day, 100) for day in range(7)])
    command = ["report", "--store", str(tmp_path / "store"), "--format", "html", "--sendmail", str(program)]
    readers = ["--mail-to", "boss@example.org", "--mail-to", "postmaster@example.org"]
    done = CliRunner().invoke(app, [*command, *readers, "--mail-from", "tlsmon@here.example"])
    assert done.exit_code == 0, done.output
    (headers,) = (folder / "spool/input").rglob("*-H")
    text = headers.read_text()
    assert "\n2\nboss@example.org\npostmaster@example.org\n" in text
    assert "F From: tlsmon@here.example\n" in text
    (body,) = (folder / "spool/input").rglob("*-D")
    assert 'filename="tlsmon-2026-01-11.html"' in body.read_text()
