"""ReplicationControllers, and how carefully pods are created for them and for ReplicaSets.

https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/
"""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.endpoints import EndpointsController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.replicaset import ReplicaSetController, ReplicationController
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object
from orchestrator.store import DeleteOptions

RESOURCE = "replicationcontrollers"


def controller(worlds: Any, replicas: int = 3, **spec: Any) -> Object:
    """Build a ReplicationController."""
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "rc", "namespace": "default"},
        "spec": {"replicas": replicas, "template": worlds.template({"app": "rc"}), **spec},
    }


def orphan(name: str, **labels: str) -> Object:
    """Build a pod that nobody controls."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def quota(pods: int) -> Object:
    """Build a quota of pods."""
    metadata = {"name": "q", "namespace": "default"}
    spec = {"hard": {"pods": str(pods)}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


@virtual
async def test_a_replication_controller_keeps_its_number_of_pods(worlds: Any) -> None:
    """It makes missing pods, replaces lost ones, removes those that are too many."""
    async with worlds.world() as world:
        world.start(ReplicationController)
        await world.create(RESOURCE, controller(worlds))
        await world.until(
            lambda: (
                world.get(RESOURCE, "rc")["status"]
                == {
                    "observedGeneration": 1,
                    "replicas": 3,
                    "fullyLabeledReplicas": 3,
                    "readyReplicas": 3,
                    "availableReplicas": 3,
                }
            )
        )
        (owner,) = world.pods(app="rc")[0]["metadata"]["ownerReferences"]
        assert (owner["apiVersion"], owner["kind"], owner["name"]) == (
            "v1",
            "ReplicationController",
            "rc",
        )
        lost = world.pods(app="rc")[0]["metadata"]["name"]
        assert lost.startswith("rc-")
        await world.store.delete("pods", "default", lost)
        await world.settle()
        assert len(world.pods(app="rc")) == 3
        await world.spec(RESOURCE, "rc", replicas=1)
        await world.settle()
        assert len(world.pods(app="rc")) == 1
        assert len(world.recorded.messages("SuccessfulCreate")) == 4
        assert len(world.recorded.messages("SuccessfulDelete")) == 2


@virtual
async def test_pods_are_adopted_and_removed_by_their_labels(worlds: Any) -> None:
    """Pods may be removed from a ReplicationController's target set by changing their labels."""
    async with worlds.world() as world:
        world.start(ReplicationController)
        await world.create("pods", orphan("mine", app="rc", tier="x"))
        await world.create("pods", orphan("other", app="x"))
        await world.create(RESOURCE, controller(worlds, 2))
        await world.settle()
        assert len(world.pods(app="rc")) == 2
        assert world.get("pods", "mine")["metadata"]["ownerReferences"][0]["name"] == "rc"

        def relabel(pod: Object) -> Object:
            return {**pod, "metadata": {**pod["metadata"], "labels": {"app": "debug"}}}

        await world.patch("pods", "mine", relabel)
        await world.settle()
        assert "ownerReferences" not in world.get("pods", "mine")["metadata"]
        assert len(world.pods(app="rc")) == 2

        # Unlike a ReplicaSet's, the selector may change: what it no longer matches is let go.
        def reselect(rc: Object) -> Object:
            template = worlds.template({"app": "rc", "v": "2"})
            spec = {**rc["spec"], "selector": {"app": "rc", "v": "2"}, "template": template}
            return {**rc, "spec": spec}

        await world.patch(RESOURCE, "rc", reselect)
        await world.settle()
        assert len(world.pods(app="rc", v="2")) == 2
        assert len(world.pods(app="rc")) == 4


@virtual
async def test_only_the_controller_may_be_deleted(worlds: Any) -> None:
    """You can delete a ReplicationController without affecting any of its pods; a new one adopts.

    A Service finds the pods by their labels all the time.
    """
    async with worlds.world() as world:
        world.start(ReplicationController, EndpointsController, GarbageCollector)
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s", "namespace": "default"},
            "spec": {"selector": {"app": "rc"}, "ports": [{"port": 80}]},
        }
        await world.create("services", service)
        await world.create(RESOURCE, controller(worlds))
        await world.settle()
        before = {pod["metadata"]["uid"] for pod in world.pods(app="rc")}
        (slice_,) = world.store.list("endpointslices.discovery.k8s.io")
        assert len(slice_["endpoints"]) == 3
        orphaning = DeleteOptions(propagation_policy="Orphan")
        await world.store.delete(RESOURCE, "default", "rc", options=orphaning)
        await world.settle()
        assert world.store.get(RESOURCE, "default", "rc") is None
        assert {pod["metadata"]["uid"] for pod in world.pods(app="rc")} == before
        again = controller(worlds)
        again["metadata"]["name"] = "next"
        await world.create(RESOURCE, again)
        await world.settle()
        assert {pod["metadata"]["uid"] for pod in world.pods(app="rc")} == before
        assert world.get(RESOURCE, "next")["status"]["readyReplicas"] == 3


@virtual
async def test_creation_stops_at_the_first_batch_that_is_refused(worlds: Any) -> None:
    """Pods are tried by 1, 2, 4, ...: a quota is not asked a hundred times in vain."""
    async with worlds.world() as world:
        world.start(ReplicaSetController, ReplicationController, kubelet=False)
        await world.create("resourcequotas", quota(3))
        await world.create(RESOURCE, controller(worlds, 100))
        await world.until(lambda: len(world.recorded.messages("FailedCreate")) >= 4)
        assert len(world.pods()) == 3
        await world.settle(0.5)
        # One for each look from now on, at ever longer intervals.
        assert 4 < len(world.recorded.messages("FailedCreate")) < 14
        failure = find_condition(world.get(RESOURCE, "rc"), "ReplicaFailure") or {}
        assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
        await world.spec("resourcequotas", "q", hard={"pods": "200"})
        await world.until(lambda: len(world.pods()) == 100, 600)
        await world.settle()
        assert find_condition(world.get(RESOURCE, "rc"), "ReplicaFailure") is None


@virtual
async def test_a_namespace_that_ends_is_not_asked_for_pods(worlds: Any) -> None:
    """Any creation would be refused, so there is none, and no event about it."""
    async with worlds.world(holds=lambda _: True) as world:
        world.start(ReplicationController)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed"}}
        await world.create("namespaces", namespace, "")
        made = controller(worlds)
        made["metadata"]["namespace"] = "doomed"
        await world.create(RESOURCE, made, "doomed")
        await world.settle()
        await world.store.delete("namespaces", "", "doomed")
        for pod in world.pods():
            await world.store.delete("pods", "doomed", pod["metadata"]["name"])
        before = world.store.sequence
        await world.settle(60)
        assert world.store.sequence <= before + 3
        assert world.recorded.messages("FailedCreate") == []


@virtual
async def test_a_failure_stands_as_long_as_pods_are_missing(worlds: Any) -> None:
    """A quota that lets one more pod through does not make ReplicaFailure flap."""
    async with worlds.world() as world:
        seen: list[Any] = []

        def note(event: Any) -> None:
            seen.append(find_condition(event.object, "ReplicaFailure"))

        world.start(ReplicaSetController, ReplicationController, kubelet=False)
        await world.create("resourcequotas", quota(3))
        await world.create(RESOURCE, controller(worlds, 10))
        await world.until(lambda: len(world.recorded.messages("FailedCreate")) >= 4)
        watching = worlds.Watching(world.store, [RESOURCE], note)
        for room in (4, 6, 9):
            await world.spec("resourcequotas", "q", hard={"pods": str(room)})
            await world.until(lambda room=room: len(world.pods()) == room, 600)
            await world.settle()
        watching.verify()
        assert all(seen)
        assert len({failure["lastTransitionTime"] for failure in seen}) == 1
        await world.spec("resourcequotas", "q", hard={"pods": "10"})
        await world.until(lambda: len(world.pods()) == 10, 600)
        await world.settle()
        assert find_condition(world.get(RESOURCE, "rc"), "ReplicaFailure") is None
