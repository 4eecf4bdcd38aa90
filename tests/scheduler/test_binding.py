"""The binding of a pod as a change that knows what it changed."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.scheduler.binding import Binder
from orchestrator.store import Changed
from orchestrator.store.codec import diff_objects

NOW = "2026-01-01T00:00:00Z"
WAITED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "no room",
    "lastProbeTime": None,
    "lastTransitionTime": "2025-12-31T00:00:00Z",
}


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Pending", "qosClass": "BestEffort"},
        {"phase": "Pending", "conditions": [WAITED]},
        {"phase": "Pending", "conditions": [{"type": "Custom", "status": "True"}, WAITED]},
        {"phase": "Pending", "nominatedNodeName": "m", "conditions": [WAITED]},
        None,
    ],
)
def test_a_binding_says_exactly_what_comparing_would_find(status: dict[str, Any] | None) -> None:
    """Or says nothing, where something goes."""
    pod: dict[str, Any] = {
        "metadata": {"name": "a", "generation": 1},
        "spec": {"containers": [{"name": "web"}], "nodeName": ""},
    }
    if status is not None:
        pod["status"] = status
    bound = Binder(NOW).bind("node-1", pod)
    if status is None or "nominatedNodeName" in status:
        assert isinstance(bound, dict)
        return
    assert isinstance(bound, Changed)
    assert diff_objects(pod, bound.object) == (bound.fields, {}, [])
    assert bound.object["spec"]["nodeName"] == "node-1"
    assert bound.object["metadata"] is pod["metadata"]


def test_pods_that_share_what_they_are_share_it_bound() -> None:
    """A batch comes to a spec for each node and one status; what it changed is each one's own."""
    binder = Binder(NOW)
    spec: dict[str, Any] = {"containers": []}
    status = {"phase": "Pending"}
    pods = [{"metadata": {"name": name}, "spec": spec, "status": status} for name in "abc"]
    one, two, other = (
        binder.bind(node, pod) for node, pod in zip(("n", "n", "m"), pods, strict=True)
    )
    assert isinstance(one, Changed)
    assert isinstance(two, Changed)
    assert isinstance(other, Changed)
    assert one.object["spec"] is two.object["spec"]
    assert one.object["spec"] is not other.object["spec"]
    assert one.object["status"] is other.object["status"]
    assert one.fields["status"] is not two.fields["status"]


def test_a_pod_is_bound_once() -> None:
    """One with a node, a gate or a deletion under way is left as it is."""
    binder = Binder(NOW)
    pod: dict[str, Any] = {"metadata": {}, "spec": {}, "status": {}}
    assert binder.bind("n", {**pod, "spec": {"nodeName": "m"}}) is None
    assert binder.bind("n", {**pod, "spec": {"schedulingGates": [{"name": "x"}]}}) is None
    assert binder.bind("n", {**pod, "metadata": {"deletionTimestamp": NOW}}) is None
