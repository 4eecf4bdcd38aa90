"""Pods."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.quantities import parse
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_lone_pod_spec
from orchestrator.resources.strategies._pod_updates import pod_update_problems
from orchestrator.resources.strategies._pod_validation import pod_spec_problems
from orchestrator.resources.strategies._sharing import Part, changed, put
from orchestrator.resources.strategies._strategy import Strategy, build

__all__ = ["quality_of_service", "strategy"]

_PENDING: Final = {
    quality: {"phase": "Pending", "qosClass": quality}
    for quality in ("BestEffort", "Burstable", "Guaranteed")
}


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of pods."""
    return build(
        has_status=True,
        drops_status=False,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), pod_update_problems),
        prepare_create=_prepare,
        status_metadata=("labels", "annotations"),
        grace_period=_grace,
        fields=(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ),
        selectable_fields=_selectable,
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", default_lone_pod_spec)


def _prepare(obj: Object) -> Object:
    spec = obj.get("spec") or {}
    quality = quality_of_service(spec)
    status: Part = _PENDING[quality]
    if spec.get("schedulingGates"):
        status = {
            **status,
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }
            ],
        }
    return put(obj, "status", status)


def quality_of_service(spec: Part) -> str:
    """Return the pod's QoS class out of the requests and limits of cpu and memory."""
    asked: dict[str, int] = {}
    limited: dict[str, int] = {}
    guaranteed = True
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        for sums, field in ((asked, "requests"), (limited, "limits")):
            for name, amount in (resources.get(field) or {}).items():
                if name in {"cpu", "memory"} and (nano := _nano(amount)):
                    sums[name] = sums.get(name, 0) + nano
        limits = resources.get("limits") or {}
        if not all(limits.get(name) and _nano(limits[name]) for name in ("cpu", "memory")):
            guaranteed = False
    if not asked and not limited:
        return "BestEffort"
    if guaranteed and asked == limited:
        return "Guaranteed"
    return "Burstable"


def _nano(amount: Any) -> int:
    try:
        return parse(amount).nano
    except ValueError:
        return 0  # validation refuses the pod; classing it must not get in between


def _spec(obj: Object) -> list[FieldError]:
    return pod_spec_problems(obj.get("spec") or {}, "spec")


def _grace(obj: Object) -> int:
    seconds = (obj.get("spec") or {}).get("terminationGracePeriodSeconds")
    return 30 if seconds is None else max(int(seconds), 0)


def _selectable(obj: Object) -> dict[str, str]:
    metadata = obj.get("metadata") or {}
    spec = obj.get("spec") or {}
    status = obj.get("status") or {}
    return {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.restartPolicy": spec.get("restartPolicy", ""),
        "spec.schedulerName": spec.get("schedulerName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
        "status.phase": status.get("phase", ""),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }
