"""Whole clusters in virtual time for Jobs, CronJobs and what cleans up after them."""

from __future__ import annotations

import asyncio
import copy
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object
from orchestrator.store import DeleteOptions

JOBS = "jobs.batch"
SIMULATION = "simulation.orchestrator/"


def template(run: float | None = 5, code: int = 0, **spec: Any) -> Object:
    """Build a template of pods that end by themselves after ``run`` seconds, unless it is None."""
    annotations = {} if run is None else {f"{SIMULATION}run-seconds": str(run)}
    if code:
        annotations[f"{SIMULATION}exit-code"] = str(code)
    return {
        "metadata": {"annotations": annotations} if annotations else {},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "work"}],
            **spec,
        },
    }


def job(name: str = "work", run: float | None = 5, code: int = 0, **spec: Any) -> Object:
    """Build a Job; ``spec`` goes into its spec, and may bring a template along."""
    body: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template(run, code), **spec},
    }
    return copy.deepcopy(body)


class Batch:
    """A cluster, and short ways to its Jobs."""

    def __init__(self, cluster: BareCluster) -> None:
        self.cluster = cluster
        self.store = cluster.store

    async def create(self, body: Object) -> Object:
        """Create a Job or a CronJob."""
        resource = {"Job": JOBS, "CronJob": "cronjobs.batch"}[body["kind"]]
        return await self.store.create(body, resource=resource, namespace="default")

    def get(self, name: str = "work", resource: str = JOBS) -> Object:
        """Return an object that has to be there."""
        found = self.store.get(resource, "default", name)
        assert found is not None, f"{resource} {name} is gone"
        return found

    def status(self, name: str = "work") -> Object:
        """Return a Job's status."""
        status: Object = self.get(name).get("status") or {}
        return status

    def condition(self, type_: str, name: str = "work") -> tuple[str, str, str]:
        """Return status, reason and message of a Job's condition; empty without it."""
        found = find_condition(self.get(name), type_) or {}
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def is_over(self, name: str = "work") -> bool:
        """Tell whether a Job is complete or failed."""
        return "True" in {self.condition(kind, name)[0] for kind in ("Complete", "Failed")}

    def pods(self, name: str = "work") -> list[Object]:
        """Return a Job's pods, the oldest first."""
        owned = self.store.by_owner(self.get(name)["metadata"]["uid"], "pods")
        return sorted(owned, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def phases(self, name: str = "work") -> list[str]:
        """Return the phases of a Job's pods, sorted."""
        return sorted((pod.get("status") or {}).get("phase", "Pending") for pod in self.pods(name))

    def events(self, name: str = "work") -> list[tuple[str, str]]:
        """Return reason and message of the Events about an object, in their order."""
        return [
            (event["reason"], event["message"])
            for event in sorted(
                self.store.list("events"),
                key=lambda event: int(event["metadata"]["resourceVersion"]),
            )
            if event["involvedObject"]["name"] == name
        ]

    async def patch(self, change: Callable[[Object], Object], name: str = "work") -> None:
        """Change a Job."""
        await self.store.modify(JOBS, "default", name, change)

    async def spec(self, name: str = "work", resource: str = JOBS, **fields: Any) -> None:
        """Change fields of an object's spec."""
        await self.store.modify(
            resource, "default", name, lambda obj: {**obj, "spec": {**obj["spec"], **fields}}
        )

    async def delete(self, resource: str, name: str, **options: Any) -> None:
        """Delete an object."""
        await self.store.delete(resource, "default", name, options=DeleteOptions(**options))

    async def until(self, check: Callable[[], Any], seconds: float = 600.0) -> Any:
        """Wait in virtual time, by following the store, until ``check`` says something true."""
        changed = asyncio.Event()
        follower = self.store.follow(("pods", JOBS, "cronjobs.batch"), changed.set)
        try:
            async with asyncio.timeout(seconds):
                while not (found := check()):
                    await changed.wait()
                    changed.clear()
                    follower.take()
        finally:
            follower.close()
        return found

    async def until_over(self, name: str = "work", seconds: float = 3600.0) -> None:
        """Wait until a Job is complete or failed."""
        await self.until(lambda: self.is_over(name), seconds)


@asynccontextmanager
async def open_batch(**options: Any) -> AsyncIterator[Batch]:
    """Run a simulated cluster."""
    settings = {"runtime": "simulated", "nodes": 2, "seed": 1, **options}
    async with BareCluster(ClusterConfig(**settings)) as cluster:
        yield Batch(cluster)


@pytest.fixture
def batch() -> Any:
    """This module's helpers: `open_batch`, `job`, `template`."""
    return sys.modules[__name__]
