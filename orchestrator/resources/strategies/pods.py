"""Pods."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.pod_quality import quality_of_service
from orchestrator.resources.strategies._label_keys import with_label_keys
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_lone_pod_spec
from orchestrator.resources.strategies._pod_parts import (
    ephemeral_check,
    part_preparation,
    resize_check,
    with_ephemeral_containers,
    with_resources,
)
from orchestrator.resources.strategies._pod_status import pod_status_problems
from orchestrator.resources.strategies._pod_updates import pod_update_problems
from orchestrator.resources.strategies._pod_validation import new_pod_problems, pod_problems
from orchestrator.resources.strategies._pod_warnings import pod_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled, put
from orchestrator.resources.strategies._strategy import (
    Strategy,
    SubresourceRules,
    build,
    status_preparation,
)

__all__ = ["quality_of_service", "strategy"]

_PENDING: Final = {
    quality: {"phase": "Pending", "qosClass": quality}
    for quality in ("BestEffort", "Burstable", "Guaranteed")
}


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of pods."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        drops_status=False,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), pod_problems),
        creation_checks=(new_pod_problems,),
        update_checks=(metadata_update, pod_update_problems),
        status_checks=(metadata_update, pod_status_problems),
        prepare_create=_prepare,
        prepare_status=status_preparation(
            "labels", "annotations", "finalizers", status=_with_quality
        ),
        subresources={
            "ephemeralcontainers": SubresourceRules(
                part_preparation(with_ephemeral_containers), ephemeral_check(metadata_update)
            ),
            "resize": SubresourceRules(
                part_preparation(with_resources), resize_check(metadata_update)
            ),
        },
        grace_period=_grace,
        fields=(
            "spec.host",  # what it was called once
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
        warnings=pod_warnings,
    )


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", default_lone_pod_spec)


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
    return with_label_keys(put(obj, "status", status))


def _with_quality(new: Any, old: Any) -> Any:
    """Keep the class of service, which never changes, where a new status leaves it out."""
    held = (old or {}).get("qosClass")
    if not held or (new or {}).get("qosClass"):
        return new
    return {**(new or {}), "qosClass": held}


def _grace(obj: Object) -> int:
    seconds = (obj.get("spec") or {}).get("terminationGracePeriodSeconds")
    if seconds is None:
        return 30
    return int(seconds) if seconds >= 0 else 1  # upstream's minimum for what was let in once


def _selectable(obj: Object) -> dict[str, str]:
    metadata = obj.get("metadata") or {}
    spec = obj.get("spec") or {}
    status = obj.get("status") or {}
    node = spec.get("nodeName", "")
    return {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
        "spec.host": node,
        "spec.nodeName": node,
        "spec.restartPolicy": spec.get("restartPolicy", ""),
        "spec.schedulerName": spec.get("schedulerName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
        "status.phase": status.get("phase", ""),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }
