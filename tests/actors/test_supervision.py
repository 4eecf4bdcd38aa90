"""Failures, restarts, escalation and stops."""

import asyncio
import functools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import (
    DEFERRED,
    Actor,
    ActorRef,
    ActorStopped,
    ActorSystem,
    Backoff,
    BatchActor,
    ChildSpec,
    Decision,
    Envelope,
    Exhausted,
    NameTaken,
    Restart,
    Strategy,
    Supervision,
    Supervisor,
    SystemFailed,
    Verdict,
    decide_restart,
)
from actors.testing import virtual


class Worker(Actor[Any]):
    """Writes its life into a list; "fail" fails, "stop" stops, "work" takes ten seconds."""

    def __init__(self, trace: list[str], name: str = "worker") -> None:
        self.trace = trace
        self.label = name

    def started(self) -> None:
        self.trace.append(f"{self.label} started")

    def receive(self, message: Any) -> Any:
        match message:
            case "fail":
                raise ValueError("as told")
            case "stop":
                self.context.stop()
            case "promise":
                return DEFERRED
            case "work":
                return asyncio.sleep(10)
            case _:
                self.trace.append(f"{self.label} {message}")
        return self

    def stopped(self) -> None:
        self.trace.append(f"{self.label} stopped")


STOP = Supervision(exhausted=Exhausted.STOP, max_restarts=2, period=60)


@virtual
async def test_a_failed_tell_restarts_the_actor_as_a_new_instance() -> None:
    """The old one is released, and what waited is handled by the new one."""
    trace: list[str] = []
    async with ActorSystem() as system:
        ref = system.spawn(lambda: Worker(trace), "a")
        before = await ref.ask("one")
        ref.tell("fail")
        ref.tell("two")
        after = await ref.ask("three")
        assert after is not before
        statistics = ref.statistics()
        assert statistics.restarts == 1
        assert isinstance(statistics.last_error, ValueError)
        assert system.statistics().failures == 1
    assert trace == [
        "worker started",
        "worker one",
        "worker stopped",
        "worker started",
        "worker two",
        "worker three",
        "worker stopped",
    ]


@virtual
async def test_restarts_back_off() -> None:
    """The first is immediate, each further one waits longer."""
    times: list[float] = []

    class Crasher(Actor[Any]):
        def started(self) -> None:
            times.append(self.context.clock.monotonic())
            raise OSError

    supervision = Supervision(
        exhausted=Exhausted.STOP, max_restarts=4, backoff=Backoff(initial=1, jitter=0)
    )
    async with ActorSystem() as system:
        ref = system.spawn(Crasher, "a", supervision=supervision)
        await ref.stopped()
        assert times == [0, 0, 1, 3, 7]


@virtual
async def test_too_many_failures_escalate_to_the_parent() -> None:
    """The parent is restarted and its children with it."""
    trace: list[str] = []

    class Parent(Worker):
        def started(self) -> None:
            super().started()
            supervision = Supervision(max_restarts=0)
            self.child = self.context.spawn(
                lambda: Worker(trace, "child"), "child", supervision=supervision
            )

        def receive(self, message: Any) -> Any:
            self.child.tell(message)

    async with ActorSystem() as system:
        ref = system.spawn(lambda: Parent(trace, "parent"), "a")
        await ref.ask("hello")
        ref.tell("fail")
        await asyncio.sleep(1)
        ref.tell("again")
        await asyncio.sleep(1)
        assert ref.statistics().restarts == 1
    assert trace == [
        "parent started",
        "child started",
        "child hello",
        "child stopped",
        "parent stopped",
        "parent started",
        "child started",
        "child again",
        "child stopped",
        "parent stopped",
    ]


@virtual
async def test_a_failure_that_reaches_the_root_cancels_the_body_and_is_raised() -> None:
    """Everything has stopped by then."""
    trace: list[str] = []

    async def body() -> None:
        async with ActorSystem() as system:
            fragile = Supervision(max_restarts=0)
            system.spawn(lambda: Worker(trace), "a", supervision=fragile).tell("fail")
            await asyncio.Event().wait()

    with pytest.raises(SystemFailed) as caught:
        await body()
    assert isinstance(caught.value.__cause__, ValueError)
    assert trace == ["worker started", "worker stopped"]
    await asyncio.sleep(0)  # the cancellation was taken back


@virtual
async def test_one_for_all_restarts_the_siblings() -> None:
    """They stop in reverse and start in order."""
    trace: list[str] = []
    together = Supervision(strategy=Strategy.ALL_FOR_ONE)
    specs = [
        ChildSpec(name=name, factory=functools.partial(Worker, trace, name), supervision=together)
        for name in "abc"
    ]
    async with ActorSystem() as system:
        system.spawn(lambda: Supervisor(specs), "all")
        await asyncio.sleep(1)
        child = system.find("/user/all/b")
        assert child is not None
        trace.clear()
        child.tell("fail")
        await asyncio.sleep(1)
        assert trace == [
            "c stopped",
            "b stopped",
            "a stopped",
            "a started",
            "b started",
            "c started",
        ]


def test_a_supervisor_refuses_two_children_of_one_name() -> None:
    """Before anything starts."""
    spec = ChildSpec(name="a", factory=Actor)
    with pytest.raises(ValueError, match="names of their own"):
        Supervisor([spec, spec])


@pytest.mark.parametrize(
    ("restart", "message", "comes_back"),
    [
        (Restart.PERMANENT, "stop", True),
        (Restart.PERMANENT, "fail", True),
        (Restart.TRANSIENT, "stop", False),
        (Restart.TRANSIENT, "fail", True),
        (Restart.TEMPORARY, "stop", False),
        (Restart.TEMPORARY, "fail", False),
    ],
)
def test_the_restart_kind_decides(restart: Restart, message: str, comes_back: bool) -> None:
    """For a failure and for an actor that stops itself."""

    @virtual
    async def run() -> None:
        trace: list[str] = []
        async with ActorSystem() as system:
            ref = system.spawn(lambda: Worker(trace), "a", supervision=Supervision(restart=restart))
            ref.tell(message)
            await asyncio.sleep(1)
            assert ref.alive is comes_back
            assert trace.count("worker started") == 1 + comes_back

    run()


@virtual
async def test_a_parent_stops_a_permanent_child_for_good() -> None:
    """Only the child's own stop is undone."""
    async with ActorSystem() as system:
        ref = system.spawn(
            lambda: Worker([]), "a", supervision=Supervision(restart=Restart.PERMANENT)
        )
        await system.stop(ref)
        assert not ref.alive


@virtual
async def test_children_stop_before_their_parent_in_reverse_order() -> None:
    """All the way down."""
    trace: list[str] = []

    class Parent(Worker):
        def started(self) -> None:
            for name in ("first", "second"):
                self.context.spawn(functools.partial(Worker, trace, name), name)

    async with ActorSystem() as system:
        system.spawn(lambda: Parent(trace, "parent"), "a")
        await asyncio.sleep(1)
    assert trace[2:] == ["second stopped", "first stopped", "parent stopped"]


@virtual
async def test_a_stop_lets_the_current_message_end() -> None:
    """Within the stop timeout."""

    class Slow(Actor[Any]):
        async def receive(self, message: Any) -> Any:
            await asyncio.sleep(message)
            return "done"

    async with ActorSystem() as system:
        ref = system.spawn(Slow, "a", supervision=Supervision(stop_timeout=3))
        asked = asyncio.ensure_future(ref.ask(2))
        await asyncio.sleep(1)
        await system.stop(ref)
        assert await asked == "done"


@virtual
async def test_a_stop_cancels_a_message_that_takes_too_long() -> None:
    """The asker learns it."""
    async with ActorSystem() as system:
        ref = system.spawn(lambda: Worker([]), "a", supervision=Supervision(stop_timeout=3))
        asked = asyncio.ensure_future(ref.ask("work", timeout=60))
        await asyncio.sleep(1)
        await system.stop(ref)
        assert asyncio.get_running_loop().time() == 4
        with pytest.raises(ActorStopped, match="was stopped while"):
            await asked


@virtual
async def test_a_promised_answer_is_refused_when_the_actor_stops() -> None:
    """No asker waits for its deadline in vain; also after a restart."""
    async with ActorSystem() as system:
        ref = system.spawn(lambda: Worker([]), "a")
        first = asyncio.ensure_future(ref.ask("promise", timeout=1000))
        await asyncio.sleep(1)
        ref.tell("fail")
        with pytest.raises(ActorStopped):
            await first
        second = asyncio.ensure_future(ref.ask("promise", timeout=1000))
        await asyncio.sleep(1)
        await system.stop(ref)
        with pytest.raises(ActorStopped):
            await second
        assert asyncio.get_running_loop().time() == 2


@virtual
async def test_a_stopped_hook_that_hangs_is_given_up() -> None:
    """The system stops all the same."""

    class Stuck(Actor[Any]):
        async def stopped(self) -> None:
            await asyncio.Event().wait()

    async with ActorSystem() as system:
        system.spawn(Stuck, "a", supervision=Supervision(stop_timeout=3))
    assert asyncio.get_running_loop().time() == 3


@virtual
async def test_a_stopped_hook_that_fails_does_not_stop_the_stop() -> None:
    """It is counted."""

    class Bad(Actor[Any]):
        def stopped(self) -> None:
            raise OSError

    async with ActorSystem() as system:
        await system.stop(system.spawn(Bad, "a"))
        assert system.statistics().failures == 1
        assert system.statistics().actors == 0


@virtual
async def test_no_task_outlives_the_system() -> None:
    """Bursts, jobs and starts included."""

    class Busy(Actor[Any]):
        async def started(self) -> None:
            self.context.run(asyncio.sleep(1000))
            self.context.every(1, "tick")
            await asyncio.sleep(1)

        async def receive(self, message: Any) -> None:
            await asyncio.sleep(1000)

    async with ActorSystem() as system:
        for number in range(5):
            system.spawn(Busy, f"a{number}", supervision=Supervision(stop_timeout=1))
        await asyncio.sleep(5)
        system.spawn(Busy, "late")
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_batch_that_raises_fails_its_asks_and_the_actor() -> None:
    """A half-handled batch leaves a state that nobody should trust."""

    class Bad(BatchActor[Any]):
        def receive_batch(self, batch: list[Envelope[Any]]) -> None:
            batch[0].reply("first")
            raise ValueError("second")

    async with ActorSystem() as system:
        ref = system.spawn(Bad, "a")
        answers = await asyncio.gather(ref.ask(1), ref.ask(2), return_exceptions=True)
        assert answers[0] == "first"
        assert isinstance(answers[1], ValueError)
        await asyncio.sleep(1)
        assert ref.statistics().restarts == 1


@virtual
async def test_a_failing_async_batch_fails_its_asks() -> None:
    """As a ``def`` one does."""

    class Bad(BatchActor[Any]):
        async def receive_batch(self, batch: list[Envelope[Any]]) -> None:
            await asyncio.sleep(1)
            raise ValueError("late")

    async with ActorSystem() as system:
        ref = system.spawn(Bad, "a")
        with pytest.raises(ValueError, match="late"):
            await ref.ask(1)


@virtual
async def test_a_name_is_free_again_only_after_the_stop() -> None:
    """Two living siblings never share an address."""
    async with ActorSystem() as system:
        ref = system.spawn(lambda: Worker([]), "a")
        with pytest.raises(NameTaken):
            system.spawn(lambda: Worker([]), "a")
        await system.stop(ref)
        assert system.spawn(lambda: Worker([]), "a").alive


@virtual
async def test_a_factory_that_fails_at_first_raises_in_the_one_who_spawns() -> None:
    """And leaves nothing behind."""

    def broken() -> Worker:
        raise OSError("no disk")

    async with ActorSystem() as system:
        with pytest.raises(OSError, match="no disk"):
            system.spawn(broken, "a")
        assert system.statistics().actors == 0
        with pytest.raises(ValueError, match="one part of a path"):
            system.spawn(lambda: Worker([]), "a/b")


@virtual
async def test_only_a_parent_may_stop_a_child() -> None:
    """A stranger's ref is refused."""
    errors: list[Exception] = []

    class Meddler(Actor[ActorRef[Any]]):
        def receive(self, message: ActorRef[Any]) -> None:
            try:
                self.context.stop(message)
            except ValueError as error:
                errors.append(error)

    async with ActorSystem() as system:
        victim = system.spawn(lambda: Worker([]), "victim")
        await system.spawn(Meddler, "meddler").ask(victim)
        assert victim.alive
        assert "not a child of /user/meddler" in str(errors[0])


@given(
    restarts=st.lists(st.floats(0, 100), max_size=10).map(sorted),
    limit=st.integers(0, 5),
    period=st.floats(1, 100),
)
def test_restarts_never_exceed_the_limit_within_a_period(
    restarts: list[float], limit: int, period: float
) -> None:
    """Whatever happened before."""
    supervision = Supervision(max_restarts=limit, period=period)
    decision = decide_restart(supervision, restarts, 100.0, random.Random(1))
    recent = [at for at in restarts if 100.0 - at < period]
    assert (decision.verdict is Verdict.RESTART) == (len(recent) < limit)


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1), seed=st.integers())
def test_a_backoff_stays_between_zero_and_its_maximum(
    failures: int, jitter: float, seed: int
) -> None:
    """For any number of failures."""
    backoff = Backoff(initial=0.5, maximum=8, jitter=jitter)
    assert 0 <= backoff.delay(failures, random.Random(seed)) <= 8


def test_a_temporary_actor_is_never_restarted() -> None:
    """Not even the first time."""
    supervision = Supervision(restart=Restart.TEMPORARY)
    assert decide_restart(supervision, [], 0, random.Random(1)) == Decision(Verdict.STOP)


@virtual
async def test_a_log_that_fails_does_not_stop_supervision() -> None:
    """Its disk may be full: the actor is restarted, and a dead letter is no sender's trouble."""

    class Full:
        def __getattr__(self, name: str) -> Any:
            raise OSError(28, "No space left on device")

    trace: list[str] = []
    async with ActorSystem() as system:
        system.log = Full()
        ref = system.spawn(lambda: Worker(trace), "worker")
        ref.tell("fail")
        assert await ref.ask("hello") is not None
        await system.stop(ref)
        ref.tell("too late")
        assert system.dead_letters.count == 1
    assert trace.count("worker started") == 2
