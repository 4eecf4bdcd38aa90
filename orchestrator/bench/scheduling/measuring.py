"""Runs a workload on one path, checks what came of it, and only then says how fast it was."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from orchestrator.bench.progress import Progress
from orchestrator.bench.scheduling._core_driver import CoreDriver
from orchestrator.bench.scheduling._store_driver import PATIENCE, whole_path
from orchestrator.bench.scheduling.baseline import MOST, Bare, create_and_bind
from orchestrator.bench.scheduling.checking import Violation, check
from orchestrator.bench.scheduling.history import Change, digest, percentile, timing
from orchestrator.bench.scheduling.making import Maker
from orchestrator.bench.scheduling.running import Driver, Meter, Run, Watch
from orchestrator.bench.scheduling.workloads import Workload, WorkloadError

PathName: TypeAlias = Literal["core", "store"]
Tuning: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Sets the process up as a daemon's is while a run lasts; see ``orchestrator.cli.collector``."""

TIMES_FLOOR = 20.0
SHARE_OF_BARE = 0.6
_PORTION = 1000
"""A target is so many times the floor, or this share of the bare loop: whichever is less."""


class PlacementsWrong(Exception):  # noqa: N818 - it says what happened
    """Bindings of a run broke rules, so it has no figures."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(map(str, violations[:3])))
        self.violations = violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        seed: Of all choices.
        events: Whether the scheduler records Events (on the whole path).
        patience: Seconds without a binding after which a run is given up.
        tune: See `Tuning`.
        watch: Is entered while measured pods are made and placed, a profiler for example.
        directory: Where the logs go, in a directory of their own; None for the system's temporary
            one.
    """

    seed: int = 1
    events: bool = True
    patience: float = PATIENCE
    tune: Tuning = contextlib.nullcontext
    watch: Watch = contextlib.nullcontext
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one workload on one path; rates are pods a second, latencies milliseconds.

    Attributes:
        placements: A digest of which measured pod went where.
        rates: Percentiles over windows of the time, by name, and the window's ``seconds``.
        checked: How many bindings were checked, all that were made.
        processor_seconds: That the process had while pods were measured, of all cores: much less
            than ``seconds`` on a machine that others use too.
        peak_memory_mib: Of the process, since it started.
    """

    workload: str
    size: str
    nodes: int
    pods: int
    path: PathName
    pods_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    baseline_pods_per_second: float
    baseline_pods_per_processor_second: float
    floor: float | None
    target: float | None
    seconds: float
    processor_seconds: float
    placements: str
    events: bool
    checked: int
    peak_memory_mib: float
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.pods_per_second >= self.target


def bare_rate(workload: Workload, settings: Settings) -> Bare:
    """Return what the bare loop makes of a workload's measured pods."""
    step = workload.measured_steps[0]
    count = min(MOST, workload.value(step.count))
    pods = list(Maker().pods(step.template, step.namespace or "default", count))
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=settings.directory) as directory,
        settings.tune(),
    ):
        return create_and_bind(pods, Path(directory))


def measure(
    workload: Workload, path: PathName, settings: Settings, progress: Progress, bare: Bare
) -> Result:
    """Run a workload and return its figures.

    Args:
        workload: What to run.
        path: The whole path through the store, or the scheduler's core alone.
        settings: How.
        progress: Where to show how far it is.
        bare: What `bare_rate` returned, in this process.

    Raises:
        WorkloadError: It can't be run to its end.
        PlacementsWrong: Its bindings break rules.
    """
    progress.title(f"{workload.name}, {path}")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(workload, path, settings, progress, bare))


async def _measure(
    workload: Workload, path: PathName, settings: Settings, progress: Progress, bare: Bare
) -> Result:
    async with _driver(workload, path, settings) as driver:
        with settings.tune():
            measured = await Run(workload, driver, progress, settings.watch).run()
        around = driver.around()
    changes = driver.changes()
    with progress.meter("checking the placements", len(changes)) as meter:
        violations = check(_metered(changes, meter), around)
    if violations:
        raise PlacementsWrong(violations)
    times = timing(changes, measured.pods, measured.began, measured.ended)
    if times.pods != workload.measured_pods:
        raise WorkloadError(f"{times.pods:,} of {workload.measured_pods:,} pods were bound")
    p50, p90, p99 = (1000 * percentile(times.latencies, share) for share in (0.5, 0.9, 0.99))
    return Result(
        workload=workload.name,
        size=workload.size,
        nodes=workload.nodes,
        pods=times.pods,
        path=path,
        pods_per_second=times.rate,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        baseline_pods_per_second=bare.rate,
        baseline_pods_per_processor_second=bare.processor_rate,
        floor=workload.floor,
        target=target(workload, path, bare.rate),
        seconds=times.seconds,
        processor_seconds=measured.processor_seconds,
        placements=digest(changes, measured.pods),
        events=settings.events and path == "store",
        checked=sum(change.type == "bound" for change in changes),
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        rates={
            "p50": percentile(times.rates, 0.5),
            "p90": percentile(times.rates, 0.9),
            "p99": percentile(times.rates, 0.99),
            "window_seconds": times.window,
        },
    )


def _metered(changes: Sequence[Change], meter: Meter) -> Iterator[Change]:
    for start in range(0, len(changes), _PORTION):
        yield from changes[start : start + _PORTION]
        meter.advance(_PORTION)


def target(workload: Workload, path: PathName, bare: float) -> float | None:
    """Return what a workload is to reach, in pods a second; None for nothing.

    Args:
        workload: With its floor and targets of its own.
        path: The core alone has only targets of its own.
        bare: What the bare loop reached in the same run.
    """
    if path == "core":
        return workload.core_target
    if workload.target is not None:
        return workload.target
    return (
        None if workload.floor is None else min(TIMES_FLOOR * workload.floor, SHARE_OF_BARE * bare)
    )


@contextlib.asynccontextmanager
async def _driver(workload: Workload, path: PathName, settings: Settings) -> AsyncIterator[Driver]:
    if path == "core":
        yield CoreDriver(settings.seed, workload.pace)
        return
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.directory) as directory:
        try:
            async with whole_path(
                Path(directory), settings.seed, events=settings.events, patience=settings.patience
            ) as driver:
                yield driver
        except ExceptionGroup as group:
            raise _first(group) from None


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return a group's first exception, which the others followed from."""
    first: Exception = group
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first
