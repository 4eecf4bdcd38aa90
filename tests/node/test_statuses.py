"""Statuses as pure functions of a node's state."""

from __future__ import annotations

from typing import Any

from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.node.statuses import pod_status

SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def running(name: str, stored: dict[str, Any], **more: Any) -> PodState:
    """A pod whose one container runs, as a node sees it before its first report."""
    container = ContainerState("web")
    container.phase = Phase.RUNNING
    container.id = f"id-of-{name}"
    container.started_at = 1_000.0
    pod = {
        "metadata": {"name": name, "namespace": "default", "uid": f"u-{name}", "generation": 1},
        "spec": {"containers": [{"name": "web", "image": f"image-of-{name}"}], **more},
        "status": stored,
    }
    return PodState(pod, [container], f"10.0.0.{len(name)}", "simulated", 999.0, address="10.1.0.2")


def test_a_pod_that_was_refused_stays_as_it_was_told_when_its_node_starts_again() -> None:
    """Nothing of it was ever begun, so no container waits to be created."""
    stored = {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: ..."}
    state = running("a", stored)
    state.containers[0].phase = Phase.NEW
    assert pod_status(state, 1_000.5) is stored
    stored = {**stored, "phase": "Pending"}
    state.pod = {**state.pod, "status": stored}
    assert pod_status(state, 1_000.5)["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "ContainerCreating"}
    }


def test_a_readiness_gate_keeps_a_running_pod_from_being_ready() -> None:
    """Also when a pod without gates was reported before it."""
    stored: dict[str, Any] = {"phase": "Pending", "conditions": [SCHEDULED]}
    pod_status(running("a", stored), 1_000.5)
    gated = pod_status(running("b", stored, readinessGates=[{"conditionType": "x"}]), 1_000.5)
    ready = {item["type"]: item["status"] for item in gated["conditions"]}
    assert ready["Ready"] == "False"
