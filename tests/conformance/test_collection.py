"""Garbage collection of what has owners."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from tests.conformance.cluster import Api, served
from tests.conformance.kinds import SELECTOR, TEMPLATE

APPS = "/apis/apps/v1/namespaces/default"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "simpletest"},
    "spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE},
}


async def deployed(api: Api) -> None:
    """Create a Deployment and wait for its pods."""
    await api.create(f"{APPS}/deployments", DEPLOYMENT)
    await api.until(
        f"{APPS}/deployments/simpletest",
        lambda found: found.get("status", {}).get("availableReplicas") == 2,
    )


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_a_deployment_takes_its_replica_sets_and_pods_along(policy: str) -> None:
    """Upstream: Garbage Collector, delete deployment, propagation policy background."""

    async def deleted() -> None:
        async with served() as api:
            await deployed(api)
            await api.delete(f"{APPS}/deployments/simpletest", {"propagationPolicy": policy})
            await api.gone(f"{APPS}/deployments/simpletest")
            await api.until(f"{APPS}/replicasets", lambda found: not found["items"])
            await api.until(PODS, lambda found: not found["items"])

    run_virtual(deleted())


@virtual
async def test_orphaned_replica_sets_and_pods_stay() -> None:
    """Upstream: Garbage Collector, delete deployment, propagation policy orphan."""
    async with served() as api:
        await deployed(api)
        await api.delete(f"{APPS}/deployments/simpletest", {"propagationPolicy": "Orphan"})
        await api.gone(f"{APPS}/deployments/simpletest")
        await asyncio.sleep(30)
        (left,) = await api.items(f"{APPS}/replicasets")
        assert not left["metadata"].get("ownerReferences")
        assert left["status"]["replicas"] == 2
        assert len(await api.items(PODS)) == 2


@virtual
async def test_an_owner_stays_until_all_that_it_owns_is_gone() -> None:
    """Upstream: Garbage Collector, delete replication controller, after owned pods."""
    async with served() as api, api.watching(f"{APPS}/replicasets") as sets:
        await deployed(api)
        (name,) = await api.names(f"{APPS}/replicasets")
        async with api.watching(PODS) as pods:
            await pods.count(2)
            await api.delete(f"{APPS}/deployments/simpletest", {"propagationPolicy": "Foreground"})
            await api.gone(f"{APPS}/replicasets/{name}")
            last = max(
                int(version)
                for version, kind in zip(pods.versions, pods.types, strict=True)
                if kind == "DELETED"
            )
            assert pods.types.count("DELETED") == 2
            assert sets.types[-1] == "DELETED"
            assert int(sets.versions[-1]) > last
            waiting = [
                event["object"]["metadata"].get("finalizers") or []
                for event in sets.events
                if event["type"] == "MODIFIED"
            ]
            assert ["foregroundDeletion"] in waiting


@virtual
async def test_a_dependent_with_another_owner_stays() -> None:
    """Upstream: Garbage Collector, multiple owners (ReplicaSets in place of RCs)."""
    async with served() as api:
        body = {**DEPLOYMENT, "metadata": {"name": "to-be-deleted"}}
        await api.create(f"{APPS}/replicasets", body)
        stays = {
            "metadata": {"name": "to-stay"},
            "spec": {**DEPLOYMENT["spec"], "replicas": 0},
        }
        stays["spec"] = {
            **stays["spec"],
            "selector": {"matchLabels": {"another": "one"}},
            "template": {**TEMPLATE, "metadata": {"labels": {"another": "one"}}},
        }
        owner = await api.create(f"{APPS}/replicasets", stays)
        found = await api.until(
            f"{APPS}/replicasets/to-be-deleted",
            lambda one: one.get("status", {}).get("readyReplicas") == 2,
        )
        first, second = await api.items(PODS)
        reference = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "to-stay",
            "uid": owner["metadata"]["uid"],
        }
        both = [*first["metadata"]["ownerReferences"], reference]
        name = first["metadata"]["name"]
        await api.patch(f"{PODS}/{name}", {"metadata": {"ownerReferences": both}})
        uid = found["metadata"]["uid"]
        await api.delete(
            f"{APPS}/replicasets/to-be-deleted",
            {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}},
        )
        await api.gone(f"{APPS}/replicasets/to-be-deleted")
        await api.gone(f"{PODS}/{second['metadata']['name']}")
        kept = await api.get(f"{PODS}/{name}")
        assert "deletionTimestamp" not in kept["metadata"]
        assert [one["name"] for one in kept["metadata"]["ownerReferences"]] == ["to-stay"]


@virtual
async def test_pods_that_own_each_other_in_a_circle_are_collected() -> None:
    """Upstream: Garbage Collector, dependency cycle."""
    async with served() as api:
        uids = {}
        for name in ("pod1", "pod2", "pod3"):
            made = await api.create(PODS, {"metadata": {"name": name}, "spec": TEMPLATE["spec"]})
            uids[name] = made["metadata"]["uid"]
        for name, owner in (("pod1", "pod3"), ("pod2", "pod1"), ("pod3", "pod2")):
            reference = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": owner,
                "uid": uids[owner],
                "controller": True,
                "blockOwnerDeletion": True,
            }
            await api.patch(f"{PODS}/{name}", {"metadata": {"ownerReferences": [reference]}})
        await api.delete(f"{PODS}/pod1", {"propagationPolicy": "Foreground"})
        await api.until(PODS, lambda found: not found["items"])
