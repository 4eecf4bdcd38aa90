"""The tuned garbage collector: late, but not never."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from actors.testing import virtual
from orchestrator.cli.collector import BURST, INTERVAL, WORTHWHILE, QuietCollector, tune_collector


class Knot:
    """Garbage that counting references does not find."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave the collector of the test process as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@virtual
async def test_what_gathers_is_collected_in_a_quiet_moment() -> None:
    """Though the thresholds are far away."""
    collector = tune_collector()
    lost = weakref.ref(Knot())
    kept: list[list[int]] = [[] for _ in range(WORTHWHILE)]
    assert lost() is not None
    await asyncio.sleep(INTERVAL * 1.5)
    collector.stop()
    assert lost() is None
    del kept


@virtual
async def test_a_busy_process_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a burst takes the whole core, the walk waits."""
    used = iter(float(second) for second in range(100))
    monkeypatch.setattr("time.process_time", lambda: next(used))
    gc.set_threshold(10_000_000, 20, 100)
    lost = weakref.ref(Knot())
    kept: list[list[int]] = [[] for _ in range(WORTHWHILE)]
    collector = QuietCollector(asyncio.get_running_loop())
    await asyncio.sleep(INTERVAL * 3.5)
    collector.stop()
    assert lost() is not None
    del kept


@virtual
async def test_a_burst_on_a_busy_machine_is_not_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that gets little of a core is not quiet while objects gather; then it is."""
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    gc.set_threshold(10_000_000, 20, 100)
    lost = weakref.ref(Knot())
    kept: list[list[int]] = []
    collector = QuietCollector(asyncio.get_running_loop())
    for _ in range(3):
        kept += [[] for _ in range(2 * BURST)]
        await asyncio.sleep(INTERVAL)
    assert lost() is not None
    await asyncio.sleep(INTERVAL * 1.5)
    collector.stop()
    assert lost() is None
    del kept


@virtual
async def test_a_stopped_collector_leaves_no_timer() -> None:
    """The loop ends with nothing to wait for."""
    collector = QuietCollector(asyncio.get_running_loop())
    await asyncio.sleep(INTERVAL * 2.5)
    collector.stop()
    await asyncio.sleep(INTERVAL * 10)
    assert collector._timer.cancelled()
