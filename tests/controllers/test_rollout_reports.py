"""What a rollout takes a ReplicaSet's word for; found by whole-cluster simulations."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers._writes import Rebase
from orchestrator.controllers.deployment.core import decide_deployment
from orchestrator.controllers.deployment.revisions import new_replica_set
from orchestrator.resources.selectors import label_selector

NOW = 1_000_000.0


def deployment(image: str) -> dict[str, Any]:
    """Build a Deployment of 5 that may surge by 2 and miss 1."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 3},
        "spec": {
            "replicas": 5,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1},
            },
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }


def replica_set(image: str, size: int, available: int, observed: int) -> dict[str, Any]:
    """Build a ReplicaSet of generation 5 that last reported as of ``observed``."""
    made = new_replica_set(deployment(image), f"web-{image}", image)
    made["metadata"] |= {
        "uid": f"u-{image}",
        "generation": 5,
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    made["spec"]["replicas"] = size
    made["status"] = {
        "replicas": available,
        "availableReplicas": available,
        "observedGeneration": observed,
    }
    return made


@pytest.mark.parametrize(("observed", "left"), [(5, 2), (4, 5)])
def test_pods_are_not_counted_on_that_may_be_going(observed: int, left: int) -> None:
    """The wanted revision had shrunk and grows again: its two available pods are of before."""
    wanted = replica_set("b", 2, 2, observed)
    other = replica_set("a", 5, 3, 5)
    selector = label_selector({"matchLabels": {"app": "web"}})
    plan = decide_deployment(deployment("b"), [wanted, other], selector, NOW, lambda _: False)
    sizes = [
        update.new["spec"]["replicas"]
        for update in plan.update
        if update.new["metadata"]["name"] == "web-a" and not update.subresource
    ]
    assert (sizes or [5]) == [left]


def test_nothing_is_taken_away_on_the_strength_of_a_report_that_has_changed() -> None:
    """Its pods may have got ready since; what only grows has nothing to lose.

    As upstream's update, which names the version that was read and conflicts.
    """
    wanted, other = replica_set("b", 2, 2, 5), replica_set("a", 5, 3, 5)
    selector = label_selector({"matchLabels": {"app": "web"}})
    plan = decide_deployment(deployment("b"), [wanted, other], selector, NOW, lambda _: False)
    (smaller,) = (one for one in plan.update if one.base is other)
    reported = {
        **other,
        "metadata": {**other["metadata"], "resourceVersion": "2"},
        "status": {**other["status"], "availableReplicas": 5},
    }
    assert smaller.new["spec"]["replicas"] < 5
    assert Rebase(smaller)(reported) is None
    assert Rebase(smaller)(other) is smaller.new
    alone = replica_set("b", 1, 1, 5)
    plan = decide_deployment(deployment("b"), [alone], selector, NOW, lambda _: False)
    (larger,) = (one for one in plan.update if one.base is alone)
    grown = Rebase(larger)({**alone, "metadata": {**alone["metadata"], "resourceVersion": "2"}})
    assert grown is not None
    assert grown["spec"]["replicas"] == 5
