"""When a rollout is over, and where somebody looked in the wrong place.

https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_status/
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Cluster, WaitTimeoutError
from orchestrator.embedded.waiting.conditions import is_rolled_out
from orchestrator.resources.objects import Object
from tests.embedded.kit import config_map, on_a_real_loop


def workload(kind: str, status: dict[str, Any], **spec: Any) -> Object:
    """Return a workload of three replicas whose status is about its present spec."""
    seen = {"observedGeneration": 1, **status}
    metadata = {"name": "a", "generation": 1}
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": 3, **spec}, "status": seen}


PARTED = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
SAME, OTHER = ({"currentRevision": "a-1", "updateRevision": f"a-{last}"} for last in "12")


@pytest.mark.parametrize(
    ("obj", "done"),
    [
        (workload("Deployment", {"updatedReplicas": 3, "availableReplicas": 3}), True),
        (workload("Deployment", {"updatedReplicas": 3, "availableReplicas": 2}), False),
        (
            workload("Deployment", {"updatedReplicas": 3, "availableReplicas": 3, "replicas": 4}),
            False,
        ),
        (workload("Deployment", {"observedGeneration": 0, "updatedReplicas": 3}), False),
        (workload("StatefulSet", {"readyReplicas": 3, "updatedReplicas": 3, **SAME}), True),
        (workload("StatefulSet", {"readyReplicas": 3, "updatedReplicas": 3, **OTHER}), False),
        (
            workload(
                "StatefulSet",
                {"readyReplicas": 3, "updatedReplicas": 1, **OTHER},
                updateStrategy=PARTED,
            ),
            True,
        ),
        (
            workload(
                "StatefulSet",
                {"readyReplicas": 3, "updatedReplicas": 0, **OTHER},
                updateStrategy=PARTED,
            ),
            False,
        ),
        (
            workload(
                "DaemonSet",
                {
                    "desiredNumberScheduled": 2,
                    "updatedNumberScheduled": 2,
                    "numberAvailable": 2,
                },
            ),
            True,
        ),
    ],
)
def test_a_rollout_is_over_when_kubectl_says_so(obj: Object, done: bool) -> None:
    """A partition keeps the pods below it as they are."""
    assert is_rolled_out(obj) is done


def test_what_waits_for_somebody_is_not_waited_for() -> None:
    """It is told at once, not when the time is over."""
    waits = workload("StatefulSet", {}, updateStrategy={"type": "OnDelete"})
    with pytest.raises(ValueError, match="only available for RollingUpdate strategy type"):
        is_rolled_out(waits)


@on_a_real_loop
async def test_who_looks_in_the_wrong_namespace_is_told() -> None:
    """Where the object is, or that there is no such namespace."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    async with Cluster(nodes=0, listen=None) as cluster:
        await cluster.apply(namespace)
        await cluster.apply(config_map(), namespace="team")
        for where, target, said in (
            ("default", "configmap/settings", "not exist in the namespace default, but in team"),
            ("tame", "configmap/settings", "it does not exist: there is no namespace tame"),
            ("tame", "pods", "there are none: there is no namespace tame"),
            ("team", "configmap/other", "  it does not exist$"),
        ):
            with pytest.raises(WaitTimeoutError, match=said):
                await cluster.wait(target, "exists", namespace=where, timeout=1)
