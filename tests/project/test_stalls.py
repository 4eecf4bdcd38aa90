"""A test that takes very long is told where it stands."""

from __future__ import annotations

import asyncio
import io
import threading

from actors import VirtualClock
from tests.stalls import watched

MOMENT = 0.01
"""Real seconds."""


class Told(io.StringIO):
    """Ends the wait that is told of."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        super().__init__()
        self.over = threading.Event()

    def flush(self) -> None:
        """Note that all of it was written."""
        self.over.set()


async def stand(clock: VirtualClock) -> None:
    """Wait for a clock that nobody moves."""
    await clock.sleep(3600)


def test_a_wait_is_told_with_its_threads_tasks_and_clocks() -> None:
    """Threads, tasks down to what they await, clocks."""
    told, running = Told(), threading.Event()

    async def work() -> None:
        task = asyncio.create_task(stand(VirtualClock()), name="stander")
        await asyncio.sleep(0)
        running.set()
        await asyncio.to_thread(told.over.wait)
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(work(),), name="other")
    thread.start()
    running.wait()
    with watched("test_it", MOMENT, told):
        thread.join()
    text = told.getvalue()
    assert "test_it takes over 0.01 s: 0." in text
    assert "thread MainThread:" in text
    assert "thread other:" in text
    assert "task stander:" in text
    assert "in VirtualClock.sleep" in text
    assert "clock at 0 s, next due 3600.0 s" in text


def test_what_ends_in_time_is_not_told() -> None:
    """Nothing is written, then or later."""
    told = io.StringIO()
    with watched("test_it", 3600, told):
        pass
    assert not told.getvalue()
