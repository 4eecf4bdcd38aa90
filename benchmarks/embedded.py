"""The embedded library at work: snapshots put back, a virtual day.

    python benchmarks/embedded.py [--json] [--tiny]

A restore is timed where a test changed a little, and where everything is gone: a thousand objects,
of which two hundred are pods, are made anew at new versions. Beside it stands a deep copy of the
same objects. The day has a hundred nodes, a thousand pods at rest and fifty CronJobs that fire
every hour, whose pods run for twenty seconds. Beside it stand as many timers as there were records
on a bare clock, and real time.
"""

from __future__ import annotations

import asyncio
import copy
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import VirtualClock
from benchmarks._report import Report, options, show
from orchestrator import Cluster

EPOCH: Final = 1_767_225_600.0
DAY: Final = 86_400.0


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """Build a Deployment of pods that run on."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "web:1"}]},
            },
        },
    }


def config_map(name: str) -> dict[str, Any]:
    """Build a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"colour": "green"},
    }


def cron_job(name: str, minute: int) -> dict[str, Any]:
    """Build a CronJob that fires at a minute of every hour."""
    container = {"name": "main", "image": "work:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": f"{minute} * * * *",
            "jobTemplate": {
                "spec": {
                    "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}
                }
            },
        },
    }


async def measure_restores(report: Report, *, objects: int, runs: int) -> None:
    """Time snapshots and restores of about that many objects, a fifth of them pods."""
    pods = objects // 5
    maps = [f"c{at}" for at in range(objects - pods)]
    async with Cluster(nodes=20, seed=report.seed, epoch=EPOCH, listen=None) as cluster:
        await cluster.apply([config_map(name) for name in maps])
        await cluster.apply(deployment("web", pods))
        await cluster.wait("deployment/web", "Available")
        held = [
            obj
            for kind in cluster.store.registry.kinds()
            if kind.resource != "events"
            for obj in cluster.store.list(kind.resource)
        ]
        taken, little, everything, quiet = [], [], [], []
        work = []
        for _ in range(runs):
            begin = time.perf_counter()
            snapshot = await cluster.snapshot()
            taken.append(time.perf_counter() - begin)
            for name in maps[:20]:
                await cluster.api.patch("configmap", name, {"data": {"colour": "red"}})
            little.append(await restore_seconds(cluster, snapshot))
            for name in maps:
                await cluster.api.delete("configmap", name)
            await cluster.api.delete("deployment", "web")
            await cluster.clock.advance(minutes=2)
            begin, worked = time.perf_counter(), time.process_time()
            everything.append(await restore_seconds(cluster, snapshot))
            work.append(time.process_time() - worked)
            await cluster.clock.settle()
            quiet.append(time.perf_counter() - begin)
            await cluster.wait("deployment/web", "Available")
    copied = []
    for _ in range(runs):
        begin = time.perf_counter()
        copy.deepcopy(held)
        copied.append(time.perf_counter() - begin)
    note = f"{len(held)} objects, median of {runs}"
    least = f", {1e3 * min(work):.1f} ms of processor time in the best run"
    for name, seconds, more in (
        ("snapshot", taken, ""),
        ("restore, 20 objects changed", little, ""),
        (f"restore, {objects} objects gone", everything, least),
    ):
        value = 1e3 * statistics.median(seconds)
        report.add(name, value, "ms", target=10, at_least=False, note=note + more)
    value = 1e3 * statistics.median(quiet)
    report.add("the same, until controllers and nodes have seen it", value, "ms")
    ratio = statistics.median(everything) / statistics.median(copied)
    report.add("restore of all ÷ deep copy of them", ratio, "ratio")


async def restore_seconds(cluster: Cluster, snapshot: Any) -> float:
    """Put a snapshot back, and say how long that took."""
    begin = time.perf_counter()
    await cluster.restore(snapshot)
    return time.perf_counter() - begin


async def measure_day(report: Report, *, nodes: int, pods: int, jobs: int, days: float) -> None:
    """Let a day pass."""
    async with Cluster(nodes=nodes, seed=report.seed, epoch=EPOCH, listen=None) as cluster:
        cluster.image("work:*", run_seconds=20)
        await cluster.apply([deployment(f"web-{at}", pods // 20) for at in range(20)])
        await cluster.apply([cron_job(f"job-{at}", at % 60) for at in range(jobs)])
        for at in range(20):
            await cluster.wait(f"deployment/web-{at}", "Available")
        version = cluster.version
        begin, worked = time.perf_counter(), time.process_time()
        await cluster.clock.advance(days=days)
        took, work = time.perf_counter() - begin, time.process_time() - worked
        records = cluster.version - version
    bare = await bare_seconds(records, days)
    report.add(
        f"{days:g} virtual days: {nodes} nodes, {pods} pods, {jobs} CronJobs",
        took,
        "s",
        target=10 * days,
        at_least=False,
        note=f"{work:.2f} s of processor time, {records} records",
    )
    report.add("a record of the log", 1e6 * took / records, "us")
    report.add("the same ÷ a timer on a bare clock", took / bare, "ratio")
    report.add("faster than real time", days * DAY / took, "times")


async def bare_seconds(count: int, days: float) -> float:
    """Let as many timers as that run on a clock with nothing else."""
    clock = VirtualClock(EPOCH)
    seen: list[int] = []
    for at in range(count):
        clock.call_later(days * DAY * at / count, seen.append, at)
    begin = time.perf_counter()
    await clock.advance(days * DAY)
    assert len(seen) == count
    return time.perf_counter() - begin


async def measure(report: Report, *, tiny: bool) -> None:
    """Measure everything."""
    await measure_restores(report, objects=100 if tiny else 1000, runs=2 if tiny else 9)
    if tiny:
        await measure_day(report, nodes=4, pods=40, jobs=4, days=0.1)
    else:
        await measure_day(report, nodes=100, pods=1000, jobs=50, days=1.0)


def main() -> None:
    """Measure and print."""
    arguments = options("Snapshots put back, a virtual day.").parse_args()
    report = Report(benchmark="embedded", seed=arguments.seed, tiny=arguments.tiny)
    asyncio.run(measure(report, tiny=arguments.tiny))
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
