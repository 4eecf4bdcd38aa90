"""Nodes that die, come back, are cut off, drained and tainted.

Documented behaviour: https://kubernetes.io/docs/concepts/architecture/nodes/,
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ and
https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/.
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Cluster
from orchestrator.embedded import ClusterError, DrainError, WaitTimeoutError
from orchestrator.embedded.nodes.taints import parse_taint, with_taint, without_taint
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from tests.embedded.kit import deployment, on_a_real_loop

UNREACHABLE = "node.kubernetes.io/unreachable"


def taints(cluster: Cluster, name: str) -> set[tuple[str, str]]:
    """Return a node's taints, keys and effects."""
    found = cluster.nodes[name].object["spec"].get("taints") or ()
    return {(taint["key"], taint["effect"]) for taint in found}


async def until_lost(cluster: Cluster, name: str) -> None:
    """Wait until the cluster has noticed that a node is gone."""
    await cluster.wait(f"node/{name}", "Ready=Unknown", timeout=120)
    await cluster.clock.advance_until(
        lambda: (UNREACHABLE, "NoExecute") in taints(cluster, name), minutes=2
    )


def alone(name: str, node: str, **spec: Any) -> Object:
    """Build a pod of no controller, on a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "web:1"}], **spec},
    }


@on_a_real_loop
async def test_nodes_are_found_by_name() -> None:
    """A mapping, in the order of their numbers; who asks for another is told which there are."""
    async with Cluster(nodes=11, listen=None) as cluster:
        nodes = cluster.nodes
        assert list(nodes) == [f"node-{number}" for number in range(1, 12)]
        assert len(nodes) == 11
        assert "node-3" in nodes
        assert nodes.get("node-12") is None
        with pytest.raises(KeyError, match=r"no node 'nope': there are node-1, .*node-11"):
            nodes["nope"]
        assert nodes["node-1"].ready
        assert repr(nodes["node-1"]) == "<node node-1: running>"
        assert "node-2 running" in repr(nodes)


@on_a_real_loop
async def test_a_crashed_nodes_pods_are_evicted_after_five_minutes_and_replaced() -> None:
    """Unknown after the grace, tainted, and its pods deleted after their tolerationSeconds."""
    async with Cluster(nodes=2, listen=None) as cluster:
        await cluster.apply(deployment(replicas=2))
        await cluster.wait("deployment/web", "Available")
        node = cluster.nodes["node-1"]
        (lost,) = node.pods
        await node.crash()
        died = cluster.clock.now()
        assert repr(node) == "<node node-1: crashed>"  # nobody has noticed
        await until_lost(cluster, "node-1")
        assert 50 <= cluster.clock.now() - died < 62
        assert repr(node) == "<node node-1: crashed, not ready>"
        await cluster.clock.advance(290)
        assert "deletionTimestamp" not in node.pods[0]["metadata"]
        await cluster.clock.advance(20)
        (found,) = node.pods
        assert found["metadata"]["uid"] == lost["metadata"]["uid"]
        assert "deletionTimestamp" in found["metadata"]  # nobody confirms it
        assert len(cluster.nodes["node-2"].pods) == 2
        await node.recover()
        assert node.pods == []
        assert node.ready
        await cluster.clock.advance(10)
        assert taints(cluster, "node-1") == set()


@on_a_real_loop
async def test_containers_of_a_node_that_rebooted_restart() -> None:
    """By their restart policy: the power came back before anybody noticed."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply([alone("lasting", "node-1")])
        await cluster.apply([alone("once", "node-1", restartPolicy="Never")])
        await cluster.wait("pods/lasting", "Ready")
        await cluster.nodes["node-1"].crash()
        await cluster.clock.advance(20)
        await cluster.nodes["node-1"].recover()
        lasting = await cluster.wait("pods/lasting", "Ready", timeout=60)
        assert lasting is not None
        (status,) = lasting["status"]["containerStatuses"]
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["exitCode"] == 137
        assert (await cluster.api.get("pods", "once"))["status"]["phase"] == "Failed"


@on_a_real_loop
async def test_containers_of_a_node_that_is_cut_off_go_on_and_it_catches_up() -> None:
    """Deletions are not seen, statuses do not arrive; both do when it is back."""
    async with Cluster(nodes=2, listen=None) as cluster:
        kept = alone("kept", "node-1")
        crashing = alone("crashing", "node-1")
        crashing["metadata"]["annotations"] = {"simulation.orchestrator/run-seconds": "100"}
        await cluster.apply([deployment(replicas=6), kept, crashing])
        await cluster.wait("deployment/web", "Available")
        await cluster.wait("pods/crashing", "Ready")
        node = cluster.nodes["node-1"]
        uids = {pod["metadata"]["uid"] for pod in node.pods}
        await node.partition()
        assert (node.state, node.ready) == ("partitioned", True)
        await until_lost(cluster, "node-1")
        assert all(
            condition["status"] == "False"
            for pod in node.pods
            for condition in pod["status"]["conditions"]
            if condition["type"] == "Ready"
        )
        await cluster.api.delete("pods", "kept")
        await cluster.clock.advance(60)
        present = await cluster.api.get("pods", "crashing")
        assert present["status"]["containerStatuses"][0]["restartCount"] == 0
        assert "deletionTimestamp" in (await cluster.api.get("pods", "kept"))["metadata"]
        assert {pod["metadata"]["uid"] for pod in node.pods} == uids
        runtime: Any = cluster.core.nodes._runtimes["simulated"]
        assert all(any(record.exited is None for record in runtime.known(uid)) for uid in uids)
        events = len(await cluster.api.list("events"))
        await node.heal()
        await cluster.clock.advance(5)
        assert node.ready
        assert taints(cluster, "node-1") == set()
        assert await cluster.api.find("pods", "kept") is None
        found = await cluster.wait("pods/crashing", "Ready")
        assert found is not None
        assert found["status"]["containerStatuses"][0]["restartCount"] == 1
        assert len(await cluster.api.list("events")) > events
        ready = await cluster.wait("deployment/web", "Available")
        assert ready is not None
        assert ready["status"]["readyReplicas"] == 6
        assert {pod["metadata"]["uid"] for pod in node.pods} <= uids


@on_a_real_loop
async def test_pods_evicted_from_a_node_that_is_cut_off_run_on_until_it_is_back() -> None:
    """Two of one pod meanwhile, as upstream warns; a StatefulSet has one only."""
    async with Cluster(nodes=2, listen=None) as cluster:
        await cluster.apply(deployment(replicas=4))
        await cluster.wait("deployment/web", "Available")
        node = cluster.nodes["node-1"]
        uids = {pod["metadata"]["uid"] for pod in node.pods}
        assert uids
        await node.partition()
        await cluster.clock.advance(minutes=7)
        runtime: Any = cluster.core.nodes._runtimes["simulated"]
        assert all(runtime.known(uid)[0].exited is None for uid in uids)
        assert all("deletionTimestamp" in pod["metadata"] for pod in node.pods)
        assert len(cluster.nodes["node-2"].pods) == 4
        await node.heal()
        await cluster.clock.advance(35)
        assert node.pods == []
        assert not any(runtime.known(uid) for uid in uids)
        await node.heal()
        assert node.state == "running"


@on_a_real_loop
async def test_nobody_gets_into_pods_of_a_node_that_cannot_be_reached() -> None:
    """Logs and commands fail as where the API server cannot dial the kubelet."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(alone("one", "node-1"))
        await cluster.wait("pods/one", "Ready")
        node = cluster.nodes["node-1"]
        for lose, regain in ((node.partition, node.heal), (node.crash, node.recover)):
            await lose()
            with pytest.raises(StatusError) as caught:
                await cluster.api.exec("one", ["true"])
            assert (caught.value.code, caught.value.message) == (
                500,
                "error dialing backend: dial tcp 10.0.0.0:10250: i/o timeout",
            )
            with pytest.raises(StatusError) as caught:
                await cluster.api.logs("one")
            assert caught.value.message == (
                'Get "https://10.0.0.0:10250/containerLogs/default/one/main": '
                "dial tcp 10.0.0.0:10250: i/o timeout"
            )
            await regain()
            await cluster.wait("pods/one", "Ready", timeout=60)
            assert (await cluster.api.exec("one", ["true"])).exit_code == 0
            assert await cluster.api.logs("one") == ""


@on_a_real_loop
async def test_a_node_that_was_deleted_while_it_was_cut_off_registers_again() -> None:
    """And gets new pods."""
    async with Cluster(nodes=1, listen=None) as cluster:
        node = cluster.nodes["node-1"]
        await node.partition()
        await cluster.api.delete("nodes", "node-1")
        await cluster.clock.advance(30)
        assert cluster.store.get("nodes", "", "node-1") is None
        await cluster.apply(deployment())
        await node.heal()
        assert node.ready
        await cluster.wait("deployment/web", "Available")
        await node.partition()
        await node.crash()
        await node.recover()
        assert node.state == "running"


@on_a_real_loop
async def test_nodes_come_and_go() -> None:
    """A new one takes pods; one that is removed leaves nothing."""
    async with Cluster(nodes=1, listen=None, node_capacity={"cpu": "4"}) as cluster:
        node = await cluster.nodes.add(
            "node-9",
            capacity={"cpu": "8"},
            labels={"zone": "b"},
            taints=("dedicated=gpu:NoSchedule",),
        )
        assert node.ready
        assert node.object["status"]["capacity"]["cpu"] == "8"
        assert node.object["metadata"]["labels"]["zone"] == "b"
        assert taints(cluster, "node-9") == {("dedicated", "NoSchedule")}
        assert (await cluster.nodes.add()).name == "node-3"
        with pytest.raises(ClusterError, match="node 'Node_9': a lowercase RFC 1123 subdomain"):
            await cluster.nodes.add("Node_9")
        with pytest.raises(ClusterError, match="there is a node 'node-9' already"):
            await cluster.nodes.add("node-9")
        addresses = {
            one.object["status"]["addresses"][0]["address"] for one in cluster.nodes.values()
        }
        assert len(addresses) == 3
        await cluster.apply(alone("one", "node-9"))
        await cluster.wait("pods/one", "Ready")
        await node.remove()
        assert list(cluster.nodes) == ["node-1", "node-3"]
        await cluster.clock.advance(minutes=2)
        assert await cluster.api.find("pods", "one") is None
        await cluster.nodes["node-3"].crash()
        await cluster.nodes["node-3"].remove()
        assert list(cluster.nodes) == ["node-1"]


@on_a_real_loop
async def test_what_a_node_cannot_do_is_said() -> None:
    """With what to do first."""
    async with Cluster(nodes=1, listen=None) as cluster:
        node = cluster.nodes["node-1"]
        with pytest.raises(ClusterError, match="is running: crash\\(\\) it first"):
            await node.recover()
        await node.crash()
        for action in (node.crash, node.partition, node.heal):
            with pytest.raises(ClusterError, match="is crashed: recover\\(\\) it first"):
                await action()
        await cluster.api.create(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "theirs"}}
        )
        theirs = cluster.nodes["theirs"]
        assert theirs.state == "foreign"
        with pytest.raises(ClusterError, match="this program does not run it"):
            await theirs.crash()
        await theirs.remove()
        assert "theirs" not in cluster.nodes


@on_a_real_loop
async def test_cordons_and_taints_keep_pods_away() -> None:
    """As ``kubectl cordon`` and ``kubectl taint``."""
    async with Cluster(nodes=1, listen=None) as cluster:
        node = cluster.nodes["node-1"]
        await node.cordon()
        assert node.object["spec"]["unschedulable"]
        await cluster.apply(deployment(replicas=1))
        await cluster.clock.advance(5)
        assert node.pods == []
        await node.taint("dedicated", "gpu")
        await node.uncordon()
        await cluster.clock.advance(5)
        assert node.schedulable
        assert node.pods == []
        await node.taint("dedicated=tpu:NoSchedule")
        await node.taint("dedicated", effect="NoExecute")
        assert {t["key"]: t.get("value") for t in node.object["spec"]["taints"]} == {
            "dedicated": None
        }
        await node.untaint("dedicated=whatever:NoExecute")
        assert taints(cluster, "node-1") == {("dedicated", "NoSchedule")}
        with cluster.faults.api(verb="update", kind="node", error=409, times=2) as fault:
            await node.untaint("dedicated-")
        assert fault.hits == 2
        await cluster.wait("deployment/web", "Available")
        with pytest.raises(ClusterError, match='taint "dedicated" not found'):
            await node.untaint("dedicated")


def test_taints_are_read_as_kubectl_reads_them() -> None:
    """Key, value and effect; one of a key and an effect."""
    assert parse_taint("a=b:NoExecute") == ("a", "b", "NoExecute")
    assert parse_taint("example.com/a:NoSchedule") == ("example.com/a", "", "NoSchedule")
    for wrong in ("a", ":NoSchedule", "a=b:Never"):
        with pytest.raises(ValueError, match="invalid taint"):
            parse_taint(wrong)
    one, two = parse_taint("a=1:NoSchedule"), parse_taint("a:NoExecute")
    both = with_taint(with_taint([], one), two)
    assert with_taint(both, one) == [two.described(), one.described()]
    assert without_taint(both, "a") == []
    assert without_taint(both, "a:NoExecute") == [one.described()]
    assert without_taint(both, "b") == both


BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
}


@on_a_real_loop
async def test_a_drain_waits_for_budgets_in_the_clusters_time() -> None:
    """One pod after the other, as soon as its successor is ready elsewhere."""
    async with Cluster(nodes=2, listen=None) as cluster:
        slow = deployment(replicas=2)
        slow["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/start-seconds": "20"
        }
        await cluster.nodes["node-2"].cordon()
        await cluster.apply([slow, BUDGET])
        await cluster.wait("deployment/web", "Available")
        three = {"spec": {"replicas": 3}}
        await cluster.nodes["node-2"].uncordon()
        await cluster.api.patch("deployments", "web", three)
        await cluster.wait("deployment/web", "rollout", timeout=60)
        before = cluster.clock.now()
        node = cluster.nodes["node-1"]
        with cluster.faults.api(kind="pods/eviction", error=429, times=1) as fault:
            evicted = await node.drain(timeout=300)
        assert fault.hits == 1
        assert len(evicted) >= 2
        assert node.pods == []
        assert not node.schedulable
        assert 20 <= cluster.clock.now() - before <= 60
        await cluster.wait("deployment/web", "rollout", timeout=60)
        with pytest.raises(WaitTimeoutError) as caught:
            await cluster.nodes["node-2"].drain(timeout=60)
        assert "node-2 is not drained after 60 s of the cluster's time: default/web-" in str(
            caught.value
        )
        assert "Cannot evict pod as it would violate the pod's disruption budget." in str(
            caught.value
        )


@on_a_real_loop
async def test_a_drain_refuses_what_kubectl_refuses_until_it_is_told_otherwise() -> None:
    """Pods of DaemonSets, with local data, and of no controller."""
    async with Cluster(nodes=1, listen=None) as cluster:
        template = deployment()["spec"]["template"]
        await cluster.apply(
            [
                alone("alone", "node-1", terminationGracePeriodSeconds=0),
                alone("data", "node-1", volumes=[{"name": "data", "emptyDir": {}}]),
                {
                    "apiVersion": "apps/v1",
                    "kind": "DaemonSet",
                    "metadata": {"name": "agent"},
                    "spec": {
                        "selector": {"matchLabels": {"app": "web"}},
                        "template": template,
                    },
                },
            ]
        )
        await cluster.wait("daemonset/agent", "rollout")
        node = cluster.nodes["node-1"]
        with pytest.raises(DrainError) as caught:
            await node.drain()
        (agent,) = (p for p in node.pods if p["metadata"]["name"].startswith("agent"))
        assert str(caught.value) == (
            'unable to drain node "node-1" due to error: ['
            "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): "
            f"default/{agent['metadata']['name']}, "
            "cannot delete Pods that declare no controller (use --force to override): "
            "default/alone, "
            "cannot delete Pods with local storage (use --delete-emptydir-data to override): "
            "default/data]"
        )
        assert len(node.pods) == 3
        evicted = await node.drain(
            grace_seconds=1, ignore_daemonsets=True, delete_emptydir_data=True, force=True
        )
        assert [pod["metadata"]["name"] for pod in evicted] == ["alone", "data"]
        assert [pod["metadata"]["name"] for pod in node.pods] == [agent["metadata"]["name"]]
