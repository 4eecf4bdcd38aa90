"""Deployments and ReplicaSets with their pods; the API of what has no controller here yet."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from tests.conformance.cluster import STRATEGIC_PATCH, Api, served
from tests.conformance.kinds import SELECTOR, TEMPLATE

APPS = "/apis/apps/v1/namespaces/default"
DEPLOYMENTS, SETS = f"{APPS}/deployments", f"{APPS}/replicasets"
PODS = "/api/v1/namespaces/default/pods"


def workload(replicas: int = 1, **spec: Any) -> dict[str, Any]:
    """A Deployment or ReplicaSet."""
    return {
        "metadata": {"name": "w", "labels": {"app": "none"}},
        "spec": {"replicas": replicas, "selector": SELECTOR, "template": TEMPLATE, **spec},
    }


async def ready(api: Api, path: str, replicas: int) -> dict[str, Any]:
    """Wait until a workload has its pods."""
    found: dict[str, Any] = await api.until(
        path,
        lambda one: (
            one.get("status", {}).get("readyReplicas", 0) == replicas
            and one["status"].get("observedGeneration") == one["metadata"]["generation"]
        ),
    )
    return found


@pytest.mark.parametrize("path", [DEPLOYMENTS, SETS])
def test_a_workload_is_scaled_by_its_subresource(path: str) -> None:
    """Upstream: Deployment/ReplicaSet, completes the scaling of a ... subresource."""

    async def scaled() -> None:
        async with served() as api:
            await api.create(path, workload())
            await ready(api, f"{path}/w", 1)
            scale = await api.get(f"{path}/w/scale")
            assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
            assert scale["spec"] == {"replicas": 1}
            assert scale["status"] == {"replicas": 1, "selector": "app=none"}
            scale["spec"]["replicas"] = 2
            updated = await api.put(f"{path}/w/scale", scale)
            assert updated["spec"]["replicas"] == 2
            await ready(api, f"{path}/w", 2)
            await api.patch(f"{path}/w/scale", {"spec": {"replicas": 4}})
            assert (await ready(api, f"{path}/w", 4))["spec"]["replicas"] == 4

    run_virtual(scaled())


@pytest.mark.parametrize("resource", ["statefulsets", "replicationcontrollers"])
def test_other_scales_are_read_and_written(resource: str) -> None:
    """Upstream: StatefulSet resource Replica scaling; Replication Controller, update scale."""

    async def scaled() -> None:
        async with served(nodes=0) as api:
            core = resource == "replicationcontrollers"
            path = f"/api/v1/namespaces/default/{resource}" if core else f"{APPS}/{resource}"
            body = workload(serviceName="test") if not core else workload(selector={"app": "none"})
            await api.create(path, body)
            scale = await api.get(f"{path}/w/scale")
            assert scale["spec"]["replicas"] == 1
            scale["spec"]["replicas"] = 2
            await api.put(f"{path}/w/scale", scale)
            assert (await api.get(f"{path}/w"))["spec"]["replicas"] == 2
            await api.patch(f"{path}/w/scale", {"spec": {"replicas": 4}})
            assert (await api.get(f"{path}/w/scale"))["spec"]["replicas"] == 4

    run_virtual(scaled())


@virtual
async def test_a_replica_set_is_replaced_and_patched() -> None:
    """Upstream: ReplicaSet, is created, Replaced and Patched."""
    async with served() as api:
        await api.create(SETS, workload())
        found = await ready(api, f"{SETS}/w", 1)
        found["spec"]["replicas"] = 2
        await api.put(f"{SETS}/w", found)
        await ready(api, f"{SETS}/w", 2)
        container = {"name": "main", "image": "pause:3"}
        patch = {
            "metadata": {"labels": {"test": "patched"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}},
        }
        patched = await api.patch(f"{SETS}/w", patch, form=STRATEGIC_PATCH)
        assert patched["spec"]["template"]["spec"]["containers"][0]["image"] == "pause:3"
        found = await ready(api, f"{SETS}/w", 3)
        assert found["metadata"]["labels"] == {"app": "none", "test": "patched"}


@virtual
async def test_a_replica_set_adopts_what_matches_and_releases_what_does_not() -> None:
    """Upstream: Replica Set, adopt matching pods and release non matching pods."""
    async with served() as api:
        await api.create(PODS, {**TEMPLATE, "metadata": {"name": "p", "labels": {"app": "none"}}})
        made = await api.create(SETS, workload())
        found = await api.until(f"{PODS}/p", lambda one: one["metadata"].get("ownerReferences"))
        (owner,) = found["metadata"]["ownerReferences"]
        assert owner["uid"] == made["metadata"]["uid"]
        assert owner["controller"] is True
        await api.patch(f"{PODS}/p", {"metadata": {"labels": {"app": "changed"}}})
        await api.until(f"{PODS}/p", lambda one: not one["metadata"].get("ownerReferences"))
        await api.until(PODS, lambda found: len(found["items"]) == 2)


@virtual
async def test_a_deployment_lives_its_life() -> None:
    """Upstream: Deployment, completes the lifecycle of a Deployment."""
    async with served() as api, api.watching(f"{DEPLOYMENTS}?labelSelector=app=none") as watch:
        await api.create(DEPLOYMENTS, workload(2))
        await ready(api, f"{DEPLOYMENTS}/w", 2)
        patch = {
            "metadata": {"labels": {"test": "patched"}},
            "spec": {
                "replicas": 1,
                "template": {"spec": {"containers": [{"name": "main", "image": "pause:3"}]}},
            },
        }
        await api.patch(f"{DEPLOYMENTS}/w", patch, form=STRATEGIC_PATCH)
        await api.until(
            f"{DEPLOYMENTS}/w",
            lambda one: one["status"].get("updatedReplicas") == one["status"]["replicas"] == 1,
        )
        (found,) = await api.items("/apis/apps/v1/deployments?labelSelector=test=patched")
        assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
        patched = await api.patch(f"{DEPLOYMENTS}/w/status", {"status": {"replicas": 7}})
        assert patched["status"]["replicas"] == 7
        await api.delete(f"{DEPLOYMENTS}?labelSelector=test=patched")
        await watch.until(lambda events: events[-1]["type"] == "DELETED")
        assert watch.types[0] == "ADDED"


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_deployment_replaces_its_pods(strategy: str) -> None:
    """Upstream: Deployment RollingUpdate; Deployment Recreate; RevisionHistoryLimit."""

    async def rolled() -> None:
        async with served() as api:
            body = workload(3, strategy={"type": strategy}, revisionHistoryLimit=0)
            await api.create(DEPLOYMENTS, body)
            await ready(api, f"{DEPLOYMENTS}/w", 3)
            async with api.watching(PODS) as pods:
                await pods.count(3)
                containers = [{"name": "main", "image": "new"}]
                patch = {"spec": {"template": {"spec": {"containers": containers}}}}
                await api.patch(f"{DEPLOYMENTS}/w", patch, form=STRATEGIC_PATCH)
                await api.until(
                    f"{DEPLOYMENTS}/w",
                    lambda one: (
                        one["status"]["observedGeneration"] == 2
                        and one["status"].get("updatedReplicas")
                        == one["status"].get("availableReplicas")
                        == one["status"]["replicas"]
                        == 3
                    ),
                )
                await api.until(SETS, lambda found: len(found["items"]) == 1)
                new = [
                    place
                    for place, event in enumerate(pods.events)
                    if event["type"] == "ADDED"
                    and event["object"]["spec"]["containers"][0]["image"] == "new"
                ]
                gone = [place for place, kind in enumerate(pods.types) if kind == "DELETED"]
                assert len(new) == 3
                if strategy == "Recreate":
                    assert max(gone) < min(new)
                else:
                    assert min(new) < min(gone)

    run_virtual(rolled())


@virtual
async def test_an_eviction_asks_the_budget() -> None:
    """Upstream: PodDisruptionBudget: block an eviction until the PDB is updated (API part)."""
    async with served() as api:
        await api.create(PODS, {**TEMPLATE, "metadata": {"name": "p", "labels": {"app": "none"}}})
        await api.until(f"{PODS}/p", lambda one: one["status"].get("phase") == "Running")
        budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": SELECTOR}}
        await api.create(budgets, body)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
        refused = await api.create(f"{PODS}/p/eviction", eviction, 429)
        assert refused["reason"] == "TooManyRequests"
        await api.delete(f"{budgets}/b")
        await api.create(f"{PODS}/p/eviction", eviction)
        await api.gone(f"{PODS}/p")
