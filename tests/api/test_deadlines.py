"""Deadlines of requests: what is late is cancelled, what is not is left alone."""

from __future__ import annotations

import asyncio

import pytest

from actors.testing import virtual
from orchestrator.api._deadlines import Deadlines


@virtual
async def test_each_falls_due_at_its_own_time() -> None:
    """Though one timer serves all of them."""
    deadlines = Deadlines(10.0)
    loop = asyncio.get_running_loop()
    ended: dict[int, float] = {}

    async def late(start: int) -> None:
        await asyncio.sleep(start)
        begun = loop.time()
        with pytest.raises(TimeoutError):
            await deadlines.run(asyncio.Event().wait())
        ended[start] = loop.time() - begun
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    await asyncio.gather(*[late(start) for start in (0, 3, 4, 50)])
    assert ended == {0: 10, 3: 10, 4: 10, 50: 10}


@virtual
async def test_what_is_done_in_time_is_not_touched() -> None:
    """Neither its result nor its error, and nothing is left behind."""
    deadlines = Deadlines(10.0)
    assert await deadlines.run(asyncio.sleep(9, "done")) == "done"

    async def fail() -> None:
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        await deadlines.run(fail())
    await asyncio.sleep(100)
    assert await deadlines.run(asyncio.sleep(9, "again")) == "again"
    deadlines.close()
    assert await deadlines.run(asyncio.sleep(9, "later")) == "later"


@virtual
async def test_being_cancelled_is_not_being_late() -> None:
    """Whoever cancels the request gets what it asked for."""
    deadlines = Deadlines(10.0)
    task = asyncio.create_task(deadlines.run(asyncio.Event().wait()))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = asyncio.create_task(deadlines.run(asyncio.sleep(9, "done")))
    assert await other == "done"
