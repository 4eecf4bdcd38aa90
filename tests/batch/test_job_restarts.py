"""A cluster that is stopped after each of its commits, and goes on from its log.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.controllers.cronjob import CronJobController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.job import JobController
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, status_of
from orchestrator.store import Store

PERIOD = 1.0
"""Seconds a pod runs."""


class Silent:
    """Takes Events and forgets them."""

    def event(self, *_: Any) -> None:
        """Forget one."""


async def play_kubelet(store: Store, fails: set[str]) -> None:
    """Have pods run, and end after a while: those of the indexes in ``fails`` badly, once each."""
    while True:
        await asyncio.sleep(PERIOD)
        for pod in store.list("pods"):
            phase = status_of(pod).get("phase", "Pending")
            if "deletionTimestamp" in pod["metadata"] or phase not in {"Pending", "Running"}:
                continue
            index = pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index", "")
            new = "Running"
            if phase == "Running":
                new = "Failed" if index in fails else "Succeeded"
                fails.discard(index)

            def change(current: Object, phase: str = new) -> Object:
                return {**current, "status": {**status_of(current), "phase": phase}}

            await store.modify(
                "pods", "default", pod["metadata"]["name"], change, subresource="status"
            )


async def live(log: MemoryLog, commits: int | None, fails: set[str], seconds: float) -> int:
    """Live for a while, or until there were so many commits; return how many there were."""
    seen = 0
    enough = asyncio.Event()
    async with ActorSystem("restarts", seed=1) as system:
        store = await Store.open(system, log, registry("1.35"))

        def count() -> None:
            nonlocal seen
            seen += len(follower.take())
            if commits is not None and seen >= commits:
                enough.set()

        follower = store.follow(("jobs.batch", "pods", "cronjobs.batch"), count)
        for kind in (JobController, CronJobController, GarbageCollector):
            system.spawn(partial(kind, store, Silent()), kind.__name__.lower())
        kubelet = asyncio.create_task(play_kubelet(store, fails))
        try:
            async with asyncio.timeout(seconds):
                await enough.wait()
        except TimeoutError:
            pass
        finally:
            kubelet.cancel()
            await asyncio.gather(kubelet, return_exceptions=True)
    return seen


async def begin(log: MemoryLog, resource: str, body: Object) -> None:
    """Create the object that everything comes of."""
    async with ActorSystem("begin", seed=1) as system:
        store = await Store.open(system, log, registry("1.35"))
        await store.create(body, resource=resource, namespace="default")


async def end(log: MemoryLog, resource: str) -> list[Object]:
    """Return the objects of a resource that are there in the end."""
    async with ActorSystem("end", seed=1) as system:
        store = await Store.open(system, log, registry("1.35"))
        return store.list(resource)


@virtual
async def test_a_job_counts_right_whenever_the_cluster_is_stopped(batch: Any) -> None:
    """Three indexes, of which one fails once, with a stop after each commit in turn."""
    body = batch.job(
        run=None,
        completions=3,
        parallelism=2,
        completionMode="Indexed",
        backoffLimitPerIndex=2,
    )
    commits = 1
    while True:
        log = MemoryLog()
        await begin(log, "jobs.batch", body)
        fails = {"1"}
        seen = await live(log, commits, fails, 60)
        if seen < commits:
            break
        await live(log, None, fails, 60)
        (job,) = await end(log, "jobs.batch")
        status = job["status"]
        assert (status["succeeded"], status["failed"]) == (3, 1), f"stopped after {commits}"
        assert status["completedIndexes"] == "0-2"
        assert status["failedIndexes"] == ""
        pods = await end(log, "pods")
        assert len(pods) == 4, f"stopped after {commits}"
        assert all("finalizers" not in pod["metadata"] for pod in pods)
        commits += 1
    assert commits > 25


@virtual
async def test_a_cron_job_makes_each_job_once_whenever_the_cluster_is_stopped(batch: Any) -> None:
    """A Job every minute, with a stop after each commit of the first two in turn."""
    body = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick"},
        "spec": {
            "schedule": "* * * * *",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"template": batch.template(None)}},
        },
    }
    commits = 1
    while True:
        log = MemoryLog()
        await begin(log, "cronjobs.batch", body)
        started = asyncio.get_running_loop().time()
        seen = await live(log, commits, set(), 130)
        if seen < commits:
            break
        # At the same second of a minute: what is due is not a matter of when it was stopped.
        left = 130 - (asyncio.get_running_loop().time() - started)
        await live(log, None, set(), left)
        jobs = await end(log, "jobs.batch")
        (cron_job,) = await end(log, "cronjobs.batch")
        minutes = [int(job["metadata"]["name"].removeprefix("tick-")) for job in jobs]
        assert len(minutes) in {2, 3}, f"stopped after {commits}: {minutes}"
        assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
        assert all(status_of(job)["succeeded"] == 1 for job in jobs), f"stopped after {commits}"
        assert "active" not in cron_job["status"], f"stopped after {commits}"
        commits += 1
    assert commits > 20
