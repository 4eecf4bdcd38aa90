"""A CronJob's year, in seconds.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.controllers.cronjob import CronJobController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.job import JobController
from orchestrator.node import NodeManager, SimulatedRuntime, simulated_node
from orchestrator.resources.kinds import registry
from orchestrator.store import CompactionPolicy, ObjectEvent, Store

YEAR = 365 * 86400


class Silent:
    """Takes Events and forgets them: a year of them would be kept otherwise."""

    def event(self, *_: Any, **__: Any) -> None:
        """Forget one."""

    def event_for_all(self, *_: Any, **__: Any) -> None:
        """Forget many."""


def cron_job(batch: Any, name: str, schedule: str, **spec: Any) -> Any:
    """Build a CronJob whose Jobs run for a minute on the one node."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {"spec": {"template": batch.template(60, nodeName="node-1")}},
            **spec,
        },
    }


@virtual
async def test_a_year_of_cron_jobs(batch: Any) -> None:
    """Every night's Job in a zone with summer time, and every month's, each made and run once."""
    silent = Silent()
    made: Counter[str] = Counter()
    succeeded: Counter[str] = Counter()
    stamps: list[str] = []

    def note(event: ObjectEvent) -> None:
        if event.key.resource != "jobs.batch":
            return
        owner = event.object["metadata"]["ownerReferences"][0]["name"]
        if event.type == "ADDED":
            made[owner] += 1
            if owner == "nightly":
                annotations = event.object["metadata"]["annotations"]
                stamps.append(annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"])
        elif event.type == "DELETED":
            succeeded[owner] += event.object["status"].get("succeeded", 0)

    async with ActorSystem("years", seed=1) as system:
        seldom = CompactionPolicy(interval=86400.0)  # what it does every minute is not the point
        store = await Store.open(system, MemoryLog(), registry("1.35"), compaction=seldom)
        runtime = SimulatedRuntime(system.clock, random.Random(1))
        manager = NodeManager(store, silent, [runtime], [simulated_node(1)])
        await manager.start(system)
        for kind in (JobController, CronJobController, GarbageCollector):
            system.spawn(partial(kind, store, silent), kind.__name__.lower())

        def take() -> None:
            for event in follower.take():
                note(event)

        follower = store.follow(("jobs.batch",), take)
        for body in (
            cron_job(batch, "nightly", "30 2 * * *", timeZone="Europe/Berlin"),
            cron_job(batch, "monthly", "@monthly"),
        ):
            await store.create(body, resource="cronjobs.batch", namespace="default")
        await asyncio.sleep(YEAR + 120)
        assert len(store.list("jobs.batch")) == 6  # three of each are kept
        assert len(store.list("pods")) == 6
        await manager.stop(clean=True, grace=1.0)
    # The clocks of Berlin leave 2:30 out on one night, and show it twice on another.
    assert made == {"nightly": 365, "monthly": 12}
    assert succeeded == {name: number - 3 for name, number in made.items()}
    local = [datetime.fromisoformat(stamp) for stamp in stamps]
    assert {moment.strftime("%H:%M") for moment in local} == {"02:30"}
    days = Counter(moment.date().isoformat() for moment in local)
    assert "2026-03-29" not in days
    assert days["2026-10-25"] == 2
    assert set(days.values()) == {1, 2}
