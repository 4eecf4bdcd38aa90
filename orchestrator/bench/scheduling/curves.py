"""How the core's rate changes with the number of nodes, and of kinds of pods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator.bench.progress import Progress
from orchestrator.bench.scheduling._core_driver import CoreDriver
from orchestrator.bench.scheduling.cases import DEFAULT_NODE
from orchestrator.bench.scheduling.checking import check
from orchestrator.bench.scheduling.history import name_of_pod
from orchestrator.bench.scheduling.making import Maker
from orchestrator.bench.scheduling.measuring import PlacementsWrong, Settings
from orchestrator.bench.scheduling.workloads import DEFAULT_PACE, CreateNodes
from orchestrator.resources.objects import Object

Over: TypeAlias = Literal["nodes", "classes"]

NODES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
CLASSES = (1, 10, 100, 1_000)
PODS = 20_000
CLASS_NODES = 5_000
MOST_SECONDS = 10.0
"""What a place may take; the pods placed by then count."""
_PORTION = 250
_ROOM = 35
"""Pods for each node: of the 40 that fit, so that the last ones still have a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place of a curve.

    Attributes:
        size: Nodes, or kinds of pods.
        pods_per_second: Placed by the core alone, after one pod of each kind had been placed.
        pods_per_processor_second: Likewise, by this process's own time.
    """

    size: int
    nodes: int
    pods: int
    pods_per_second: float
    pods_per_processor_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A rate over a size."""

    title: str
    over: str
    points: tuple[Point, ...]


def measure_curve(
    over: Over,
    settings: Settings,
    progress: Progress,
    *,
    sizes: Iterable[int] | None = None,
    pods: int | None = None,
    nodes: int | None = None,
) -> Curve:
    """Measure a curve.

    Args:
        over: ``nodes``, with pods of one kind, or ``classes`` of pods that take turns.
        settings: How.
        progress: Where to show how far it is.
        sizes: Other places than `NODES` or `CLASSES`.
        pods: Other than `PODS` at each place.
        nodes: The most that are made, or for ``classes`` how many.

    Raises:
        PlacementsWrong: Bindings break rules.
    """
    pods = pods or PODS
    if over == "nodes":
        sizes = tuple(size for size in sizes or NODES if nodes is None or size <= nodes)
        sizes = sizes or (nodes or 1,)
        points = [
            _point(size, nodes=size, classes=1, pods=min(pods, _ROOM * size), settings=settings,
                   progress=progress)
            for size in sizes
        ]  # fmt: skip
        return Curve(
            title="The scheduler's core, one kind of pods", over=over, points=tuple(points)
        )
    sizes = tuple(sizes or CLASSES)
    nodes = nodes or max(CLASS_NODES, (pods + max(sizes)) // _ROOM + 1)
    points = [
        _point(size, nodes=nodes, classes=size, pods=pods, settings=settings, progress=progress)
        for size in sizes
    ]
    return Curve(
        title=f"The scheduler's core, {nodes:,} nodes, kinds of pods in turn",
        over="kinds of pods (classes)",
        points=tuple(points),
    )


def _point(
    size: int, *, nodes: int, classes: int, pods: int, settings: Settings, progress: Progress
) -> Point:
    driver = CoreDriver(settings.seed, DEFAULT_PACE)
    maker = Maker()
    with progress.meter(f"{nodes:,} nodes, {classes:,} kinds of pods", 1):
        made = maker.nodes(CreateNodes(count=nodes, template=DEFAULT_NODE), nodes)
        kinds = [_pods(maker, number, -(-pods // classes) + 1) for number in range(classes)]
        first = [next(kind) for kind in kinds]
        rest = [next(kinds[number % classes]) for number in range(pods)]
        with settings.tune():
            placed, seconds, used = asyncio.run(_place(driver, made, first, rest))
        violations = check(driver.changes(), driver.around())
    if violations:
        raise PlacementsWrong(violations)
    return Point(
        size=size,
        nodes=nodes,
        pods=placed,
        pods_per_second=placed / seconds,
        pods_per_processor_second=placed / max(used, 1e-9),
    )


async def _place(
    driver: CoreDriver, nodes: list[Object], first: list[Object], rest: list[Object]
) -> tuple[int, float, float]:
    """Return how many of ``rest`` were placed, in how many seconds, and of the processor."""
    await driver.create("nodes", nodes)
    await driver.submit(first, None)
    began, used, seconds, placed = time.perf_counter(), time.process_time(), 0.0, 0
    while placed < len(rest) and seconds < MOST_SECONDS:
        some = rest[placed : placed + _PORTION]
        await driver.submit(some, None)
        placed += len(some)
        seconds = time.perf_counter() - began
    used = time.process_time() - used
    with Progress().meter("", 0) as silent:
        names = [name_of_pod(pod) for pod in rest[:placed]]
        await driver.settle(names, attempted=False, progress=silent)
    return placed, seconds, used


def _pods(maker: Maker, kind: int, count: int) -> Iterator[Object]:
    """Make pods that the scheduler tells apart from those of another kind."""
    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"kind-{kind}-"},
        "spec": {
            "containers": [
                {
                    "name": "pause",
                    "image": "registry.k8s.io/pause:3.10.1",
                    "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}},
                }
            ],
            "tolerations": [{"key": f"kind-{kind}", "operator": "Exists"}],
        },
    }
    return maker.pods(template, "default", count)
