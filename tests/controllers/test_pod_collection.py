"""Which pods the pod garbage collector removes, and what it says about them first.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.nodes import decide_pod_collection
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0
GONE = {"n2": NOW - 100}


def pod(name: str = "p", phase: str = "Running", *, going: bool = False, **more: Any) -> Any:
    """Build a pod."""
    metadata = {"name": name, "namespace": "default", "creationTimestamp": format_time(NOW)}
    if going:
        metadata["deletionTimestamp"] = format_time(NOW)
    status = {"phase": phase, **more.pop("status", {})}
    return {"metadata": metadata, "spec": more, "status": status}


def node(*, ready: bool, out: bool) -> Any:
    """Build a node."""
    taints = [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}] if out else []
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    return {
        "metadata": {"name": "n1"},
        "spec": {"taints": taints},
        "status": {"conditions": conditions},
    }


WELL = node(ready=True, out=False)
AWAY = node(ready=False, out=False)
OUT = node(ready=False, out=True)


@pytest.mark.parametrize(
    ("found", "at", "phase", "message"),
    [
        (pod(nodeName="n2"), WELL, "Failed", "PodGC: node no longer exists"),
        (pod(nodeName="n2", going=True), WELL, "Failed", "PodGC: node no longer exists"),
        (pod(phase="Succeeded", nodeName="n2"), WELL, "kept", ""),
        (pod(going=True), WELL, "Failed", ""),
        (pod(nodeName="n1", going=True), OUT, "Failed", ""),
        (pod(nodeName="n1", going=True), AWAY, None, ""),
        (pod(nodeName="n1"), OUT, None, ""),
        (pod(nodeName="n1", going=True), node(ready=True, out=True), None, ""),
        (pod(), WELL, None, ""),
        (pod(nodeName="n1"), WELL, None, ""),
    ],
    ids=[
        "orphaned",
        "orphaned and going",
        "orphaned and finished",
        "never scheduled, going",
        "going on an out-of-service node",
        "going on a silent node",
        "on an out-of-service node",
        "going on an out-of-service node that is ready",
        "waiting",
        "running",
    ],
)
def test_pods_that_nobody_will_finish_are_failed_and_removed(
    found: Any, at: Any, phase: str | None, message: str
) -> None:
    """Only one whose node no longer exists is a disruption's target."""
    plan = decide_pod_collection([found], {"n1": at}, GONE, NOW, ControllerConfig())
    assert [(item.object is found, item.grace) for item in plan.delete] == (
        [(True, 0)] if phase else []
    )
    written = [item.new for item in plan.update]
    assert [new["status"]["phase"] for new in written] == (["Failed"] if phase == "Failed" else [])
    for new in written:
        condition = find_condition(new, "DisruptionTarget") or {}
        assert condition.get("message", "") == message
        assert condition.get("reason", "") == ("DeletionByPodGC" if message else "")


def test_a_missing_node_is_waited_for() -> None:
    """It may only be slow to register: its pods are in quarantine for 40 seconds."""
    plan = decide_pod_collection(
        [pod(nodeName="n2")], {}, {"n2": NOW - 30}, NOW, ControllerConfig()
    )
    assert not len(plan)
    assert plan.requeue_after == 10


def test_finished_pods_beyond_the_threshold_go_evicted_ones_first() -> None:
    """Then the oldest; their phase stays."""
    pods = [
        pod("young", "Succeeded", nodeName="n1"),
        pod("evicted", "Failed", nodeName="n1", status={"reason": "Evicted"}),
        pod("old", "Failed", nodeName="n1"),
    ]
    pods[2]["metadata"]["creationTimestamp"] = format_time(NOW - 500)
    config = ControllerConfig(terminated_pod_threshold=1)
    plan = decide_pod_collection(pods, {"n1": WELL}, {}, NOW, config)
    assert [item.object["metadata"]["name"] for item in plan.delete] == ["evicted", "old"]
    assert not plan.update
