"""ResourceClaims and their templates: what is asked never changes, what is given changes once.

Source: pkg/apis/resource/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, is_deleting, spec_of, status_of
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    one_listed,
    required,
    too_long,
    too_many,
)
from orchestrator.resources.strategies._affinity import node_selector_problems
from orchestrator.resources.strategies._conditions import condition_problems
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._devices import (
    MOST,
    configuration_problems,
    default_devices,
    devices_problems,
    distinct,
    limited,
    raw_problems,
    request_names,
    request_reference,
    toleration_problems,
)
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._metadata import (
    annotation_problems,
    label_problems,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._sharing import Part, changed
from orchestrator.resources.strategies._strategy import Strategy, build

_CONSUMERS: Final = 256
_CONDITIONS: Final = 8
_POOL_LIMIT: Final = 253
_TEMPLATE_METADATA: Final = frozenset({"labels", "annotations", "creationTimestamp"})


def strategy(kind: Kind) -> Strategy:
    """Build the rules of claims, or of templates of claims."""
    metadata = metadata_check(names.dns_subdomain, namespaced=True)
    metadata_update = metadata_update_check()
    if kind.kind == "ResourceClaimTemplate":
        return build(
            has_status=False,
            default=in_spec(lambda spec: changed(spec, "spec", _default)),
            create_checks=(metadata, _template),
            update_checks=(metadata_update, _same_spec),
            rechecks=False,
        )
    return build(
        has_status=True,
        first_status={},
        default=in_spec(_default),
        create_checks=(metadata, _claim),
        update_checks=(metadata_update, _same_spec),
        status_metadata=(),
        status_checks=(metadata_update, _status),
        rechecks=False,
    )


def _default(spec: Part) -> Part:
    return changed(spec, "devices", default_devices)


def _same_spec(new: Object, old: Object) -> list[FieldError]:
    return immutable("spec", spec_of(new), spec_of(old))


def _claim(obj: Object) -> list[FieldError]:
    return devices_problems(spec_of(obj).get("devices") or {}, "spec.devices")


def _template(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    metadata: Part = spec.get("metadata") or {}
    at = "spec.metadata"
    found = annotation_problems(f"{at}.annotations", metadata.get("annotations"))
    found += label_problems(f"{at}.labels", metadata.get("labels"))
    found += [
        forbidden(f"{at}.{field}", "cannot be set")
        for field, value in metadata.items()
        if value and field not in _TEMPLATE_METADATA
    ]
    devices = (spec.get("spec") or {}).get("devices") or {}
    return found + devices_problems(devices, "spec.spec.devices")


def pool_problems(name: str, at: str) -> list[FieldError]:
    """Check the name of a pool: subdomains with slashes between them."""
    if not name:
        return [required(at)]
    found = [too_long(at, _POOL_LIMIT)] if len(name) > _POOL_LIMIT else []
    for part in name.split("/"):
        found += each_invalid(at, part, names.dns_subdomain(part))
    return found


def _status(new: Object, old: Object) -> list[FieldError]:
    status, before = status_of(new), status_of(old)
    consumers = status.get("reservedFor") or []
    allocation = status.get("allocation")
    found = distinct(
        consumers, _CONSUMERS, "status.reservedFor", _consumer, lambda one: one.get("uid") or ""
    )
    results = ((allocation or {}).get("devices") or {}).get("results") or ()
    given = {_identity(result) for result in results}

    def device(part: Part, at: str) -> list[FieldError]:
        return _device_status(part, at, given)

    devices = status.get("devices") or []
    found += distinct(devices, len(devices), "status.devices", device, _identity)
    if consumers and allocation is None:
        why = "may not be specified when `allocated` is not set"
        found.append(forbidden("status.reservedFor", why))
    elif consumers and is_deleting(new):
        known = before.get("reservedFor") or ()
        if any(one not in known for one in consumers):
            why = (
                "new entries may not be added while `deallocationRequested` or "
                "`deletionTimestamp` are set"
            )
            found.append(forbidden("status.reservedFor", why))
    if allocation is None:
        return found
    if before.get("allocation") is not None:
        return found + immutable("status.allocation", allocation, before["allocation"])
    known_requests = request_names(spec_of(new).get("devices") or {})
    return found + _allocation(allocation, "status.allocation", known_requests)


def _identity(device: Part) -> str:
    parts = [device.get(field) or "" for field in ("driver", "pool", "device")]
    return "/".join([*parts, *filter(None, [device.get("shareID")])])


def _consumer(part: Part, at: str) -> list[FieldError]:
    return [
        required(f"{at}.{field}") for field in ("resource", "name", "uid") if not part.get(field)
    ]


def _named_device(part: Part, at: str) -> list[FieldError]:
    found = driver_name(f"{at}.driver", part.get("driver") or "")
    found += pool_problems(part.get("pool") or "", f"{at}.pool")
    name = part.get("device") or ""
    return found + each_invalid(f"{at}.device", name, names.dns_label(name))


def _device_status(part: Part, at: str, given: set[str]) -> list[FieldError]:
    found = _named_device(part, at)
    identity = _identity(part)
    if identity not in given:
        found.append(invalid(at, identity, "must be an allocated device in the claim"))
    conditions = part.get("conditions") or []
    if len(conditions) > _CONDITIONS:
        found.append(too_many(f"{at}.conditions", len(conditions), _CONDITIONS))
    found += condition_problems(conditions, f"{at}.conditions")
    data = part.get("data")
    return found + ([] if data is None else raw_problems(data, f"{at}.data"))


def _allocation(allocation: Part, at: str, known: dict[str, frozenset[str]]) -> list[FieldError]:
    devices: dict[str, Any] = allocation.get("devices") or {}

    def result(part: Part, here: str) -> list[FieldError]:
        found = request_reference(part.get("request") or "", f"{here}.request", known)
        found += _named_device(part, here)
        for index, toleration in enumerate(part.get("tolerations") or ()):
            found += toleration_problems(toleration, f"{here}.tolerations[{index}]")
        return found

    def configuration(part: Part, here: str) -> list[FieldError]:
        found = one_listed(f"{here}.source", part.get("source"), ("FromClaim", "FromClass"))
        found += distinct(
            part.get("requests"),
            MOST,
            f"{here}.requests",
            lambda name, field: request_reference(name, field, known),
            lambda name: name,
        )
        return found + configuration_problems(part, here)

    found = limited(devices.get("results"), MOST, f"{at}.devices.results", result)
    found += limited(devices.get("config"), 2 * MOST, f"{at}.devices.config", configuration)
    selector = allocation.get("nodeSelector")
    if selector is not None:
        found += node_selector_problems(selector, f"{at}.nodeSelector")
    return found
