"""Which objects a failed test's report shows, and which of them come first."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.objects import Object
from orchestrator.testing.wellness import is_of_interest, is_unwell


def of(kind: str, status: Any = None, **more: Any) -> Object:
    """Build an object with a status."""
    return {"kind": kind, "metadata": {"name": "x", "namespace": "d"}, "status": status, **more}


def conditions(**states: str) -> dict[str, Any]:
    """Build a status with conditions."""
    return {"conditions": [{"type": name, "status": value} for name, value in states.items()]}


@pytest.mark.parametrize(
    ("obj", "unwell"),
    [
        (of("Pod", conditions(Ready="True")), False),
        (of("Pod", conditions(Ready="False")), True),
        (of("Pod"), True),
        (of("Pod", {"phase": "Succeeded", **conditions(Ready="False")}), False),
        (of("Pod", {"phase": "Failed"}), True),
        (of("Deployment", {"readyReplicas": 2}, spec={"replicas": 2}), False),
        (of("Deployment", {}, spec={"replicas": 2}), True),
        (of("StatefulSet", {"readyReplicas": 1}, spec={"replicas": 2}), True),
        (of("ReplicaSet", {}, spec={"replicas": 0}), False),
        (of("DaemonSet", {"desiredNumberScheduled": 2, "numberReady": 1}), True),
        (of("DaemonSet", {"desiredNumberScheduled": 2, "numberReady": 2}), False),
        (of("Job", conditions(Complete="True")), False),
        (of("Job", conditions(Failed="True")), True),
        (of("Node", conditions(Ready="True"), spec={}), False),
        (of("Node", conditions(Ready="True"), spec={"unschedulable": True}), True),
        (of("PersistentVolumeClaim", {"phase": "Pending"}), True),
        (of("PersistentVolumeClaim", {"phase": "Bound"}), False),
        (of("Namespace", {"phase": "Terminating"}), True),
        (of("Node", conditions(Ready="Unknown")), True),
        (of("Node", conditions(Ready="True", MemoryPressure="False")), False),
        (of("Widget", conditions(Available="False")), True),
        (of("ConfigMap"), False),
        ({"kind": "ConfigMap", "metadata": {"name": "x", "deletionTimestamp": "now"}}, True),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else str(value),
)
def test_what_is_not_as_it_should_be_is_told_from_its_status(obj: Object, unwell: bool) -> None:
    """By what each kind says of itself."""
    assert is_unwell(obj) is unwell


@pytest.mark.parametrize(
    ("resource", "metadata", "shown"),
    [
        ("pods", {"name": "a", "namespace": "default"}, True),
        ("pods", {"name": "a", "namespace": "kube-system"}, False),
        ("configmaps", {"name": "kube-root-ca.crt", "namespace": "default"}, False),
        ("configmaps", {"name": "mine", "namespace": "default"}, True),
        ("services", {"name": "kubernetes", "namespace": "default"}, False),
        ("namespaces", {"name": "team"}, True),
        ("namespaces", {"name": "default"}, False),
        ("leases.coordination.k8s.io", {"name": "a", "namespace": "default"}, False),
        ("clusterroles.rbac.authorization.k8s.io", {"name": "system:x"}, False),
        ("clusterroles.rbac.authorization.k8s.io", {"name": "mine"}, True),
        (
            "clusterroles.rbac.authorization.k8s.io",
            {"name": "admin", "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
            False,
        ),
    ],
)
def test_what_every_cluster_has_is_left_out(
    resource: str, metadata: dict[str, Any], shown: bool
) -> None:
    """So that a reader finds the test's own."""
    assert is_of_interest(resource, {"metadata": metadata}) is shown


@pytest.mark.parametrize(
    ("kind", "type_"), [("Node", "Normal"), ("Node", "Warning"), ("Pod", "Normal")]
)
def test_events_of_nodes_are_shown_when_they_warn(kind: str, type_: str) -> None:
    """Each start of a node has some that say nothing."""
    event = {"metadata": {"name": "e"}, "type": type_, "involvedObject": {"kind": kind}}
    assert is_of_interest("events", event) is (kind != "Node" or type_ == "Warning")
