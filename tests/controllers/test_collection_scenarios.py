"""Garbage collection and namespace deletion with a real store."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.namespaces import NamespaceController, NamespaceDefaults
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.store import DeleteOptions

DEPLOYMENTS = "deployments.apps"
REPLICA_SETS = "replicasets.apps"


def config_map(
    name: str, *owners: Any, namespace: str = "default", finalizers: Any = (), block: bool = False
) -> dict[str, Any]:
    """Build a ConfigMap with owners."""
    references = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    metadata = {"name": name, "namespace": namespace, "ownerReferences": references}
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def web(world: Any, worlds: Any) -> None:
    """Start a Deployment and wait for its pods."""
    world.start(DeploymentController, ReplicaSetController, GarbageCollector)
    await world.create(DEPLOYMENTS, worlds.deployment(replicas=3))
    await world.settle()
    assert len(world.pods(app="web")) == 3


@virtual
async def test_background_deletion_takes_the_dependents_along(worlds: Any) -> None:
    """The owner goes at once; ReplicaSets and pods follow."""
    async with worlds.world() as world:
        await web(world, worlds)
        await world.store.delete(DEPLOYMENTS, "default", "web")
        assert world.store.get(DEPLOYMENTS, "default", "web") is None
        await world.settle()
        assert world.store.list(REPLICA_SETS) == []
        assert world.pods() == []


@virtual
async def test_foreground_deletion_ends_with_the_owner(worlds: Any) -> None:
    """The owner stays until the pods are gone, then the ReplicaSet, then the Deployment."""
    async with worlds.world() as world:
        await web(world, worlds)
        world.holds = lambda pod: True
        options = DeleteOptions(propagation_policy="Foreground")
        await world.store.delete(DEPLOYMENTS, "default", "web", options=options)
        await world.settle()
        assert world.get(DEPLOYMENTS, "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert all("deletionTimestamp" in pod["metadata"] for pod in world.pods())
        order = []
        watching = worlds.Watching(
            world.store,
            ["pods", REPLICA_SETS, DEPLOYMENTS],
            lambda event: order.append(event.key.resource) if event.type == "DELETED" else None,
        )
        world.holds = lambda pod: False
        await world.settle()
        watching.verify()
        assert order == ["pods"] * 3 + [REPLICA_SETS, DEPLOYMENTS]


@virtual
async def test_orphaning_leaves_the_dependents(worlds: Any) -> None:
    """The dependents lose their reference, the owner goes, the pods stay."""
    async with worlds.world() as world:
        await web(world, worlds)
        options = DeleteOptions(propagation_policy="Orphan")
        await world.store.delete(DEPLOYMENTS, "default", "web", options=options)
        await world.settle()
        assert world.store.get(DEPLOYMENTS, "default", "web") is None
        (rs,) = world.store.list(REPLICA_SETS)
        assert not rs["metadata"].get("ownerReferences")
        assert len(world.pods(app="web")) == 3


@virtual
async def test_one_owner_left_is_enough(worlds: Any) -> None:
    """A dependent with two owners loses the reference to the absent one and lives."""
    async with worlds.world() as world:
        world.start(GarbageCollector, kubelet=False)
        first = await world.create("configmaps", config_map("first"))
        second = await world.create("configmaps", config_map("second"))
        await world.create("configmaps", config_map("child", first, second))
        await world.store.delete("configmaps", "default", "first")
        await world.settle()
        (reference,) = world.get("configmaps", "child")["metadata"]["ownerReferences"]
        assert reference["name"] == "second"
        await world.store.delete("configmaps", "default", "second")
        await world.settle()
        assert world.store.get("configmaps", "default", "child") is None


@virtual
async def test_an_owner_that_never_was_is_absent(worlds: Any) -> None:
    """An owner of the same name with another uid does not count; one of an unknown kind does."""
    async with worlds.world() as world:
        owner = await world.create("configmaps", config_map("owner"))
        other = {**owner, "metadata": {**owner["metadata"], "uid": "not-this-one"}}
        alien = {**owner, "kind": "Alien", "apiVersion": "space/v1"}
        await world.create("configmaps", config_map("stale", other))
        await world.create("configmaps", config_map("strange", alien))
        world.start(GarbageCollector, kubelet=False)
        await world.settle()
        assert world.store.get("configmaps", "default", "stale") is None
        assert world.store.get("configmaps", "default", "strange") is not None


@virtual
async def test_a_finalizer_of_someone_else_is_waited_for(worlds: Any) -> None:
    """What has a finalizer is not removed before it is cleared."""
    async with worlds.world() as world:
        world.start(GarbageCollector, kubelet=False)
        owner = await world.create("configmaps", config_map("owner"))
        held = config_map("child", owner, finalizers=["example.com/wait"], block=True)
        await world.create("configmaps", held)
        options = DeleteOptions(propagation_policy="Foreground")
        await world.store.delete("configmaps", "default", "owner", options=options)
        await world.settle()
        assert world.store.get("configmaps", "default", "owner") is not None
        assert "deletionTimestamp" in world.get("configmaps", "child")["metadata"]

        def clear(obj: Any) -> dict[str, Any]:
            kept = [f for f in obj["metadata"]["finalizers"] if f != "example.com/wait"]
            return {**obj, "metadata": {**obj["metadata"], "finalizers": kept}}

        await world.patch("configmaps", "child", clear)
        await world.settle()
        assert world.store.list("configmaps") == []


@virtual
async def test_two_that_own_each_other_do_not_wait_for_ever(worlds: Any) -> None:
    """A cycle of blocking owners is broken by a foreground deletion."""
    async with worlds.world() as world:
        world.start(GarbageCollector, kubelet=False)
        first = await world.create("configmaps", config_map("first"))
        second = await world.create("configmaps", config_map("second", first, block=True))
        references = config_map("x", second, block=True)["metadata"]["ownerReferences"]
        await world.patch(
            "configmaps",
            "first",
            lambda obj: {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}},
        )
        options = DeleteOptions(propagation_policy="Foreground")
        await world.store.delete("configmaps", "default", "first", options=options)
        await world.settle(60)
        assert world.store.list("configmaps") == []


@virtual
async def test_an_owner_in_another_namespace_is_absent(worlds: Any) -> None:
    """Cross-namespace owner references are disallowed by design: the dependent is collected.

    An event says why; a cluster-scoped dependent of a namespaced owner is never collected.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """
    async with worlds.world() as world:
        await namespace(world, "team")
        owner = await world.create("configmaps", config_map("owner", namespace="team"), "team")
        await world.create("configmaps", config_map("child", owner))
        reference = config_map("x", owner)["metadata"]["ownerReferences"]
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n", "ownerReferences": reference},
        }
        await world.create("nodes", node, "")
        world.start(GarbageCollector, kubelet=False)
        await world.settle()
        assert world.store.get("configmaps", "default", "child") is None
        assert world.store.get("nodes", "", "n") is not None
        uid = owner["metadata"]["uid"]
        assert sorted(world.recorded.messages("OwnerRefInvalidNamespace")) == [
            (
                f"ownerRef [v1/ConfigMap, namespace: , name: owner, uid: {uid}] does not exist in "
                'namespace ""'
            ),
            (
                f"ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: {uid}] does not "
                'exist in namespace "default"'
            ),
        ]


async def namespace(world: Any, name: str) -> Any:
    """Create a namespace."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return await world.create("namespaces", made, "")


@virtual
async def test_a_namespace_takes_its_contents_along(worlds: Any) -> None:
    """Everything in it is deleted, of whatever kind, then the namespace itself."""
    async with worlds.world() as world:
        world.start(NamespaceController, DeploymentController, ReplicaSetController)
        await namespace(world, "team")
        deployment = worlds.deployment(replicas=2)
        deployment["metadata"]["namespace"] = "team"
        await world.create(DEPLOYMENTS, deployment, "team")
        await world.create("configmaps", config_map("one", namespace="team"), "team")
        await world.create("configmaps", config_map("other"))
        await world.settle()
        await world.store.delete("namespaces", "", "team")
        assert world.get("namespaces", "team", "")["status"]["phase"] == "Terminating"
        await world.settle(20)
        assert world.store.get("namespaces", "", "team") is None
        assert world.pods() == []
        assert [cm["metadata"]["name"] for cm in world.store.list("configmaps")] == ["other"]


@virtual
async def test_a_namespace_says_what_it_waits_for(worlds: Any) -> None:
    """Conditions name the resources and finalizers that remain, in upstream's words."""
    async with worlds.world() as world:
        world.start(NamespaceController, kubelet=False)
        await namespace(world, "team")
        held = config_map("held", namespace="team", finalizers=["example.com/wait"])
        await world.create("configmaps", held, "team")
        await world.store.delete("namespaces", "", "team")
        await world.settle()
        found = world.get("namespaces", "team", "")
        content = worlds.condition(found, "NamespaceContentRemaining")
        assert content["message"] == (
            "Some resources are remaining: configmaps. has 1 resource instances"
        )
        waits = worlds.condition(found, "NamespaceFinalizersRemaining")
        assert waits["message"] == (
            "Some content in the namespace has finalizers remaining: "
            "example.com/wait in 1 resource instances"
        )

        def clear(obj: Any) -> dict[str, Any]:
            return {**obj, "metadata": {**obj["metadata"], "finalizers": []}}

        await world.patch("configmaps", "held", clear, "team")
        await world.settle(10)
        assert world.store.get("namespaces", "", "team") is None


@pytest.mark.parametrize("resource", ["serviceaccounts", "configmaps"])
def test_every_namespace_has_its_default_objects(worlds: Any, resource: Any) -> None:
    """They are made with the namespace and made again when they are deleted."""

    @virtual
    async def run() -> None:
        async with worlds.world() as world:
            world.system.spawn(
                lambda: NamespaceDefaults(world.store, world.recorded, "PEM"), "defaults"
            )
            await namespace(world, "team")
            await world.settle()
            assert world.get("configmaps", "kube-root-ca.crt", "team")["data"] == {"ca.crt": "PEM"}
            (found,) = world.store.list(resource, "team")
            await world.store.delete(resource, "team", found["metadata"]["name"])
            await world.settle()
            (again,) = world.store.list(resource, "team")
            assert again["metadata"]["name"] == found["metadata"]["name"]
            assert again["metadata"]["uid"] != found["metadata"]["uid"]

    run()
