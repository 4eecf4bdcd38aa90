"""The process of a benchmark, set up as the daemon's."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

from orchestrator.cli.collector import THRESHOLDS
from orchestrator.cli.switching import hasten_switches


@contextlib.contextmanager
def as_the_daemon() -> Iterator[None]:
    """Have collector and interpreter behave as in the daemon while the block runs."""
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    hasten_switches()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
        gc.unfreeze()
