"""kill -9 at random moments, for as long as TLSMON_FAULT_SECONDS says."""

import os
import random

from tests.faults.kills import run


def test_nothing_lost_nothing_twice() -> None:
    """After any number of kills the next run completes the table. The seed is printed; it may be given again."""
    seconds = float(os.environ.get("TLSMON_FAULT_SECONDS", "20"))
    seed = int(os.environ.get("TLSMON_FAULT_SEED", "0")) or random.randrange(1, 1 << 32)
    print(f"TLSMON_FAULT_SEED={seed}")
    counts = run(seconds, seed)
    print(counts)
    assert counts.in_time > 0
    assert (counts.lost, counts.twice) == (0, 0)
