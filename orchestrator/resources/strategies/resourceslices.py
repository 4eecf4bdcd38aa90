"""ResourceSlices: the devices that a driver has, and which nodes can use them.

Source: pkg/apis/resource/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
    too_long,
    too_many,
)
from orchestrator.resources.strategies._affinity import node_selector_problems
from orchestrator.resources.strategies._devices import (
    EFFECTS,
    distinct,
    limited,
    qualified_problems,
)
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies.resourceclaims import pool_problems

_MOST: Final = 128
_MOST_ADVANCED: Final = 64
_PROPERTIES: Final = 32
_VALUE_BYTES: Final = 64
_TAINTS: Final = 4
_COUNTER_SETS: Final = 8
_COUNTERS: Final = 32
_CONSUMPTIONS: Final = 2
_VALUES: Final = ("bool", "int", "string", "version")
_PLACES: Final = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_PLACE: Final = (
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
)
_DEVICE_PLACE: Final = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
)
_NUMBER: Final = r"(0|[1-9]\d*)"
_PART: Final = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_version = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ResourceSlices."""
    return build(
        has_status=False,
        generation=True,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update_check(), _update),
        fields=("spec.nodeName", "spec.driver"),
    )


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new), spec_of(old)
    pools = [(spec.get("pool") or {}).get("name") for spec in (after, before)]
    found = immutable("spec.pool.name", *pools)
    for field in ("driver", "nodeName"):
        found += immutable(f"spec.{field}", after.get(field), before.get(field))
    return found


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = driver_name("spec.driver", spec.get("driver") or "")
    found += _pool(spec.get("pool") or {})
    found += _places(spec, "spec", _PLACES, "must be either unset or set to a non-empty string")
    places = _set_places(spec, _PLACES)
    if not places:
        found.append(required("spec", _ONE_PLACE))
    elif len(places) > 1:
        why = f"{_ONE_PLACE}, but multiple fields are set"
        found.append(invalid("spec", f"{{{', '.join(places)}}}", why))
    devices, counters = spec.get("devices"), spec.get("sharedCounters")
    if devices is not None and counters is not None:
        why = "only one of `sharedCounters` or `devices` is allowed"
        found.append(invalid("spec", "", why))
    given = devices or []
    advanced = any(one.get("taints") or one.get("consumesCounters") for one in given)
    each_own = bool(spec.get("perDeviceNodeSelection"))

    def device(part: Part, at: str) -> list[FieldError]:
        return _device(part, at, each_own)

    most = _MOST_ADVANCED if advanced else _MOST
    found += distinct(given, most, "spec.devices", device, lambda one: one.get("name") or "")
    return found + distinct(
        counters, _COUNTER_SETS, "spec.sharedCounters", _counters, lambda one: one.get("name") or ""
    )


def _pool(pool: Part) -> list[FieldError]:
    found = pool_problems(pool.get("name") or "", "spec.pool.name")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        found.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        why = "must be greater than or equal to zero"
        found.append(invalid("spec.pool.generation", generation, why))
    return found


def _set_places(part: Part, fields: tuple[str, ...]) -> list[str]:
    return [
        f"`{field}`"
        for field in fields
        if part.get(field) or (field == "nodeSelector" and part.get(field) is not None)
    ]


def _places(part: Part, at: str, fields: tuple[str, ...], empty: str) -> list[FieldError]:
    found: list[FieldError] = []
    for field in fields:
        value = part.get(field)
        if value is None:
            continue
        here = f"{at}.{field}"
        if field == "nodeName":
            wrong = names.dns_subdomain(value) if value else [empty]
            found += each_invalid(here, value, wrong)
        elif field == "nodeSelector":
            found += node_selector_problems(value, here)
            terms = value.get("nodeSelectorTerms") or []
            if at == "spec" and len(terms) != 1:
                why = "must have exactly one node selector term"
                found.append(invalid(f"{here}.nodeSelectorTerms", terms, why))
        elif not value:
            found.append(invalid(here, value, "must be either unset or set to true"))
    return found


def _device(device: Part, at: str, each_own: bool) -> list[FieldError]:
    name = device.get("name") or ""
    found = each_invalid(f"{at}.name", name, names.dns_label(name))
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    count = len(attributes) + len(capacity)
    if count > _PROPERTIES:
        why = f"the total number of attributes and capacities must not exceed {_PROPERTIES}"
        found.append(invalid(at, count, why))
    for key, value in attributes.items():
        found += qualified_problems(key, f"{at}.attributes")
        found += _attribute(value, f"{at}.attributes[{key}]")
    for key, value in capacity.items():
        found += qualified_problems(key, f"{at}.capacity")
        policy = value.get("requestPolicy") if isinstance(value, dict) else None
        if policy is not None and not device.get("allowMultipleAllocations"):
            why = "allowMultipleAllocations must be true"
            found.append(forbidden(f"{at}.capacity[{key}].requestPolicy", why))
    found += limited(device.get("taints"), _TAINTS, f"{at}.taints", _taint)
    found += distinct(
        device.get("consumesCounters"),
        _CONSUMPTIONS,
        f"{at}.consumesCounters",
        _consumption,
        lambda one: one.get("counterSet") or "",
    )
    fields = _PLACES[:3]
    if not each_own:
        if any(device.get(field) is not None for field in fields):
            why = (
                "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
                "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
            )
            found.append(invalid(at, None, why))
        return found
    found += _places(device, at, fields, "must not be empty")
    places = _set_places(device, fields)
    if not places:
        found.append(required(at, _DEVICE_PLACE))
    elif len(places) > 1:
        found.append(invalid(at, f"{{{', '.join(places)}}}", _DEVICE_PLACE))
    return found


def _attribute(attribute: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    given = [field for field in _VALUES if attribute.get(field) is not None]
    for field in given:
        if field not in {"string", "version"}:
            continue
        text = attribute[field]
        if field == "version" and not _version.fullmatch(text):
            why = "must be a string compatible with semver.org spec 2.0.0"
            found.append(invalid(f"{at}.version", text, why))
        if len(text.encode()) > _VALUE_BYTES:
            found.append(too_long(f"{at}.{field}", _VALUE_BYTES))
    if len(given) != 1:
        shown: Any = attribute if given else ""
        found.append(invalid(at, shown, "exactly one value must be specified"))
    return found


def _taint(taint: Part, at: str) -> list[FieldError]:
    key, value = taint.get("key") or "", taint.get("value") or ""
    found = each_invalid(f"{at}.key", key, names.qualified_name(key))
    found += each_invalid(f"{at}.value", value, names.label_value(value))
    return found + one_of(f"{at}.effect", taint.get("effect"), EFFECTS)


def _counters(counters: Part, at: str, name: str = "name") -> list[FieldError]:
    own, amounts = counters.get(name) or "", counters.get("counters") or {}
    field = f"{at}.{name}"
    found = each_invalid(field, own, names.dns_label(own)) if own else [required(field)]
    field = f"{at}.counters"
    if not amounts:
        return [*found, required(field)]
    if len(amounts) > _COUNTERS:
        return [*found, too_many(field, len(amounts), _COUNTERS)]
    for key in amounts:
        found += each_invalid(field, key, names.dns_label(key))
    return found


def _consumption(part: Part, at: str) -> list[FieldError]:
    return _counters(part, at, "counterSet")
