"""Timers, jobs, envelopes and what else an actor has at hand."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog.testing

from actors import (
    DEFERRED,
    Actor,
    ActorStopped,
    ActorSystem,
    Envelope,
    MailboxFull,
    Supervision,
)
from actors.testing import Probe, virtual

Script = Callable[[Actor[Any]], Any]


class Scripted(Actor[Any]):
    """Runs the functions it is sent and keeps all else."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.kept: list[Envelope[Any]] = []

    def receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.seen.append((asyncio.get_running_loop().time(), message))
        return None


@virtual
async def test_after_and_every_bring_messages() -> None:
    """Until cancelled."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")
        await ref.ask(lambda me: me.context.after(5, "once"))
        never = await ref.ask(lambda me: me.context.after(6, "never"))
        ticks = await ref.ask(lambda me: me.context.every(2, "tick"))
        never.cancel()
        await asyncio.sleep(6.5)
        assert ref.statistics().timers == 1
        ticks.cancel()
        await asyncio.sleep(10)
        assert actor.seen == [(2, "tick"), (4, "tick"), (5, "once"), (6, "tick")]
        assert ref.statistics().timers == 0


@virtual
async def test_timers_end_with_the_instance_that_set_them() -> None:
    """A restarted actor hears nothing of its predecessor's."""
    seen: list[Any] = []

    class Once(Actor[Any]):
        def receive(self, message: Any) -> None:
            if message == "fail":
                self.context.after(0, "stale")
                raise ValueError
            if message == "set":
                self.context.after(5, "stale")
            seen.append(message)

    async with ActorSystem() as system:
        ref = system.spawn(Once, "a")
        ref.tell("set")
        ref.tell("fail")
        await asyncio.sleep(10)
        assert seen == ["set"]


@virtual
async def test_a_job_brings_its_result_as_a_message() -> None:
    """The actor handles others meanwhile."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")

        def begin(me: Actor[Any]) -> None:
            me.context.run(asyncio.sleep(3, "slow"), done=lambda result: f"got {result}")

        ref.tell(begin)
        await asyncio.sleep(1)
        ref.tell("between")
        await asyncio.sleep(5)
        assert actor.seen == [(1, "between"), (3, "got slow")]
        assert ref.statistics().jobs == 0


async def _failing() -> None:
    await asyncio.sleep(1)
    raise OSError("gone")


@virtual
async def test_a_failed_job_brings_its_error() -> None:
    """As the message that ``failed`` makes."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")
        await ref.ask(lambda me: me.context.run(_failing(), failed=str))
        await asyncio.sleep(2)
        assert actor.seen == [(1, "gone")]


@virtual
async def test_a_failed_job_without_failed_fails_the_actor() -> None:
    """Nothing is only logged."""
    async with ActorSystem() as system:
        ref = system.spawn(Scripted, "a")
        await ref.ask(lambda me: me.context.run(_failing()))
        await asyncio.sleep(2)
        assert ref.statistics().restarts == 1


@virtual
async def test_a_cancelled_job_brings_nothing() -> None:
    """Neither result nor error."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")
        job = await ref.ask(
            lambda me: me.context.run(_failing(), done=lambda _: "done", failed=str)
        )
        job.cancel()
        await asyncio.sleep(5)
        assert job.done
        assert actor.seen == []
        assert ref.statistics().restarts == 0


@virtual
async def test_a_job_that_is_cancelled_before_it_began_brings_nothing() -> None:
    """Nor a warning that nobody awaited it."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")
        await ref.ask(lambda me: me.context.run(_failing(), failed=str).cancel())
        await asyncio.sleep(5)
        assert actor.seen == []
        assert ref.statistics().jobs == 0


@virtual
async def test_jobs_are_cancelled_when_the_actor_stops() -> None:
    """Before its ``stopped`` hook."""
    trace: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            trace.append("job ended")

    class Owner(Scripted):
        def stopped(self) -> None:
            trace.append("owner stopped")
            with pytest.raises(ActorStopped):
                self.context.run(asyncio.sleep(1))
            with pytest.raises(ActorStopped):
                self.context.spawn(Scripted, "late")

    async with ActorSystem() as system:
        ref = system.spawn(Owner, "a")
        await ref.ask(lambda me: me.context.run(work()))
        await asyncio.sleep(1)
        await system.stop(ref)
        assert trace == ["job ended", "owner stopped"]


@virtual
async def test_an_answer_may_be_given_later() -> None:
    """Through the envelope, while other messages are handled."""
    async with ActorSystem() as system:
        actor = Scripted()
        ref = system.spawn(lambda: actor, "a")

        def keep(me: Any) -> Any:
            me.kept.append(me.context.envelope())
            return DEFERRED

        asked = asyncio.ensure_future(ref.ask(keep))
        await asyncio.sleep(1)
        assert actor.kept[0].wants_reply
        ref.tell(lambda me: me.kept.pop().reply("late"))
        assert await asked == "late"


@virtual
async def test_a_forwarded_envelope_is_answered_by_whoever_gets_it() -> None:
    """The asker does not notice."""
    async with ActorSystem() as system:
        worker = system.spawn(Echo, "worker")

        class Front(Actor[Any]):
            def receive(self, message: Any) -> Any:
                self.context.envelope().forward(worker)
                return DEFERRED

        assert await system.spawn(Front, "front").ask(5) == 10


class Echo(Actor[int]):
    def receive(self, message: int) -> int:
        return message * 2


@virtual
async def test_random_numbers_follow_the_seed_and_the_address() -> None:
    """Not the order in which actors use them."""

    async def draw(names: list[str]) -> dict[str, float]:
        async with ActorSystem(seed=5) as system:
            return {
                name: await system.spawn(Scripted, name).ask(lambda me: me.context.random.random())
                for name in names
            }

    first = await draw(["a", "b"])
    assert first == await draw(["b", "a"])
    assert first["a"] != first["b"]


@virtual
async def test_an_actor_knows_its_place() -> None:
    """Name, address, children, ref."""
    async with ActorSystem("cluster") as system:
        ref = system.spawn(Scripted, "a")
        child = await ref.ask(lambda me: me.context.spawn(Echo, "b"))
        context = await ref.ask(lambda me: me.context)
        assert (context.name, context.address) == ("a", "/user/a")
        assert context.ref is ref
        assert context.system is system
        assert context.children == (child,)
        assert context.child("b") is child
        assert context.child("c") is None
        assert child.address == "/user/a/b"
        assert system.find("/user/a/b") is child
        assert system.find("/user/x/b") is None
        assert [one.address for one in system.walk()] == ["/user/a", "/user/a/b"]
        assert repr(child) == "<ActorRef /user/a/b>"


@virtual
async def test_a_tick_that_finds_the_mailbox_full_is_dropped() -> None:
    """The actor is behind already."""

    class Small(Actor[Any]):
        mailbox_limit = 1

        async def receive(self, message: Any) -> None:
            if message == "set":
                self.context.every(1, "tick")
            await asyncio.sleep(100)

    async with ActorSystem() as system:
        ref = system.spawn(Small, "a", supervision=Supervision(stop_timeout=1))
        ref.tell("set")
        await asyncio.sleep(50.5)
        assert ref.statistics().queue_length == 1
        assert system.dead_letters.count == 49


@virtual
async def test_statistics_tell_what_happened() -> None:
    """For one actor and for all."""
    async with ActorSystem("s") as system:
        ref = system.spawn(Echo, "a")
        for number in range(10):
            ref.tell(number)
        assert ref.statistics().queue_length == 10
        assert ref.statistics().state == "starting"
        await ref.ask(1)
        mine = ref.statistics()
        assert (mine.state, mine.queue_length, mine.queue_peak, mine.processed) == (
            "idle",
            0,
            11,
            11,
        )
        system.spawn(Scripted, "b")
        total = system.statistics()
        assert (total.name, total.actors, total.processed, total.queue_peak) == ("s", 2, 11, 11)


@virtual
async def test_dead_letters_are_counted_and_told() -> None:
    """With their recipient and reason."""
    async with ActorSystem() as system:
        probe, ref = Probe.spawn(system)
        system.dead_letters.subscribe(ref)
        gone = system.spawn(Echo, "gone")
        await system.stop(gone)
        gone.tell(7)
        system.bus.tell("/user/nowhere", 8)
        await asyncio.sleep(1)
        first, second = probe.messages
        assert (first.recipient, first.message, first.reason) == ("/user/gone", 7, "stopped")
        assert (second.recipient, second.reason) == ("/user/nowhere", "no such address")
        assert system.dead_letters.by_reason == {"stopped": 1, "no such address": 1}
        await system.stop(ref)
        gone.tell(9)
        assert system.dead_letters.count == 3


@virtual
async def test_who_still_tells_the_dead_at_the_end_is_not_worth_a_line() -> None:
    """It is counted as ever; an overflow is still told."""
    with structlog.testing.capture_logs() as lines:
        async with ActorSystem() as system:
            gone = system.spawn(Echo, "gone")
            await system.stop(gone)
            system.ending = True
            gone.tell(7)
    assert system.dead_letters.by_reason == {"stopped": 1}
    assert lines == []


@virtual
async def test_the_bus_reaches_every_subscriber_and_never_the_publisher() -> None:
    """A full one loses the message, a stopped one its subscription."""

    class Full(Actor[Any]):
        mailbox_limit = 1

        async def receive(self, message: Any) -> None:
            await asyncio.sleep(1000)

    async with ActorSystem() as system:
        probe, ref = Probe.spawn(system)
        full = system.spawn(Full, "full", supervision=Supervision(stop_timeout=1))
        gone = system.spawn(Echo, "gone")
        subscription = system.bus.subscribe("news", ref)
        system.bus.subscribe("news", full)
        system.bus.subscribe("news", gone)
        await system.stop(gone)
        assert system.bus.publish("news", 1) == 2
        assert system.bus.publish("news", 2) == 2
        with pytest.raises(MailboxFull):
            full.tell(3)
        assert system.bus.publish("nobody", 1) == 0
        await asyncio.sleep(1)
        assert list(probe.messages) == [1, 2]
        assert system.dead_letters.by_reason == {"overflow": 1}
        subscription.cancel()
        subscription.cancel()
        assert system.bus.publish("news", 3) == 1


async def test_a_system_is_entered_once_and_before_use() -> None:
    """Each mistake has its own words."""
    system = ActorSystem()
    with pytest.raises(RuntimeError, match="enter the system first"):
        system.spawn(Echo, "a")
    async with system:
        pass
    with pytest.raises(RuntimeError, match="make a new one"):
        await system.__aenter__()
    with pytest.raises(ActorStopped):
        system.spawn(Echo, "a")


@virtual
async def test_an_actor_may_become_another_one() -> None:
    """What has queued waits for the other's ``started``; timers of the first are gone."""
    second = Scripted()

    async def prepare() -> None:
        await asyncio.sleep(1)
        second.seen.append((asyncio.get_running_loop().time(), "started"))

    second.started = prepare  # type: ignore[method-assign] # of this one only

    def turn_into(me: Actor[Any]) -> None:
        me.context.after(2, "mine")
        me.context.become(second)

    async with ActorSystem() as system:
        first = Scripted()
        ref = system.spawn(lambda: first, "a")
        ref.tell(turn_into)
        ref.tell("queued")
        await asyncio.sleep(5)
        assert (first.seen, second.seen) == ([], [(1, "started"), (1, "queued")])
        assert await ref.ask(lambda me: me) is second
        assert second.context.address == "/user/a"


@virtual
async def test_a_restart_begins_with_what_the_factory_makes() -> None:
    """An actor that became another one is no exception."""
    async with ActorSystem() as system:
        ref = system.spawn(Scripted, "a")
        first = await ref.ask(lambda me: me)
        second = Scripted()
        await ref.ask(lambda me: me.context.become(second))
        system.crash(ref, RuntimeError("on purpose"))
        await asyncio.sleep(5)
        assert await ref.ask(lambda me: me) not in (first, second)


@virtual
async def test_an_actor_that_fails_right_after_it_became_another_one_is_restarted() -> None:
    """The supervisor decides, as about any message."""
    made: list[Scripted] = []

    def make() -> Scripted:
        made.append(Scripted())
        return made[-1]

    def fail(me: Actor[Any]) -> None:
        me.context.become(Scripted())
        raise RuntimeError("on purpose")

    async with ActorSystem() as system:
        ref = system.spawn(make, "a")
        ref.tell(fail)
        await asyncio.sleep(5)
        assert len(made) == 2
        assert await ref.ask(lambda me: me) is made[-1]


@virtual
async def test_a_handler_that_suspends_cannot_become_another_actor() -> None:
    """The new one would start while the old one still works."""

    async def later(me: Actor[Any]) -> None:
        me.context.become(Scripted())

    async with ActorSystem() as system:
        ref = system.spawn(Scripted, "a")
        with pytest.raises(RuntimeError, match=r"/user/a can become .* does not suspend"):
            await ref.ask(later)
