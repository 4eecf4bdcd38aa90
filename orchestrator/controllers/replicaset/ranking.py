"""Which pods go first when a ReplicaSet shrinks.

Rules: ActivePodsWithRanks in k8s.io/kubernetes/pkg/controller/controller_utils.go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.controllers._pods import ready_condition, restarts
from orchestrator.resources.objects import Object, annotations_of
from orchestrator.resources.timestamps import parse_time

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}
_NOTHING: Final[Object] = {}


def rank_for_deletion(
    pods: Sequence[Object], on_node: Mapping[str, int], min_ready_seconds: int, now: float
) -> list[Object]:
    """Return pods in the order in which they should be deleted.

    Not assigned before assigned, pending before running, not ready before ready, not yet available
    before available, lower deletion cost first, more related pods on the node first, shorter ready
    first, more restarts first, younger first.

    The fourth is not upstream's: without it a rolling update with ``minReadySeconds`` could lose
    available pods where it counted on losing others. Ages are compared by their logarithm, so that
    pods of about one age are chosen among by name, which is random, and not by minutes.

    Args:
        pods: Active ones.
        on_node: Node name → active pods there that have the same owner, or its owner.
        min_ready_seconds: How long a pod has to be ready to be available.
        now: Wall seconds.
    """
    ages: dict[str, tuple[float, int]] = {}

    def age_of(moment: str) -> tuple[float, int]:
        """Return a time and the rank of its age; thousands of pods share a few of them."""
        found = ages.get(moment)
        if found is None:
            since = parse_time(moment)
            found = ages[moment] = (since, _age(since, now))
        return found

    readiness: dict[int, tuple[bool, bool, int]] = {}

    def readiness_of(pod: Object) -> tuple[bool, bool, int]:
        """Return whether a pod is ready, whether it is available, and how long it has been ready.

        By its list of conditions: pods that came up together share one.
        """
        shared = id((pod.get("status") or _NOTHING).get("conditions"))
        found = readiness.get(shared)
        if found is None:
            condition = ready_condition(pod)
            if condition is None or condition.get("status") != "True":
                found = (False, False, -1)
            else:
                moment = condition.get("lastTransitionTime")
                since, age = age_of(moment) if moment else (0.0, _age(0.0, now))
                found = (True, since + min_ready_seconds <= now, age)
            readiness[shared] = found
        return found

    def key(pod: Object) -> tuple[Any, ...]:
        metadata = pod["metadata"]
        status = pod.get("status") or _NOTHING
        node = pod["spec"].get("nodeName") or ""
        ready, available, ready_age = readiness_of(pod)
        created = metadata.get("creationTimestamp")
        return (
            bool(node),
            _PHASES.get(status.get("phase", ""), 0),
            ready,
            available,
            _cost(pod) if metadata.get("annotations") else 0,
            -on_node.get(node, 0) if node else 0,
            ready_age,
            -restarts(pod),
            age_of(created)[1] if created else -1,
            metadata["name"],
        )

    return sorted(pods, key=key)


def _age(moment: float | None, now: float) -> int:
    """Return the logarithm of an age in nanoseconds, as a whole number; -1 for none or zero."""
    if moment is None or now <= moment:
        return -1
    return math.floor(math.log2((now - moment) * 1e9))


def _cost(pod: Object) -> int:
    text = annotations_of(pod).get(DELETION_COST, "")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if -(2**31) <= cost < 2**31 else 0
