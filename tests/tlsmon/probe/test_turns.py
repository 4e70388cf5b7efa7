"""One job at a time for each key, and nothing twice."""

import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from tlsmon.probe.turns import Once, Turns


def test_one_at_a_time() -> None:
    """Jobs of one key never overlap and keep their order; those of other keys run beside them."""
    lock, now, most, order = threading.Lock(), Counter[int](), Counter[int](), []

    def job(key: int, number: int) -> int:
        with lock:
            now[key] += 1
            most[key] = max(most[key], now[key])
            most[-1] = max(most[-1], now.total())
        time.sleep(0.002)
        with lock:
            now[key] -= 1
            order.append((key, number))
        return number

    with ThreadPoolExecutor(8) as executor:
        turns = Turns(executor)
        futures = [turns.submit(number % 5, lambda n=number: job(n % 5, n)) for number in range(100)]  # type: ignore[misc]
        assert [future.result() for future in futures] == list(range(100))
    assert {most[key] for key in range(5)} == {1}
    assert most[-1] > 1
    for key in range(5):
        assert [number for owner, number in order if owner == key] == list(range(key, 100, 5))


def test_waiting_holds_no_thread() -> None:
    """While one address is slow, its queue leaves the threads to others."""
    gate = threading.Event()
    with ThreadPoolExecutor(2) as executor:
        turns = Turns(executor)
        slow = [turns.submit("slow", lambda: gate.wait(5)) for _ in range(10)]
        assert turns.submit("quick", lambda: 1).result(timeout=1) == 1
        gate.set()
        assert all(future.result() for future in slow)


def test_errors_reach_who_waits() -> None:
    """A job that fails does not stop the queue behind it."""
    with ThreadPoolExecutor(1) as executor:
        turns = Turns(executor)
        bad, good = turns.submit(1, lambda: 1 // 0), turns.submit(1, lambda: 2)
        with pytest.raises(ZeroDivisionError):
            bad.result()
        assert good.result() == 2


def test_shut_down() -> None:
    """After the end nobody waits for ever: what did not run is cancelled."""
    executor, gate = ThreadPoolExecutor(1), threading.Event()
    turns = Turns(executor)
    first, second = turns.submit(1, gate.wait), turns.submit(1, gate.wait)
    executor.shutdown(wait=False)
    gate.set()
    assert first.result(timeout=2)
    for future in (second, turns.submit(2, gate.wait)):
        with pytest.raises(CancelledError):
            future.result(timeout=2)


def test_once() -> None:
    """The first that asks does the job, the others get what it found, or its error."""
    once: Once[int] = Once()
    calls: list[int] = []

    def job() -> int:
        time.sleep(0.01)
        calls.append(1)
        return 7

    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(lambda _: once.get("key", job), range(8)))
    assert (found, calls) == ([7] * 8, [1])
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once.get("bad", lambda: 1 // 0)
    future: Future[int] = Future()
    assert once.start("other", lambda: future) is future
