"""PodDisruptionBudgets: what they allow.

https://kubernetes.io/docs/tasks/run-application/configure-pdb/ and
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.disruption import (
    DisruptionController,
    Healthy,
    decide_budget,
    decide_stale_target,
)
from orchestrator.controllers.disruption.core import UnknownScaleError
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0
BUDGETS = "poddisruptionbudgets.policy"


def budget(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Build a budget over ``app=web``."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "default", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        **({"status": status} if status else {}),
    }


def decided(obj: dict[str, Any], pods: Healthy, expected: int = 0) -> dict[str, Any]:
    """Return the status that is written."""
    plan = decide_budget(obj, pods, lambda: expected, lambda _: None, NOW)
    found: dict[str, Any] = plan.update[0].new["status"]
    return found


@pytest.mark.parametrize(
    ("spec", "total", "healthy", "expected", "counts"),
    [
        ({"minAvailable": 2}, 3, 3, 99, (3, 2, 1)),
        ({"minAvailable": 3}, 3, 3, 99, (3, 3, 0)),
        ({"minAvailable": 3}, 3, 1, 99, (3, 3, 0)),
        ({"minAvailable": 0}, 3, 3, 99, (3, 0, 3)),
        ({"minAvailable": "50%"}, 7, 7, 7, (7, 4, 3)),
        ({"minAvailable": "50%"}, 2, 2, 4, (4, 2, 0)),
        ({"minAvailable": "100%"}, 4, 4, 4, (4, 4, 0)),
        ({"maxUnavailable": 1}, 3, 3, 3, (3, 2, 1)),
        ({"maxUnavailable": "30%"}, 10, 9, 10, (10, 7, 2)),
        ({"maxUnavailable": "1%"}, 10, 10, 10, (10, 9, 1)),
        ({"maxUnavailable": 5}, 3, 3, 3, (3, 0, 3)),
        ({"maxUnavailable": 1}, 2, 2, 0, (0, 0, 0)),
        ({}, 3, 3, 3, (0, 0, 0)),
    ],
    ids=str,
)
def test_numbers_and_percentages_come_to_healthy_pods(
    spec: dict[str, Any], total: int, healthy: int, expected: int, counts: tuple[int, int, int]
) -> None:
    """Both round up; an integer minAvailable counts the pods there are."""
    status = decided(budget(**spec), Healthy(total, healthy, {}), expected)
    found = (status["expectedPods"], status["desiredHealthy"], status["disruptionsAllowed"])
    assert found == counts
    assert (status["currentHealthy"], status["observedGeneration"]) == (healthy, 1)


@pytest.mark.parametrize(("healthy", "status"), [(3, "True"), (2, "False")])
def test_the_condition_says_whether_a_disruption_is_allowed(healthy: int, status: str) -> None:
    """``SufficientPods`` and ``InsufficientPods``; a second look writes nothing."""
    obj = budget(minAvailable=2)
    pods = Healthy(3, healthy, {})
    written = decided(obj, pods)
    assert written["conditions"] == [
        {
            "type": "DisruptionAllowed",
            "status": status,
            "reason": "SufficientPods" if status == "True" else "InsufficientPods",
            "message": "",
            "observedGeneration": 1,
            "lastTransitionTime": format_time(NOW),
        }
    ]
    again = decide_budget({**obj, "status": written}, pods, lambda: 0, lambda _: None, NOW + 60)
    assert not len(again)


@pytest.mark.parametrize(
    ("age", "present", "healthy", "kept"),
    [
        (10, {"a": True}, 2, True),
        (10, {"a": False}, 3, True),
        (10, {}, 3, False),
        (121, {"a": True}, 3, False),
    ],
    ids=["awaited", "awaited, unready", "gone or going", "expired"],
)
def test_an_evicted_pod_does_not_count_until_two_minutes_are_over(
    age: float, present: dict[str, bool], healthy: int, kept: bool
) -> None:
    """The controller assumes then that the eviction came to nothing, and says so."""
    status = {"disruptedPods": {"a": format_time(NOW - age)}}
    obj = budget(status, minAvailable=1)
    plan = decide_budget(
        obj, Healthy(4, 3, present), lambda: 0, lambda name: {"metadata": {"name": name}}, NOW
    )
    new = plan.update[0].new["status"]
    assert new["currentHealthy"] == healthy
    assert ("disruptedPods" in new) == kept
    assert (plan.requeue_after is not None) == kept
    assert [event.message for event in plan.events] == (
        ["Pod was expected by PDB default/b to be deleted but it wasn't"]
        if present and not kept
        else []
    )


def test_a_budget_whose_owners_have_no_scale_allows_nothing() -> None:
    """The condition has reason ``SyncFailed`` and the same words as the event."""

    def expected() -> int:
        raise UnknownScaleError("jobs.batch does not implement the scale subresource")

    status = {"disruptionsAllowed": 2, "observedGeneration": 1, "currentHealthy": 3}
    plan = decide_budget(
        budget(status, maxUnavailable=1), Healthy(3, 3, {}), expected, lambda _: None, NOW
    )
    (event,) = plan.events
    assert event.reason == "CalculateExpectedPodCountFailed"
    assert event.message == (
        "Failed to calculate the number of expected pods: jobs.batch does not implement the scale "
        "subresource"
    )
    (update,) = plan.update
    new = update.new["status"]
    assert (new["disruptionsAllowed"], new["currentHealthy"]) == (0, 3)
    condition = find_condition(update.new, "DisruptionAllowed") or {}
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "False",
        "SyncFailed",
        "jobs.batch does not implement the scale subresource",
    )
    assert update.strict, "an eviction in between must not be undone"


@pytest.mark.parametrize(
    ("reason", "age", "changes", "outcome"),
    [
        ("EvictionByEvictionAPI", 121, {}, "cleared"),
        ("EvictionByEvictionAPI", 100, {}, "later"),
        ("PreemptionByScheduler", 121, {}, "cleared"),
        ("TerminationByKubelet", 999, {}, "left"),
        ("EvictionByEvictionAPI", 999, {"phase": "Failed"}, "left"),
        ("EvictionByEvictionAPI", 999, {"deletionTimestamp": "x"}, "left"),
    ],
)
def test_a_mark_without_a_deletion_becomes_stale(
    reason: str, age: float, changes: dict[str, str], outcome: str
) -> None:
    """``DisruptionTarget`` turns False two minutes after; a kubelet's own stays."""
    mark = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": "m",
        "lastTransitionTime": format_time(NOW - age),
    }
    metadata = {"name": "p", "namespace": "default"}
    if "deletionTimestamp" in changes:
        metadata["deletionTimestamp"] = format_time(NOW)
    status = {"phase": changes.get("phase", "Running"), "conditions": [mark]}
    plan = decide_stale_target({"metadata": metadata, "status": status}, NOW)
    assert (bool(len(plan)), plan.requeue_after is not None) == (
        outcome == "cleared",
        outcome == "later",
    )
    if outcome == "cleared":
        assert find_condition(plan.update[0].new, "DisruptionTarget") == {
            "type": "DisruptionTarget",
            "status": "False",
            "lastTransitionTime": format_time(NOW),
        }


def status_of(world: Any, name: str = "b") -> dict[str, Any]:
    """Return a budget's status."""
    found: dict[str, Any] = world.get(BUDGETS, name).get("status") or {}
    return found


@virtual
async def test_a_budget_follows_its_pods_and_the_size_of_their_deployment(worlds: Any) -> None:
    """The intended number of pods is computed from ``.spec.replicas`` of the workload."""
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController, DisruptionController)
        await world.create(BUDGETS, budget(maxUnavailable="25%"))
        await world.settle(1)
        assert status_of(world)["disruptionsAllowed"] == 0
        assert world.recorded.messages("NoPods")
        await world.create("deployments.apps", worlds.deployment(replicas=4))
        await world.until(lambda: status_of(world)["disruptionsAllowed"] == 1)
        assert (status_of(world)["expectedPods"], status_of(world)["desiredHealthy"]) == (4, 3)
        await world.spec("deployments.apps", "web", replicas=8)
        await world.until(lambda: status_of(world)["disruptionsAllowed"] == 2)
        assert status_of(world)["expectedPods"] == 8
        world.works = lambda _: False
        await world.store.delete("pods", "default", world.pods()[0]["metadata"]["name"])
        await world.until(lambda: status_of(world)["currentHealthy"] == 7)
        assert status_of(world)["disruptionsAllowed"] == 1
        await world.spec(BUDGETS, "b", maxUnavailable=0)
        await world.until(lambda: status_of(world)["desiredHealthy"] == 8)
        assert worlds.condition(world.get(BUDGETS, "b"), "DisruptionAllowed")["status"] == "False"


@virtual
async def test_pods_without_a_controller_have_no_expected_count(worlds: Any) -> None:
    """For arbitrary pods only ``.spec.minAvailable`` as an integer comes to anything."""
    async with worlds.world() as world:
        world.start(DisruptionController)
        for name in ("p", "q"):
            metadata = {"name": name, "labels": {"app": "web"}, "namespace": "default"}
            spec = {"containers": [{"name": "c", "image": "i"}]}
            await world.create(
                "pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            )
        await world.create(BUDGETS, budget(minAvailable=1))
        other = budget(maxUnavailable=1)
        await world.create(BUDGETS, {**other, "metadata": {"name": "c", "namespace": "default"}})
        await world.until(lambda: status_of(world).get("disruptionsAllowed") == 1)
        assert status_of(world, "c")["expectedPods"] == 0
        assert status_of(world, "c")["disruptionsAllowed"] == 0


@virtual
async def test_other_owners_are_asked_for_their_scale(worlds: Any) -> None:
    """The owner has to implement the scale subresource; a Job does not."""
    async with worlds.world() as world:
        world.start(DisruptionController)
        job = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
        statefulset = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {
                "replicas": 5,
                "serviceName": "db",
                "selector": {"matchLabels": {"app": "web"}},
                "template": worlds.template({"app": "web"}),
            },
        }
        made = await world.create("statefulsets.apps", statefulset)
        owner = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": "db",
            "uid": made["metadata"]["uid"],
            "controller": True,
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "db-0",
                "namespace": "default",
                "labels": {"app": "web"},
                "ownerReferences": [owner],
            },
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await world.create("pods", pod)
        await world.create(BUDGETS, budget(maxUnavailable="20%"))
        await world.until(lambda: status_of(world).get("expectedPods") == 5)
        labels = {"app": "web"}
        named = {"name": "j-0", "namespace": "default", "labels": labels, "ownerReferences": [job]}
        await world.create("pods", {**pod, "metadata": named})
        await world.until(
            lambda: (
                (find_condition(world.get(BUDGETS, "b"), "DisruptionAllowed") or {})["reason"]
                == "SyncFailed"
            )
        )
        assert "jobs.batch does not implement the scale subresource" in str(
            world.recorded.messages("CalculateExpectedPodCountFailed")
        )


@virtual
async def test_custom_owners_tell_their_size_through_their_scale(worlds: Any) -> None:
    """The owner may be of a custom kind, if its definition has a scale subresource."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
        },
    }
    names = {"plural": "farms", "singular": "farm", "kind": "Farm", "listKind": "FarmList"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "farms.example.com"},
        "spec": {
            "group": "example.com",
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    async with worlds.world() as world:
        world.start(DefinitionController, DisruptionController)
        await world.create("customresourcedefinitions.apiextensions.k8s.io", definition, "")
        await world.settle()
        farm = {
            "apiVersion": "example.com/v1",
            "kind": "Farm",
            "metadata": {"name": "f", "namespace": "default"},
            "spec": {"size": 4},
        }
        made = await world.create("farms.example.com", farm)
        owner = {
            "apiVersion": "example.com/v1",
            "kind": "Farm",
            "name": "f",
            "uid": made["metadata"]["uid"],
            "controller": True,
        }
        for at in range(3):
            metadata = {
                "name": f"f-{at}",
                "namespace": "default",
                "labels": {"app": "web"},
                "ownerReferences": [owner],
            }
            spec = {"containers": [{"name": "c", "image": "i"}]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            await world.create("pods", pod)
        await world.create(BUDGETS, budget(minAvailable="50%"))
        await world.until(lambda: status_of(world).get("currentHealthy") == 3)
        assert (status_of(world)["expectedPods"], status_of(world)["desiredHealthy"]) == (4, 2)
        assert status_of(world)["disruptionsAllowed"] == 1
