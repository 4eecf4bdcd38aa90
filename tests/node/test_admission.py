"""Which pods a node takes.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.node.admission import Admissions, Offer, PodAmounts, amounts_of, refuses
from orchestrator.resources.host_ports import HostPort

NO_EXECUTE = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
NO_SCHEDULE = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
SHORT = "Node didn't have enough resource: "
AFFINITY = (
    "NodeAffinity",
    "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
)
TAINT = (
    "TaintToleration",
    "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
)
PORTS = (
    "NodePorts",
    "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
)
OS_FIELD = ("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
OS_LABEL = (
    "PodOSSelectorNodeLabelDoesNotMatch",
    "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
)
GPU = "example.com/gpu"


def requests(**amounts: str) -> dict[str, Any]:
    """A part of a container."""
    return {"resources": {"requests": amounts}}


def pod(name: str = "web", labels: Any = None, phase: str = "Pending", **spec: Any) -> Any:
    """A pod that somebody has just bound."""
    metadata = {"name": name, "namespace": "default", "uid": name, "labels": labels or {}}
    containers = spec.pop("containers", [{"name": "c"}])
    return {
        "metadata": metadata,
        "spec": {"containers": containers, **spec},
        "status": {"phase": phase},
    }


def offer(*taints: Any, **more: str) -> Offer:
    """A small node."""
    allocatable = {"cpu": "2", "memory": "1Gi", "pods": "3", **more}
    return Offer(
        {
            "metadata": {"name": "node-1", "labels": {"disk": "ssd"}},
            "spec": {"taints": list(taints)},
            "status": {"allocatable": allocatable},
        }
    )


@pytest.mark.parametrize(
    ("subject", "node", "used", "expected"),
    [
        (pod(), offer(), {}, None),
        (pod(containers=[requests(cpu="2")]), offer(), {}, None),
        (
            pod(containers=[requests(cpu="100m")]),
            offer(),
            {"cpu": 1901},
            ("OutOfcpu", SHORT + "cpu, requested: 100, used: 1901, capacity: 2000"),
        ),
        (
            pod(containers=[requests(memory="1Gi"), requests(memory="1")]),
            offer(),
            {},
            (
                "OutOfmemory",
                SHORT + "memory, requested: 1073741825, used: 0, capacity: 1073741824",
            ),
        ),
        (
            pod(containers=[requests(cpu="9", memory="9Gi")]),
            offer(),
            {"pods": 3},
            ("OutOfpods", SHORT + "pods, requested: 1, used: 3, capacity: 3"),
        ),
        (
            pod(containers=[requests(**{GPU: "2"})]),
            offer(**{GPU: "4"}),
            {GPU: 3},
            (f"OutOf{GPU}", SHORT + f"{GPU}, requested: 2, used: 3, capacity: 4"),
        ),
        (pod(containers=[requests(**{GPU: "2"})]), offer(), {}, None),
        # One that asks for nothing passes where more is taken than there is.
        (pod(), offer(), {"cpu": 5000}, None),
        (pod(nodeSelector={"disk": "ssd"}), offer(), {}, None),
        (pod(nodeSelector={"disk": "hdd"}), offer(), {}, AFFINITY),
        (pod(), offer(NO_EXECUTE), {}, TAINT),
        (pod(), offer(NO_SCHEDULE), {}, None),
        (
            pod(tolerations=[{"operator": "Exists", "tolerationSeconds": 5}]),
            offer(NO_EXECUTE),
            {},
            None,
        ),
        (pod(nodeSelector={"disk": "hdd"}), offer(NO_EXECUTE), {}, AFFINITY),
        (pod(os={"name": "windows"}), offer(), {}, OS_FIELD),
        (pod(os={"name": "linux"}), offer(), {}, None),
        (pod(labels={"kubernetes.io/os": "windows"}), offer(), {}, OS_LABEL),
    ],
)
def test_a_pod_that_does_not_fit_is_refused_with_upstreams_words(
    subject: Any, node: Offer, used: Any, expected: Any
) -> None:
    """The first reason in the kubelet's order is told."""
    assert refuses(subject, amounts_of(subject["spec"]), node, used) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, PORTS),
        ({"hostPort": 80}, {"hostPort": 81}, None),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, None),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, None),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "0.0.0.0"}, PORTS),
        ({"containerPort": 80}, {"containerPort": 80}, None),
    ],
)
def test_a_host_port_can_be_had_once_until_its_pod_is_over(
    first: Any, second: Any, expected: Any
) -> None:
    """By address and protocol, as the scheduler judges it; a sidecar's port counts as well."""
    taken, node = Admissions(PodAmounts()), offer()
    one = pod("a", containers=[{"ports": [first]}])
    assert taken.judge(one, node) is None
    sidecar = {"restartPolicy": "Always", "ports": [second]}
    assert taken.judge(pod("b", initContainers=[sidecar]), node) == expected
    taken.forget("b")
    taken.recount([one], node)
    assert taken.judge(pod("c", containers=[{"ports": [second]}]), node) == expected
    taken.forget("c")
    taken.note({**one, "status": {"phase": "Succeeded"}}, one)
    assert taken.judge(pod("d", containers=[{"ports": [second]}]), node) is None


def test_other_reasons_come_before_host_ports_and_taints_after_them() -> None:
    """The kubelet tells the first that it finds, in this order."""
    taken = [HostPort("TCP", "0.0.0.0", 80)]
    containers = [{"ports": [{"hostPort": 80}]}]
    subject = pod(containers=containers)
    assert refuses(subject, amounts_of(subject["spec"]), offer(NO_EXECUTE), {}, taken) == PORTS
    elsewhere = pod(containers=containers, nodeSelector={"disk": "hdd"})
    assert refuses(elsewhere, amounts_of(elsewhere["spec"]), offer(), {}, taken) == AFFINITY


def test_what_a_pod_takes_is_the_most_of_its_stages_with_overhead() -> None:
    """Init containers run beside the sidecars before them; CPU is rounded up to millicores."""
    sidecar = {"restartPolicy": "Always", **requests(cpu="100m")}
    spec = pod(
        containers=[requests(cpu="50m")],
        initContainers=[sidecar, requests(cpu="300m")],
        overhead={"cpu": "500u"},
    )["spec"]
    assert dict(amounts_of(spec)) == {"pods": 1, "cpu": 401}


def test_what_is_over_or_gone_makes_room_and_a_resize_takes_it() -> None:
    """Each pod is judged once, in the order in which they come."""
    taken, node = Admissions(PodAmounts()), offer()
    one, two, three = (pod(name, containers=[requests(cpu="1")]) for name in "abc")
    assert taken.judge(one, node) is None
    assert taken.judge(two, node) is None
    refused = taken.judge(three, node)
    assert refused is not None
    assert refused.reason == "OutOfcpu"
    taken.note({**one, "status": {"phase": "Succeeded"}}, one)
    assert taken.judge(three, node) is refused, "it stays refused"
    big = pod("b", containers=[requests(cpu="2")])
    taken.note(big, two)
    assert taken.judge(pod("d", containers=[requests(cpu="1m")]), node) is not None
    taken.forget("b")
    assert taken.judge(pod("e", containers=[requests(cpu="2")]), node) is None


def test_what_ran_before_is_counted_first_and_not_judged_again() -> None:
    """After a restart of the daemon; then the others by age."""
    taken, node = Admissions(PodAmounts()), offer()
    ran = pod("z", containers=[requests(cpu="3")])
    ran["status"]["podIP"] = "10.0.0.1"
    new = pod("a", containers=[requests(cpu="1")])
    taken.recount([new, ran, pod("o", phase="Failed", containers=[requests(cpu="1")])], node)
    assert taken.judge(ran, node) is None
    refused = taken.judge(new, node)
    assert refused is not None
    assert "used: 3000" in refused.message
    taken.recount([new], node)
    assert taken.judge(new, node) is refused


def test_a_pod_whose_containers_run_is_not_refused_though_nothing_was_written_of_it() -> None:
    """A daemon that is killed between a container's start and the status finds it running."""
    taken, node = Admissions(PodAmounts(), lambda uid: uid == "ran"), offer()
    ran = pod("ran", containers=[requests(cpu="1")], nodeSelector={"disk": "hdd"})
    taken.recount([pod("a", containers=[requests(cpu="2")]), ran], node)
    assert taken.judge(ran, node) is None
    refused = taken.judge(pod("a", containers=[requests(cpu="2")]), node)
    assert refused is not None
    assert "used: 1000" in refused.message


def test_a_pod_bound_by_hand_to_a_full_node_fails(clusters: Any, simulated: Any) -> None:
    """Phase, reason, message and Event are the kubelet's, and others go on; it can be deleted."""

    @virtual
    async def scenario() -> None:
        node = simulated_node(1, cpu="1", labels={"disk": "ssd"})
        async with clusters(simulated(), [node]) as cluster:
            await cluster.run("first", container=requests(cpu="900m"))
            await cluster.run("second", container=requests(cpu="200m"))
            await cluster.run("third", nodeSelector={"disk": "hdd"})
            await cluster.run("fourth", container=requests(cpu="100m"))
            await cluster.until_running("first")
            await cluster.until_running("fourth")
            for name in ("second", "third"):
                await cluster.until(lambda name=name: cluster.pod(name)["status"].get("reason"))
            status = cluster.pod("second")["status"]
            text = SHORT + "cpu, requested: 200, used: 900, capacity: 1000"
            assert (status["phase"], status["reason"]) == ("Failed", "OutOfcpu")
            assert status["message"] == f"Pod was rejected: {text}"
            assert "podIP" not in status
            assert "containerStatuses" not in status
            assert cluster.events.messages("second", "OutOfcpu") == [text]
            assert cluster.pod("third")["status"]["reason"] == "NodeAffinity"
            await cluster.store.delete("pods", "default", "first")
            await cluster.store.delete("pods", "default", "second")
            await cluster.until_gone("first")
            await cluster.until_gone("second")
            await cluster.run("second", container=requests(cpu="900m"))
            await cluster.until_running("second")

    scenario()


async def test_a_process_is_not_begun_for_a_pod_that_does_not_fit(processes: Any) -> None:
    """A node of processes looks as well."""
    await processes.run("big", "sleep", "300", container=requests(cpu="100000"))
    await processes.until(lambda: processes.pod("big")["status"].get("phase") == "Failed")
    assert processes.pod("big")["status"]["reason"] == "OutOfcpu"
    assert processes.status("big") == {}
    assert processes.events.reasons("big") == ["OutOfcpu"]
