"""Quality of service: how far a pod's resources are guaranteed.

Source: ComputePodQOS in pkg/apis/core/v1/helper/qos of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.resources.quantities import parse


def quality_of_service(spec: Mapping[str, Any]) -> str:
    """Return the pod's QoS class out of the requests and limits of cpu and memory.

    What the pod asks for as a whole goes before what its containers ask for.
    """
    whole = spec.get("resources") or {}
    if _some(whole.get("requests")) or _some(whole.get("limits")):
        return _quality((whole,))
    return _quality(
        container.get("resources") or {}
        for field in ("containers", "initContainers")
        for container in spec.get(field) or ()
    )


def _quality(each: Iterable[Mapping[str, Any]]) -> str:
    asked: dict[str, int] = {}
    limited: dict[str, int] = {}
    guaranteed = True
    for resources in each:
        requests, limits = _some(resources.get("requests")), _some(resources.get("limits"))
        for name, amount in requests.items():
            asked[name] = asked.get(name, 0) + amount
        for name, amount in limits.items():
            limited[name] = limited.get(name, 0) + amount
        guaranteed = guaranteed and len(limits) == 2
    if not asked and not limited:
        return "BestEffort"
    return "Guaranteed" if guaranteed and asked == limited else "Burstable"


def _some(amounts: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the amounts of cpu and memory that are not zero, in nano units."""
    if not amounts:
        return {}
    return {
        name: nano
        for name, amount in amounts.items()
        if name in {"cpu", "memory"} and (nano := _nano(amount))
    }


def _nano(amount: Any) -> int:
    try:
        return parse(amount).nano
    except ValueError:
        return 0  # validation refuses the pod; classing it must not get in between
