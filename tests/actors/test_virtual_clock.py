"""A clock that is moved by hand, beside a real loop."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
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


@on_a_real_loop
async def test_a_machine_that_gives_no_time_does_not_move_the_clocks() -> None:
    """Patience with the loop's own tasks is measured in their work, not in real time."""
    clock = VirtualClock()
    done_at: list[float] = []

    async def starve() -> None:
        for _ in range(12):
            time.sleep(0.005)
            await asyncio.sleep(0)
        done_at.append(clock.monotonic())

    starved = asyncio.ensure_future(starve())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors._virtual_clock._PATIENCE", 0.03)
        await clock.advance(1)
    await starved
    assert done_at == [0]


@on_a_real_loop
async def test_somebody_who_never_pauses_does_not_hold_up_each_moment_for_as_long() -> None:
    """After the first time a clock is tired of it, until it has found rest once."""
    clock = VirtualClock()
    loop = asyncio.get_running_loop()
    for second in range(100):
        clock.call_later(second, _nothing)

    async def courtesy() -> bool:
        await asyncio.sleep(0)
        return busy

    clock.courtesy, busy = courtesy, True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors._virtual_clock._PATIENCE", 0.2)
        patch.setattr("actors._virtual_clock._TIRED", 0.001)
        began = loop.time()
        await clock.advance(100)
        assert 0.2 <= loop.time() - began < 10
        busy = False
        await clock.settle()
        busy, began = True, loop.time()
        await clock.settle()
        assert loop.time() - began >= 0.2


@on_a_real_loop
async def test_a_condition_may_be_awaited_and_time_stands_for_others_meanwhile() -> None:
    """It is asked at each moment, and what it sets in motion belongs to that moment."""
    clock = VirtualClock()
    answered: asyncio.Event = asyncio.Event()
    asked: list[float] = []
    moved: list[float] = []
    for second in (1, 2, 3):
        clock.call_later(second, _nothing)

    async def move() -> None:
        moved.append(clock.monotonic())

    async def condition() -> bool:
        asked.append(clock.monotonic())
        await answered.wait()
        moving.append(asyncio.ensure_future(move()))
        return clock.monotonic() >= 3

    moving: list[asyncio.Future[None]] = []
    waiting = asyncio.ensure_future(clock.advance_until(condition, within=60))
    other = asyncio.ensure_future(clock.advance(2))
    await clock.settle()
    await clock.settle()  # by now the others have settled too
    assert (asked, clock.monotonic()) == ([0], 0)
    answered.set()
    assert await waiting is True
    await other
    assert asked == moved == [0, 1, 2, 3]


@on_a_real_loop
async def test_each_of_several_who_advance_sees_each_moment() -> None:
    """Also one at which another one's time is over, which then ends there."""
    clock = VirtualClock()
    for second in range(1, 9):
        clock.call_later(second, _nothing)
    asked: dict[str, list[float]] = {"a": [], "b": [], "c": []}

    async def move(name: str, seconds: float, turns: int) -> float:
        async def condition() -> None:
            asked[name].append(clock.monotonic())
            for _ in range(turns):
                await asyncio.sleep(0)

        await clock.advance_until(condition, within=seconds)
        return clock.monotonic()

    ends = await asyncio.gather(move("a", 8, 0), move("b", 2.5, 40), move("c", 6, 7))
    assert tuple(ends) == (8, 2.5, 6)
    assert asked["a"] == [0, 1, 2, 2.5, 3, 4, 5, 6, 7, 8]
    assert asked["b"] == [0, 1, 2, 2.5]
    assert asked["c"] == [0, 1, 2, 2.5, 3, 4, 5, 6]


@on_a_real_loop
async def test_a_condition_that_waits_for_time_gets_it_from_who_advances_beside_it() -> None:
    """After a while of waiting for its answer, though its own span is over."""
    clock = VirtualClock()

    async def condition() -> bool:
        await clock.sleep(5)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors._virtual_clock._PATIENCE", 0.05)
        waiting = asyncio.ensure_future(clock.advance_until(condition, within=0))
        await clock.advance(10)
    assert await waiting
    assert clock.monotonic() == 10


@on_a_real_loop
async def test_a_condition_may_move_time_itself() -> None:
    """It waits for nobody but itself; one that always does ends with the span all the same."""
    clock = VirtualClock()

    async def condition() -> bool:
        await clock.advance(7)
        return False

    async with asyncio.timeout(2):  # a condition that is in its own way would take five seconds
        assert not await clock.advance_until(condition, within=20)
    assert clock.monotonic() == 27


@on_a_real_loop
async def test_whoever_holds_the_clock_need_not_wait_for_itself_to_see_the_others_rest() -> None:
    """Of two who hold it, the other one is waited for."""
    clock = VirtualClock()
    done: list[str] = []

    async def work() -> None:
        with clock.held():
            await asyncio.sleep(0.01)
            done.append("work")

    working = asyncio.ensure_future(work())
    with clock.held():
        await clock.settle(own=1)
        assert done == ["work"]
    await working


@on_a_real_loop
async def test_time_stands_still_for_a_block_though_somebody_advances_it() -> None:
    """Whoever does goes on after it."""
    clock = VirtualClock()
    async with clock.still():
        advancing = asyncio.ensure_future(clock.advance(5))
        await clock.settle()
        assert clock.monotonic() == 0
    await advancing
    assert clock.monotonic() == 5


def _nothing() -> None:
    """Be due."""


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
