"""Who may do what when: one job at a time for each address, and nothing twice."""

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Turns:
    """
    Runs jobs in an executor. Jobs of one key run one after the other in the order in which they came.

    A job that waits for its turn holds no thread.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = Lock()
        self._waiting: dict[Hashable, deque[tuple[Future[Any], Callable[[], Any]]]] = {}
        """Keys that have a job running or about to run, with those behind it."""

    def submit(self, key: Hashable, job: Callable[[], T]) -> Future[T]:
        """Return the future result of a job; it is cancelled where the executor has been shut down."""
        future: Future[T] = Future()
        with self._lock:
            behind = self._waiting.get(key)
            if behind is not None:
                behind.append((future, job))
                return future
            self._waiting[key] = deque([(future, job)])
        self._next(key)
        return future

    def _next(self, key: Hashable) -> None:
        while True:
            with self._lock:
                if not self._waiting[key]:
                    del self._waiting[key]
                    return
                future, job = self._waiting[key].popleft()
            try:
                self._executor.submit(self._run, key, future, job)
            except RuntimeError:  # shut down: who waits must not wait for ever
                future.cancel()
            else:
                return

    def _run(self, key: Hashable, future: Future[Any], job: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                future.set_result(job())
        except BaseException as error:  # noqa: BLE001 (who waits has to learn of it, whatever it is)
            future.set_exception(error)
        self._next(key)


class Once(Generic[T]):
    """Remembers what a job gave for a key; who asks meanwhile waits for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Hashable, Future[T]] = {}

    def start(self, key: Hashable, begin: Callable[[], Future[T]]) -> Future[T]:
        """Return the future result for a key; ``begin`` is called for the first that asks."""
        with self._lock:
            if key not in self._known:
                self._known[key] = begin()
            return self._known[key]

    def get(self, key: Hashable, job: Callable[[], T]) -> T:
        """Return the result for a key; the first that asks does the job."""
        mine: Future[T] = Future()
        shared = self.start(key, lambda: mine)
        if shared is mine:
            try:
                mine.set_result(job())
            except BaseException as error:
                mine.set_exception(error)
                raise
        return shared.result()
