"""Which pods go first when a ReplicaSet shrinks.

Rules: ActivePodsWithRanks in k8s.io/kubernetes/pkg/controller/controller_utils.go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.controllers._pods import ready_since, restarts
from orchestrator.resources.objects import Object, annotations_of
from orchestrator.resources.timestamps import parse_time

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


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

    def key(pod: Object) -> tuple[Any, ...]:
        node = pod["spec"].get("nodeName") or ""
        since = ready_since(pod)
        created = pod["metadata"].get("creationTimestamp")
        return (
            bool(node),
            _PHASES.get((pod.get("status") or {}).get("phase", ""), 0),
            since is not None,
            since is not None and since + min_ready_seconds <= now,
            _cost(pod),
            -on_node.get(node, 0) if node else 0,
            _age(since, now),
            -restarts(pod),
            _age(parse_time(created) if created else None, now),
            pod["metadata"]["name"],
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
