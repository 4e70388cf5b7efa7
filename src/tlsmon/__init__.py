"""
Take a mail server from opportunistic to mandatory TLS without losing a mail.

In a notebook: ``import tlsmon; store = tlsmon.open("/var/lib/tlsmon"); store.traffic(by="week")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsmon.report.notebook import Notebook

__all__ = ["open"]


def open(store: str | None = None) -> Notebook:  # noqa: A001, read as tlsmon.open
    """
    Return the store at a place, with DataFrames for answers; None: the one that the commands take.

    Nothing is read yet. Heavy packages are imported here, so that ``import tlsmon`` costs nothing.
    """
    from tlsmon import config  # noqa: PLC0415
    from tlsmon.report.notebook import Notebook  # noqa: PLC0415

    return Notebook(config.resolve(store=store).store if store else config.usual_store())
