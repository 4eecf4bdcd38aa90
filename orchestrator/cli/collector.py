"""The cyclic garbage collector, tuned for a process that is nothing but a cluster.

Objects in the store are plain dictionaries that live long and hold no cycles. With CPython's
defaults every 700 new ones start a collection that walks them in vain: a third of the time of a
burst of pods. A higher threshold alone saves less than one thinks, since every object that stays
is still walked once: 12 of 180 microseconds a pod. So the walk waits for a quiet moment, and comes
in the middle of a burst only after so many new objects as 20,000 pods have. A program that embeds
a cluster keeps its own settings; this is for the daemon and the benchmarks, whose process is
theirs alone.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Final

THRESHOLDS: Final = (1_000_000, 20, 100)
"""Collect the young after so many net allocations, the old after 20 and 2,000 times as many."""
INTERVAL: Final = 1.0
"""Seconds between two looks whether it is quiet."""
QUIET: Final = 0.25
"""Share of a core that a process uses at most when it is quiet."""
WORTHWHILE: Final = 20_000
"""Net allocations since the last collection below which a quiet moment is left alone."""

BURST: Final = 50_000
"""Net allocations between two looks that are a burst, however little of a core the process was
given for it: on a machine that others keep busy a share says nothing."""


def spare_start() -> None:
    """Collect little while modules load: what they define stays, and that takes 1,000 walks."""
    gc.set_threshold(*THRESHOLDS)


def tune_collector() -> QuietCollector:
    """Set the thresholds, and keep what is loaded by now out of all later collections.

    Returns:
        What collects in quiet moments from now on, on the running loop, until it is stopped.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    return QuietCollector(asyncio.get_running_loop())


class QuietCollector:
    """Collects what has gathered whenever the process has had little to do for a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look; costs some microseconds a second."""
        self._loop = loop
        self._used = time.process_time()
        self._count = gc.get_count()[0]
        self._timer = loop.call_later(INTERVAL, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        used = time.process_time()
        count = gc.get_count()[0]
        is_quiet = used - self._used < QUIET * INTERVAL and count - self._count < BURST
        if is_quiet and count >= WORTHWHILE:
            gc.collect(1)
            used, count = time.process_time(), gc.get_count()[0]
        self._used, self._count = used, count
        self._timer = self._loop.call_later(INTERVAL, self._look)
