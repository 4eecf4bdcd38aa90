"""Namespaces."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import invalid
from orchestrator.resources.strategies._metadata import (
    finalizer_problems,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._sharing import changed, filled, put
from orchestrator.resources.strategies._strategy import (
    Strategy,
    SubresourceRules,
    build,
    combined_update,
)

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""Label that every namespace carries with its own name."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of namespaces."""
    return build(
        has_status=True,
        default=_default,
        create_checks=(metadata_check(names.dns_label, namespaced=False), _finalizers),
        update_checks=(metadata_update_check(),),
        rechecks=False,
        status_checks=(metadata_update_check(), _phase),
        subresources={
            "finalize": SubresourceRules(
                lambda new, old: put(_default(new), "status", old.get("status")),
                combined_update(metadata_update_check(), _finalized),
            )
        },
        first_status={"phase": "Active"},
        prepare_create=_prepare,
        prepare_update=_keep_finalizers,
        fields=("status.phase",),
    )


def _default(obj: Object) -> Object:
    name = (obj.get("metadata") or {}).get("name")
    if not name:
        return obj

    def labelled(metadata: Object) -> Object:
        metadata = filled(metadata, labels={})
        return changed(metadata, "labels", lambda labels: put(labels, NAME_LABEL, name))

    return changed(obj, "metadata", labelled)


def _prepare(obj: Object) -> Object:
    spec = obj.get("spec") or {}
    finalizers = spec.get("finalizers") or []
    if "kubernetes" in finalizers:
        return obj
    return {**obj, "spec": {**spec, "finalizers": [*finalizers, "kubernetes"]}}


def _keep_finalizers(new: Object, old: Object) -> Object:
    """Leave ``spec.finalizers`` to the finalize subresource."""
    kept = (old.get("spec") or {}).get("finalizers")
    spec = new.get("spec") or {}
    carried = put(spec, "finalizers", kept)
    return new if carried is spec else {**new, "spec": carried}


def _finalizers(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    for name in (obj.get("spec") or {}).get("finalizers") or ():
        found += finalizer_problems("spec.finalizers", name)
    return found


def _finalized(new: Object, _old: Object) -> list[FieldError]:
    found: list[FieldError] = []
    for index, name in enumerate((new.get("spec") or {}).get("finalizers") or ()):
        found += finalizer_problems(f"spec.finalizers[{index}]", name)
    return found


def _phase(new: Object, _old: Object) -> list[FieldError]:
    phase = (new.get("status") or {}).get("phase") or ""
    going = new["metadata"].get("deletionTimestamp") is not None
    only = "Terminating" if going else "Active"
    if phase == only:
        return []
    when = "is not empty" if going else "is empty"
    return [invalid("status.Phase", phase, f"may only be '{only}' if `deletionTimestamp` {when}")]
