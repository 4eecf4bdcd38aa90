"""Plugins, gangs and explanations in a whole cluster, simulated and in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.cluster import BareCluster, ClusterConfig, ClusterError
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object
from orchestrator.scheduler.explanations import ANSWER, ASK
from orchestrator.scheduler.extending import (
    ClusterEvent,
    Depends,
    NodeView,
    Plugin,
    PodView,
    Verdict,
    Wait,
    filter_plugin,
    permit_plugin,
)
from orchestrator.scheduler.gangs import GROUP_LABEL, MIN_MEMBER


@filter_plugin("OnlySecond", depends_on=Depends.NODE)
def only_second(pod: PodView, node: NodeView) -> Verdict:
    """Only the second node."""
    del pod
    return None if node.name == "node-2" else "node(s) were not the second"


def config(*plugins: type[Plugin], **more: Any) -> ClusterConfig:
    """A cluster of two nodes of 2 CPUs."""
    capacity = {"cpu": "2", "memory": "4Gi"}
    return ClusterConfig(
        runtime="simulated",
        nodes=2,
        seed=1,
        node_capacity=capacity,
        scheduler_plugins=plugins,
        **more,
    )


def with_gangs(**args: Any) -> dict[str, Any]:
    """A configuration that enables gangs."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [
            {
                "plugins": {"multiPoint": {"enabled": [{"name": "Coscheduling"}]}},
                "pluginConfig": [{"name": "Coscheduling", "args": args}],
            }
        ],
    }


def member(group: str, least: int) -> dict[str, Any]:
    """Return the metadata of a pod of a group."""
    return {"labels": {GROUP_LABEL: group}, "annotations": {MIN_MEMBER: str(least)}}


async def create(
    cluster: BareCluster, name: str, cpu: str = "1", scheduler: str = "", **metadata: Any
) -> None:
    """Create a pod."""
    container = {"name": "main", "image": "web", "resources": {"requests": {"cpu": cpu}}}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    if scheduler:
        pod["spec"]["schedulerName"] = scheduler
    await cluster.store.create(pod, resource="pods", namespace="default")


async def create_gang(cluster: BareCluster, name: str, size: int, least: int | None = None) -> None:
    """Create the pods of a group, which take a whole CPU each."""
    for number in range(size):
        await create(
            cluster,
            f"{name}-{number}",
            labels={GROUP_LABEL: name},
            annotations={MIN_MEMBER: str(least or size)},
        )


def get(cluster: BareCluster, name: str) -> Object:
    """Return a pod."""
    found = cluster.store.get("pods", "default", name)
    assert found is not None
    return found


def places(cluster: BareCluster) -> dict[str, str]:
    """Return the nodes of the pods that have one."""
    pods = cluster.store.list("pods")
    return {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in pods
        if pod["spec"].get("nodeName")
    }


def refusal(pod: Object) -> tuple[str, str]:
    """Return why a pod has no node: reason and message of its condition."""
    condition = find_condition(pod, "PodScheduled")
    assert condition is not None
    return condition["reason"], condition["message"]


@virtual
async def test_a_plugin_takes_part_in_a_cluster() -> None:
    """Given to the cluster it is enabled, unless a configuration says otherwise."""
    async with BareCluster(config(only_second)) as cluster:
        for number in range(3):
            await create(cluster, f"p{number}")
        await asyncio.sleep(1)
        assert places(cluster) == {"p0": "node-2", "p1": "node-2"}
        reason, message = refusal(get(cluster, "p2"))
        assert reason == "Unschedulable"
        assert message.startswith(
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were not the second."
        )
        await cluster.store.delete("pods", "default", "p0")
        await asyncio.sleep(5)
        assert places(cluster) == {"p1": "node-2", "p2": "node-2"}


@virtual
async def test_pods_of_one_class_are_asked_about_one_by_one() -> None:
    """By a plugin that looks at more than their class; here all in one pass."""

    @filter_plugin("Chosen")
    def chosen(pod: PodView, node: NodeView) -> Verdict:
        del node
        return None if pod.name in {"p1", "p3"} else f"{pod.name} is not chosen"

    async with BareCluster(config(chosen)) as cluster:
        await asyncio.gather(*(create(cluster, f"p{number}") for number in range(4)))
        await asyncio.sleep(1)
        assert places(cluster).keys() == {"p1", "p3"}
        assert "2 p0 is not chosen" in refusal(get(cluster, "p0"))[1]
        assert "2 p2 is not chosen" in refusal(get(cluster, "p2"))[1]


@virtual
async def test_a_plugin_that_fails_costs_a_pod_its_attempt_only() -> None:
    """The error is told, and the pod is tried again."""
    failing = True

    @filter_plugin("Fragile")
    def fragile(pod: PodView, node: NodeView) -> Verdict:
        if failing:
            raise RuntimeError(f"no answer about {pod.name} on {node.name}")
        return None

    async with BareCluster(config(fragile)) as cluster:
        await create(cluster, "p")
        await asyncio.sleep(0.5)
        reason, message = refusal(get(cluster, "p"))
        assert reason == "SchedulerError"
        assert message.startswith('running Filter plugin "Fragile": no answer about p on node-')
        failing = False
        await asyncio.sleep(20)
        assert "p" in places(cluster)


@virtual
async def test_a_hint_spares_a_pod_tries_in_vain() -> None:
    """It is asked about the events that the plugin declared, and no others."""
    asked: list[str] = []
    tried: list[str] = []

    class Ready(Plugin):
        depends_on = Depends.NODE
        events = ClusterEvent.NODE_LABELS

        def pre_filter(self, pod: PodView) -> Verdict:
            tried.append(pod.name)
            return None

        def filter(self, pod: PodView, node: NodeView) -> Verdict:
            del pod
            return None if "ready" in node.labels else "node(s) were not ready"

        def hint(self, pod: PodView, event: ClusterEvent, node: NodeView | None) -> bool:
            del pod
            assert node is not None
            asked.append(f"{event.name} {node.name}")
            return "ready" in node.labels

    async with BareCluster(config(Ready)) as cluster:
        await create(cluster, "p")
        await asyncio.sleep(1)
        tried.clear()
        await label(cluster, "node-1", "colour")
        await asyncio.sleep(20)
        assert asked == ["NODE_LABELS node-1"]
        assert tried == []
        await label(cluster, "node-2", "ready")
        await asyncio.sleep(20)
        assert asked[1:] == ["NODE_LABELS node-2"]
        assert places(cluster) == {"p": "node-2"}


async def label(cluster: BareCluster, name: str, key: str) -> None:
    """Label a node."""
    node = cluster.store.get("nodes", "", name)
    assert node is not None
    metadata = {**node["metadata"], "labels": {**node["metadata"]["labels"], key: "yes"}}
    await cluster.store.update({**node, "metadata": metadata}, resource="nodes", name=name)


@virtual
async def test_a_group_comes_up_whole_or_not_at_all() -> None:
    """Four CPUs: a group of three fits, a second one waits until the first is gone."""
    async with BareCluster(config(scheduler=with_gangs())) as cluster:
        await create_gang(cluster, "a", 3)
        await create_gang(cluster, "b", 3)
        await asyncio.sleep(30)
        placed = places(cluster)
        assert len(placed) == 3
        (first,) = {name[0] for name in placed}
        for number in range(3):
            await cluster.store.delete("pods", "default", f"{first}-{number}")
        await asyncio.sleep(30)
        (second,) = {name[0] for name in places(cluster)}
        assert second != first
        assert len(places(cluster)) == 3


@virtual
async def test_a_group_begins_when_its_last_pod_is_there() -> None:
    """The others wait without holding room."""
    async with BareCluster(config(scheduler=with_gangs())) as cluster:
        await create_gang(cluster, "a", 2, least=3)
        await asyncio.sleep(5)
        reason, message = refusal(get(cluster, "a-0"))
        assert reason == "Unschedulable"
        assert "cannot find enough sibling pods, current pods number: " in message
        for number in range(4):
            await create(cluster, f"single-{number}")
        await asyncio.sleep(5)
        assert len(places(cluster)) == 4
        for number in range(4):
            await cluster.store.delete("pods", "default", f"single-{number}")
        last = {"labels": {GROUP_LABEL: "a"}, "annotations": {MIN_MEMBER: "3"}}
        await create(cluster, "a-2", "1", "", **last)
        await asyncio.sleep(5)
        assert places(cluster).keys() == {"a-0", "a-1", "a-2"}


POD_GROUPS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "podgroups.scheduling.x-k8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/org"},
    },
    "spec": {
        "group": "scheduling.x-k8s.io",
        "scope": "Namespaced",
        "names": {"plural": "podgroups", "singular": "podgroup", "kind": "PodGroup"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@virtual
async def test_pod_groups_of_a_custom_kind_are_heeded() -> None:
    """As scheduler-plugins defines them."""
    async with BareCluster(config(scheduler=with_gangs())) as cluster:
        store = cluster.store
        await store.create(POD_GROUPS, resource="customresourcedefinitions.apiextensions.k8s.io")
        await asyncio.sleep(5)
        group = {
            "apiVersion": "scheduling.x-k8s.io/v1alpha1",
            "kind": "PodGroup",
            "metadata": {"name": "a"},
            "spec": {"minMember": 2},
        }
        await store.create(group, resource="podgroups.scheduling.x-k8s.io", namespace="default")
        await create(cluster, "a-0", "1", labels={GROUP_LABEL: "a"})
        await asyncio.sleep(5)
        assert places(cluster) == {}
        await create(cluster, "a-1", "1", labels={GROUP_LABEL: "a"})
        await asyncio.sleep(5)
        assert places(cluster).keys() == {"a-0", "a-1"}


@virtual
async def test_a_group_of_kubernetes_own_form_is_not_taken_for_single_pods() -> None:
    """Its kind is not served; what cannot be kept is not ignored."""
    async with BareCluster(config(scheduler=with_gangs())) as cluster:
        container = {"name": "main", "image": "web"}
        spec = {"workloadRef": {"name": "w", "podGroup": "g"}, "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        await cluster.store.create(pod, resource="pods", namespace="default")
        await asyncio.sleep(1)
        assert refusal(get(cluster, "p")) == (
            "Unschedulable",
            "not supported by this scheduler yet: spec.workloadRef",
        )


@virtual
async def test_many_groups_come_up_one_after_another() -> None:
    """Ten groups of two, room for two groups at a time, each gone when it is up."""
    async with BareCluster(config(scheduler=with_gangs())) as cluster:
        for number in range(10):
            await create_gang(cluster, f"g{number}", 2)
        through: set[str] = set()
        for _ in range(60):
            await asyncio.sleep(5)
            placed = places(cluster)
            groups = {name.partition("-")[0] for name in placed}
            assert len(placed) == 2 * len(groups), placed
            through |= groups
            for name in placed:
                await cluster.store.delete("pods", "default", name)
            if len(through) == 10:
                break
        assert len(through) == 10


class CrashError(Exception):
    """Something that went wrong elsewhere."""


@virtual
async def test_a_group_survives_a_scheduler_that_does_not() -> None:
    """What it held is void; its successor begins anew, and counts no room twice."""
    args = {"permitWaitingTimeSeconds": 600}
    async with BareCluster(config(scheduler=with_gangs(**args))) as cluster:
        await create(cluster, "elsewhere", scheduler="other", **member("a", 3))
        await create(cluster, "a-0", **member("a", 3))
        await create(cluster, "a-1", **member("a", 3))
        await asyncio.sleep(5)
        assert places(cluster) == {}  # two have a place, and wait for the one that never comes
        await create(cluster, "single", cpu="2")
        await asyncio.sleep(5)
        assert "single" not in places(cluster)
        await cluster.store.delete("pods", "default", "single")
        cell = cluster.system.guardian.rare().children["scheduler"]
        first = cell.actor
        lifecycle.fail(cell, CrashError())
        await asyncio.sleep(30)
        assert cell.actor is not first
        await create(cluster, "a-2", **member("a", 3))
        await asyncio.sleep(30)
        assert places(cluster).keys() == {"a-0", "a-1", "a-2"}


@virtual
async def test_a_permit_that_times_out_frees_the_place() -> None:
    """With upstream's message, and another try afterwards."""
    permitted: list[str] = []

    @permit_plugin("Slow")
    def slow(pod: PodView, node: NodeView) -> Verdict | Wait:
        del node
        return None if pod.name in permitted else Wait(20)

    async with BareCluster(config(slow)) as cluster:
        await create(cluster, "p")
        await asyncio.sleep(19)
        assert places(cluster) == {}
        await asyncio.sleep(2)
        message = "rejected due to timeout after waiting 20s at plugin Slow"
        assert refusal(get(cluster, "p")) == (
            "Unschedulable",
            f"0/1 nodes are available: 1 {message}.",
        )
        permitted.append("p")
        await asyncio.sleep(60)
        assert "p" in places(cluster)


@virtual
async def test_a_pod_that_is_deleted_while_it_waits_gives_its_place_back() -> None:
    """And the plugin hears of it."""
    heard: list[str] = []

    class Holds(Plugin):
        def reserve(self, pod: PodView, node: NodeView) -> Verdict:
            heard.append(f"{pod.name} on {node.name}")
            return None

        def unreserve(self, pod: PodView, node: NodeView | None) -> None:
            del node
            heard.append(f"not {pod.name}")

        def permit(self, pod: PodView, node: NodeView) -> Verdict | Wait:
            del node
            return Wait(600) if pod.name == "big" else None

        def post_bind(self, pod: PodView, node: NodeView) -> None:
            del node
            heard.append(f"bound {pod.name}")

    nodes: Mapping[str, Any] = {"nodes": 1}
    settings = ClusterConfig(
        runtime="simulated",
        seed=1,
        node_capacity={"cpu": "2"},
        scheduler_plugins=[Holds],
        **nodes,
    )
    async with BareCluster(settings) as cluster:
        await create(cluster, "big", cpu="2")
        await asyncio.sleep(1)
        await create(cluster, "small")
        await asyncio.sleep(1)
        assert places(cluster) == {}
        await cluster.store.delete("pods", "default", "big")
        await asyncio.sleep(5)
        assert places(cluster) == {"small": "node-1"}
        assert heard == ["big on node-1", "not big", "small on node-1", "bound small"]


@virtual
async def test_a_pod_that_asks_is_told_why() -> None:
    """Bound or not, at its next attempt."""
    async with BareCluster(config()) as cluster:
        await create(cluster, "fits", annotations={ASK: "true"})
        await create(cluster, "big", cpu="3", annotations={ASK: "true"})
        await create(cluster, "late", cpu="3")
        await create(cluster, "quiet")
        await asyncio.sleep(2)
        told = json.loads(get(cluster, "fits")["metadata"]["annotations"][ANSWER])
        assert get(cluster, "fits")["spec"]["nodeName"] in told["best"]
        assert [one["feasible"] for one in told["nodes"]] == [True, True]
        told = json.loads(get(cluster, "big")["metadata"]["annotations"][ANSWER])
        assert told["message"].startswith("0/2 nodes are available: 2 Insufficient cpu.")
        assert told["nodes"][0]["rejections"][0]["plugin"] == "NodeResourcesFit"
        assert ANSWER not in get(cluster, "quiet")["metadata"].get("annotations", {})
        assert ANSWER not in get(cluster, "late")["metadata"].get("annotations", {})
        late = get(cluster, "late")
        asking = {**late, "metadata": {**late["metadata"], "annotations": {ASK: "true"}}}
        await cluster.store.update(asking, resource="pods", namespace="default", name="late")
        await asyncio.sleep(2)
        assert ANSWER in get(cluster, "late")["metadata"]["annotations"]


@virtual
async def test_what_is_wrong_with_plugins_is_told_at_the_start() -> None:
    """As what cannot be started, by name."""
    for settings, message in (
        (config(scheduler=with_gangs(permitWaitingTimeSeconds=-1)), "permitWaitingTimeSeconds"),
        (config(only_second, only_second), "two scheduler plugins are called OnlySecond"),
    ):
        cluster = BareCluster(settings)
        with pytest.raises(ClusterError, match=message):
            await cluster.start()
