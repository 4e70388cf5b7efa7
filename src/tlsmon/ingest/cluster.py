"""A Dask cluster as an executor, and an ingest on it."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Final

from maillog.reading import ReadSettings
from tlsmon.errors import TlsmonError
from tlsmon.ingest.fleet import ingest_on
from tlsmon.ingest.report import Progress, Report
from tlsmon.store.table import Table

_PATIENCE: Final = 10
"""Seconds until a scheduler that does not answer is given up."""


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """
    Give an executor that runs tasks on the workers of a Dask scheduler (``tcp://scheduler:8786``).

    A task whose worker dies is given to another one. Raises TlsmonError where the scheduler does not answer or Dask is
    not installed.
    """
    try:
        from distributed import Client  # noqa: PLC0415, an extra
    except ImportError as error:
        raise TlsmonError(
            f"Dask is not installed ({error}).", hint="Install what a cluster needs: pip install 'tlsmon[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise TlsmonError(
            f"{address}: no Dask scheduler answers there.",
            hint="Give the address that `dask scheduler` shows, such as tcp://scheduler:8786, and check the firewall.",
        ) from error
    with client, client.get_executor(pure=False) as executor:  # type: ignore[no-untyped-call]
        yield executor


def ingest_on_cluster(
    address: str, table: Table, settings: ReadSettings, names: Sequence[str], progress: Progress
) -> Report:
    """
    Bring what is new in logs into the table on the workers of a scheduler.

    Store and logs must be where all workers reach them: shared folders, or an object store. Raises StoreError, and
    TlsmonError where the cluster cannot be reached.
    """
    with cluster(address) as executor:
        return ingest_on(executor, table, settings, names, progress)
