"""StatefulSets with a real store and a kubelet that only reports.

The sentences are those of https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
and https://kubernetes.io/docs/tutorials/stateful-application/basic-stateful-set/.
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.quotas import QuotaController
from orchestrator.controllers.statefulset import StatefulSetController
from orchestrator.resources.objects import Object
from orchestrator.store import Delete, DeleteOptions

SETS = "statefulsets.apps"
CLAIMS = "persistentvolumeclaims"
REVISIONS = "controllerrevisions.apps"


def stateful_set(worlds: Any, replicas: int = 3, *, claims: int = 0, **spec: Any) -> Object:
    """Build a StatefulSet called web, with so many claim templates."""
    labels = {"app": "web"}
    templates = [
        {
            "metadata": {"name": f"data{number}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        for number in range(claims)
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "nginx",
            "selector": {"matchLabels": labels},
            "template": worlds.template(labels),
            **({"volumeClaimTemplates": templates} if templates else {}),
            **spec,
        },
    }


def image(version: str) -> Any:
    """Return a change to another image."""

    def change(obj: Object) -> Object:
        template = obj["spec"]["template"]
        containers = [{**template["spec"]["containers"][0], "image": version}]
        template = {**template, "spec": {**template["spec"], "containers": containers}}
        return {**obj, "spec": {**obj["spec"], "template": template}}

    return change


def names(world: Any) -> list[str]:
    """Return the names of the set's pods."""
    return sorted(pod["metadata"]["name"] for pod in world.pods(app="web"))


def images(world: Any) -> dict[str, str]:
    """Return the pods' images by name."""
    return {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"]
        for pod in world.pods(app="web")
    }


def status(world: Any) -> Object:
    """Return the set's status."""
    found: Object = world.get(SETS, "web").get("status") or {}
    return found


def complete(world: Any, replicas: int) -> Any:
    """Return a condition: that many pods, all of the newest revision and available."""

    def check() -> bool:
        now = status(world)
        return (
            now.get("observedGeneration") == world.get(SETS, "web")["metadata"]["generation"]
            and now.get("replicas") == replicas
            and now.get("availableReplicas") == replicas
            and now.get("updatedReplicas", 0) == replicas
            and now.get("currentRevision") == now.get("updateRevision")
        )

    return check


async def remove(world: Any, name: str, resource: str = "pods", **options: Any) -> None:
    """Delete an object as a user does."""
    await world.store.write([Delete(resource, "default", name, DeleteOptions(**options))])


def is_up(pod: Object) -> bool:
    """Tell whether a pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@virtual
async def test_pods_are_created_sequentially_in_order_from_0_to_n_1(worlds: Any) -> None:
    """Each pod is Running and Ready before the next one is created, with upstream's events."""
    async with worlds.world() as world:

        def check(event: Any) -> None:
            ordinal = int(event.key.name.rpartition("-")[2])
            if event.type == "ADDED":
                before = [f"web-{number}" for number in range(ordinal)]
                assert all(is_up(world.get("pods", name)) for name in before)

        watching = worlds.Watching(world.store, ["pods"], check)
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds))
        await world.until(complete(world, 3))
        watching.verify()
        assert names(world) == ["web-0", "web-1", "web-2"]
        assert world.recorded.messages("SuccessfulCreate") == [
            f"create Pod web-{number} in StatefulSet web successful" for number in range(3)
        ]
        now = status(world)
        (revision,) = world.store.list(REVISIONS)
        assert now == {
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": 3,
            "currentReplicas": 3,
            "updatedReplicas": 3,
            "availableReplicas": 3,
            "collisionCount": 0,
            "currentRevision": revision["metadata"]["name"],
            "updateRevision": revision["metadata"]["name"],
        }


@virtual
async def test_each_pod_derives_its_hostname_from_the_set_and_the_ordinal(worlds: Any) -> None:
    """Name, host name, subdomain, labels and claims say which of the pods it is."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 1, claims=2, ordinals={"start": 5}))
        await world.until(complete(world, 1))
        pod = world.get("pods", "web-5")
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-5", "nginx")
        (revision,) = world.store.list(REVISIONS)
        assert pod["metadata"]["labels"] == {
            "app": "web",
            "apps.kubernetes.io/pod-index": "5",
            "statefulset.kubernetes.io/pod-name": "web-5",
            "controller-revision-hash": revision["metadata"]["name"],
        }
        assert pod["metadata"]["generateName"] == "web-"
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert volumes["data0"]["persistentVolumeClaim"]["claimName"] == "data0-web-5"
        claim = world.get(CLAIMS, "data1-web-5")
        assert claim["metadata"]["labels"] == {"app": "web"}
        assert "ownerReferences" not in claim["metadata"]
        assert "create Claim data0-web-5 Pod web-5 in StatefulSet web success" in (
            world.recorded.messages("SuccessfulCreate")
        )


@virtual
async def test_pods_are_terminated_in_reverse_order_from_n_1_to_0(worlds: Any) -> None:
    """Before a pod is terminated, all of its successors must be completely shut down."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 4, claims=1))
        await world.until(complete(world, 4))

        def check(event: Any) -> None:
            ordinal = int(event.key.name.rpartition("-")[2])
            if event.type == "MODIFIED" and "deletionTimestamp" in event.object["metadata"]:
                assert names(world) == [f"web-{number}" for number in range(ordinal + 1)]

        watching = worlds.Watching(world.store, ["pods"], check)
        await world.spec(SETS, "web", replicas=1)
        await world.until(complete(world, 1))
        watching.verify()
        assert world.recorded.messages("SuccessfulDelete") == [
            f"delete Pod web-{number} in StatefulSet web successful" for number in (3, 2, 1)
        ]
        assert len(world.store.list(CLAIMS)) == 4, "Deleting or scaling down keeps the volumes"


@virtual
async def test_scaling_down_waits_while_a_pod_is_not_ready(worlds: Any) -> None:
    """Before a scaling operation is applied, all of a pod's predecessors must be Ready."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 3))
        await world.until(complete(world, 3))
        broken = True
        world.works = lambda pod: not broken or pod["metadata"]["name"] != "web-0"
        await remove(world, "web-0")
        await world.settle(2)
        await world.spec(SETS, "web", replicas=2)
        await world.settle(10)
        assert names(world) == ["web-0", "web-1", "web-2"]
        broken = False
        await world.until(complete(world, 2))


@virtual
async def test_parallel_management_does_not_wait_for_pods(worlds: Any) -> None:
    """Parallel launches and terminates all pods at once."""
    async with worlds.world(works=lambda _: False) as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 4, claims=1, podManagementPolicy="Parallel"))
        await world.settle(1)
        assert len(names(world)) == 4
        await world.spec(SETS, "web", replicas=0)
        await world.settle(2)
        assert names(world) == []


@virtual
async def test_a_rolling_update_goes_from_the_largest_ordinal_to_the_smallest(worlds: Any) -> None:
    """It waits until an updated pod is Running and Ready before its predecessor is updated."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 3))
        await world.until(complete(world, 3))
        first = status(world)["currentRevision"]
        lows: list[int] = []

        def check(event: Any) -> None:
            lows.append(sum(is_up(pod) for pod in world.pods(app="web")))
            assert lows[-1] >= 2

        watching = worlds.Watching(world.store, ["pods"], check)
        world.recorded.events.clear()
        await world.patch(SETS, "web", image("v2"))
        await world.until(lambda: status(world)["updateRevision"] != first)
        assert status(world)["currentRevision"] == first
        await world.until(complete(world, 3))
        watching.verify()
        assert set(images(world).values()) == {"v2"}
        assert [message.split()[2] for message in world.recorded.messages("SuccessfulDelete")] == [
            "web-2",
            "web-1",
            "web-0",
        ]
        assert [one["revision"] for one in world.store.list(REVISIONS)] in ([1, 2], [2, 1])


@virtual
async def test_pods_below_the_partition_are_not_updated_even_if_deleted(worlds: Any) -> None:
    """They are recreated at the previous version; the others at the new one."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        await world.create(SETS, stateful_set(worlds, 3, updateStrategy=strategy))
        await world.until(complete(world, 3))
        await world.patch(SETS, "web", image("v2"))
        await world.until(lambda: images(world).get("web-2") == "v2")
        await world.settle(5)
        assert images(world) == {"web-0": "v1", "web-1": "v1", "web-2": "v2"}
        now = status(world)
        assert (now["currentReplicas"], now["updatedReplicas"]) == (2, 1)
        uid = world.get("pods", "web-0")["metadata"]["uid"]
        await remove(world, "web-0")
        await world.until(lambda: "web-0" in names(world))
        await world.until(lambda: world.get("pods", "web-0")["metadata"]["uid"] != uid)
        assert images(world)["web-0"] == "v1"
        await world.spec(SETS, "web", updateStrategy={"type": "RollingUpdate"})
        await world.until(complete(world, 3))
        assert set(images(world).values()) == {"v2"}


@virtual
async def test_on_delete_updates_a_pod_when_it_is_deleted(worlds: Any) -> None:
    """The controller will not automatically update the pods in a StatefulSet."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 2, updateStrategy={"type": "OnDelete"}))
        await world.until(lambda: status(world).get("availableReplicas") == 2)
        await world.patch(SETS, "web", image("v2"))
        await world.settle(5)
        assert images(world) == {"web-0": "v1", "web-1": "v1"}
        await remove(world, "web-1")
        await world.until(lambda: images(world).get("web-1") == "v2")
        assert images(world)["web-0"] == "v1"


@virtual
async def test_max_unavailable_pods_are_updated_at_a_time(worlds: Any) -> None:
    """The field controls the maximum number of pods that can be unavailable."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}}
        spec: Any = {"updateStrategy": strategy, "podManagementPolicy": "Parallel"}
        await world.create(SETS, stateful_set(worlds, 6, **spec))
        await world.until(complete(world, 6))
        lowest = 6

        def check(_event: Any) -> None:
            nonlocal lowest
            lowest = min(lowest, sum(is_up(pod) for pod in world.pods(app="web")))

        watching = worlds.Watching(world.store, ["pods"], check)
        await world.patch(SETS, "web", image("v2"))
        await world.until(complete(world, 6))
        watching.verify()
        assert lowest == 3


@virtual
async def test_a_broken_rollout_needs_the_broken_pod_deleted(worlds: Any) -> None:
    """After reverting the template you must also delete the pods that ran the bad one.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    async with worlds.world() as world:
        world.works = lambda pod: pod["spec"]["containers"][0]["image"] != "bad"
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 2))
        await world.until(complete(world, 2))
        await world.patch(SETS, "web", image("bad"))
        await world.until(lambda: images(world).get("web-1") == "bad")
        await world.patch(SETS, "web", image("v1"))
        await world.settle(20)
        assert images(world) == {"web-0": "v1", "web-1": "bad"}
        await remove(world, "web-1")
        await world.until(complete(world, 2))
        assert images(world) == {"web-0": "v1", "web-1": "v1"}
        assert sorted(one["revision"] for one in world.store.list(REVISIONS)) == [2, 3]


@virtual
async def test_a_failed_pod_is_deleted_and_made_again(worlds: Any) -> None:
    """The controller recreates a pod that failed or succeeded, with the same identity."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 2))
        await world.until(complete(world, 2))
        for name, phase in (("web-0", "Failed"), ("web-1", "Succeeded")):
            uid = world.get("pods", name)["metadata"]["uid"]
            await world.store.modify(
                "pods",
                "default",
                name,
                lambda pod, phase=phase: {**pod, "status": {**pod["status"], "phase": phase}},
                subresource="status",
            )
            await world.settle(3)
            assert world.get("pods", name)["metadata"]["uid"] != uid
        await world.until(complete(world, 2))


@virtual
async def test_a_pod_of_a_lost_node_is_not_replaced_before_it_is_gone(worlds: Any) -> None:
    """There is at most one pod with a given identity running in the cluster at any time.

    https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/
    """
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 2))
        await world.until(complete(world, 2))
        pod = world.get("pods", "web-0")
        world.dead.add(pod["spec"]["nodeName"])
        await remove(world, "web-0")
        await world.settle(600)
        kept = world.get("pods", "web-0")
        assert kept["metadata"]["uid"] == pod["metadata"]["uid"]
        await remove(world, "web-0", grace_period_seconds=0)
        await world.until(complete(world, 2))


@virtual
async def test_min_ready_seconds_hold_up_the_next_pod(worlds: Any) -> None:
    """A pod has to run and be ready that long to be considered available."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 2, minReadySeconds=30))
        await world.settle(20)
        now = status(world)
        assert (now["readyReplicas"], now["availableReplicas"]) == (1, 0)
        assert names(world) == ["web-0"]
        await world.until(lambda: len(names(world)) == 2, 15)
        await world.until(complete(world, 2), 40)


@virtual
async def test_claims_go_with_the_set_when_deleted_asks_for_it(worlds: Any) -> None:
    """whenDeleted: Delete removes the claims after their pod; Retain leaves them alone."""
    async with worlds.world() as world:
        world.start(StatefulSetController, GarbageCollector, ProtectionController)
        policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
        spec = {"persistentVolumeClaimRetentionPolicy": policy}
        made = await world.create(SETS, stateful_set(worlds, 2, claims=1, **spec))
        await world.until(complete(world, 2))
        (reference,) = world.get(CLAIMS, "data0-web-0")["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"]) == ("StatefulSet", made["metadata"]["uid"])
        await world.spec(SETS, "web", replicas=1)
        await world.until(complete(world, 1))
        assert len(world.store.list(CLAIMS)) == 2
        await remove(world, "web", SETS)
        await world.until(lambda: not world.store.list(CLAIMS))


@virtual
async def test_claims_go_with_their_pod_when_scaled_asks_for_it(worlds: Any) -> None:
    """whenScaled: Delete removes the claims of the pods that were scaled away, and only those."""
    async with worlds.world() as world:
        world.start(StatefulSetController, GarbageCollector, ProtectionController)
        policy = {"whenDeleted": "Retain", "whenScaled": "Delete"}
        spec = {"persistentVolumeClaimRetentionPolicy": policy}
        await world.create(SETS, stateful_set(worlds, 3, claims=1, **spec))
        await world.until(complete(world, 3))
        old = world.get(CLAIMS, "data0-web-2")["metadata"]["uid"]
        await remove(world, "web-0")
        await world.settle(3)
        await world.spec(SETS, "web", replicas=1)
        await world.until(lambda: len(world.store.list(CLAIMS)) == 1)
        assert world.get(CLAIMS, "data0-web-0")
        await world.spec(SETS, "web", replicas=3)
        await world.until(complete(world, 3))
        assert world.get(CLAIMS, "data0-web-2")["metadata"]["uid"] != old
        assert "ownerReferences" not in world.get(CLAIMS, "data0-web-2")["metadata"]


@virtual
async def test_a_changed_retention_policy_reaches_the_claims(worlds: Any) -> None:
    """Changing the policy later changes the owners of the claims that are there."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 1, claims=1))
        await world.until(complete(world, 1))
        policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
        await world.spec(SETS, "web", persistentVolumeClaimRetentionPolicy=policy)
        await world.settle(2)
        (reference,) = world.get(CLAIMS, "data0-web-0")["metadata"]["ownerReferences"]
        assert reference["kind"] == "StatefulSet"
        policy = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        await world.spec(SETS, "web", persistentVolumeClaimRetentionPolicy=policy)
        await world.settle(2)
        assert "ownerReferences" not in world.get(CLAIMS, "data0-web-0")["metadata"]


@virtual
async def test_a_pod_waits_for_its_claim_that_is_being_deleted(worlds: Any) -> None:
    """A new pod never gets a claim that is about to go; it is made when a new claim can be."""
    async with worlds.world() as world:
        held = {"metadata": {"finalizers": ["example.com/hold"]}}
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data0-web-0", "namespace": "default", **held["metadata"]},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        await world.create(CLAIMS, claim)
        await remove(world, "data0-web-0", CLAIMS)
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 1, claims=1))
        await world.settle(5)
        assert names(world) == []
        assert world.recorded.messages("FailedCreate")[0] == (
            "create Pod web-0 in StatefulSet web failed error: pvc data0-web-0 is being deleted"
        )
        await world.patch(
            CLAIMS,
            "data0-web-0",
            lambda obj: {**obj, "metadata": {**obj["metadata"], "finalizers": []}},
        )
        await world.until(complete(world, 1))


@virtual
async def test_orphans_with_the_right_name_are_adopted_and_strays_released(worlds: Any) -> None:
    """A deleted set's pods can be taken over by a new one with the same selector and name.

    https://kubernetes.io/docs/tasks/run-application/delete-stateful-set/
    """
    async with worlds.world() as world:
        world.start(StatefulSetController, GarbageCollector)
        await world.create(SETS, stateful_set(worlds, 2))
        await world.until(complete(world, 2))
        uids = {pod["metadata"]["uid"] for pod in world.pods(app="web")}
        await remove(world, "web", SETS, propagation_policy="Orphan")
        await world.until(lambda: world.store.get(SETS, "default", "web") is None)
        assert {pod["metadata"]["uid"] for pod in world.pods(app="web")} == uids
        made = await world.create(SETS, stateful_set(worlds, 2))
        await world.until(complete(world, 2))
        assert {pod["metadata"]["uid"] for pod in world.pods(app="web")} == uids
        for obj in (*world.pods(app="web"), *world.store.list(REVISIONS)):
            (reference,) = obj["metadata"]["ownerReferences"]
            assert reference["uid"] == made["metadata"]["uid"]
        assert len(world.store.list(REVISIONS)) == 1
        relabel = {"app": "other"}
        await world.patch(
            "pods",
            "web-1",
            lambda obj: {**obj, "metadata": {**obj["metadata"], "labels": relabel}},
        )
        await world.settle(3)
        assert "ownerReferences" not in world.get("pods", "web-1")["metadata"]
        await remove(world, "web-1")
        await world.until(complete(world, 2))


@virtual
async def test_old_revisions_beyond_the_limit_are_removed(worlds: Any) -> None:
    """As many old revisions as revisionHistoryLimit says are kept, the newest ones."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        await world.create(SETS, stateful_set(worlds, 1, revisionHistoryLimit=2))
        for version in ("v2", "v3", "v4", "v5"):
            await world.until(complete(world, 1))
            await world.patch(SETS, "web", image(version))
            await world.until(lambda v=version: images(world).get("web-0") == v)
        await world.until(complete(world, 1))
        assert sorted(one["revision"] for one in world.store.list(REVISIONS)) == [3, 4, 5]


@virtual
async def test_a_name_that_is_taken_is_waited_for(worlds: Any) -> None:
    """A stranger's pod of that name is not touched; when it goes, its room is taken at once."""
    async with worlds.world() as world:
        world.start(StatefulSetController)
        blocker = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web-0", "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        await world.create("pods", blocker)
        await world.create(SETS, stateful_set(worlds, 2))
        await world.settle(30)
        assert names(world) == []
        assert world.recorded.messages("FailedCreate") == []
        await remove(world, "web-0")
        await world.until(complete(world, 2), 10)


@virtual
async def test_claims_that_a_quota_refuses_are_tried_ever_more_rarely(worlds: Any) -> None:
    """A refusal is told for each try, no pod is made, and room is used when there is some."""
    async with worlds.world() as world:
        world.start(StatefulSetController, QuotaController)
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "default"},
            "spec": {"hard": {"persistentvolumeclaims": "1"}},
        }
        await world.create("resourcequotas", quota)
        await world.settle(1)
        spec: Any = {"podManagementPolicy": "Parallel"}
        await world.create(SETS, stateful_set(worlds, 3, claims=1, **spec))
        await world.settle(60)
        assert names(world) == ["web-0"]
        told = world.recorded.messages("FailedCreate")
        assert 3 < len(told) < 40
        assert told[0].startswith(
            "create Claim data0-web-1 for Pod web-1 in StatefulSet web failed error: "
        )
        assert "exceeded quota: few" in told[0]
        await remove(world, "few", "resourcequotas")
        await world.until(complete(world, 3), 120)


@pytest.mark.parametrize("step", range(1, 12))
def test_a_controller_that_fails_anywhere_leaves_nothing_undone(worlds: Any, step: int) -> None:
    """Whenever it stops, another one goes on: one pod for each ordinal, an update in order."""

    @virtual
    async def run() -> None:
        async with worlds.world() as world:
            live: dict[str, set[str]] = {}

            def check(event: Any) -> None:
                uids = live.setdefault(event.key.name, set())
                if event.type == "DELETED":
                    uids.discard(event.object["metadata"]["uid"])
                else:
                    uids.add(event.object["metadata"]["uid"])
                assert len(uids) <= 1

            watching = worlds.Watching(world.store, ["pods"], check)
            world.start(StatefulSetController)
            await world.create(SETS, stateful_set(worlds, 2, claims=1))
            for turn in range(12):
                await world.settle(0.07 * step)
                if turn == 5:
                    await world.patch(SETS, "web", image("v2"))
                await world.restart(StatefulSetController)
            await world.until(complete(world, 2))
            watching.verify()
            assert images(world) == {"web-0": "v2", "web-1": "v2"}
            assert len(world.store.list(REVISIONS)) == 2

    run()
