"""How logrotate treats a log."""

from pathlib import Path

import pytest

from tlsmon.doctor.rotation import judge, stanzas

DEBIAN = """\
# rotated by copytruncate? no
/var/log/syslog
/var/log/mail.log
{
	rotate 4
	weekly
	missingok
	delaycompress
	postrotate
		# copytruncate
		/usr/lib/rsyslog/rsyslog-rotate
	endscript
}

"/var/log/other.log" /var/log/exim4/*log {
    daily
    copytruncate
}
/srv/mail.log { rotate 0
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of logrotate's with one file, and one that cannot be read as text."""
    (tmp_path / "rsyslog").write_text(DEBIAN)
    (tmp_path / "odd").write_bytes(b"\xff{{{\n}")
    return tmp_path


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("/var/log/mail.log", None),
        ("/var/log/exim4/mainlog", "create 0640"),
        ("/srv/mail.log", "rotate 4"),
        ("/var/log/unknown.log", None),
    ],
)
def test_what_loses_lines(folder: Path, log: str, line: str | None) -> None:
    """A copy that is cut off loses lines, and so does a log of which no old one is kept; Debian's own way does not."""
    found = list(judge(log, [f"{folder}/*"]))
    assert [each.lines[0] for each in found] == ([line] if line else [])
    assert all(each.where == f"the block for {log} in {folder}/rsyslog" for each in found)


def test_blocks(folder: Path) -> None:
    """What a block says is read with several names, and without its scripts and comments."""
    (stanza,) = stanzas("/var/log/mail.log", [f"{folder}/*", f"{folder}/none"])
    assert (stanza.copies, stanza.kept) == (False, 4)
