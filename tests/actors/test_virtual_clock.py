"""A clock that is moved by hand, beside a real loop."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from actors import ActorSystem, VirtualClock
from tests.actors.test_contexts import Scripted


def on_a_real_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on asyncio's own loop."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    del run.__wrapped__  # else pytest sees a coroutine function
    return run


@on_a_real_loop
async def test_a_virtual_clock_stands_still_until_advanced() -> None:
    """Timers follow it; deadlines of asks, which bound real work, do not."""
    clock = VirtualClock()
    async with ActorSystem(clock=clock) as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")
        begin = clock.now()
        await ref.ask(lambda me: me.context.after(10, "x"))
        await ref.ask(lambda me: me.context.every(4, "y"))
        slept = asyncio.ensure_future(clock.sleep(11))
        await clock.settle()
        assert actor.seen == []
        await clock.advance(9)
        assert [message for _, message in actor.seen] == ["y", "y"]
        assert not slept.done()
        await clock.advance(2)
        assert [message for _, message in actor.seen] == ["y", "y", "x"]
        assert slept.done()
        assert clock.now() - begin == 11
        assert clock.monotonic() == 11


@on_a_real_loop
async def test_what_a_timer_sets_in_motion_rests_before_the_next_one() -> None:
    """However many turns of the loop it takes."""
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []

    async def long_way(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        seen.append(("end", clock.monotonic()))

    tasks: list[asyncio.Task[None]] = []
    clock.call_later(1, lambda: tasks.append(asyncio.ensure_future(long_way(500))))
    clock.call_later(2, lambda: seen.append(("second", clock.monotonic())))
    await clock.advance(10)
    assert seen == [("end", 1), ("second", 2)]


@on_a_real_loop
async def test_timers_of_one_moment_run_in_their_order_and_those_they_set_come_after() -> None:
    """Also one that is due at once."""
    clock = VirtualClock()
    seen: list[str] = []

    def first() -> None:
        seen.append("a")
        clock.call_later(0, seen.append, "later")

    clock.call_later(1, first)
    clock.call_later(1, seen.append, "b")
    await clock.advance(1)
    assert seen == ["a", "b", "later"]


@on_a_real_loop
async def test_a_timer_cancelled_by_one_of_the_same_moment_does_not_run() -> None:
    """And cancelling it again does nothing."""
    clock = VirtualClock()
    seen: list[str] = []
    clock.call_later(1, lambda: second.cancel())  # noqa: PLW0108 - it is made below
    second = clock.call_later(1, seen.append, "never")
    await clock.advance(2)
    second.cancel()
    assert seen == []


@on_a_real_loop
async def test_a_timer_that_fails_takes_no_other_of_its_moment_along() -> None:
    """Who advances the clock is told of it, when all have run."""
    clock = VirtualClock()
    seen: list[str] = []

    def fail() -> None:
        raise LookupError("ours")

    clock.call_later(1, fail)
    clock.call_later(1, seen.append, "same moment")
    clock.call_later(2, seen.append, "later")
    with pytest.raises(LookupError, match="ours"):
        await clock.advance(5)
    assert seen == ["same moment"]
    await clock.advance(5)
    assert seen == ["same moment", "later"]


@on_a_real_loop
async def test_cancelled_timers_do_not_gather() -> None:
    """A thousand deadlines that were met leave nothing behind."""
    clock = VirtualClock()
    for _ in range(1000):
        clock.call_later(86_400, print).cancel()
    assert len(clock._timers) < 200
    assert clock.next_due is None


@on_a_real_loop
async def test_time_is_held_by_work_in_a_thread() -> None:
    """The loop is at rest meanwhile, and yet nothing passes."""
    clock = VirtualClock()
    done = threading.Event()
    seen: list[float] = []

    async def work() -> None:
        with clock.held():
            await asyncio.to_thread(done.wait)
            seen.append(clock.monotonic())

    working = asyncio.ensure_future(work())
    asyncio.get_running_loop().call_later(0.02, done.set)
    await clock.advance(5)
    await working
    assert seen == [0]
    assert clock.monotonic() == 5


@on_a_real_loop
async def test_courtesy_is_asked_before_time_moves() -> None:
    """As long as it says that something came of it, nothing passes."""
    clock = VirtualClock()
    asked: list[float] = []

    async def courtesy() -> bool:
        asked.append(clock.monotonic())
        return len(asked) < 3

    clock.courtesy = courtesy
    await clock.advance(1)
    assert asked == [0, 0, 0, 1]


@on_a_real_loop
async def test_time_stops_where_the_condition_holds() -> None:
    """Not at the end of the span; without it the whole span passes."""
    clock = VirtualClock()
    seen: list[int] = []
    for second in range(1, 10):
        clock.call_later(second, seen.append, second)
    assert await clock.advance_until(lambda: 3 in seen, within=60)
    assert clock.monotonic() == 3
    assert not await clock.advance_until(lambda: 99 in seen, within=60)
    assert clock.monotonic() == 63


@on_a_real_loop
async def test_two_may_advance_one_clock() -> None:
    """Each returns when its own time has passed, and sees every moment in its order."""
    clock = VirtualClock()
    seen: list[float] = []
    for second in (1, 4, 7):
        clock.call_later(second, lambda: seen.append(clock.monotonic()))
    first = asyncio.ensure_future(clock.advance(5))
    second_ = asyncio.ensure_future(clock.advance(8))
    await first
    assert seen[:2] == [1, 4]
    await second_
    assert seen == [1, 4, 7]
    assert clock.monotonic() == 8


@on_a_real_loop
async def test_somebody_who_never_pauses_does_not_stop_time() -> None:
    """A task that spins is waited for a while, not for ever."""
    clock = VirtualClock()
    spinning = asyncio.ensure_future(_spin())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors._virtual_clock._PATIENCE", 0.05)
        await clock.advance(1)
    assert clock.monotonic() == 1
    spinning.cancel()


async def _spin() -> None:
    while True:
        await asyncio.sleep(0)


def test_a_long_chain_comes_to_rest_on_uvloop_too() -> None:
    """It does not show what is ready: that is counted, and the loop left as it was."""

    async def chain() -> None:
        clock = VirtualClock()
        seen: list[float] = []

        async def hop(left: int) -> None:
            if left:
                await asyncio.create_task(hop(left - 1))
            else:
                seen.append(clock.monotonic())

        tasks: list[asyncio.Task[None]] = []
        clock.call_later(1.0, lambda: tasks.append(asyncio.create_task(hop(300))))
        clock.call_later(2.0, lambda: None)
        waiting = asyncio.create_task(clock.sleep(3.0))
        await asyncio.gather(clock.advance(5.0), clock.advance(4.0))
        assert seen == [1.0]
        assert tasks[0].done()
        assert waiting.done()
        assert "call_soon" not in getattr(asyncio.get_running_loop(), "__dict__", {})

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(chain())
