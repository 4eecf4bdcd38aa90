"""PersistentVolumeClaims: what they ask for, and the little of it that may change.

Source: pkg/apis/core/validation/validation.go and pkg/api/persistentvolumeclaim of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, annotations_of, spec_of, status_of
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_supported,
)
from orchestrator.resources.quantities import compare, parse, whole
from orchestrator.resources.strategies._claims import claim_spec_problems
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._differences import difference
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._resources import is_native
from orchestrator.resources.strategies._sharing import Part, filled, put
from orchestrator.resources.strategies._strategy import Strategy, build

_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_ATTRIBUTES: Final = "volumeAttributesClassName"
_SNAPSHOTS: Final = "snapshot.storage.k8s.io"
_STORAGE: Final = "spec.resources.requests.storage"
_FIXED: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)
_RESIZES: Final = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PersistentVolumeClaims."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        default=in_spec(lambda spec: filled(spec, volumeMode="Filesystem")),
        first_status={"phase": "Pending"},
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update, _update),
        status_checks=(metadata_update, _status),
        prepare_create=_same_sources,
    )


def _same_sources(obj: Object) -> Object:
    """Say where the data come from in both of the fields for it, where both can say it."""
    spec = spec_of(obj)
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None and reference is None:
        return obj
    if source is not None and not _is_claim_or_snapshot(source):
        spec = put(spec, "dataSource", None)
        source = None
    if reference is not None and reference.get("namespace"):
        return put(obj, "spec", spec)
    if source is not None and reference is None:
        spec = {**spec, "dataSourceRef": source}
    elif source is None and reference is not None and _is_claim_or_snapshot(reference):
        spec = {**spec, "dataSource": put(reference, "namespace", None)}
    return put(obj, "spec", spec)


def _is_claim_or_snapshot(source: Part) -> bool:
    kind, group = source.get("kind"), source.get("apiGroup") or ""
    return (kind, group) in {("PersistentVolumeClaim", ""), ("VolumeSnapshot", _SNAPSHOTS)}


def _spec(obj: Object) -> list[FieldError]:
    return claim_spec_problems(spec_of(obj), "spec")


def _requested(spec: Part) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def _with_request(spec: Part, amount: Any) -> Part:
    resources = spec.get("resources") or {}
    requests = put(resources.get("requests") or {}, "storage", amount)
    return put(spec, "resources", put(resources, "requests", requests))


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new), spec_of(old)
    found: list[FieldError] = []
    allowed = after
    if not before.get("volumeName"):
        before = put(before, "volumeName", after.get("volumeName"))
    told, was_told = (annotations_of(obj).get(_CLASS) for obj in (new, old))
    named = after.get("storageClassName")
    newly = named is not None and before.get("storageClassName") is None
    if newly and named == was_told and told in (None, was_told):
        allowed = put(allowed, "storageClassName", None)
    else:
        found += immutable(f"metadata.annotations.{_CLASS}", told or "", was_told or "")
        if newly and was_told in (None, named):
            allowed = put(allowed, "storageClassName", None)
    size, was = _requested(after), _requested(before)
    if status_of(new).get("phase") == "Bound":
        if size is not None:
            allowed = _with_request(allowed, was)
        if allowed.get(_ATTRIBUTES) is not None:
            allowed = put(allowed, _ATTRIBUTES, before.get(_ATTRIBUTES))
    if allowed != before:
        found.append(forbidden("spec", f"{_FIXED}\n{difference(before, allowed)}"))
    if compare(size or 0, was or 0) < 0:
        capacity = (status_of(old).get("capacity") or {}).get("storage") or 0
        if compare(size or 0, capacity) <= 0:
            found.append(forbidden(_STORAGE, "field can not be less than status.capacity"))
    found += immutable("volumeMode", after.get("volumeMode"), before.get("volumeMode"))
    if before.get(_ATTRIBUTES) is not None and not after.get(_ATTRIBUTES):
        to = "nil" if after.get(_ATTRIBUTES) is None else "an empty string"
        why = f"update from non-nil value to {to} is forbidden"
        found.append(forbidden(f"spec.{_ATTRIBUTES}", why))
    return found


def _status(new: Object, _old: Object) -> list[FieldError]:
    status = status_of(new)
    found = _amounts(status.get("capacity"), "status.capacity")
    field = "status.allocatedResourceStatuses"
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        found += _resource(name, field)
        if state not in _RESIZES:
            found.append(not_supported(field, name, _RESIZES))
    field = "status.allocatedResources"
    for name in status.get("allocatedResources") or ():
        found += _resource(name, field)
    return found + _amounts(status.get("allocatedResources"), field)


def _amounts(amounts: Part | None, at: str) -> list[FieldError]:
    return [
        invalid(f"{at}[{name}]", whole(amount), "must be a valid resource quantity")
        for name, amount in (amounts or {}).items()
        if parse(amount).nano < 0
    ]


def _resource(name: str, at: str) -> list[FieldError]:
    wrong = names.qualified_name(name)
    if not wrong and is_native(name) and name != "storage":
        return [not_supported(at, name, ("storage",))]
    return each_invalid(at, name, wrong)
