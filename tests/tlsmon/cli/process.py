"""The command as programs and people start it: a real process, both streams apart."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "parsers")]),
    "TZ": "UTC",
    "TLSMON_CONFIG": os.devnull,
}
"""Nothing of the machine: not its settings, nor its time zone."""
COMMAND = [sys.executable, "-m", "tlsmon"]


class RunBytes(Protocol):
    """What the fixture ``run_bytes`` gives."""

    def __call__(
        self, *arguments: str, text: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run tlsmon with a store of its own."""


class Run(Protocol):
    """What the fixture ``run`` gives."""

    def __call__(
        self, *arguments: str, text: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run tlsmon with a store of its own."""


def tlsmon(
    *arguments: str, folder: Path, text: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run tlsmon in a folder."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=text,
        capture_output=True,
        check=False,
        cwd=folder,
        env=ENVIRONMENT | dict(environment or {}),
    )
