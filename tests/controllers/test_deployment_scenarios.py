"""Deployments with a real store, ReplicaSets and a kubelet that only reports."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.conditions import find_condition

DEPLOYMENTS = "deployments.apps"
REPLICA_SETS = "replicasets.apps"


def start(world: Any) -> None:
    """Start what a rollout needs."""
    world.start(DeploymentController, ReplicaSetController)


def image(version: Any) -> Any:
    """Return a change to another image."""

    def change(obj: Any) -> dict[str, Any]:
        template = obj["spec"]["template"]
        containers = [{**template["spec"]["containers"][0], "image": version}]
        template = {**template, "spec": {**template["spec"], "containers": containers}}
        return {**obj, "spec": {**obj["spec"], "template": template}}

    return change


def images(world: Any) -> Any:
    """Return the images of all pods."""
    return sorted(pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web"))


def complete(world: Any, replicas: Any, generation: Any = None) -> Any:
    """Return a condition: the rollout is over."""

    def check() -> Any:
        deployment = world.get(DEPLOYMENTS, "web")
        status = deployment.get("status") or {}
        return (
            status.get("observedGeneration", 0) == deployment["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == replicas
            and status.get("replicas", 0) == replicas
            and status.get("availableReplicas", 0) == replicas
            and status.get("terminatingReplicas") == 0
        )

    return check


def revision(world: Any, name: str = "web") -> Any:
    """Return the revision annotation."""
    return world.get(DEPLOYMENTS, name)["metadata"]["annotations"][
        "deployment.kubernetes.io/revision"
    ]


def progressing(world: Any) -> Any:
    """Return the Progressing condition."""
    return find_condition(world.get(DEPLOYMENTS, "web"), "Progressing")


@virtual
async def test_a_deployment_gets_its_pods(worlds: Any) -> None:
    """A new Deployment ends with one ReplicaSet, all pods available, and upstream's words."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=3))
        await world.until(complete(world, 3))
        (rs,) = world.store.list(REPLICA_SETS)
        name = rs["metadata"]["name"]
        assert len(world.pods(app="web")) == 3
        assert world.recorded.messages("ScalingReplicaSet") == [
            f"Scaled up replica set {name} from 0 to 3"
        ]
        assert len(world.recorded.messages("SuccessfulCreate")) == 3
        condition = progressing(world)
        assert condition["reason"] == "NewReplicaSetAvailable"
        assert condition["message"] == f'ReplicaSet "{name}" has successfully progressed.'
        available = worlds.condition(world.get(DEPLOYMENTS, "web"), "Available")
        assert (available["status"], available["reason"], available["message"]) == (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
        assert rs["metadata"]["annotations"] == {
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
            "deployment.kubernetes.io/revision": "1",
        }


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas"), [("25%", "25%", 8), (1, 0, 3), (0, 1, 3), ("100%", 0, 4)]
)
def test_a_rollout_keeps_to_its_limits_at_every_event(
    worlds: Any, surge: Any, unavailable: Any, replicas: Any
) -> None:
    """Never fewer available pods than the floor, never more pods than the surge allows."""

    @virtual
    async def run() -> None:
        async with worlds.world() as world:
            start(world)
            strategy = {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            }
            await world.create(DEPLOYMENTS, worlds.deployment(replicas=replicas, strategy=strategy))
            await world.until(complete(world, replicas))
            floor = replicas - (replicas // 4 if unavailable == "25%" else unavailable)
            above = {"25%": -(-replicas // 4), "100%": replicas}.get(surge, surge)

            def check(event: Any) -> None:
                active = [
                    p for p in world.pods(app="web") if "deletionTimestamp" not in p["metadata"]
                ]
                ready = [p for p in active if find_condition(p, "Ready")]
                assert len(ready) >= floor
                assert len(active) <= replicas + above

            watching = worlds.Watching(world.store, ["pods"], check)
            await world.patch(DEPLOYMENTS, "web", image("v2"))
            await world.until(complete(world, replicas))
            watching.verify()
            assert images(world) == ["v2"] * replicas
            assert revision(world) == "2"

    run()


@virtual
async def test_a_rollback_reuses_the_old_replica_set(worlds: Any) -> None:
    """A template that was there before finds its ReplicaSet, which becomes the newest revision."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2))
        await world.until(complete(world, 2))
        (first,) = world.store.list(REPLICA_SETS)
        await world.patch(DEPLOYMENTS, "web", image("v2"))
        await world.settle()
        assert images(world) == ["v2", "v2"]
        await world.patch(DEPLOYMENTS, "web", image("v1"))
        await world.settle()
        assert images(world) == ["v1", "v1"]
        assert len(world.store.list(REPLICA_SETS)) == 2
        annotations = world.get(REPLICA_SETS, first["metadata"]["name"])["metadata"]["annotations"]
        assert annotations["deployment.kubernetes.io/revision"] == "3"
        assert annotations["deployment.kubernetes.io/revision-history"] == "1"
        assert revision(world) == "3"


@virtual
async def test_a_paused_deployment_scales_but_does_not_roll(worlds: Any) -> None:
    """While paused a new template waits; a new size does not; resuming rolls out."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2))
        await world.until(complete(world, 2))
        await world.spec(DEPLOYMENTS, "web", paused=True)
        await world.patch(DEPLOYMENTS, "web", image("v2"))
        await world.spec(DEPLOYMENTS, "web", replicas=4)
        await world.settle()
        assert images(world) == ["v1"] * 4
        assert progressing(world)["reason"] == "DeploymentPaused"
        await world.spec(DEPLOYMENTS, "web", paused=False)
        await world.until(complete(world, 4))
        assert images(world) == ["v2"] * 4


@virtual
async def test_a_rollout_that_does_not_move_exceeds_its_deadline(worlds: Any) -> None:
    """Pods that never become ready fail the rollout; the old ones go on serving."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=4, progressDeadlineSeconds=30))
        await world.until(complete(world, 4))
        world.works = lambda pod: pod["spec"]["containers"][0]["image"] != "broken"
        await world.patch(DEPLOYMENTS, "web", image("broken"))
        await world.settle(20)
        assert progressing(world)["status"] == "True"
        await world.settle(20)
        condition = progressing(world)
        assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")
        assert condition["message"].endswith("has timed out progressing.")
        assert images(world).count("v1") == 3
        await world.patch(DEPLOYMENTS, "web", image("v1"))
        await world.until(complete(world, 4))
        assert progressing(world)["reason"] == "NewReplicaSetAvailable"


@virtual
async def test_recreate_waits_for_the_old_pods_to_be_gone(worlds: Any) -> None:
    """No pod of the new template exists beside one of the old, not even a terminating one."""
    async with worlds.world() as world:
        start(world)
        await world.create(
            DEPLOYMENTS, worlds.deployment(replicas=3, strategy={"type": "Recreate"})
        )
        await world.until(complete(world, 3))
        world.holds = lambda pod: True
        await world.patch(DEPLOYMENTS, "web", image("v2"))
        await world.settle(5)
        assert images(world) == ["v1"] * 3
        assert world.get(DEPLOYMENTS, "web")["status"]["terminatingReplicas"] == 3
        world.holds = lambda pod: False
        await world.until(complete(world, 3))
        assert images(world) == ["v2"] * 3


@virtual
async def test_old_revisions_are_removed_beyond_the_limit(worlds: Any) -> None:
    """A revisionHistoryLimit keeps so many old ReplicaSets, the newest of them."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=1, revisionHistoryLimit=1))
        for version in ("v2", "v3", "v4"):
            await world.settle()
            await world.patch(DEPLOYMENTS, "web", image(version))
        await world.settle()
        found = {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]
            for rs in world.store.list(REPLICA_SETS)
        }
        assert found == {"v3", "v4"}


@virtual
async def test_scaling_in_the_middle_of_a_rollout_is_proportional(worlds: Any) -> None:
    """Both ReplicaSets grow by their share, so that a broken revision does not take it all."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=10))
        await world.until(complete(world, 10))
        world.works = lambda pod: pod["spec"]["containers"][0]["image"] != "broken"
        await world.patch(DEPLOYMENTS, "web", image("broken"))
        await world.settle()
        before = sorted(rs["spec"]["replicas"] for rs in world.store.list(REPLICA_SETS))
        assert before == [5, 8]
        await world.spec(DEPLOYMENTS, "web", replicas=20)
        await world.settle()
        after = sorted(rs["spec"]["replicas"] for rs in world.store.list(REPLICA_SETS))
        assert sum(after) == 25
        assert after[0] > before[0]
        assert after[1] > before[1]


@virtual
async def test_orphaned_replica_sets_and_pods_are_adopted_and_strays_released(worlds: Any) -> None:
    """What matches a selector and has no controller gets one; what stops matching loses it."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2))
        await world.until(complete(world, 2))
        (rs,) = world.store.list(REPLICA_SETS)
        name = rs["metadata"]["name"]

        def orphan(obj: Any) -> dict[str, Any]:
            return {**obj, "metadata": {**obj["metadata"], "ownerReferences": []}}

        await world.patch(REPLICA_SETS, name, orphan)
        await world.settle()
        owner = world.get(REPLICA_SETS, name)["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Deployment", "web", True)

        pod = world.pods(app="web")[0]["metadata"]["name"]

        def relabel(obj: Any) -> dict[str, Any]:
            labels = {**obj["metadata"]["labels"], "pod-template-hash": "other"}
            return {**obj, "metadata": {**obj["metadata"], "labels": labels}}

        await world.patch("pods", pod, relabel)
        await world.settle()
        assert not world.get("pods", pod)["metadata"].get("ownerReferences")
        assert len(world.pods(app="web")) == 3
        assert len(world.store.by_owner(rs["metadata"]["uid"], "pods")) == 2


@virtual
async def test_a_taken_name_counts_as_a_collision(worlds: Any) -> None:
    """A foreign ReplicaSet of the name that the hash gives makes the Deployment take another."""
    async with worlds.world() as world:
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=1))
        from orchestrator.controllers.deployment.revisions import template_hash

        template = world.get(DEPLOYMENTS, "web")["spec"]["template"]
        name = f"web-{template_hash(template)}"
        labels = {"app": "other"}
        foreign = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": worlds.template(labels),
            },
        }
        await world.create(REPLICA_SETS, foreign)
        start(world)
        await world.until(complete(world, 1))
        assert world.get(DEPLOYMENTS, "web")["status"]["collisionCount"] == 1
        assert len(world.store.list(REPLICA_SETS)) == 2


@virtual
async def test_min_ready_seconds_holds_a_rollout_back(worlds: Any) -> None:
    """A pod counts only once it was ready for minReadySeconds."""
    async with worlds.world() as world:
        start(world)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2, minReadySeconds=10))
        await world.settle(5)
        status = world.get(DEPLOYMENTS, "web")["status"]
        assert status["readyReplicas"] == 2
        assert "availableReplicas" not in status
        await world.settle(8)
        assert world.get(DEPLOYMENTS, "web")["status"]["availableReplicas"] == 2


@virtual
async def test_a_refused_pod_is_reported(worlds: Any) -> None:
    """A ReplicaSet whose pods are refused says so in an event and in both statuses."""
    async with worlds.world() as world:
        start(world)
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {"pods": "0"}},
        }
        await world.create("resourcequotas", quota)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=1))
        await world.settle()
        (rs,) = world.store.list(REPLICA_SETS)
        condition = worlds.condition(rs, "ReplicaFailure")
        assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
        assert "forbidden" in condition["message"]
        assert world.recorded.messages("FailedCreate")[0].startswith("Error creating: ")
        failed = worlds.condition(world.get(DEPLOYMENTS, "web"), "ReplicaFailure")
        assert failed["reason"] == "FailedCreate"
