"""Nodes."""

from __future__ import annotations

from typing import Any

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    one_listed,
)
from orchestrator.resources.strategies._formats import network_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._placement import EFFECTS
from orchestrator.resources.strategies._resources import amount_problems
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build, meta_fields


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of nodes; unlike others they keep the status they are created with."""
    return build(
        has_status=True,
        drops_status=False,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _new),
        update_checks=(metadata_update_check(), _update),
        status_checks=(metadata_update_check(), _update),
        rechecks=False,
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

    return changed(changed(obj, "status", allocatable), "spec", _default_ranges)


def _default_ranges(spec: Part) -> Part:
    """Keep the one range of addresses and the list of them alike."""
    one, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if one and not several:
        return {**spec, "podCIDRs": [one]}
    return {**spec, "podCIDR": several[0]} if several and not one else spec


def _new(obj: Object) -> list[FieldError]:
    return _taints(obj) + _amounts(obj) + _ranges(obj)


def _taints(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[tuple[Any, Any]] = set()
    for index, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
        at = f"metadata.taints[{index}]"  # upstream's path
        key = taint.get("key") or ""
        value = taint.get("value") or ""
        effect = taint.get("effect")
        found += each_invalid(f"{at}.key", key, names.qualified_name(key))
        if problems := names.label_value(value):
            found.append(invalid(f"{at}.value", value, ";".join(problems)))
        found += one_listed(f"{at}.effect", effect, EFFECTS)
        if (key, effect) in seen:
            found.append(duplicate(at, taint, "taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return found


def _amounts(obj: Object) -> list[FieldError]:
    status = obj.get("status") or {}
    return [
        problem
        for field in ("capacity", "allocatable")
        for name, amount in (status.get(field) or {}).items()
        for problem in amount_problems(name, amount, f"status.{field}.{name}")
    ]


def _ranges(obj: Object) -> list[FieldError]:
    ranges = (obj.get("spec") or {}).get("podCIDRs") or []
    field = "spec.podCIDRs"
    found: list[FieldError] = []
    for index, text in enumerate(ranges):
        found += network_problems(f"{field}[{index}]", text)
    if len(ranges) > 1 and not found:
        if len(ranges) > 2 or (":" in ranges[0]) == (":" in ranges[1]):
            wrong = "may specify no more than one CIDR for each IP family"
            found.append(invalid(field, ranges, wrong))
        found += [
            duplicate(f"{field}[{index}]", text)
            for index, text in enumerate(ranges)
            if text in ranges[:index]
        ]
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    found = _amounts(new)
    addresses: list[Part] = (new.get("status") or {}).get("addresses") or []
    found += [
        duplicate(f"status.addresses[{index}]", address)
        for index, address in enumerate(addresses)
        if address in addresses[:index]
    ]
    held = before.get("podCIDRs") or []
    if held and after.get("podCIDRs") != held:
        wrong = 'node updates may not change podCIDR except from "" to valid'
        found.append(forbidden("spec.podCIDRs", wrong))
    if before.get("providerID") and after.get("providerID") != before.get("providerID"):
        wrong = 'node updates may not change providerID except from "" to valid'
        found.append(forbidden("spec.providerID", wrong))
    if after.get("taints"):
        found += _taints(new)
    if (after.get("externalID") or "") != (before.get("externalID") or ""):
        found.append(forbidden("spec.externalID", "may not be updated"))
    return found
