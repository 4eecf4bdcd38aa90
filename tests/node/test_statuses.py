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


def test_pods_that_come_together_share_what_is_alike() -> None:
    """Their conditions are one list; what is a pod's own is not shared."""
    stored: dict[str, Any] = {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [SCHEDULED],
    }
    first = pod_status(running("a", stored), 1_000.5)
    second = pod_status(running("bb", stored), 1_000.9)
    assert first["conditions"] is second["conditions"]
    assert (first["hostIP"], second["hostIP"]) == ("10.0.0.1", "10.0.0.2")
    ids = [item["containerStatuses"][0]["containerID"] for item in (first, second)]
    assert ids == ["simulated://id-of-a", "simulated://id-of-bb"]
    assert second["containerStatuses"][0]["image"] == "image-of-bb"


def test_the_first_status_is_the_same_with_and_without_others_before() -> None:
    """Sharing changes nothing in what is reported; another second is another status."""
    stored: dict[str, Any] = {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [SCHEDULED],
    }
    shared = [pod_status(running(name, stored), 1_000.5) for name in ("a", "bb", "bb")][-1]
    alone = pod_status(running("bb", {**stored}), 1_000.5)
    assert shared == alone
    assert pod_status(running("bb", stored), 1_001.5)["conditions"] != shared["conditions"]


def test_a_readiness_gate_keeps_a_running_pod_from_being_ready() -> None:
    """Also when a pod without gates was reported before it."""
    stored: dict[str, Any] = {"phase": "Pending", "conditions": [SCHEDULED]}
    pod_status(running("a", stored), 1_000.5)
    gated = pod_status(running("b", stored, readinessGates=[{"conditionType": "x"}]), 1_000.5)
    ready = {item["type"]: item["status"] for item in gated["conditions"]}
    assert ready["Ready"] == "False"
