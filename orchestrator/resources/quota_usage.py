"""What objects use of a ResourceQuota, and which of them one is about. Pure.

Source of the rules: k8s.io/kubernetes pkg/quota/v1/evaluator/core and k8s.io/apiserver
pkg/quota/v1/generic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from orchestrator.resources.objects import Object, annotations_of, meta, spec_of, status_of
from orchestrator.resources.pod_quality import quality_of_service
from orchestrator.resources.pod_resources import nano_of, notations, pod_amounts
from orchestrator.resources.quantities import Notation, Quantity, parse
from orchestrator.resources.timestamps import parse_time

Usage: TypeAlias = dict[str, Quantity]

_NANO: Final = 10**9
_ONE: Final = Quantity(_NANO, "DecimalSI")
_CLASS: Final = ".storageclass.storage.k8s.io/"
_CLAIMS: Final = "persistentvolumeclaims"
_COUNTED: Final = frozenset(
    {"configmaps", "secrets", "replicationcontrollers", "resourcequotas", "services", _CLAIMS}
)
"""Resources whose number has a name of its own, from before ``count/``."""
_EXPLICIT: Final = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
"""What each container has to name where it is limited."""


def counted_resources(hard: Iterable[str]) -> set[str]:
    """Return the resources whose objects use any of what a quota limits."""
    found = set()
    for name in hard:
        if name.startswith("count/"):
            found.add(name.removeprefix("count/"))
        elif name.startswith("services"):
            found.add("services")
        elif _CLASS in name or name == "requests.storage":
            found.add(_CLAIMS)
        else:
            found.add(name if name in _COUNTED else "pods")
    return found


def usage_of(resource: str, obj: Object, now: float) -> Usage:
    """Return what an object uses, by the names that quotas have for it.

    Args:
        resource: Of the object.
        obj: The object.
        now: Seconds since the epoch: a pod whose grace is over uses nothing any more.
    """
    used: Usage = {f"count/{resource}": _ONE}
    if resource == "pods":
        if not has_ended(obj, now):
            used |= _pod_usage(spec_of(obj))
    elif resource in _COUNTED:
        used[resource] = _ONE
        if resource == "services":
            used |= _service_usage(spec_of(obj))
        elif resource == _CLAIMS:
            used |= _claim_usage(obj)
    return used


def has_ended(pod: Object, now: float) -> bool:
    """Tell whether a pod has finished, or should have."""
    return status_of(pod).get("phase") in {"Succeeded", "Failed"} or now > overdue_at(pod)


def overdue_at(pod: Object) -> float:
    """Return when a pod that is being deleted no longer counts; infinity for any other."""
    metadata = meta(pod)
    grace = metadata.get("deletionGracePeriodSeconds")
    if metadata.get("deletionTimestamp") is None or grace is None:
        return float("inf")
    return parse_time(metadata["deletionTimestamp"]) + float(grace)


def _pod_usage(spec: Mapping[str, Any]) -> Usage:
    whole = dict(spec)
    written = notations(whole)
    requests = {
        name: Quantity(nano, written.get(name, "DecimalSI"))
        for name, nano in pod_amounts(whole, "requests").items()
    }
    limits = {
        name: Quantity(nano, written.get(name, "DecimalSI"))
        for name, nano in pod_amounts(whole, "limits").items()
    }
    return {"pods": _ONE, **_compute(requests, limits)}


def _compute(requests: Usage, limits: Usage) -> Usage:
    used: Usage = {}
    for name, amount in requests.items():
        if name in {"cpu", "memory", "ephemeral-storage"} or name.startswith("hugepages-"):
            used[name] = used[f"requests.{name}"] = amount
        elif "/" in name:
            used[f"requests.{name}"] = amount
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    return used


def _service_usage(spec: Mapping[str, Any]) -> Usage:
    ports = spec.get("ports") or []
    type_ = spec.get("type")
    if type_ == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    balancers = _NANO if type_ == "LoadBalancer" else 0
    numbers = len(ports) * _NANO if type_ in {"NodePort", "LoadBalancer"} else 0
    return {
        "services.nodeports": Quantity(numbers, "DecimalSI"),
        "services.loadbalancers": Quantity(balancers, "DecimalSI"),
    }


def _claim_usage(claim: Object) -> Usage:
    spec = spec_of(claim)
    used: Usage = {}
    asked = (spec.get("resources") or {}).get("requests") or {}
    allocated = status_of(claim).get("allocatedResources") or {}
    amounts = [each["storage"] for each in (asked, allocated) if "storage" in nano_of(each)]
    if amounts:
        used["requests.storage"] = max(map(parse, amounts), key=lambda amount: amount.nano)
    class_ = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class")
    class_ = class_ if class_ is not None else spec.get("storageClassName")
    if class_:
        used[f"{class_}{_CLASS}{_CLAIMS}"] = _ONE
        if amounts:
            used[f"{class_}{_CLASS}requests.storage"] = used["requests.storage"]
    return used


def is_about(quota: Object, resource: str, obj: Object) -> bool:
    """Tell whether a quota's scopes let in an object; one without scopes is about all."""
    spec = spec_of(quota)
    terms = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not terms:
        return True
    if resource == _CLAIMS:
        return all(_claim_fits(term, obj) for term in terms)
    return resource == "pods" and all(_pod_fits(term, spec_of(obj)) for term in terms)


def _pod_fits(term: Mapping[str, Any], spec: dict[str, Any]) -> bool:
    deadline = spec.get("activeDeadlineSeconds")
    match term.get("scopeName"):
        case "Terminating":
            return deadline is not None and deadline >= 0
        case "NotTerminating":
            return deadline is None or deadline < 0
        case "BestEffort":
            return quality_of_service(spec) == "BestEffort"
        case "NotBestEffort":
            return quality_of_service(spec) != "BestEffort"
        case "PriorityClass":
            name = spec.get("priorityClassName")
            return _selects(term, [name] if name else [])
        case "CrossNamespacePodAffinity":
            return _looks_abroad(spec.get("affinity") or {})
    return False


def _claim_fits(term: Mapping[str, Any], claim: Object) -> bool:
    if term.get("scopeName") != "VolumeAttributesClass":
        return False
    status = status_of(claim)
    names = {
        spec_of(claim).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    }
    return _selects(term, [name for name in names if name])


def _selects(term: Mapping[str, Any], names: list[str]) -> bool:
    values = term.get("values") or []
    match term.get("operator"):
        case "In":
            return any(name in values for name in names)
        case "NotIn":
            return not any(name in values for name in names)
        case "DoesNotExist":
            return not names
    return bool(names)


def _looks_abroad(affinity: Mapping[str, Any]) -> bool:
    for field in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(field) or {}
        terms = list(part.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        terms += [
            weighted.get("podAffinityTerm") or {}
            for weighted in part.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
        if any(
            term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms
        ):
            return True
    return False


def unspecified(hard: Iterable[str], pod: Object) -> str:
    """Return what containers must name since it is limited: ``limits.cpu for: c1``; or nothing."""
    required = _EXPLICIT.intersection(hard)
    spec = spec_of(pod)
    if not required or spec.get("resources"):
        return ""
    missing: dict[str, set[str]] = {}
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            named = _compute(
                _quantities(resources.get("requests")), _quantities(resources.get("limits"))
            )
            for name in required - named.keys():
                missing.setdefault(name, set()).add(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def _quantities(listed: Mapping[str, Any] | None) -> Usage:
    return {name: parse(amount) for name, amount in (listed or {}).items()}


def total(hard: Iterable[str], parts: Iterable[Usage]) -> Usage:
    """Sum up the use of what is limited."""
    found: dict[str, tuple[int, Notation]] = dict.fromkeys(hard, (0, "DecimalSI"))
    for part in parts:
        for name, amount in part.items():
            if name in found:
                nano, notation = found[name]
                found[name] = nano + amount.nano, notation if nano else amount.notation
    return {name: Quantity(*amount) for name, amount in found.items()}


def counted_status(
    quota: Object, objects: Callable[[str], Iterable[Object]], now: float
) -> dict[str, Any]:
    """Return the status of a quota, counted anew.

    Args:
        quota: Any ResourceQuota.
        objects: From a resource to its objects in the quota's namespace.
        now: Seconds since the epoch.
    """
    hard = spec_of(quota).get("hard") or {}
    used = total(
        hard,
        (
            usage_of(resource, obj, now)
            for resource in counted_resources(hard)
            for obj in objects(resource)
            if is_about(quota, resource, obj)
        ),
    )
    return {"hard": hard, "used": {name: str(amount) for name, amount in used.items()}}
