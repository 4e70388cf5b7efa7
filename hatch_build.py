"""Puts the man page, made from the commands, into the wheel: pip lays it out as ``share/man/man1/tlsmon.1``."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPage(BuildHookInterface):  # type: ignore[type-arg]
    """Runs the commands of this very source in the environment of the build, which has what they import."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the page, except for an editable install, which has nowhere to put it."""
        self._folder = tempfile.TemporaryDirectory()
        if version == "editable":
            return
        page = Path(self._folder.name) / "tlsmon.1"
        with page.open("wb") as file:
            command = [sys.executable, "-m", "tlsmon.cli.manual", self.metadata.version]
            subprocess.run(command, cwd=Path(self.root) / "src", check=True, stdout=file)  # noqa: S603, our own
        build_data["shared_data"][str(page)] = "share/man/man1/tlsmon.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002, the form
        """Take the page away."""
        self._folder.cleanup()
