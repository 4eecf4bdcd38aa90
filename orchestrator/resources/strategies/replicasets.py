"""ReplicaSets and ReplicationControllers."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    replica_checks,
    selector_checks,
    selector_unchanged,
    template_checks,
)


def strategy(kind: Kind) -> Strategy:
    """Build the rules of ReplicaSets or, for the core group, ReplicationControllers."""
    legacy = kind.group == ""
    return build(
        has_status=True,
        generation=True,
        default=_default_legacy if legacy else _default,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=True),
            _legacy_spec if legacy else _spec,
        ),
        update_checks=(
            metadata_update_check(),
            *(() if legacy else (selector_unchanged,)),
        ),
        first_status={"replicas": 0},
        status_metadata=("labels", "annotations"),
        fields=("status.replicas",),
    )


def _default_spec(spec: Part) -> Part:
    return changed(filled(spec, replicas=1), "template", default_template)


def _default(obj: Object) -> Object:
    return changed(obj, "spec", _default_spec)


def _default_legacy(obj: Object) -> Object:
    labels = ((obj.get("spec") or {}).get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        obj = changed(obj, "spec", lambda spec: filled(spec, selector=labels))
        obj = changed(obj, "metadata", lambda metadata: filled(metadata, labels=labels))
    return _default(obj)


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return [
        *replica_checks(spec, "spec"),
        *selector_checks(spec, "spec", "replicaset"),
        *template_checks(spec, "spec", "ReplicaSet"),
    ]


def _legacy_spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    form = {"matchLabels": spec.get("selector") or {}}
    return [
        *replica_checks(spec, "spec"),
        *template_checks({**spec, "selector": form}, "spec", "ReplicationController"),
    ]
