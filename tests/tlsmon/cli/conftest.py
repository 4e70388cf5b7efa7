"""How all commands are run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.tlsmon.cli.process import Run, RunBytes, tlsmon


@pytest.fixture
def run_bytes(tmp_path: Path) -> RunBytes:
    """Return a function that runs tlsmon in ``tmp_path``, where its store is, too."""

    def call(
        *arguments: str, text: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        settings = {"TLSMON_STORE": str(tmp_path / "store")} | dict(environment or {})
        return tlsmon(*arguments, folder=tmp_path, text=text, environment=settings)

    return call


@pytest.fixture
def run(run_bytes: RunBytes) -> Run:
    """Return the same with text."""

    def call(
        *arguments: str, text: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = run_bytes(*arguments, text=text, environment=environment)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
