"""Start-up: importing the library, a cluster's start and end, a thousand clusters in a row.

    python benchmarks/startup.py [--json] [--tiny] [--clusters N]

The library is imported in interpreters of their own, whose start and end are part of what is timed.
A cluster keeps its log in memory, has three simulated nodes and serves plain HTTP on a loopback
port; it counts as started when a client that connected anew has its answer. Beside it stands a bare
asyncio server that answers the same request with nothing, and what envtest's documentation gives
for a start of its API server and etcd, without controllers or nodes: 5 s. Processor time stands
beside the time that passed, since a machine that others work on makes the latter useless.

What a process holds is looked at on the way: how it grows is the slope of a line through the looks
of the second half. In the first, caches of all kinds fill up, and the allocator's arenas: that
is shown, and is not divided by clusters. What Python code has allocated is traced in a process of
its own, since tracing takes time and memory itself.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show

_UNCOMPILED: Final = "PYTHONDONTWRITEBYTECODE"
ROOT: Final = Path(__file__).resolve().parent.parent
ENVTEST_SECONDS: Final = 5.0
"""What its documentation says of a start."""

CLUSTER: Final = "from orchestrator import Cluster"
MODULES: Final = f"{CLUSTER}; import sys; print(len(sys.modules))"
REQUEST: Final = b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
COMPILED: Final = {name: value for name, value in os.environ.items() if name != _UNCOMPILED}
"""With byte code kept, as it is of what is installed."""
LOOKS: Final = 24
"""How often what a process holds is looked at while clusters live in a row."""
TRACED: Final = 200
"""Clusters in a row whose allocations are traced, at most."""


class Life(NamedTuple):
    """Seconds of one server, from its making on."""

    answered: float
    closed: float
    processor: float
    """Processor time of all of it."""

    @property
    def closing(self) -> float:
        """Seconds that its end took."""
        return self.closed - self.answered


class Holdings(NamedTuple):
    """What a process holds."""

    memory: int
    """Bytes, resident."""
    descriptors: int
    threads: int
    tasks: int
    objects: int
    """What the cyclic collector knows."""
    traced: int
    """Bytes that Python code has allocated and not freed; 0 where they are not traced."""


class Look(NamedTuple):
    """What a process held when some clusters had lived."""

    clusters: int
    holdings: Holdings


class Taken(NamedTuple):
    """Medians over fresh interpreters, from their start to their end."""

    seconds: float
    processor: float


def process_seconds(code: str, runs: int) -> Taken:
    """Run some code in interpreters of its own, one after another."""
    seconds, processor = [], []
    for _ in range(runs):
        began, worked = time.perf_counter(), _children_seconds()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=COMPILED)
        seconds.append(time.perf_counter() - began)
        processor.append(_children_seconds() - worked)
    return Taken(statistics.median(seconds), statistics.median(processor))


def process_output(code: str) -> str:
    """Run some code in an interpreter of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    return done.stdout.decode()


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def ask(port: int) -> None:
    """Connect, send one request, and read its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the request failed: {answer[:200]!r}")


async def live_cluster() -> Life:
    """Start a cluster, ask it something, and stop it."""
    from orchestrator import Cluster

    began, worked = time.perf_counter(), time.process_time()
    cluster = Cluster(nodes=3)
    await cluster.start()
    await ask(int(cluster.url.rpartition(":")[2]))
    answered = time.perf_counter() - began
    await cluster.stop()
    return Life(answered, time.perf_counter() - began, time.process_time() - worked)


async def live_bare() -> Life:
    """Do the same with a server that does nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()

    began, worked = time.perf_counter(), time.process_time()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    await ask(server.sockets[0].getsockname()[1])
    answered = time.perf_counter() - began
    server.close()
    await server.wait_closed()
    return Life(answered, time.perf_counter() - began, time.process_time() - worked)


def holdings() -> Holdings:
    """Look at what this process holds; only one loop runs."""
    gc.collect()
    process = psutil.Process()
    return Holdings(
        process.memory_info().rss,
        process.num_fds(),
        threading.active_count(),
        len(asyncio.all_tasks()),
        len(gc.get_objects()),
        tracemalloc.get_traced_memory()[0],
    )


async def live_in_row(
    live: Callable[[], Awaitable[Life]], count: int, *, trace: bool = False
) -> dict[str, Any]:
    """Let servers live one after another; return their lives, and what was held on the way."""
    lives = array("d", bytes(8 * 3 * count))  # at once, and no objects: it must not grow itself
    looks: list[Look] = []
    if trace:
        tracemalloc.start()
    for number in range(count):
        if number % max(count // LOOKS, 1) == 0:
            looks.append(Look(number, holdings()))
        lives[3 * number : 3 * number + 3] = array("d", await live())
    looks.append(Look(count, holdings()))
    return {"lives": list(by_threes(lives)), "looks": looks}


def by_threes(numbers: Iterable[float]) -> Iterator[tuple[float, ...]]:
    """Return numbers by threes."""
    each = iter(numbers)
    return zip(each, each, each, strict=True)


def in_process(what: str, count: int, *, trace: bool = False) -> tuple[list[Life], list[Look]]:
    """Do `live_in_row` in a process of its own, so that nothing is warm."""
    code = (
        "import asyncio, json; from benchmarks import startup; "
        f"row = startup.live_in_row(startup.live_{what}, {count}, trace={trace}); "
        "print(json.dumps(asyncio.run(row)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    told = json.loads(done.stdout.splitlines()[-1])
    lives = [Life(*life) for life in told["lives"]]
    return lives, [Look(clusters, Holdings(*held)) for clusters, held in told["looks"]]


def growth(looks: Sequence[Look], what: str) -> float:
    """Return by how much a holding grows with each cluster in the second half of a row."""
    half = looks[-1].clusters / 2
    late = [look for look in looks if look.clusters >= half]
    held = [float(getattr(look.holdings, what)) for look in late]
    return statistics.linear_regression([look.clusters for look in late], held).slope


def usual_growth(looks: Sequence[Look], what: str) -> float:
    """Return by how much a holding usually grows with each cluster in the second half of a row.

    For what is known to the byte. CPython's table of interned strings gets larger once, by nearly
    1 MiB, some time in a row (`pathlib` puts the names of directories there, and they leave it
    again); the line of `growth` would be bent by that.
    """
    half = looks[-1].clusters / 2
    late = [look for look in looks if look.clusters >= half]
    steps = [
        (getattr(after.holdings, what) - getattr(before.holdings, what))
        / (after.clusters - before.clusters)
        for before, after in pairwise(late)
    ]
    return float(statistics.median(steps))


def add_imports(report: Report, runs: int) -> None:
    """Time interpreters that import and end: what imports leave to the end counts."""
    process_seconds(CLUSTER, 1)  # which compiles what was not compiled yet
    found = {}
    for name, code, target in (
        ("nothing", "", None),
        ("asyncio", "import asyncio", None),
        ("orchestrator.Cluster", CLUSTER, 250),
    ):
        taken = process_seconds(code, runs)
        found[name] = taken.processor
        note = f"{1e3 * taken.processor:.0f} ms of processor time"
        milliseconds = 1e3 * taken.seconds
        report.add(
            f"interpreter that imports {name}",
            milliseconds,
            "ms",
            target=target,
            at_least=False,
            note=note,
        )
    names = ("orchestrator.Cluster", "asyncio")
    whole = found[names[0]] / found[names[1]]
    report.add("orchestrator.Cluster ÷ asyncio, processor time", whole, "ratio")
    own = [found[name] - found["nothing"] for name in names]
    report.add("the same without what an interpreter takes", own[0] / own[1], "ratio")
    report.add("modules that importing loads", float(process_output(MODULES)), "modules")


def add_first(report: Report, runs: int) -> None:
    """Time the first cluster of a process, beside a bare server."""
    first = [in_process("cluster", 1)[0][0] for _ in range(runs)]
    plain = [in_process("bare", 1)[0][0] for _ in range(runs)]
    answered = statistics.median(life.answered for life in first)
    report.add(
        "first cluster: start to first answer", 1e3 * answered, "ms", target=50, at_least=False
    )
    closing = statistics.median(life.closing for life in first)
    report.add("first cluster: close", 1e3 * closing, "ms", target=20, at_least=False)
    bare = statistics.median(life.answered for life in plain)
    report.add("bare asyncio server: start to first answer", 1e3 * bare, "ms")
    report.add("first cluster ÷ bare server", answered / bare, "ratio")
    report.add("envtest's 5 s ÷ first cluster", ENVTEST_SECONDS / answered, "ratio", target=100)


def add_row(report: Report, count: int) -> None:
    """Time clusters one after another, and what they leave behind."""
    lives, looks = in_process("cluster", count)
    plain, _ = in_process("bare", count)
    each = sum(life.closed for life in lives) / count
    report.add(f"{count} clusters in a row", 1e3 * each, "ms each", target=60, at_least=False)
    answered = _median_milliseconds([life.answered for life in lives])
    report.add("of these, start to first answer", answered, "ms", target=50, at_least=False)
    closing = _median_milliseconds([life.closing for life in lives])
    report.add("of these, close", closing, "ms", target=20, at_least=False)
    work = _median_milliseconds([life.processor for life in lives])
    report.add("of these, processor time", work, "ms")
    bare = sum(life.closed for life in plain) / count
    report.add("cluster ÷ bare server, in a row", each / bare, "ratio")
    add_growth(report, looks)
    _, traced = in_process("cluster", min(count, TRACED), trace=True)
    grown = usual_growth(traced, "traced") / 1024
    note = f"second half of {traced[-1].clusters}"
    report.add(
        "growth: traced memory", grown, "KiB a cluster", target=0.5, at_least=False, note=note
    )


def add_growth(report: Report, looks: Sequence[Look]) -> None:
    """Say how what a process holds grows from cluster to cluster."""
    first, last = looks[1], looks[-1]  # before the first cluster, most modules were not loaded
    middle = min(looks, key=lambda look: abs(look.clusters - last.clusters / 2))
    warm = (middle.holdings.memory - first.holdings.memory) / 1024
    note = f"from cluster {first.clusters} to {middle.clusters}, all together"
    report.add("memory while caches and arenas fill", warm, "KiB", note=note)
    note = f"second half of {last.clusters}"
    grown = growth(looks, "memory") / 1024
    report.add("growth: memory", grown, "KiB a cluster", target=0.5, at_least=False, note=note)
    more = growth(looks, "objects")
    report.add("growth: objects", more, "a cluster", target=0.5, at_least=False, note=note)
    for name in ("descriptors", "threads", "tasks"):
        more = getattr(last.holdings, name) - getattr(middle.holdings, name)
        report.add(f"growth: {name}", more, "", target=0, at_least=False)


def _median_milliseconds(seconds: Sequence[float]) -> float:
    return 1e3 * statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    parser = options("Imports, a cluster's start and end, many clusters in a row.")
    parser.add_argument("--clusters", type=int, default=1000)
    arguments = parser.parse_args()
    runs = 1 if arguments.tiny else 15
    report = Report(benchmark="startup", seed=arguments.seed, tiny=arguments.tiny)
    add_imports(report, runs)
    add_first(report, runs)
    add_row(report, 20 if arguments.tiny else arguments.clusters)
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
