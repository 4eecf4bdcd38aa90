"""Events, of the core group and of events.k8s.io."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._problems import invalid
from orchestrator.resources.strategies._strategy import Strategy, ValidateCreate, build, meta_fields

_INVOLVED: Final = (
    "kind",
    "namespace",
    "name",
    "uid",
    "apiVersion",
    "resourceVersion",
    "fieldPath",
)


def strategy(kind: Kind) -> Strategy:
    """Build the rules of Events."""
    reference = "regarding" if kind.group else "involvedObject"
    return build(
        has_status=False,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=True),
            _same_namespace(reference),
        ),
        update_checks=(metadata_update_check(),),
        fields=(
            *(f"{reference}.{field}" for field in _INVOLVED),
            "reason",
            "type",
            *(("reportingController",) if kind.group else ("reportingComponent", "source")),
        ),
        selectable_fields=_selectable,
        create_on_update=True,
    )


def _same_namespace(reference: str) -> ValidateCreate:
    def check(obj: Object) -> list[FieldError]:
        namespace = (obj.get("metadata") or {}).get("namespace") or ""
        involved = (obj.get(reference) or {}).get("namespace") or ""
        # An Event about a cluster-scoped object goes to the namespace default (or any, upstream).
        if involved and involved != namespace:
            return [invalid(f"{reference}.namespace", involved, "does not match event.namespace")]
        return []

    return check


def _selectable(obj: Object) -> dict[str, str]:
    """Return the fields under both groups' names: Events of both are stored in the core form."""
    involved = obj.get("involvedObject") or {}
    source = (obj.get("source") or {}).get("component") or ""
    reporting = obj.get("reportingComponent") or ""
    found = meta_fields(obj)
    for field in _INVOLVED:
        value = involved.get(field) or ""
        found[f"involvedObject.{field}"] = found[f"regarding.{field}"] = value
    found["reason"] = obj.get("reason") or ""
    found["reportingComponent"] = found["reportingController"] = reporting
    found["source"] = source or reporting
    found["type"] = obj.get("type") or ""
    return found
