"""Autoscaling of real processes, by kubectl, and by metrics of servers that APIServices name."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.serving import ServedCluster, ServingConfig
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.controllers.autoscaler import AutoscalerSettings
from orchestrator.resources.conditions import find_condition, is_condition_true
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time
from tests.api.behind import BehindServer
from tests.autoscaling.worlds import AUTOSCALERS, DEPLOYMENTS, autoscaler, deployment

pytestmark = pytest.mark.e2e

SECONDS = 30.0
"""How long something may take; a second or two are normal."""
BUSY = """
import time
while True:
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        pass
    time.sleep(0.08)
"""


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[BehindServer]:
    """A server with a certificate for the Service ``adapter``."""
    (tmp_path / "behind").mkdir()
    server = BehindServer(tmp_path / "behind", "adapter.default.svc")
    yield server
    server.close()


@asynccontextmanager
async def served(directory: Path, **options: Any) -> AsyncIterator[tuple[BareCluster, Path]]:
    """Serve a cluster whose autoscalers look every half second."""
    settings = AutoscalerSettings(sync_period=0.5)
    cluster = BareCluster(ClusterConfig(nodes=1, autoscaling=settings, **options))
    kubeconfig = directory / "kubeconfig"
    async with ServedCluster(cluster, ServingConfig(port=0, kubeconfig=kubeconfig)):
        yield cluster, kubeconfig


async def until(check: Callable[[], Any]) -> None:
    """Wait until ``check`` says something true."""
    async with asyncio.timeout(SECONDS):
        while not check():
            await asyncio.sleep(0.05)


async def test_a_process_that_burns_cpu_gets_company(tmp_path: Path, kubectl: Path) -> None:
    """``kubectl autoscale`` makes an autoscaler, and ``kubectl get hpa`` shows what it sees."""

    async def call(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(kubectl),
            f"--kubeconfig={kubeconfig}",
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    busy = deployment("busy", cpu="50m")
    container = busy["spec"]["template"]["spec"]["containers"][0]
    container["command"] = [sys.executable, "-c", BUSY]
    async with served(tmp_path, runtime="process") as (cluster, kubeconfig):
        store = cluster.store
        await store.create(busy, resource=DEPLOYMENTS, namespace="default")
        await until(lambda: any(is_condition_true(pod, "Ready") for pod in store.list("pods")))
        # CPU counts once a pod was ready for a whole window, in whole seconds.
        await asyncio.sleep(2.5)
        await call("autoscale", "deployment", "busy", "--cpu-percent=50", "--min=1", "--max=2")

        def replicas() -> int:
            found = store.get(DEPLOYMENTS, "default", "busy")
            return found["spec"]["replicas"] if found else 0

        await until(lambda: replicas() == 2)
        await until(
            lambda: any(one["reason"] == "SuccessfulRescale" for one in store.list("events"))
        )
        shown = (await call("get", "hpa", "busy", "--no-headers")).split()
        assert shown[:2] == ["busy", "Deployment/busy"]
        assert "%/50%" in "".join(shown[2:4])
        described = await call("describe", "hpa", "busy")
        assert "SuccessfulRescale" in described
        assert "cpu resource utilization (percentage of request) above target" in described
        await call("create", "rolebinding", "jane", "--clusterrole=view", "--user=jane")
        asked = ["auth", "can-i", "list", "pods.metrics.k8s.io", "--as=jane"]
        assert (await call(*asked)).strip() == "yes"
        top = await call("top", "pod", "--no-headers", "--as=jane")
        assert int(top.split()[1].removesuffix("m")) > 25


async def test_custom_and_external_metrics_come_from_the_users_servers(
    tmp_path: Path, behind: BehindServer
) -> None:
    """Asked by upstream's account for it; an own server of usage is asked instead of the cluster.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#support-for-metrics-apis.
    """
    now = format_time(time.time())
    async with served(tmp_path, runtime="simulated") as (cluster, _):
        store = cluster.store

        async def register(name: str) -> None:
            version, _, group = name.partition(".")
            spec = {
                "group": group,
                "version": version,
                "service": {"name": "adapter", "namespace": "default", "port": 443},
                "caBundle": behind.bundle,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            }
            body: Object = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
            await store.create(
                {**body, "metadata": {"name": name}, "spec": spec},
                resource="apiservices.apiregistration.k8s.io",
            )

        await _put_service(cluster, behind.port)
        await register("v1beta2.custom.metrics.k8s.io")
        await register("v1beta1.external.metrics.k8s.io")
        for name in ("web", "api", "db"):
            await store.create(deployment(name), resource=DEPLOYMENTS, namespace="default")
        await until(lambda: len(store.list("pods", "default")) == 3)
        pods = {pod["metadata"]["labels"]["app"]: pod for pod in store.list("pods", "default")}
        custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"
        value = {"timestamp": now, "value": "30"}
        described = {"kind": "Pod", "name": pods["web"]["metadata"]["name"]}
        behind.says(f"{custom}/pods/*/hits", {"items": [{**value, "describedObject": described}]})
        behind.says(f"{custom}/services/adapter/load", {"items": [value]})
        external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default"
        behind.says(f"{external}/queue", {"items": [value, value]})

        selector = {"matchLabels": {"name": "jobs"}}
        ten = {"type": "AverageValue", "averageValue": "10"}
        service = {"apiVersion": "v1", "kind": "Service", "name": "adapter"}
        metrics: dict[str, Object] = {
            "web": {"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": ten}},
            "api": {
                "type": "External",
                "external": {"metric": {"name": "queue", "selector": selector}, "target": ten},
            },
            "db": {
                "type": "Object",
                "object": {
                    "metric": {"name": "load"},
                    "describedObject": service,
                    "target": {"type": "Value", "value": "15"},
                },
            },
        }
        for name, metric in metrics.items():
            body = autoscaler(name, metrics=[metric])
            await store.create(body, resource=AUTOSCALERS, namespace="default")

        def replicas(name: str) -> int:
            found = store.get(DEPLOYMENTS, "default", name)
            return found["spec"]["replicas"] if found else 0

        await until(lambda: replicas("web") >= 3)
        await until(lambda: replicas("api") == 6)
        await until(lambda: replicas("db") >= 2)
        asked = {one["path"].partition("?")[0]: one for one in behind.seen}
        queue = asked[f"{external}/queue"]
        assert queue["path"].endswith("?labelSelector=name%3Djobs")
        assert queue["headers"]["x-remote-user"] == (
            "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
        )
        hits = asked[f"{custom}/pods/*/hits"]
        assert hits["path"].endswith("?labelSelector=app%3Dweb")
        messages = {event["message"] for event in store.list("events", "default")}
        written = (
            "&LabelSelector{MatchLabels:map[string]string{name: jobs,},"
            "MatchExpressions:[]LabelSelectorRequirement{},}"
        )
        above = f"external metric queue({written}) above target"
        assert any(message.endswith(f"reason: {above}") for message in messages)
        assert any(message.endswith("Service metric load above target") for message in messages)

        def leads_elsewhere(obj: Object) -> Object:
            to = {"name": "adapter", "namespace": "default", "port": 443}
            return {**obj, "spec": {**obj["spec"], "service": to, "caBundle": behind.bundle}}

        usage = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
        behind.says(usage, {"items": []})
        api_service = "v1beta1.metrics.k8s.io"
        await store.modify("apiservices.apiregistration.k8s.io", "", api_service, leads_elsewhere)
        await store.modify(
            AUTOSCALERS,
            "default",
            "web",
            lambda obj: {
                **obj,
                "spec": {**obj["spec"], "metrics": autoscaler()["spec"]["metrics"]},
            },
        )

        def failed() -> bool:
            found = store.get(AUTOSCALERS, "default", "web")
            condition = find_condition(found or {}, "ScalingActive") or {}
            return str(condition.get("message")).endswith(
                "unable to get metrics for resource cpu: no metrics returned from resource "
                "metrics API"
            )

        await until(failed)


async def _put_service(cluster: BareCluster, port: int) -> None:
    store = cluster.store
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "adapter"},
        "spec": {"ports": [{"port": 443}]},
    }
    await store.create(service, resource="services", namespace="default")
    endpoints: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "adapter-1", "labels": {"kubernetes.io/service-name": "adapter"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"]}],
        "ports": [{"name": "", "port": port}],
    }
    await store.create(endpoints, resource="endpointslices.discovery.k8s.io", namespace="default")
