"""Nodes that stop reporting, with a real store and virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from actors import Actor, RealClock
from actors.testing import virtual
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.nodes import (
    NodeLifecycleController,
    PodCollector,
    TaintEvictionController,
)
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.timestamps import format_micro, format_time

LEASES = "leases.coordination.k8s.io"
TOLERATIONS = [
    {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
]


class Beating(Actor[str]):
    """Renews the Leases of living nodes, and reports those ready that came back."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def started(self) -> None:
        self.context.every(10.0, "beat")

    async def receive(self, message: Any) -> None:
        for name in self.world.nodes:
            if name not in self.world.dead and self.world.store.get("nodes", "", name):
                await beat(self.world, name)


async def beat(world: Any, name: str) -> None:
    """Renew a Lease, as a kubelet does."""
    now = world.system.clock.now()
    spec = {"holderIdentity": name, "renewTime": format_micro(now)}
    if world.store.get(LEASES, "kube-node-lease", name) is None:
        metadata = {"name": name, "namespace": "kube-node-lease"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        await world.create(LEASES, {**lease, "spec": spec}, "kube-node-lease")
    else:
        await world.patch(LEASES, name, lambda old: {**old, "spec": spec}, "kube-node-lease")
    if not is_ready(world, name):
        await report(world, name)


async def report(world: Any, name: str) -> None:
    """Report a node ready, as a kubelet does."""
    moment = format_time(world.system.clock.now())
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": moment}
    await world.store.modify(
        "nodes",
        "",
        name,
        lambda node: {**node, "status": {"conditions": [ready]}},
        subresource="status",
        admit=False,
    )


def is_ready(world: Any, name: str) -> bool:
    """Tell whether a node is ready."""
    return is_condition_true(world.get("nodes", name, ""), "Ready")


def taints(world: Any, name: str) -> Any:
    """Return the taints as pairs that compare well."""
    found = world.get("nodes", name, "").get("spec", {}).get("taints") or []
    return sorted((taint["key"].rpartition("/")[2], taint["effect"]) for taint in found)


async def cluster(world: Any, *controllers: Any) -> None:
    """Start nodes and what watches them."""
    for name in world.nodes:
        await world.create(
            "nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}, ""
        )
        await beat(world, name)
    world.start(NodeLifecycleController, TaintEvictionController, PodCollector, *controllers)
    world.system.spawn(lambda: Beating(world), "beating")


@virtual
async def test_a_silent_node_is_marked_and_tainted_and_comes_back(worlds: Any) -> None:
    """Ready becomes Unknown after the grace period; the taints go when the node reports again."""
    async with worlds.world() as world:
        await cluster(world)
        await world.settle(30)
        assert all(is_ready(world, name) for name in world.nodes)
        assert sorted(world.recorded.messages("RegisteredNode")) == [
            f"Node {name} event: Registered Node {name} in Controller"
            for name in sorted(world.nodes)
        ]
        world.dead.add("n1")
        await world.settle(40)
        assert is_ready(world, "n1")
        await world.settle(30)
        condition = worlds.condition(world.get("nodes", "n1", ""), "Ready")
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "Unknown",
            "NodeStatusUnknown",
            "Kubelet stopped posting node status.",
        )
        assert taints(world, "n1") == [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]
        assert world.recorded.messages("NodeNotReady") == ["Node n1 status is now: NodeNotReady"]
        assert taints(world, "n2") == []
        world.dead.clear()
        await world.settle(30)
        assert is_ready(world, "n1")
        assert taints(world, "n1") == []


@virtual
async def test_pods_of_a_dead_node_move_after_their_toleration(worlds: Any) -> None:
    """They are not ready at once, stay for tolerationSeconds, and are then replaced elsewhere."""
    async with worlds.world() as world:
        await cluster(world, DeploymentController, ReplicaSetController)
        deployment = worlds.deployment(replicas=6)
        deployment["spec"]["template"]["spec"]["tolerations"] = TOLERATIONS
        await world.create("deployments.apps", deployment)
        await world.settle(20)
        on_dead = [p for p in world.pods(app="web") if p["spec"]["nodeName"] == "n1"]
        assert on_dead
        world.dead.add("n1")
        await world.settle(70)
        for pod in on_dead:
            current = world.get("pods", pod["metadata"]["name"])
            assert worlds.condition(current, "Ready")["status"] == "False"
            assert "deletionTimestamp" not in current["metadata"]
        await world.settle(260)
        assert not world.recorded.messages("Scaled up")
        assert not world.recorded.messages("TaintManagerEviction")
        await world.settle(40)
        name = on_dead[0]["metadata"]["name"]
        message = f"Marking for deletion Pod default/{name}"
        assert message in world.recorded.messages("TaintManagerEviction")
        condition = worlds.condition(world.get("pods", name), "DisruptionTarget")
        assert condition["reason"] == "DeletionByTaintManager"
        alive = [p for p in world.pods(app="web") if "deletionTimestamp" not in p["metadata"]]
        assert len(alive) == 6
        assert all(pod["spec"]["nodeName"] != "n1" for pod in alive)


@virtual
async def test_a_node_that_returns_in_time_keeps_its_pods(worlds: Any) -> None:
    """The deletion that was planned is cancelled."""
    async with worlds.world() as world:
        await cluster(world, DeploymentController, ReplicaSetController)
        deployment = worlds.deployment(replicas=6)
        deployment["spec"]["template"]["spec"]["tolerations"] = TOLERATIONS
        await world.create("deployments.apps", deployment)
        await world.settle(20)
        before = {pod["metadata"]["name"] for pod in world.pods(app="web")}
        world.dead.add("n1")
        await world.settle(200)
        world.dead.clear()
        await world.settle(400)
        assert {pod["metadata"]["name"] for pod in world.pods(app="web")} == before
        assert world.recorded.messages("TaintManagerEviction")[0].startswith("Cancelling deletion")


@virtual
async def test_a_pod_without_toleration_is_evicted_at_once(worlds: Any) -> None:
    """A NoExecute taint of a user removes what does not tolerate it."""
    async with worlds.world() as world:
        await cluster(world, DeploymentController, ReplicaSetController)
        await world.create("deployments.apps", worlds.deployment(replicas=6))
        await world.settle(20)
        taint = {"key": "maintenance", "value": "now", "effect": "NoExecute"}
        world.nodes = ["n2", "n3"]
        await world.store.modify(
            "nodes", "", "n1", lambda n: {**n, "spec": {**n.get("spec", {}), "taints": [taint]}}
        )
        await world.settle(10)
        pods = world.pods(app="web")
        assert len(pods) == 6
        assert all(pod["spec"]["nodeName"] != "n1" for pod in pods)


@virtual
async def test_when_every_node_is_silent_nothing_is_evicted(worlds: Any) -> None:
    """It is rather the network of this process that is down."""
    async with worlds.world() as world:
        await cluster(world)
        await world.settle(30)
        world.dead.update(world.nodes)
        await world.settle(120)
        for name in world.nodes:
            assert not is_ready(world, name)
            assert taints(world, name) == [("unreachable", "NoSchedule")]


@virtual
async def test_cordoning_taints_the_node(worlds: Any) -> None:
    """spec.unschedulable shows as a taint, and goes with it."""
    async with worlds.world() as world:
        await cluster(world)
        await world.store.modify(
            "nodes", "", "n1", lambda n: {**n, "spec": {**n.get("spec", {}), "unschedulable": True}}
        )
        await world.settle()
        assert taints(world, "n1") == [("unschedulable", "NoSchedule")]
        await world.store.modify(
            "nodes",
            "",
            "n1",
            lambda n: {**n, "spec": {**n.get("spec", {}), "unschedulable": False}},
        )
        await world.settle()
        assert taints(world, "n1") == []


@virtual
async def test_computed_heartbeats_count_like_leases(worlds: Any) -> None:
    """A node without Lease lives as long as the hook says so."""
    async with worlds.world() as world:
        last: dict[str, Any] = {}
        config = ControllerConfig(
            node_monitor_grace_period=4.0, node_monitor_period=1.0, heartbeat=last.get
        )
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "sim"}}
        await world.create("nodes", node, "")
        await report(world, "sim")
        world.system.spawn(
            lambda: NodeLifecycleController(world.store, world.recorded, config), "nodes"
        )
        for _ in range(20):
            last["sim"] = world.system.clock.now()
            await world.settle(1)
            assert is_ready(world, "sim")
        await world.settle(7)
        assert not is_ready(world, "sim")


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_clock_that_is_set_makes_no_node_unready(
    worlds: Any, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Nor does a pause of the whole daemon; nodes that die later are found as soon as ever."""

    @virtual
    async def scenario() -> None:
        async with worlds.world() as world:
            await cluster(world)
            await world.settle(30)
            right = RealClock.now
            monkeypatch.setattr(RealClock, "now", lambda clock: right(clock) + seconds)
            for _ in range(60):
                await world.settle(1)
                assert all(is_ready(world, name) for name in world.nodes)
            world.dead.add("n1")
            await world.settle(70)
            assert not is_ready(world, "n1")

    scenario()


@virtual
async def test_pods_of_a_removed_node_are_removed(worlds: Any) -> None:
    """After the quarantine, without waiting for a kubelet that will not answer."""
    async with worlds.world() as world:
        await cluster(world, DeploymentController, ReplicaSetController)
        await world.create("deployments.apps", worlds.deployment(replicas=6))
        await world.settle(20)
        world.dead.add("n1")
        world.nodes = ["n2", "n3"]
        await world.store.delete("nodes", "", "n1")
        await world.settle(1)
        assert world.recorded.messages("RemovingNode") == [
            "Node n1 event: Removing Node n1 from Controller"
        ]
        await world.settle(30)
        assert any(pod["spec"]["nodeName"] == "n1" for pod in world.pods())
        await world.settle(30)
        pods = world.pods(app="web")
        assert len(pods) == 6
        assert all(pod["spec"]["nodeName"] != "n1" for pod in pods)


@virtual
async def test_nodes_that_die_together_are_emptied_one_after_another(worlds: Any) -> None:
    """All are kept free of new pods at once; the taint that evicts comes every ten seconds."""
    async with worlds.world(nodes=[f"n{at}" for at in range(6)]) as world:
        await cluster(world)
        await world.settle(30)
        added: dict[tuple[str, str], Any] = {}

        def check(event: Any) -> None:
            for taint in (event.object.get("spec") or {}).get("taints") or ():
                moment = world.system.clock.now()
                added.setdefault((event.key.name, taint["effect"]), moment)

        watching = worlds.Watching(world.store, ["nodes"], check)
        world.dead.update({"n0", "n1"})
        await world.settle(120)
        watching.verify()
        scheduling = [added[name, "NoSchedule"] for name in ("n0", "n1")]
        evicting = sorted(added[name, "NoExecute"] for name in ("n0", "n1"))
        assert scheduling[1] - scheduling[0] < 1
        assert 10 <= evicting[1] - evicting[0] < 16


@virtual
async def test_an_out_of_service_node_lets_go_of_its_terminating_pods(worlds: Any) -> None:
    """Somebody vouched that the node is down: its pods need not be waited for."""
    async with worlds.world() as world:
        await cluster(world, DeploymentController, ReplicaSetController)
        await world.create("deployments.apps", worlds.deployment(replicas=6))
        await world.settle(20)
        world.dead.add("n1")
        await world.settle(400)
        stuck = [p for p in world.pods() if "deletionTimestamp" in p["metadata"]]
        assert stuck
        taint = {
            "key": "node.kubernetes.io/out-of-service",
            "value": "nodeshutdown",
            "effect": "NoExecute",
        }
        await world.store.modify(
            "nodes",
            "",
            "n1",
            lambda n: {**n, "spec": {**n["spec"], "taints": [*n["spec"]["taints"], taint]}},
        )
        await world.settle(30)
        assert all(pod["spec"]["nodeName"] != "n1" for pod in world.pods())
