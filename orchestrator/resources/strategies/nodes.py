"""Nodes."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._problems import (
    duplicate,
    each_invalid,
    forbidden,
    one_of,
    required,
)
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build, meta_fields

_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of nodes; unlike others they keep the status they are created with."""
    return build(
        has_status=True,
        drops_status=False,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _taints),
        update_checks=(metadata_update_check(), _update),
        status_metadata=("labels", "annotations"),
        fields=("spec.unschedulable",),
        selectable_fields=_selectable,
    )


def _selectable(obj: Object) -> dict[str, str]:
    cordoned = (obj.get("spec") or {}).get("unschedulable")
    return {**meta_fields(obj), "spec.unschedulable": "true" if cordoned else "false"}


def _default(obj: Object) -> Object:
    def allocatable(status: Part) -> Part:
        capacity = status.get("capacity")
        return filled(status, allocatable=capacity) if capacity else status

    return changed(obj, "status", allocatable)


def _taints(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[tuple[Any, Any]] = set()
    for index, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
        at = f"metadata.taints[{index}]"
        key = taint.get("key") or ""
        value = taint.get("value") or ""
        effect = taint.get("effect")
        found += each_invalid(f"{at}.key", key, names.qualified_name(key))
        found += each_invalid(f"{at}.value", value, names.label_value(value))
        found += (
            [required(f"{at}.effect")] if not effect else one_of(f"{at}.effect", effect, _EFFECTS)
        )
        if (key, effect) in seen:
            problem = duplicate(at, taint)
            found.append(problem)
        seen.add((key, effect))
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    found: list[FieldError] = []
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    if before.get("providerID") and after.get("providerID") != before.get("providerID"):
        found.append(
            forbidden(
                "spec.providerID", 'node updates may not change providerID except from "" to valid'
            )
        )
    if before.get("podCIDR") and after.get("podCIDR") != before.get("podCIDR"):
        found.append(
            forbidden(
                "spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'
            )
        )
    return found
