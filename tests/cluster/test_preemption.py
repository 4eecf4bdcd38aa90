"""Preemption in a whole simulated cluster: nodes let the victims go in their own time."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.testing import virtual
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.errors import StatusError
from orchestrator.store import Delete

Object = dict[str, Any]


def priority_class(name: str, value: int) -> Object:
    """Make a PriorityClass."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
    }


def deployment(name: str, replicas: int, cpu: str, priority: str) -> Object:
    """Make a Deployment of pods that take ten seconds to go."""
    container = {"name": "main", "image": "web", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "priorityClassName": priority,
                    "terminationGracePeriodSeconds": 10,
                    "containers": [container],
                },
            },
        },
    }


def running(cluster: BareCluster, app: str) -> int:
    """Count the pods of an application that run and are to go on running."""
    return sum(
        pod["metadata"]["labels"]["app"] == app
        and (pod.get("status") or {}).get("phase") == "Running"
        and "deletionTimestamp" not in pod["metadata"]
        for pod in cluster.store.list("pods")
    )


@virtual
async def test_an_important_application_displaces_another_which_comes_back_later() -> None:
    """The displaced pods' successors wait until there is room again."""
    async with BareCluster(ClusterConfig(runtime="simulated", nodes=2, seed=3)) as cluster:
        store = cluster.store
        (capacity, _) = (node["status"]["allocatable"]["cpu"] for node in store.list("nodes"))
        half = f"{int(capacity) * 500}m"
        for name, value in (("low", 1), ("high", 1000)):
            resource = "priorityclasses.scheduling.k8s.io"
            await store.create(priority_class(name, value), resource=resource)

        async def deploy(made: Object) -> None:
            await store.create(made, resource="deployments.apps", namespace="default")

        await deploy(deployment("cheap", 4, half, "low"))
        await asyncio.sleep(5)
        assert running(cluster, "cheap") == 4
        await deploy(deployment("important", 2, half, "high"))
        await asyncio.sleep(60)
        assert (running(cluster, "important"), running(cluster, "cheap")) == (2, 2)
        waiting = [pod for pod in store.list("pods") if not pod["spec"].get("nodeName")]
        assert {pod["metadata"]["labels"]["app"] for pod in waiting} == {"cheap"}
        events = [event for event in store.list("events") if event["reason"] == "Preempted"]
        assert len(events) == 2
        for important in store.list("pods"):
            assert "nominatedNodeName" not in important["status"]
        (result,) = await store.write([Delete("deployments.apps", "default", "important")])
        assert not isinstance(result, StatusError)
        await asyncio.sleep(120)
        assert running(cluster, "cheap") == 4
