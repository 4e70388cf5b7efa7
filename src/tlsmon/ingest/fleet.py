"""
Many families of logs on many machines: each family is a task, read and committed where it runs.

The executor may be any of ``concurrent.futures`` whose workers reach the store and the logs. It may run a task again
when a worker dies: the store takes care that nothing counts twice.
"""

import pickle
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path

from maillog.reading import ReadSettings
from tlsmon.errors import TlsmonError
from tlsmon.ingest.families import Candidate
from tlsmon.ingest.listeners import Listeners
from tlsmon.ingest.many import Ingest, Outcome, families
from tlsmon.ingest.report import Progress, Report
from tlsmon.store.table import Table


def ingest_on(
    executor: Executor, table: Table, settings: ReadSettings, names: Sequence[str], progress: Progress
) -> Report:
    """
    Bring what is new in logs into the table, which each worker opens for itself.

    ``names``: paths, patterns or addresses that mean the same on every machine. What a worker committed before it died
    is in the store but not in the report's ``new_deliveries``. Raises StoreError, and TlsmonError for settings that
    cannot be sent.
    """
    began = time.monotonic()
    _sendable(settings)
    groups, problems = families([_absolute(name) for name in names], settings)
    futures = [executor.submit(read_family, table.location, settings, group) for group in groups]
    total = Outcome(problems=tuple(problems))
    for number, future in enumerate(as_completed(futures), 1):
        progress.begin(f"{number} of {len(futures)} sets of logs", None)
        total = total.joined(_outcome(future, groups[futures.index(future)]))
    table.refresh()
    table.compact()
    return total.report(time.monotonic() - began)


def read_family(location: str, settings: ReadSettings, group: Sequence[Candidate]) -> Outcome:
    """Bring the logs of one family into the store: what a worker runs. Raises StoreError."""
    ingest = Ingest(Table.open(location), settings, Listeners())
    ingest.read_family(group)
    return ingest.outcome()


def _outcome(future: "Future[Outcome]", group: Sequence[Candidate]) -> Outcome:
    try:
        return future.result()
    except TlsmonError:
        raise
    except Exception as error:  # noqa: BLE001, whatever a library that runs the task raises
        names = ", ".join(one.name for one in group)
        return Outcome(problems=(f"{names}: not read to its end on the cluster ({type(error).__name__}: {error}).",))


def _absolute(name: str) -> str:
    return name if "://" in name else str(Path(name).absolute())


def _sendable(settings: ReadSettings) -> None:
    try:
        pickle.dumps(settings)
    except (TypeError, pickle.PicklingError) as error:
        raise TlsmonError(
            "The time zone of this machine has no name that workers could be told.",
            hint="Name it with --timezone, such as Europe/Berlin.",
        ) from error
