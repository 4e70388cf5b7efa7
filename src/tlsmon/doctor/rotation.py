"""
How logrotate treats a log: does it lose lines?

Only what loses lines is looked for, in the files that logrotate(8) reads by default.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple

from tlsmon.doctor.model import Finding, Weight

FILES: Final = ("/etc/logrotate.conf", "/etc/logrotate.d/*")
_BLOCK: Final = re.compile(r"^(?P<names>[^{}#]+?)\{(?P<body>.*?)^\s*\}", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
_SCRIPT: Final = re.compile(r"^\s*(?:pre|post|first|last)\w*\s*$.*?^\s*endscript\s*$", re.MULTILINE | re.DOTALL)
_ROTATE: Final = re.compile(r"^\s*rotate\s+(\d+)", re.MULTILINE)
_COPIES: Final = re.compile(r"^\s*copytruncate\s*$", re.MULTILINE)


class Stanza(NamedTuple):
    """What one block says about one log."""

    file: str
    copies: bool
    """copytruncate: what is written between the copy and the cut is lost."""
    kept: int | None
    """How many old logs are kept; None: the block does not say."""


def stanzas(log: str, files: Sequence[str] = FILES) -> Iterator[Stanza]:
    """Yield what logrotate's files say about a log; what cannot be read says nothing."""
    for path in _existing(files):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for block in _BLOCK.finditer(_SCRIPT.sub("", _COMMENT.sub("", text))):
            names = (name.strip("\"'") for name in block["names"].split())
            if any(fnmatchcase(log, name) for name in names if name.startswith("/")):
                rotate = _ROTATE.search(block["body"])
                copies = bool(_COPIES.search(block["body"]))
                yield Stanza(str(path), copies, int(rotate[1]) if rotate else None)


def judge(log: str, files: Sequence[str] = FILES) -> Iterator[Finding]:
    """Yield how rotation loses lines of a log; ``log`` is its full path before rotation."""
    for stanza in stanzas(log, files):
        where = f"the block for {log} in {stanza.file}"
        if stanza.copies:
            yield Finding(
                Weight.WARNING,
                f"rotation of {log}",
                f"logrotate copies {log} and cuts it off: what is written in between is lost. Let it be renamed, by "
                "these lines in place of copytruncate (Exim needs only the first).",
                where,
                ("create 0640", "postrotate", "    /usr/lib/rsyslog/rsyslog-rotate", "endscript"),
            )
        elif stanza.kept == 0:
            yield Finding(
                Weight.WARNING,
                f"rotation of {log}",
                f"logrotate keeps no old {log}: what was written since tlsmon read it last is lost with each rotation.",
                where,
                ("rotate 4", "delaycompress"),
            )


def _existing(patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        path = Path(pattern)
        if path.name == "*":
            yield from sorted(each for each in path.parent.glob("*") if each.is_file())
        elif path.is_file():
            yield path
