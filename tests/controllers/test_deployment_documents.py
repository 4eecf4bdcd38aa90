"""Sentences of the Deployment's and the ReplicaSet's documentation, played through.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/ and
https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.objects import Object, name_of

DEPLOYMENTS = "deployments.apps"
REPLICA_SETS = "replicasets.apps"
COST = "controller.kubernetes.io/pod-deletion-cost"


def image_of(obj: Object) -> str:
    """Return the image of a ReplicaSet's template or of a pod."""
    spec = obj["spec"].get("template", obj)["spec"]
    found: str = spec["containers"][0]["image"]
    return found


def sizes(world: Any) -> dict[str, int]:
    """Return image -> replicas for the ReplicaSets that have any."""
    return {
        image_of(rs): rs["spec"]["replicas"]
        for rs in world.store.list(REPLICA_SETS)
        if rs["spec"]["replicas"]
    }


async def roll(world: Any, worlds: Any, image: str) -> None:
    """Change the image."""
    await world.spec(DEPLOYMENTS, "web", template=worlds.template({"app": "web"}, image))


def only_works(world: Any, *images: str) -> None:
    """Let pods of other images hang, as one whose image can't be pulled."""
    world.works = lambda pod: image_of(pod) in images


@virtual
async def test_a_rollover_does_not_finish_what_it_replaces(worlds: Any) -> None:
    """If you update while a rollout is in progress, it starts killing the pods it had created.

    It does not wait for all replicas of the first update to be created.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rollover-aka-multiple-updates-in-flight
    """
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=5))
        await world.settle(3)
        only_works(world, "v1", "v3")
        await roll(world, worlds, "v2")
        await world.settle(3)
        assert sizes(world) == {"v1": 4, "v2": 3}  # 25 % of 5: two more, one less
        await roll(world, worlds, "v3")
        await world.settle(10)
        assert sizes(world) == {"v3": 5}
        assert {image_of(pod) for pod in world.pods(app="web")} == {"v3"}


@virtual
async def test_the_documents_example_of_proportional_scaling(worlds: Any) -> None:
    """10 replicas, maxSurge 3, maxUnavailable 2, a bad image, then 15 replicas.

    3 replicas are added to the old ReplicaSet and 2 replicas are added to the new one.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
    """
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        strategy = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2},
        }
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=10, strategy=strategy))
        await world.settle(3)
        only_works(world, "v1")
        await roll(world, worlds, "bad")
        await world.settle(3)
        assert sizes(world) == {"v1": 8, "bad": 5}
        await world.spec(DEPLOYMENTS, "web", replicas=15)
        await world.settle(3)
        assert sizes(world) == {"v1": 11, "bad": 7}


@virtual
async def test_the_deadline_does_not_run_while_a_rollout_is_paused(worlds: Any) -> None:
    """You can safely pause in the middle of a rollout and resume without exceeding the deadline.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
    """
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        made = worlds.deployment(replicas=2, progressDeadlineSeconds=30)
        await world.create(DEPLOYMENTS, made)
        await world.settle(3)
        only_works(world, "v1")
        await roll(world, worlds, "v2")
        await world.settle(10)
        await world.spec(DEPLOYMENTS, "web", paused=True)
        await world.settle(300)
        found = worlds.condition(world.get(DEPLOYMENTS, "web"), "Progressing")
        assert (found["status"], found["reason"]) == ("Unknown", "DeploymentPaused")
        await world.spec(DEPLOYMENTS, "web", paused=False)
        await world.settle(20)
        found = worlds.condition(world.get(DEPLOYMENTS, "web"), "Progressing")
        assert (found["status"], found["reason"]) == ("Unknown", "DeploymentResumed")
        await world.settle(20)
        found = worlds.condition(world.get(DEPLOYMENTS, "web"), "Progressing")
        assert (found["status"], found["reason"]) == ("False", "ProgressDeadlineExceeded")


@virtual
async def test_no_history_means_no_way_back(worlds: Any) -> None:
    """Setting this field to 0 means that all old ReplicaSets with 0 replicas are cleaned up.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#revision-history-limit
    """
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2, revisionHistoryLimit=0))
        await world.settle(3)
        for image in ("v2", "v3"):
            await roll(world, worlds, image)
            await world.settle(10)
        assert [image_of(rs) for rs in world.store.list(REPLICA_SETS)] == ["v3"]


@virtual
async def test_terminating_pods_are_reported_not_counted(worlds: Any) -> None:
    """Terminating pods are in .status.terminatingReplicas of both, and in no other number."""
    async with worlds.world(holds=lambda _: True) as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=4))
        await world.settle(3)
        await world.spec(DEPLOYMENTS, "web", replicas=1)
        await world.settle(3)
        (rs,) = world.store.list(REPLICA_SETS)
        for obj in (rs, world.get(DEPLOYMENTS, "web")):
            status = obj["status"]
            assert (status["replicas"], status["terminatingReplicas"]) == (1, 3)
        world.holds = lambda _: False
        await world.settle(3)
        assert world.get(DEPLOYMENTS, "web")["status"]["terminatingReplicas"] == 0


@virtual
async def test_pods_of_lower_deletion_cost_go_first(worlds: Any) -> None:
    """The implicit value is 0, negative values are permitted.

    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost
    """
    async with worlds.world(nodes=["n1"]) as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=4))
        await world.settle(3)
        names = sorted(name_of(pod) for pod in world.pods(app="web"))
        for name, cost in zip(names, ("100", "-5", "7", "10"), strict=True):
            annotations = {COST: cost}
            await world.patch(
                "pods",
                name,
                lambda pod, a=annotations: {
                    **pod,
                    "metadata": {**pod["metadata"], "annotations": a},
                },
            )
        for replicas, left in ((3, {0, 2, 3}), (2, {0, 3}), (1, {0})):
            await world.spec(DEPLOYMENTS, "web", replicas=replicas)
            await world.settle(3)
            assert {name_of(pod) for pod in world.pods(app="web")} == {names[at] for at in left}


@virtual
async def test_a_pod_can_be_taken_out_of_a_replica_set(worlds: Any) -> None:
    """Pods that are removed by changing their labels will be replaced automatically.

    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#isolating-pods-from-a-replicaset
    """
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2))
        await world.settle(3)
        taken = name_of(world.pods(app="web")[0])
        await world.patch(
            "pods",
            taken,
            lambda pod: {**pod, "metadata": {**pod["metadata"], "labels": {"debug": "yes"}}},
        )
        await world.settle(3)
        assert len(world.pods(app="web")) == 2
        assert "ownerReferences" not in world.get("pods", taken)["metadata"]
