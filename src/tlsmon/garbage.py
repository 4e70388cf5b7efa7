"""The garbage collector, kept away where very many values are made."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """
    Keep the garbage collector from walking through many new values again and again; none of them is in a cycle.

    For a ``with`` statement, or to decorate a function.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
