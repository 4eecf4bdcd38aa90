"""Jobs: many CronJobs due in one minute, and one Job with many pods.

    python -m benchmarks.batch [--json] [--tiny] [--cron-jobs N] [--completions N]

The whole way on simulated nodes: controllers, scheduler, nodes and every write to a log on disk
(WAL, synchronous=FULL). The CronJobs are all due at the next full minute, which is waited for; time
counts from that minute's first tenth, when CronJobs are looked at. A Job counts as made when it is
in the store, as begun when its pod runs, as done when it is Complete. The large Job has a tenth of
its completions in parallel; its pods run for no time at all, so that its rate is the cluster's.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.conditions import is_condition_true

JOBS = "jobs.batch"
_FULL = 1000
"""CronJobs in the full run, for which there is a target."""


def job_spec(run: float, **spec: Any) -> dict[str, Any]:
    """Build the spec of a Job whose pods run for some seconds."""
    annotations = {"simulation.orchestrator/run-seconds": str(run)}
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work"}]}
    return {"template": {"metadata": {"annotations": annotations}, "spec": pod}, **spec}


def is_complete(job: Any) -> bool:
    """Tell whether a Job is."""
    return is_condition_true(job, "Complete")


async def reached(cluster: BareCluster, count: Callable[[], int], wanted: int) -> float:
    """Wait until so many things are; return when that was."""
    changed = asyncio.Event()
    follower = cluster.store.follow(("pods", JOBS), changed.set)
    try:
        async with asyncio.timeout(300):
            while count() < wanted:
                await changed.wait()
                changed.clear()
                follower.take()
                await asyncio.sleep(0.02)  # counting is not free
    finally:
        follower.close()
    return time.perf_counter()


async def cron_jobs(report: Report, config: ClusterConfig, number: int) -> None:
    """Let so many CronJobs be due at once."""
    async with BareCluster(config) as cluster:
        store = cluster.store
        left = 60 - time.time() % 60
        if left < number / 200:
            await asyncio.sleep(left + 0.5)
        for at in range(number):
            body = {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": f"tick-{at}"},
                "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job_spec(0.5)}},
            }
            await store.create(body, resource="cronjobs.batch", namespace="default")
        left = 60.1 - time.time() % 60
        await asyncio.sleep(left)
        begin = time.perf_counter()
        made = await reached(cluster, lambda: len(store.each(JOBS)), number)
        begun = await reached(
            cluster,
            lambda: sum(
                1 for pod in store.each("pods") if (pod.get("status") or {}).get("startTime")
            ),
            number,
        )
        done = await reached(
            cluster, lambda: sum(1 for job in store.each(JOBS) if is_complete(job)), number
        )
        target = 3.0 if number >= _FULL else None
        note = f"{number} CronJobs due at once"
        report.add("all Jobs made", made - begin, "s", target=target, at_least=False, note=note)
        report.add("all pods begun", begun - begin, "s", note=note)
        report.add("all Jobs complete", done - begin, "s", note=f"{note}, pods run 0.5 s")


async def large_job(report: Report, config: ClusterConfig, completions: int) -> None:
    """Run one Job of so many pods."""
    async with BareCluster(config) as cluster:
        spec = job_spec(0, completions=completions, parallelism=max(completions // 10, 1))
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "large"}}
        begin = time.perf_counter()
        await cluster.store.create({**body, "spec": spec}, resource=JOBS, namespace="default")

        def count() -> int:
            return int(is_complete(cluster.store.get(JOBS, "default", "large")))

        done = await reached(cluster, count, 1)
        job = cluster.store.get(JOBS, "default", "large")
        if job is None or job["status"]["succeeded"] != completions:
            raise RuntimeError(f"the Job counted wrong: {job}")
        report.add("a Job's pods", completions / (done - begin), "1/s", note=f"{completions} pods")


def main() -> None:
    """Run both."""
    parser = options(__doc__ or "")
    parser.add_argument("--cron-jobs", type=int, default=_FULL)
    parser.add_argument("--completions", type=int, default=10_000)
    chosen = parser.parse_args()
    number = 20 if chosen.tiny else chosen.cron_jobs
    completions = 100 if chosen.tiny else chosen.completions
    report = Report(benchmark="batch", seed=chosen.seed, tiny=chosen.tiny)
    for work, size in ((large_job, completions), (cron_jobs, number)):
        with tempfile.TemporaryDirectory() as directory:
            config = ClusterConfig(
                runtime="simulated",
                nodes=max(size // 50, 2),
                data_dir=Path(directory),
                seed=chosen.seed,
            )
            asyncio.run(work(report, config, size))
    show(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
