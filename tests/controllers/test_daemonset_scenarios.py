"""DaemonSets with a real store and a kubelet that only reports.

The sentences are those of https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
and https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.daemonset import DaemonSetController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.resources.objects import Object
from orchestrator.store import Delete, DeleteOptions

SETS = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"


def daemon_set(worlds: Any, *, pod: Any = None, **spec: Any) -> Object:
    """Build a DaemonSet called agent; ``pod`` goes into its pods' spec."""
    labels = {"app": "agent"}
    template = worlds.template(labels)
    template = {**template, "spec": {**template["spec"], **(pod or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def rolling(**limits: Any) -> Object:
    """Return an update strategy."""
    return {"type": "RollingUpdate", "rollingUpdate": limits}


def image(version: str) -> Any:
    """Return a change to another image."""

    def change(obj: Object) -> Object:
        template = obj["spec"]["template"]
        containers = [{**template["spec"]["containers"][0], "image": version}]
        template = {**template, "spec": {**template["spec"], "containers": containers}}
        return {**obj, "spec": {**obj["spec"], "template": template}}

    return change


async def add_nodes(world: Any, *names: str, labels: Any = None, **spec: Any) -> None:
    """Create nodes."""
    for name in names:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": spec,
        }
        await world.create("nodes", node, namespace="")


async def taint(world: Any, node: str, *taints: Any) -> None:
    """Give a node exactly these taints, each as (key, effect)."""
    given = [{"key": key, "effect": effect} for key, effect in taints]
    await world.patch(
        "nodes", node, lambda obj: {**obj, "spec": {**obj["spec"], "taints": given}}, ""
    )


def by_node(world: Any) -> dict[str, list[str]]:
    """Return the images of the pods on each node."""
    found: dict[str, list[str]] = {}
    for pod in world.pods(app="agent"):
        terms = pod["spec"]["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        (node,) = terms[0]["matchFields"][0]["values"]
        found.setdefault(node, []).append(pod["spec"]["containers"][0]["image"])
    return {node: sorted(images) for node, images in sorted(found.items())}


def images(world: Any) -> list[str]:
    """Return the images of all pods."""
    return sorted(image for found in by_node(world).values() for image in found)


def runs(pod: Object, version: str) -> bool:
    """Tell whether a pod has an image."""
    found: bool = pod["spec"]["containers"][0]["image"] == version
    return found


def status(world: Any) -> Object:
    """Return the DaemonSet's status."""
    found: Object = world.get(SETS, "agent").get("status") or {}
    return found


def complete(world: Any, nodes: int) -> Any:
    """Return a condition: so many nodes have a pod of the newest revision that is available."""

    def check() -> bool:
        now = status(world)
        wanted = world.get(SETS, "agent")["metadata"]["generation"]
        return (
            now.get("observedGeneration") == wanted
            and now.get("desiredNumberScheduled") == nodes
            and now.get("numberAvailable", 0) == nodes
            and now.get("updatedNumberScheduled", 0) == nodes
            and len(world.pods(app="agent")) == nodes
        )

    return check


async def remove(world: Any, resource: str, name: str, **options: Any) -> None:
    """Delete an object as a user does."""
    namespace = "" if resource == "nodes" else "default"
    await world.store.write([Delete(resource, namespace, name, DeleteOptions(**options))])


@virtual
async def test_all_nodes_run_a_copy_of_a_pod(worlds: Any) -> None:
    """As nodes are added, pods are added; as nodes are removed, pods that wait go with them."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1", "n2")
        await world.create(SETS, daemon_set(worlds))
        await world.until(complete(world, 2))
        assert by_node(world) == {"n1": ["v1"], "n2": ["v1"]}
        await add_nodes(world, "n3")
        await world.until(complete(world, 3))
        assert status(world) == {
            "currentNumberScheduled": 3,
            "desiredNumberScheduled": 3,
            "numberAvailable": 3,
            "numberMisscheduled": 0,
            "numberReady": 3,
            "observedGeneration": 1,
            "updatedNumberScheduled": 3,
        }
        created = world.recorded.messages("SuccessfulCreate")
        assert created
        assert all(message.startswith("Created pod: agent-") for message in created)
        await remove(world, "nodes", "n3")
        await world.until(lambda: status(world)["desiredNumberScheduled"] == 2)


@virtual
async def test_a_pod_tolerates_what_befalls_its_node(worlds: Any) -> None:
    """The DaemonSet controller automatically adds a set of tolerations to its pods."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1")
        await taint(
            world,
            "n1",
            ("node.kubernetes.io/not-ready", "NoExecute"),
            ("node.kubernetes.io/unschedulable", "NoSchedule"),
            ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        )
        await world.create(SETS, daemon_set(worlds, pod={"hostNetwork": True}))
        await world.until(complete(world, 1))
        (pod,) = world.pods(app="agent")
        given = {
            (one["key"].removeprefix("node.kubernetes.io/"), one["operator"], one["effect"])
            for one in pod["spec"]["tolerations"]
        }
        assert given == {
            ("not-ready", "Exists", "NoExecute"),
            ("unreachable", "Exists", "NoExecute"),
            ("disk-pressure", "Exists", "NoSchedule"),
            ("memory-pressure", "Exists", "NoSchedule"),
            ("pid-pressure", "Exists", "NoSchedule"),
            ("unschedulable", "Exists", "NoSchedule"),
            ("network-unavailable", "Exists", "NoSchedule"),
        }
        (revision,) = world.store.list(REVISIONS)
        hashed = revision["metadata"]["labels"]["controller-revision-hash"]
        assert pod["metadata"]["labels"] == {
            "app": "agent",
            "controller-revision-hash": hashed,
            "pod-template-generation": "1",
        }
        assert revision["metadata"]["name"] == f"agent-{hashed}"


@virtual
async def test_pods_follow_the_labels_of_nodes(worlds: Any) -> None:
    """If node labels are changed, pods are added to newly matching nodes and deleted elsewhere."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1", labels={"disk": "ssd"})
        await add_nodes(world, "n2")
        await world.create(SETS, daemon_set(worlds, pod={"nodeSelector": {"disk": "ssd"}}))
        await world.until(complete(world, 1))
        for node, labels in (("n1", {}), ("n2", {"disk": "ssd"})):
            await world.patch(
                "nodes",
                node,
                lambda obj, new=labels: {**obj, "metadata": {**obj["metadata"], "labels": new}},
                "",
            )
        await world.until(lambda: by_node(world) == {"n2": ["v1"]})
        await world.until(complete(world, 1))
        assert world.recorded.messages("SuccessfulDelete")


@virtual
async def test_a_taint_keeps_new_pods_away_and_one_that_evicts_removes_them(worlds: Any) -> None:
    """A pod that runs stays on a node with NoSchedule, misscheduled; NoExecute drives it out."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1", "n2")
        await taint(world, "n2", ("own", "NoSchedule"))
        await world.create(SETS, daemon_set(worlds))
        await world.until(complete(world, 1))
        await taint(world, "n1", ("own", "NoSchedule"))
        await world.until(lambda: status(world)["numberMisscheduled"] == 1)
        assert status(world)["desiredNumberScheduled"] == 0
        assert by_node(world) == {"n1": ["v1"]}
        await taint(world, "n1", ("own", "NoExecute"))
        await world.until(lambda: by_node(world) == {})
        await taint(world, "n1")
        await world.until(complete(world, 1))


@pytest.mark.parametrize(
    ("limits", "least", "most"),
    [
        ({"maxUnavailable": 1}, 7, 8),
        ({"maxUnavailable": "40%"}, 4, 8),
        ({"maxUnavailable": 0, "maxSurge": 1}, 8, 9),
        ({"maxUnavailable": 0, "maxSurge": "50%"}, 8, 12),
    ],
)
def test_a_rolling_update_keeps_to_its_limits(
    worlds: Any, limits: Any, least: int, most: int
) -> None:
    """At most maxUnavailable nodes lose their pod, at most maxSurge have two, never more."""

    @virtual
    async def run() -> None:
        async with worlds.world() as world:
            world.start(DaemonSetController)
            await add_nodes(world, *(f"n{number}" for number in range(8)))
            await world.create(SETS, daemon_set(worlds, updateStrategy=rolling(**limits)))
            await world.until(complete(world, 8))
            seen: Counter[str] = Counter()

            def check(_event: Any) -> None:
                pods = [
                    pod
                    for pod in world.pods(app="agent")
                    if "deletionTimestamp" not in pod["metadata"]
                ]
                ready = {
                    pod["spec"].get("nodeName")
                    for pod in pods
                    if (pod.get("status") or {}).get("conditions")
                    and pod["status"]["phase"] == "Running"
                }
                assert len(ready) >= least
                assert len(pods) <= most
                seen["most"] = max(seen["most"], len(pods))

            watching = worlds.Watching(world.store, ["pods"], check)
            await world.patch(SETS, "agent", image("v2"))
            await world.until(complete(world, 8))
            watching.verify()
            assert seen["most"] == most, "the surge was not used"
            assert set(map(tuple, by_node(world).values())) == {("v2",)}
            numbers = sorted(one["revision"] for one in world.store.list(REVISIONS))
            assert numbers == [1, 2]

    run()


@virtual
async def test_old_pods_that_are_not_available_are_replaced_first(worlds: Any) -> None:
    """A rollback out of a broken revision goes at once, and restarts no pod that need not."""
    async with worlds.world() as world:
        world.works = lambda pod: pod["spec"]["containers"][0]["image"] != "bad"
        world.start(DaemonSetController)
        await add_nodes(world, "n1", "n2", "n3", "n4")
        await world.create(SETS, daemon_set(worlds))
        await world.until(complete(world, 4))
        await world.patch(SETS, "agent", image("bad"))
        await world.settle(10)
        assert images(world) == ["bad", "v1", "v1", "v1"]
        assert status(world)["numberUnavailable"] == 1
        sound = {pod["metadata"]["uid"] for pod in world.pods(app="agent") if runs(pod, "v1")}
        await world.patch(SETS, "agent", image("v1"))
        await world.until(complete(world, 4))
        assert len(sound) == 3
        assert sound < {pod["metadata"]["uid"] for pod in world.pods(app="agent")}
        assert sorted(one["revision"] for one in world.store.list(REVISIONS)) == [2, 3]


@virtual
async def test_on_delete_makes_new_pods_only_where_old_ones_were_deleted(worlds: Any) -> None:
    """New pods are created only when you manually delete old ones."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1", "n2")
        await world.create(SETS, daemon_set(worlds, updateStrategy={"type": "OnDelete"}))
        await world.until(complete(world, 2))
        await world.patch(SETS, "agent", image("v2"))
        await world.settle(5)
        assert by_node(world) == {"n1": ["v1"], "n2": ["v1"]}
        assert status(world).get("updatedNumberScheduled", 0) == 0
        (victim,) = (
            pod["metadata"]["name"]
            for pod in world.pods(app="agent")
            if pod["spec"]["nodeName"] == "n2"
        )
        await remove(world, "pods", victim)
        await world.until(lambda: by_node(world) == {"n1": ["v1"], "n2": ["v2"]})


@virtual
async def test_a_failed_pod_is_replaced_with_growing_delays(worlds: Any) -> None:
    """The controller kills failed pods, each time waiting longer, and says so."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1")
        await world.create(SETS, daemon_set(worlds))
        moments: list[float] = []

        def note(event: Any) -> None:
            if event.type == "ADDED":
                moments.append(world.system.clock.now())

        worlds.Watching(world.store, ["pods"], note)
        end = world.system.clock.now() + 40
        while world.system.clock.now() < end:
            for pod in world.pods(app="agent"):
                if (pod.get("status") or {}).get("phase") == "Running":
                    await world.store.modify(
                        "pods",
                        "default",
                        pod["metadata"]["name"],
                        lambda now: {**now, "status": {**now["status"], "phase": "Failed"}},
                        subresource="status",
                    )
            await world.settle(0.05)
        gaps = [round(late - early) for early, late in itertools.pairwise(moments)]
        assert gaps[:5] == [0, 1, 2, 4, 8], gaps
        message = world.recorded.messages("FailedDaemonPod")[0]
        assert message.startswith("Found failed daemon pod default/agent-")
        assert message.endswith(" on node n1, will try to kill it")


@virtual
async def test_min_ready_seconds_hold_up_an_update(worlds: Any) -> None:
    """A new pod has to be ready that long before the update goes on."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1", "n2")
        await world.create(SETS, daemon_set(worlds, minReadySeconds=20))
        await world.settle(10)
        assert status(world)["numberReady"] == 2
        assert status(world).get("numberAvailable", 0) == 0
        await world.until(complete(world, 2), 15)
        await world.patch(SETS, "agent", image("v2"))
        await world.settle(15)
        assert images(world) == ["v1", "v2"]
        await world.until(complete(world, 2), 60)


@virtual
async def test_pods_that_are_left_behind_are_adopted(worlds: Any) -> None:
    """With --cascade=orphan pods stay; a new DaemonSet with the same selector adopts them."""
    async with worlds.world() as world:
        world.start(DaemonSetController, GarbageCollector)
        await add_nodes(world, "n1", "n2")
        await world.create(SETS, daemon_set(worlds))
        await world.until(complete(world, 2))
        uids = {pod["metadata"]["uid"] for pod in world.pods(app="agent")}
        await remove(world, SETS, "agent", propagation_policy="Orphan")
        await world.until(lambda: world.store.get(SETS, "default", "agent") is None)
        made = await world.create(SETS, daemon_set(worlds))
        await world.until(complete(world, 2))
        assert {pod["metadata"]["uid"] for pod in world.pods(app="agent")} == uids
        for pod in world.pods(app="agent"):
            assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        stray = world.pods(app="agent")[0]["metadata"]["name"]
        await world.patch(
            "pods",
            stray,
            lambda obj: {**obj, "metadata": {**obj["metadata"], "labels": {"app": "other"}}},
        )
        await world.until(complete(world, 2))
        assert "ownerReferences" not in world.get("pods", stray)["metadata"]


@virtual
async def test_old_revisions_beyond_the_limit_are_removed(worlds: Any) -> None:
    """As many old revisions are kept as revisionHistoryLimit says, and those that pods have."""
    async with worlds.world() as world:
        world.start(DaemonSetController)
        await add_nodes(world, "n1")
        await world.create(SETS, daemon_set(worlds, revisionHistoryLimit=1))
        for version in ("v2", "v3", "v4"):
            await world.until(complete(world, 1))
            await world.patch(SETS, "agent", image(version))
            await world.until(lambda v=version: by_node(world) == {"n1": [v]})
        await world.until(complete(world, 1))
        assert sorted(one["revision"] for one in world.store.list(REVISIONS)) == [3, 4]


@pytest.mark.parametrize("step", range(1, 9))
def test_a_controller_that_fails_anywhere_leaves_one_pod_on_each_node(
    worlds: Any, step: int
) -> None:
    """Whenever it stops another one goes on, and no node ever has two pods that stay."""

    @virtual
    async def run() -> None:
        async with worlds.world() as world:
            await add_nodes(world, "n1", "n2", "n3")

            def check(_event: Any) -> None:
                for images in by_node(world).values():
                    assert len(images) == 1

            watching = worlds.Watching(world.store, ["pods"], check)
            world.start(DaemonSetController)
            await world.create(SETS, daemon_set(worlds))
            for turn in range(12):
                await world.settle(0.06 * step)
                if turn == 5:
                    await world.patch(SETS, "agent", image("v2"))
                if turn == 7:
                    await add_nodes(world, "n4")
                await world.restart(DaemonSetController)
            await world.until(complete(world, 4))
            watching.verify()

    run()
