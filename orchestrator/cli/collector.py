"""The cyclic garbage collector, tuned for a process that is nothing but a cluster.

Objects in the store are plain dictionaries that live long and hold no cycles. With CPython's
defaults every 700 new ones start a collection that walks them in vain: a third of the time of a
burst of pods. A program that embeds a cluster keeps its own settings; this is for the daemon and
the benchmarks, whose process is theirs alone.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 100)
"""Collect the young after so many net allocations, the old after 20 and 2,000 times as many."""


def spare_start() -> None:
    """Collect little while modules load: what they define stays, and that takes 1,000 walks."""
    gc.set_threshold(*THRESHOLDS)


def tune_collector() -> None:
    """Set the thresholds, and keep what is loaded by now out of all later collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
