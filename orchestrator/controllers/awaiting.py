"""What each controller waits for: the objects without which it has nothing to do.

A controller that is not named here is needed from the first moment. The others are asleep, and
their modules not loaded, until there is an object that concerns them, at a start or later. As they
decide by what there is, whether they slept makes no difference to what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from orchestrator.controllers.endpoints.names import (
    ENDPOINTS,
    MANAGER,
    MANAGER_LABEL,
    OLD_MANAGER,
    OLD_MANAGER_LABEL,
    SLICES,
)
from orchestrator.resources.objects import Object, labels_of, spec_of, status_of

Awaited: TypeAlias = Mapping[str, Callable[[Object], Any]]
"""From a resource to whether one of its objects, there or gone, is worth waking up for."""

_MIRRORS: Final = "endpointslicemirroring-controller.k8s.io"
_TRACKED: Final = "batch.kubernetes.io/job-tracking"
_SIGNING: Final = "certificatesigningrequests.certificates.k8s.io"
_CLAIMS: Final = "persistentvolumeclaims"
_VOLUMES: Final = "persistentvolumes"


def _any(obj: Object) -> bool:
    del obj
    return True


def _is_tracked(pod: Object) -> bool:
    """Tell whether a pod is held until its Job has counted it, be there a Job or not."""
    return _TRACKED in (pod["metadata"].get("finalizers") or ())


def _is_disrupted(pod: Object) -> bool:
    """Tell whether a pod is said to be deleted soon, which may turn out to be wrong."""
    conditions = status_of(pod).get("conditions") or ()
    return any(condition.get("type") == "DisruptionTarget" for condition in conditions)


def _evicts(node: Object) -> bool:
    taints = spec_of(node).get("taints") or ()
    return any(taint.get("effect") == "NoExecute" for taint in taints)


def _has_selector(service: Object) -> Any:
    return spec_of(service).get("selector")


def _has_ephemeral_volume(pod: Object) -> bool:
    return any("ephemeral" in volume for volume in spec_of(pod).get("volumes") or ())


def _may_be_mirrored(endpoints: Object) -> bool:
    """Tell whether Endpoints don't forbid it, as those of the API itself do."""
    return labels_of(endpoints).get("endpointslice.kubernetes.io/skip-mirror") != "true"


AWAITED: Final[Mapping[str, Awaited]] = {
    "account-tokens": {"secrets": _any},
    "certificate-approving": {_SIGNING: _any},
    "certificate-signing": {_SIGNING: _any},
    "cronjob": {"cronjobs.batch": _any},
    "daemonset": {"daemonsets.apps": _any},
    "definitions": {"customresourcedefinitions.apiextensions.k8s.io": _any},
    "deployment": {"deployments.apps": _any},
    "disruption": {"poddisruptionbudgets.policy": _any, "pods": _is_disrupted},
    "endpoints": {
        "services": _has_selector,
        ENDPOINTS: lambda found: labels_of(found).get(OLD_MANAGER_LABEL) == OLD_MANAGER,
        SLICES: lambda found: labels_of(found).get(MANAGER_LABEL) == MANAGER,
    },
    "endpoints-mirroring": {
        ENDPOINTS: _may_be_mirrored,
        SLICES: lambda found: labels_of(found).get(MANAGER_LABEL) == _MIRRORS,
    },
    "ephemeral-volume": {"pods": _has_ephemeral_volume},
    "horizontal-pod-autoscaler": {"horizontalpodautoscalers.autoscaling": _any},
    "job": {"jobs.batch": _any, "pods": _is_tracked},
    "local-path": {_CLAIMS: _any, _VOLUMES: _any},
    "pod-collector": {"pods": _any},
    "policy-status": {"validatingadmissionpolicies.admissionregistration.k8s.io": _any},
    "replicaset": {"replicasets.apps": _any},
    "replication": {"replicationcontrollers": _any},
    "resource-quota": {"resourcequotas": _any},
    "statefulset": {"statefulsets.apps": _any},
    "storage-protection": {_CLAIMS: _any, _VOLUMES: _any},
    "taint-eviction": {"nodes": _evicts},
    "ttl-after-finished": {"jobs.batch": _any},
    "volume-binding": {_CLAIMS: _any, _VOLUMES: _any},
}
"""By the controllers' names."""

SCHEDULER: Final[Awaited] = {"pods": _any}
