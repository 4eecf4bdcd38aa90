"""What a cluster has by itself beside namespaces and roles. Pure.

`orchestrator.controllers.system.actor` makes the objects and keeps them.
Source: pkg/controlplane/apiserver/aggregator.go (priorities of groups), pkg/apis/scheduling,
pkg/registry/flowcontrol and pkg/controlplane/controller/{crdregistration,defaultservicecidr} of
Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources import usage_metrics
from orchestrator.resources.conditions import find_condition, set_condition
from orchestrator.resources.flowcontrol import default_flow_control
from orchestrator.resources.flowcontrol.defaults import LEVELS, SCHEMAS
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import (
    Key,
    Object,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    status_of,
    with_status,
)
from orchestrator.resources.timestamps import format_time
from orchestrator.resources.usage_metrics import PRIORITIES

API_SERVICES: Final = "apiservices.apiregistration.k8s.io"
DEFINITIONS: Final = "customresourcedefinitions.apiextensions.k8s.io"
RANGES: Final = "servicecidrs.networking.k8s.io"
CLASSES: Final = "priorityclasses.scheduling.k8s.io"
COMPONENTS: Final = "componentstatuses"

ROLES: Final = "clusterroles.rbac.authorization.k8s.io"
_METRICS_READER: Final = "system:aggregated-metrics-reader"

AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
_CUSTOM_PRIORITIES: Final = (1000, 100)
_GROUP_PRIORITIES: Final = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
    "storagemigration.k8s.io": 15800,
}
_VERSION_PRIORITIES: Final = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("flowcontrol.apiserver.k8s.io", "v1beta3"): 18,
}
_ORDINARY: Final = 15
_CRITICAL: Final = {
    "system-cluster-critical": (
        2_000_000_000,
        (
            "Used for system critical pods that must run in the cluster, but can be moved to "
            "another node if necessary."
        ),
    ),
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}
_COMPONENTS: Final = ("controller-manager", "etcd-0", "scheduler")
"""Of which the API server is not one; an answer means that they are there, in the same process."""
_RANGE: Final = "kubernetes"
_RANGE_READY: Final = "Kubernetes default Service CIDR is ready"


def system_objects(
    served: KindRegistry, service_range: str, *, usage: bool = False
) -> dict[Key, Object]:
    """Return the objects that are there whatever users do.

    Args:
        served: The built-in kinds.
        service_range: Addresses of Services, in CIDR form.
        usage: Whether this server answers ``metrics.k8s.io`` itself.
    """
    made: dict[Key, Object] = {
        Key(CLASSES, "", name): {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
        }
        for name, (value, description) in _CRITICAL.items()
    }
    made |= {Key(COMPONENTS, "", name): _component(name) for name in _COMPONENTS}
    made |= default_flow_control()
    for group, versions in served.groups().items():
        for version in versions:
            if group in _GROUP_PRIORITIES:
                second = _VERSION_PRIORITIES.get((group, version), _ORDINARY)
                made |= _api_service(group, version, _GROUP_PRIORITIES[group], second, "onstart")
    if usage:
        # Managed like those of custom kinds: it goes when it is not wanted any more.
        made |= _api_service(usage_metrics.GROUP, usage_metrics.VERSION, *PRIORITIES, "true")
        made[Key(ROLES, "", _METRICS_READER)] = _metrics_reader()
    if any(kind.resource == RANGES for kind in served.kinds()):
        made[Key(RANGES, "", _RANGE)] = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": _RANGE},
            "spec": {"cidrs": [service_range]},
        }
    return made


def _metrics_reader() -> Object:
    """Return the role by which those who may view objects may see metrics, as metrics-server's."""
    to = "rbac.authorization.k8s.io/aggregate-to-"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": _METRICS_READER,
            "labels": {f"{to}{role}": "true" for role in ("admin", "edit", "view")},
        },
        "rules": [
            {
                "apiGroups": [usage_metrics.GROUP],
                "resources": ["pods", "nodes"],
                "verbs": ["get", "list", "watch"],
            }
        ],
    }


def _component(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": name},
        "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}],
    }


def custom_services(definitions: Iterable[Object]) -> dict[Key, Object]:
    """Return the APIServices of the versions that CustomResourceDefinitions serve."""
    made: dict[Key, Object] = {}
    for definition in definitions:
        spec = spec_of(definition)
        for version in spec.get("versions") or ():
            if version.get("served"):
                made |= _api_service(spec["group"], version["name"], *_CUSTOM_PRIORITIES, "true")
    return made


def _api_service(
    group: str, version: str, group_priority: int, version_priority: int, managed: str
) -> dict[Key, Object]:
    name = f"{version}.{group}"
    spec: dict[str, Any] = {"group": group} if group else {}
    spec |= {
        "version": version,
        "groupPriorityMinimum": group_priority,
        "versionPriority": version_priority,
    }
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name, "labels": {AUTOMANAGED: managed}},
        "spec": spec,
    }
    return {Key(API_SERVICES, "", name): service}


def decide(
    key: Key, current: Object | None, wanted: Object | None, levels: frozenset[str], now: float
) -> Plan:
    """Return what makes one object be there, or not, and say what is to be said of it.

    Args:
        key: Which object.
        current: As it is.
        wanted: As it has to be there; None where nothing asks for it.
        levels: Names of the priority levels there are.
        now: Wall seconds.
    """
    plan = Plan()
    if current is None:
        if wanted is not None:
            plan.create.append(Creation(key.resource, wanted))
        return plan
    if is_deleting(current):
        return plan
    if key.resource == API_SERVICES:
        # One that leads to another server is the user's, whatever its label says.
        mine = labels_of(current).get(AUTOMANAGED) == "true" and not spec_of(current).get("service")
        if wanted is None and mine:
            plan.delete.append(Deletion(key.resource, current))
        return plan
    conditions = _conditions(key, current, levels, now)
    if conditions is not None and conditions is not status_of(current).get("conditions"):
        said = with_status(current, conditions=conditions)
        plan.update.append(Update(key.resource, current, said, "status"))
    return plan


def _conditions(
    key: Key, current: Object, levels: frozenset[str], now: float
) -> list[dict[str, Any]] | None:
    """Return the conditions that an object should have; None for those without."""
    present = status_of(current).get("conditions")
    moment = format_time(now)
    if key == (RANGES, "", _RANGE) and find_condition(current, "Ready") is None:
        return set_condition(present, "Ready", "True", now=moment, message=_RANGE_READY)
    if key.resource != SCHEMAS:
        return None
    level = (spec_of(current).get("priorityLevelConfiguration") or {}).get("name") or ""
    found = level in levels
    end = "it exists" if found else "there is no such object"
    return set_condition(
        present,
        "Dangling",
        "False" if found else "True",
        now=moment,
        reason="Found" if found else "NotFound",
        message=(
            "This FlowSchema references the PriorityLevelConfiguration object named "
            f'"{level}" {"and" if found else "but"} {end}'
        ),
    )


def levels_of(levels: Iterable[Object]) -> frozenset[str]:
    """Return the names of priority levels."""
    return frozenset(map(name_of, levels))


FOLLOWED: Final = (API_SERVICES, DEFINITIONS, CLASSES, LEVELS, SCHEMAS)
"""What a change of may concern one of these objects; ranges come on top where they are served."""
