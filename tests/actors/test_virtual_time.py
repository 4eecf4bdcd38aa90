"""The loop whose time is virtual, its order and its verdict on deadlocks."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import pytest

from actors import Actor, ActorSystem, RealClock
from actors.testing import Deadlock, Probe, VirtualTimeLoop, run_virtual, virtual


@virtual
async def test_waiting_costs_no_time() -> None:
    """A day passes at once, for asyncio, anyio and the clock alike."""
    loop = asyncio.get_running_loop()
    clock = RealClock()
    begin = clock.now()
    await asyncio.sleep(43_200)
    await anyio.sleep(43_200)
    assert loop.time() == 86_400
    assert clock.now() - begin == 86_400
    assert clock.monotonic() == 86_400


@virtual
async def test_timers_are_due_after_years_too() -> None:
    """When seconds have few decimals left, none waits for a moment between two floats."""
    await asyncio.sleep(10 * 365 * 86_400 + 0.1)
    for _ in range(100):
        await asyncio.sleep(0.7)
    assert asyncio.get_running_loop().time() == pytest.approx(315_360_070.1)


@virtual
async def test_timers_fire_in_the_order_they_are_due() -> None:
    """Whatever the order in which they were set."""
    trace: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        trace.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(wait(seconds) for seconds in (3, 1, 2)))
    assert trace == [1, 2, 3]


@virtual
async def test_a_timeout_holds_in_virtual_time() -> None:
    """Of anyio and of asyncio."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
    with anyio.move_on_after(5) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert asyncio.get_running_loop().time() == 10


@pytest.mark.leaves_tasks
def test_a_deadlock_is_reported_with_what_waits() -> None:
    """Tasks by their place, actors by their state."""

    class Stuck(Actor[Any]):
        async def receive(self, message: Any) -> None:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        system = await ActorSystem().__aenter__()
        system.spawn(Stuck, "stuck").tell(1)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock) as caught:
        run_virtual(main())
    text = str(caught.value)
    assert "actor /user/stuck: busy, 0 waiting" in text
    assert "task /user/stuck in " in text
    assert "nothing will ever be ready, at 0 virtual seconds" in text


def test_a_failure_names_its_seed() -> None:
    """So that it can be repeated."""

    async def main() -> None:
        raise ValueError

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the note is what matters
        run_virtual(main(), seed=7)
    assert caught.value.__notes__ == ["in virtual time with seed=7"]


async def _race() -> list[tuple[str, int]]:
    """Tasks and actors that could run in many orders; which one they took."""
    trace: list[tuple[str, int]] = []

    class Tracer(Actor[int]):
        def receive(self, message: int) -> None:
            trace.append((self.context.name, message))
            if message:
                self.context.after(self.context.random.choice([0, 1]), message - 1)

    async def task(name: str) -> None:
        for number in range(3):
            trace.append((name, number))
            await asyncio.sleep(0)

    async with ActorSystem(seed=1) as system:
        for number in range(6):
            system.spawn(Tracer, f"actor-{number}").tell(3)
        await asyncio.gather(*(task(f"task-{number}") for number in range(6)))
        await asyncio.sleep(10)
    return trace


def test_a_seed_repeats_the_trace() -> None:
    """One seed, one history."""
    for seed in range(5):
        assert run_virtual(_race(), seed=seed) == run_virtual(_race(), seed=seed)


def test_seeds_differ() -> None:
    """Otherwise they would find nothing; and the same things happen in each."""
    traces = [run_virtual(_race(), seed=seed) for seed in range(5)]
    assert len({tuple(trace) for trace in traces}) == 5
    assert all(sorted(trace) == sorted(traces[0]) for trace in traces)


def test_without_a_seed_the_order_is_that_of_production() -> None:
    """First come, first served."""

    async def main() -> list[int]:
        trace: list[int] = []

        async def task(number: int) -> None:
            trace.append(number)

        await asyncio.gather(*(task(number) for number in range(10)))
        return trace

    assert run_virtual(main()) == list(range(10))


def test_a_seed_leaves_plain_callbacks_in_order() -> None:
    """Transports rely on it."""

    async def main() -> list[int]:
        trace: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(10):
            loop.call_soon(trace.append, number)
        await asyncio.sleep(1)
        return trace

    assert run_virtual(main(), seed=3) == list(range(10))


@virtual
async def test_a_database_thread_holds_the_time(tmp_path: Path) -> None:
    """While aiosqlite works no timer may overtake it."""
    fired: list[int] = []
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, fired.append, 1)
    async with aiosqlite.connect(tmp_path / "a.db") as database:
        await database.execute("CREATE TABLE t (x)")
        for number in range(20):
            await database.execute("INSERT INTO t VALUES (?)", (number,))
        await database.commit()
        async with database.execute("SELECT count(*) FROM t") as rows:
            assert await rows.fetchone() == (20,)
        assert not fired
        assert loop.time() == 0
        await asyncio.sleep(1000)
        assert fired


@virtual
async def test_an_executor_holds_the_time() -> None:
    """Real work in a thread takes no virtual time."""
    loop = asyncio.get_running_loop()
    loop.call_later(60, pytest.fail, "a timer overtook the thread")
    await asyncio.to_thread(threading.Event().wait, 0.01)
    assert loop.time() == 0


@virtual
async def test_any_thread_can_be_waited_for_by_name_of_its_future() -> None:
    """``expect`` is the hook for threads the loop cannot know."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    future = loop.create_future()
    loop.expect(future)
    timer = threading.Timer(0.01, lambda: loop.call_soon_threadsafe(future.set_result, 1))
    timer.start()
    async with asyncio.timeout(5):
        assert await future == 1
    timer.join()
    assert loop.time() == 0


@pytest.mark.leaves_tasks
def test_a_thread_that_never_answers_is_reported() -> None:
    """After real seconds, since only they pass."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.patience = 0.01
        future = loop.create_future()
        loop.expect(future)
        await future

    begin = time.monotonic()
    with pytest.raises(Deadlock, match="a thread does not answer"):
        run_virtual(main())
    assert time.monotonic() - begin < 60


@virtual
async def test_a_probe_reports_what_it_expected_and_got() -> None:
    """Both when something else comes and when nothing does."""
    async with ActorSystem() as system:
        probe, ref = Probe.spawn(system)
        probe.answer = "yes"
        assert await ref.ask(1) == "yes"
        assert await probe.expect(int) == 1
        ref.tell("text")
        with pytest.raises(AssertionError, match="expected a int, got 'text'"):
            await probe.expect(int)
        with pytest.raises(AssertionError, match="no int within 5 s"):
            await probe.expect(int)
        await probe.expect_nothing(60)
        ref.tell(2)
        with pytest.raises(AssertionError, match="expected nothing, got 2"):
            await probe.expect_nothing()
