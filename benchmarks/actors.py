"""How fast messages travel between actors, and what an actor at rest costs.

    python benchmarks/actors.py [--json] [--tiny]

Beside it, in the same run: a deque and a loop (no actors at all, the most Python could do), pykka
(a thread an actor) and Thespian's in-process system. Each figure is the best of three rounds,
since other work on the machine can only slow one down. Every round checks that all messages were
handled before it reports a rate.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import Actor, ActorRef, ActorSystem, BatchActor, Envelope
from benchmarks._report import Report, options, show

BURST = 1000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    messages: int
    asks: int
    actors: int
    idle: int
    pykka: int
    thespian: int
    rounds: int


FULL = Sizes(
    messages=1_000_000,
    asks=100_000,
    actors=10_000,
    idle=1_000_000,
    pykka=20_000,
    thespian=100_000,
    rounds=3,
)
TINY = Sizes(messages=2_000, asks=500, actors=100, idle=1_000, pykka=100, thespian=200, rounds=1)


class Counter(Actor[int]):
    """Counts."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def receive(self, message: int) -> int:
        """Count one message and return how many there were."""
        del message
        self.count += 1
        return self.count


class AsyncCounter(Counter):
    """Counts in an ``async def`` handler."""

    __slots__ = ()

    async def receive(self, message: int) -> int:  # type: ignore[override] # the point of it
        """Count one message and return how many there were."""
        return super().receive(message)


class BatchCounter(BatchActor[int]):
    """Counts by the batch."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def receive_batch(self, batch: list[Envelope[int]]) -> None:
        """Count all of them at once; only the last of a burst is asked."""
        self.count += len(batch)
        batch[-1].reply(self.count)


class Stub(Actor[int]):
    """What an idle actor costs at least: an instance with one attribute."""

    def __init__(self) -> None:
        self.count = 0

    def receive(self, message: int) -> int:
        """Count one message and return how many there were."""
        del message
        self.count += 1
        return self.count


async def tells(kind: type[Counter], count: int) -> float:
    """Tells a second to one actor, sent in bursts; an ask after each burst waits for its end."""
    async with ActorSystem() as system:
        ref = system.spawn(kind, "counter")
        tell = ref.tell
        bursts = max(1, count // BURST)
        await ref.ask(0)
        begin = time.perf_counter()
        for _ in range(bursts):
            for number in range(BURST):
                tell(number)
            seen = await ref.ask(0)
        took = time.perf_counter() - begin
        assert seen == bursts * (BURST + 1) + 1
        return bursts * BURST / took


async def batches(count: int) -> float:
    """Tells a second to one actor that takes them by the batch."""
    async with ActorSystem() as system:
        ref = system.spawn(BatchCounter, "counter")
        tell = ref.tell
        bursts = max(1, count // BURST)
        await ref.ask(0)
        begin = time.perf_counter()
        for _ in range(bursts):
            for number in range(BURST):
                tell(number)
            seen = await ref.ask(0)
        took = time.perf_counter() - begin
        assert seen == bursts * (BURST + 1) + 1
        return bursts * BURST / took


async def many(actors: int, count: int) -> float:
    """Messages a second over many actors, each handling one message a turn."""
    async with ActorSystem() as system:
        refs = [system.spawn(Counter, f"counter-{number}") for number in range(actors)]
        last = system.spawn(Counter, "last")  # its turn comes after all others
        await last.ask(0)
        passes = max(1, count // actors)
        begin = time.perf_counter()
        for number in range(passes):
            for ref in refs:
                ref.tell(number)
            await last.ask(number, timeout=60)
        took = time.perf_counter() - begin
        assert system.statistics().processed == passes * (actors + 1) + 1
        return passes * actors / took


async def asks(count: int, at_once: int) -> float:
    """Asks a second, so many of them under way at once."""
    async with ActorSystem() as system:
        ref = system.spawn(Counter, "counter")
        each = count // at_once

        async def asker() -> None:
            for number in range(each):
                await ref.ask(number)

        begin = time.perf_counter()
        await asyncio.gather(*(asker() for _ in range(at_once)))
        took = time.perf_counter() - begin
        assert await ref.ask(0) == each * at_once + 1
        return each * at_once / took


async def idle(count: int) -> dict[str, float]:
    """Bytes an actor at rest, and how fast actors start and stop."""
    process = psutil.Process()
    gc.collect()
    gc.freeze()
    gc.disable()  # the collector would walk a million live actors again and again
    async with ActorSystem() as system:
        refs: list[ActorRef[int]] = [system.spawn(Stub, "first")]
        await asyncio.sleep(0)
        before = process.memory_info().rss
        begin = time.perf_counter()
        for number in range(count):
            refs.append(system.spawn(Stub, f"actor-{number}"))
            if number % BURST == 0:
                await asyncio.sleep(0)
        await refs[-1].ask(0, timeout=600)
        started = time.perf_counter() - begin
        size = (process.memory_info().rss - before) / count
        for number, ref in enumerate(refs):
            ref.tell(number)
            if number % BURST == 0:
                await ref.ask(0, timeout=600)
        await refs[-1].ask(0, timeout=600)
        used = (process.memory_info().rss - before) / count
        statistics = system.statistics()
        assert statistics.actors == count + 1
        assert statistics.queue_length == 0
        begin = time.perf_counter()
    stopped = time.perf_counter() - begin
    assert not any(ref.alive for ref in refs)
    return {
        "actors": count,
        "idle": size,
        "used": used,
        "start": count / started,
        "stop": count / stopped,
    }


def bare_one(count: int) -> float:
    """A deque, a loop and a method call: one receiver."""
    queue: deque[int] = deque()
    counter = Counter()
    begin = time.perf_counter()
    for _ in range(max(1, count // BURST)):
        for number in range(BURST):
            queue.append(number)
        while queue:
            counter.receive(queue.popleft())
    return counter.count / (time.perf_counter() - begin)


def bare_many(actors: int, count: int) -> float:
    """The same with many receivers that each get one message a turn."""
    counters = [Counter() for _ in range(actors)]
    mailboxes: list[deque[int]] = [deque() for _ in range(actors)]
    ready: deque[int] = deque()
    begin = time.perf_counter()
    for number in range(max(1, count // actors)):
        for index in range(actors):
            mailboxes[index].append(number)
            ready.append(index)
        while ready:
            index = ready.popleft()
            counters[index].receive(mailboxes[index].popleft())
    took = time.perf_counter() - begin
    return sum(counter.count for counter in counters) / took


def pykka_rates(count: int) -> tuple[float, float]:
    """Pykka's tells and asks a second, to one actor in its own thread."""
    import pykka

    class PykkaCounter(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def on_receive(self, message: int) -> int:
            del message
            self.count += 1
            return self.count

    logging.getLogger("pykka").setLevel(logging.ERROR)
    ref = PykkaCounter.start()
    try:
        begin = time.perf_counter()
        for number in range(count):
            ref.tell(number)
        assert ref.ask(0, timeout=60) == count + 1
        told = count / (time.perf_counter() - begin)
        begin = time.perf_counter()
        for number in range(count):
            ref.ask(number, timeout=60)
        asked = count / (time.perf_counter() - begin)
    finally:
        ref.stop(timeout=60)
    return told, asked


def thespian_rates(count: int) -> tuple[float, float]:
    """Thespian's tells and asks a second, in-process (``simpleSystemBase``)."""
    from thespian.actors import ActorSystem as Thespian

    from benchmarks._thespian import ThespianCounter

    system = Thespian("simpleSystemBase")
    try:
        address = system.createActor(ThespianCounter)
        begin = time.perf_counter()
        for number in range(count):
            system.tell(address, number)
        assert system.ask(address, "count", 60) == count
        told = count / (time.perf_counter() - begin)
        begin = time.perf_counter()
        for _ in range(count // 4):
            system.ask(address, "count", 60)
        asked = count // 4 / (time.perf_counter() - begin)
    finally:
        system.shutdown()
    return told, asked


def best(rounds: int, work: Callable[[], float]) -> float:
    """The best of several rounds."""
    return max(work() for _ in range(rounds))


def run(work: Callable[[], Awaitable[float]]) -> Callable[[], float]:
    """Turn a coroutine function into one that runs it on a loop of its own."""

    async def main() -> float:
        return await work()

    return lambda: asyncio.run(main())


def measure_idle(count: int) -> dict[str, float]:
    """Measure idle actors in a process of their own, whose memory is theirs alone."""
    command = [sys.executable, __file__, "--idle-process", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure(sizes: Sizes, report: Report) -> None:
    """Run everything and fill the report; figures and their rivals take turns in each round."""
    rounds, count = sizes.rounds, sizes.messages
    bare = best(rounds, lambda: bare_one(count))
    one = best(rounds, run(lambda: tells(Counter, count)))
    in_batches = best(rounds, run(lambda: batches(count)))
    in_tasks = best(rounds, run(lambda: tells(AsyncCounter, count // 4)))
    bare_spread = best(rounds, lambda: bare_many(sizes.actors, count))
    spread = best(rounds, run(lambda: many(sizes.actors, count)))
    asked = best(rounds, run(lambda: asks(sizes.asks, 100)))
    asked_alone = best(rounds, run(lambda: asks(sizes.asks // 4, 1)))
    pykka = [pykka_rates(sizes.pykka) for _ in range(rounds)]
    thespian = [thespian_rates(sizes.thespian) for _ in range(rounds)]
    pykka_told, pykka_asked = (max(rates) for rates in zip(*pykka, strict=True))
    thespian_told, thespian_asked = (max(rates) for rates in zip(*thespian, strict=True))
    rest = measure_idle(sizes.idle)

    add = report.add
    add("tells to one actor", one, "1/s", target=1e6, note=f"{one / bare:.0%} of a bare deque")
    add("  bare deque and loop", bare, "1/s")
    add("tells to one batch actor", in_batches, "1/s")
    add("tells to one async actor", in_tasks, "1/s", note="one task a burst")
    add(
        f"over {sizes.actors:,} actors, one message a turn",
        spread,
        "1/s",
        target=2e5,
        note=f"{spread / bare_spread:.0%} of bare deques",
    )
    add("  bare deques and loop", bare_spread, "1/s")
    add("asks, 100 at once", asked, "1/s", target=1e5)
    add("asks, one after the other", asked_alone, "1/s")
    add("tells, times pykka's", one / pykka_told, "x")
    add("asks, times pykka's", asked / pykka_asked, "x", target=20)
    add("  pykka tells", pykka_told, "1/s")
    add("  pykka asks", pykka_asked, "1/s")
    add("tells, times Thespian's in process", one / thespian_told, "x", target=5)
    add("asks, times Thespian's in process", asked / thespian_asked, "x")
    add("  Thespian tells", thespian_told, "1/s")
    add("  Thespian asks", thespian_asked, "1/s")
    add("idle actors", rest["actors"], "actors", target=sizes.idle)
    add("an idle actor", rest["idle"], "bytes", target=1024, at_least=False)
    add("an idle actor that has worked", rest["used"], "bytes", target=1024, at_least=False)
    add("starts", rest["start"], "1/s")
    add("stops", rest["stop"], "1/s")


def main() -> None:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--idle-process", type=int, help="used by the benchmark itself")
    arguments = parser.parse_args()
    if arguments.idle_process:
        print(json.dumps(asyncio.run(idle(arguments.idle_process))))
        return
    report = Report(benchmark="actors", seed=arguments.seed, tiny=arguments.tiny)
    measure(TINY if arguments.tiny else FULL, report)
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
