"""Simulated clusters in virtual time whose pods use something."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from orchestrator.api import ApiApplication
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.objects import Object

DEPLOYMENTS = "deployments.apps"
AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
PREFIX = "simulation.orchestrator/"


def deployment(
    name: str = "web",
    replicas: int = 1,
    *,
    cpu: str | None = "500m",
    annotations: Mapping[str, str] | None = None,
    script: Mapping[str, str] | None = None,
    containers: tuple[str, ...] = ("main",),
) -> Object:
    """Build a Deployment.

    Args:
        name: Of it, of its pods' label ``app``.
        replicas: How many pods.
        cpu: What each container requests.
        annotations: The Deployment's own, without the prefix.
        script: Those of its pods, without the prefix.
        containers: Their names.
    """
    resources = {} if cpu is None else {"requests": {"cpu": cpu, "memory": "100Mi"}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "annotations": _prefixed(annotations)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": _prefixed(script)},
                "spec": {
                    "containers": [
                        {"name": item, "image": "busy", "resources": resources}
                        for item in containers
                    ]
                },
            },
        },
    }
    return copy.deepcopy(body)


def _prefixed(annotations: Mapping[str, str] | None) -> dict[str, str]:
    return {f"{PREFIX}{key}": value for key, value in (annotations or {}).items()}


class World:
    """A cluster, its API, and short ways to both."""

    def __init__(self, cluster: BareCluster, client: httpx.AsyncClient) -> None:
        self.cluster = cluster
        self.store = cluster.store
        self.client = client

    async def create(self, body: Object, resource: str = DEPLOYMENTS) -> Object:
        """Create an object in the namespace ``default``."""
        return await self.store.create(body, resource=resource, namespace="default")

    async def annotate(self, resource: str, name: str, **annotations: str) -> None:
        """Set annotations, without the prefix and with ``_`` for ``-``."""
        new = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in annotations.items()}

        def change(obj: Object) -> Object:
            metadata = obj["metadata"]
            merged = {**(metadata.get("annotations") or {}), **new}
            return {**obj, "metadata": {**metadata, "annotations": merged}}

        await self.store.modify(resource, "default", name, change)

    async def get(self, path: str, **options: Any) -> Any:
        """Read from the API."""
        answer = await self.client.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def cpu(self, selector: str = "") -> dict[str, str]:
        """Return the CPU of all containers by ``app/container``; pods of one app add up a list."""
        found = await self.get(
            "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods",
            params={"labelSelector": selector},
        )
        used: dict[str, list[str]] = {}
        for item in found["items"]:
            for container in item["containers"]:
                key = f"{item['metadata']['labels']['app']}/{container['name']}"
                used.setdefault(key, []).append(container["usage"]["cpu"])
        return {key: " ".join(values) for key, values in used.items()}

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return reason and message of the Events about an object, in their order."""
        return [
            (event["reason"], event["message"])
            for event in sorted(
                self.store.list("events"),
                key=lambda event: int(event["metadata"]["resourceVersion"]),
            )
            if event["involvedObject"]["name"] == name
        ]


@asynccontextmanager
async def open_world(**options: Any) -> AsyncIterator[World]:
    """Run a simulated cluster with an API that asks nobody who they are."""
    settings = {"runtime": "simulated", "nodes": 2, "seed": 1, **options}
    async with BareCluster(ClusterConfig(**settings)) as cluster:
        cluster.keep_system_objects()
        app = ApiApplication(cluster.store, egress=cluster.egress, meter=cluster.meter)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://api"
        ) as client:
            yield World(cluster, client)
        app.close()


def autoscaler(
    name: str = "web",
    *,
    most: int = 10,
    least: int = 1,
    metrics: list[Object] | None = None,
    behavior: Object | None = None,
    target: Mapping[str, str] | None = None,
) -> Object:
    """Build a HorizontalPodAutoscaler of a Deployment, for half of the requested CPU."""
    spec: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [cpu_metric(50)] if metrics is None else metrics,
    }
    if behavior is not None:
        spec["behavior"] = behavior
    if target is not None:
        spec["scaleTargetRef"] = dict(target)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def cpu_metric(percent: int) -> Object:
    """Build a metric: per cent of the requested CPU."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
