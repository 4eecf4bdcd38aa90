"""What a namespace says while it is being deleted, and what goes first.

https://kubernetes.io/docs/tasks/administer-cluster/namespaces/ and
https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.namespaces import NamespaceController
from orchestrator.controllers.namespaces.core import decide_namespace
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0


def doomed(*finalizers: str, **status: Any) -> dict[str, Any]:
    """Build a namespace that is being deleted."""
    return {
        "metadata": {"name": "ns", "deletionTimestamp": format_time(NOW - 8)},
        "spec": {"finalizers": ["kubernetes", *finalizers]},
        "status": {"phase": "Terminating", **status},
    }


def obj(name: str, *finalizers: str, going: bool = False) -> dict[str, Any]:
    """Build an object in it."""
    metadata: dict[str, Any] = {"name": name, "namespace": "ns", "finalizers": list(finalizers)}
    if going:
        metadata["deletionTimestamp"] = format_time(NOW)
    return {"metadata": metadata}


@pytest.mark.parametrize(
    ("given", "type_", "status", "reason", "message"),
    [
        (
            {"contents": {"configmaps": [obj("a")], "deployments.apps": [obj("b"), obj("c")]}},
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            (
                "Some resources are remaining: configmaps. has 1 resource instances, "
                "deployments.apps has 2 resource instances"
            ),
        ),
        (
            {"contents": {"configmaps": [obj("a", "x/y"), obj("b", "x/y", "a/b")]}},
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            (
                "Some content in the namespace has finalizers remaining: a/b in 1 resource "
                "instances, x/y in 2 resource instances"
            ),
        ),
        (
            {"contents": {"configmaps": [obj("a")]}},
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
        (
            {"contents": {}, "stale": ["metrics.k8s.io/v1beta1"]},
            "NamespaceDeletionDiscoveryFailure",
            "True",
            "DiscoveryFailed",
            (
                "Discovery failed for some groups, 1 failing: unable to retrieve the complete "
                "list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: "
                "metrics.k8s.io/v1beta1"
            ),
        ),
        (
            {"contents": {"configmaps": [obj("a")]}, "refusals": ["denied"]},
            "NamespaceDeletionContentFailure",
            "True",
            "ContentDeletionFailed",
            "Failed to delete all resource types, 1 remaining: denied",
        ),
        (
            {"contents": {"pods": [obj("a")], "secrets": [obj("b")]}},
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: pods. has 1 resource instances",
        ),
    ],
    ids=["contents", "finalizers", "no finalizers", "a server away", "refused", "pods first"],
)
def test_the_conditions_say_what_remains(
    given: dict[str, Any], type_: str, status: str, reason: str, message: str
) -> None:
    """In upstream's words."""
    plan = decide_namespace(doomed(), now=NOW, **given)
    (update,) = plan.update
    assert update.subresource == "status"
    found = find_condition(update.new, type_) or {}
    assert (found["status"], found["reason"], found["message"]) == (status, reason, message)


@pytest.mark.parametrize(
    ("given", "again"),
    [
        ({"contents": {"secrets": [obj("a")]}}, 0),
        ({"contents": {"secrets": [obj("a")]}, "refusals": ["no"]}, 2.0),
        ({"contents": {"secrets": [obj("a", "x", going=True)]}}, 2.0),
        ({"contents": {}, "stale": ["g/v1"]}, 2.0),
        ({"contents": {}}, None),
    ],
    ids=["deleted", "refused", "waiting", "a server away", "empty"],
)
def test_it_is_looked_at_again_as_soon_as_that_helps(
    given: dict[str, Any], again: float | None
) -> None:
    """At once after deletions; else after a quarter of the time that it has taken."""
    assert decide_namespace(doomed(), now=NOW, **given).requeue_after == again


def test_conditions_end_well_when_another_finalizer_holds_the_namespace() -> None:
    """What remained is gone, and the namespace says so as long as somebody can see it."""
    before = decide_namespace(doomed("me/too"), {"secrets": [obj("a")]}, NOW).update[0].new
    plan = decide_namespace(before, {}, NOW)
    written, finalized = plan.update
    remaining = find_condition(written.new, "NamespaceContentRemaining") or {}
    assert (remaining["status"], remaining["reason"]) == ("False", "ContentRemoved")
    assert finalized.new["spec"]["finalizers"] == ["me/too"]


@virtual
async def test_pods_are_deleted_before_everything_else(worlds: Any) -> None:
    """Ordered deletion: pods go before what keeps them safe, such as NetworkPolicies."""
    async with worlds.world(holds=lambda _: True) as world:
        world.start(NamespaceController)
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
        await world.create("namespaces", space, "")
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "ns"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await world.create("pods", pod, "ns")
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "deny", "namespace": "ns"},
            "spec": {"podSelector": {}},
        }
        await world.create("networkpolicies.networking.k8s.io", policy, "ns")
        await world.settle(1)
        await world.store.delete("namespaces", "", "ns")
        await world.settle(20)
        assert "deletionTimestamp" in world.get("pods", "p", "ns")["metadata"]
        kept = world.get("networkpolicies.networking.k8s.io", "deny", "ns")
        assert "deletionTimestamp" not in kept["metadata"]
        world.holds = lambda _: False
        await world.until(lambda: world.store.get("namespaces", "", "ns") is None)


@virtual
async def test_an_api_server_that_is_away_holds_namespaces(worlds: Any) -> None:
    """What it has in the namespace is not known: the namespace waits until it answers."""
    async with worlds.world() as world:
        world.start(NamespaceController, kubelet=False)
        service = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {"name": "m", "namespace": "kube-system"},
            },
        }
        await world.create("apiservices.apiregistration.k8s.io", service, "")
        away = {"conditions": [{"type": "Available", "status": "False"}]}
        await world.store.modify(
            "apiservices.apiregistration.k8s.io",
            "",
            "v1beta1.metrics.k8s.io",
            lambda old: {**old, "status": away},
            subresource="status",
            admit=False,
        )
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
        await world.create("namespaces", space, "")
        await world.store.delete("namespaces", "", "ns")
        await world.settle(10)
        found = worlds.condition(world.get("namespaces", "ns", ""), "NamespaceContentRemaining")
        assert found["status"] == "False"
        failed = worlds.condition(
            world.get("namespaces", "ns", ""), "NamespaceDeletionDiscoveryFailure"
        )
        assert failed["reason"] == "DiscoveryFailed"
        await world.store.delete("apiservices.apiregistration.k8s.io", "", "v1beta1.metrics.k8s.io")
        await world.until(lambda: world.store.get("namespaces", "", "ns") is None)
