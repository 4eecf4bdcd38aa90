"""Makes raw objects in a few words, for tables and for generated clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]
MI = 1024 * 1024
ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def node(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    allocatable: Mapping[str, str] | None = None,
    images: Mapping[str, int] | None = None,
    **spec: Any,
) -> Object:
    """Make a node of 4 CPUs, 8Gi and 110 pods; further arguments are its spec's fields."""
    status: dict[str, Any] = {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110", **(allocatable or {})}
    }
    if images:
        status["images"] = [{"names": [one], "sizeBytes": size} for one, size in images.items()]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": spec,
        "status": status,
    }


def container(requests: Mapping[str, str] | None = None, **fields: Any) -> Object:
    """Make a container."""
    return {"name": "c", "image": "app", "resources": {"requests": dict(requests or {})}, **fields}


def pod(
    name: str,
    requests: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    *,
    on: str | None = None,
    namespace: str = "default",
    containers: Sequence[Object] | None = None,
    metadata: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Object:
    """Make a pod, on a node if one is named; further arguments are its spec's fields."""
    if on is not None:
        spec["nodeName"] = on
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}/{name}",
            "labels": dict(labels or {}),
            **(metadata or {}),
        },
        "spec": {"containers": list(containers or [container(requests)]), **spec},
        "status": dict(status or {}),
    }


def thing(name: str, *, namespace: str | None = "default", **parts: Any) -> Object:
    """Make any other object; ``metadata`` is added to, all else is taken as it is."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {**parts, "metadata": {**metadata, **parts.get("metadata", {})}}


def selector(**labels: str) -> Object:
    """Make a label selector."""
    return {"matchLabels": labels}


def term(key: str, chosen: Object, **fields: Any) -> Object:
    """Make a pod affinity term."""
    return {"topologyKey": key, "labelSelector": chosen, **fields}


def weighted(weight: int, one: Object) -> Object:
    """Make a preferred pod affinity term."""
    return {"weight": weight, "podAffinityTerm": one}


def spread(key: str, chosen: Object, *, skew: int = 1, hard: bool = True, **fields: Any) -> Object:
    """Make a topology spread constraint."""
    return {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": chosen,
        **fields,
    }


def expression(key: str, operator: str, *values: str) -> Object:
    """Make a node selector requirement."""
    return {"key": key, "operator": operator, "values": list(values)}


def node_affinity(*terms: Object, preferred: Sequence[tuple[int, Object]] = ()) -> Object:
    """Make node affinity of required terms and of preferred ones."""
    result: dict[str, Any] = {}
    if terms:
        result[REQUIRED] = {"nodeSelectorTerms": list(terms)}
    if preferred:
        result[PREFERRED] = [{"weight": weight, "preference": one} for weight, one in preferred]
    return {"nodeAffinity": result}
