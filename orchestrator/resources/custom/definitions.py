"""CustomResourceDefinitions themselves: defaults, first status, deletion.

Source of the rules: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/v1 and
pkg/registry/customresourcedefinition.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.conditions import set_condition
from orchestrator.resources.objects import Object, meta, spec_of, status_of
from orchestrator.resources.strategies._sharing import changed, filled, put

FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Keeps a definition that is being deleted until its objects are gone."""
_WEBHOOK_PORT: Final = 443


def with_defaults(crd: Object) -> Object:
    """Fill in names that follow from the kind, and how versions are converted."""
    return changed(crd, "spec", _spec)


def _spec(spec: dict[str, Any]) -> dict[str, Any]:
    spec = changed(spec, "names", _names)
    if spec.get("conversion") is None:
        return {**spec, "conversion": {"strategy": "None"}}
    return changed(spec, "conversion", _conversion)


def _names(names: dict[str, Any]) -> dict[str, Any]:
    kind = names.get("kind") or ""
    added = {}
    if not names.get("singular") and kind:
        added["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        added["listKind"] = f"{kind}List"
    return {**names, **added} if added else names


def _conversion(conversion: dict[str, Any]) -> dict[str, Any]:
    def service(config: dict[str, Any]) -> dict[str, Any]:
        return changed(config, "service", lambda found: filled(found, port=_WEBHOOK_PORT))

    return changed(conversion, "webhook", lambda found: changed(found, "clientConfig", service))


def first_status(crd: Object) -> Object:
    """Return a new definition with the status that all begin with."""
    stored = _with_storage(crd, [])
    status = {
        "conditions": [],
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    }
    return {**crd, "status": status}


def updated_status(crd: Object) -> Object:
    """Note the storage version of a changed definition among those that objects may be in."""
    stored = status_of(crd).get("storedVersions") or []
    wanted = _with_storage(crd, stored)
    if wanted == stored:
        return crd
    return {**crd, "status": put(status_of(crd), "storedVersions", wanted)}


def _with_storage(crd: Object, stored: list[str]) -> list[str]:
    storage = [
        version.get("name")
        for version in spec_of(crd).get("versions") or ()
        if version.get("storage") and version.get("name") not in stored
    ]
    return [*stored, *(name for name in storage if name)]


def marked_for_deletion(crd: Object, now: str) -> Object:
    """Return a definition whose deletion was asked for: its objects have to go first.

    Args:
        crd: As committed.
        now: Formatted time.
    """
    metadata = meta(crd)
    if metadata.get("deletionTimestamp") is not None:
        return crd
    finalizers = metadata.get("finalizers") or []
    if FINALIZER not in finalizers:
        finalizers = [*finalizers, FINALIZER]
    conditions = set_condition(
        status_of(crd).get("conditions") or [],
        "Terminating",
        "True",
        now=now,
        reason="InstanceDeletionPending",
        message="CustomResourceDefinition marked for deletion; CustomResource deletion will begin "
        "soon",
    )
    return {
        **crd,
        "metadata": {**metadata, "finalizers": finalizers},
        "status": {**status_of(crd), "conditions": conditions},
    }
