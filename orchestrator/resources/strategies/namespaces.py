"""Namespaces."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import changed, filled, put
from orchestrator.resources.strategies._strategy import Strategy, build

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""Label that every namespace carries with its own name."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of namespaces."""
    return build(
        has_status=True,
        default=_default,
        create_checks=(metadata_check(names.dns_label, namespaced=False),),
        update_checks=(metadata_update_check(),),
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
