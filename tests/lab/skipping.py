"""Tests of the lab on a machine that lacks a part of it."""

from __future__ import annotations

import os

import pytest
from tests.lab.machine import missing_pieces


def require_root(root_name: str) -> None:
    """Skip the running test with the reason where a root cannot be used; fail it where ``TLSMON_LAB=required``."""
    missing = missing_pieces(root_name)
    if missing is None:
        return
    if os.environ.get("TLSMON_LAB") == "required":
        pytest.fail(missing)
    pytest.skip(missing)
