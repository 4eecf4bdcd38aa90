"""What claims and classes ask of devices: requests, constraints, configuration.

Source: pkg/apis/resource/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    if_given,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from orchestrator.resources.strategies._expressions import Surroundings, expression_problems
from orchestrator.resources.strategies._formats import driver_name
from orchestrator.resources.strategies._sharing import Part, changed, each, filled

MOST: Final = 32
"""Requests, constraints, configurations, selectors and results, each."""
_ALTERNATIVES: Final = 8
_EXPRESSION_BYTES: Final = 10 * 1024
_PARAMETER_BYTES: Final = 10 * 1024
_IDENTIFIER_LIMIT: Final = 32
_MODES: Final = ("All", "ExactCount")
_OPERATORS: Final = ("Equal", "Exists")
EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
_REQUEST: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_identifier = re.compile(_IDENTIFIER)
_IDENTIFIER_WRONG: Final = names.pattern_message(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_'",
    _IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)

Check = Callable[[Any, str], list[FieldError]]


def default_devices(devices: Part) -> Part:
    """Default what a claim asks for."""

    def request(given: Part) -> Part:
        given = changed(given, "exactly", _default_request)
        return changed(given, "firstAvailable", each(_default_request))

    return changed(devices, "requests", each(request))


def _default_request(request: Part) -> Part:
    request = filled(request, allocationMode="ExactCount")
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request = {**request, "count": 1}
    return changed(request, "tolerations", each(lambda one: filled(one, operator="Equal")))


def limited(items: list[Any] | None, most: int, at: str, check: Check) -> list[FieldError]:
    """Check every item of a list, unless there are too many."""
    given = items or []
    if len(given) > most:
        return [too_many(at, len(given), most)]
    return [
        problem for index, item in enumerate(given) for problem in check(item, f"{at}[{index}]")
    ]


def distinct(
    items: list[Any] | None, most: int, at: str, check: Check, key: Callable[[Any], Any]
) -> list[FieldError]:
    """Check every item of a list, and that no two have the same key."""
    given = items or []
    found = limited(given, most, at, check)
    if len(given) > most:
        return found
    keys = [key(item) for item in given]
    return found + [
        duplicate(f"{at}[{index}]", one) for index, one in enumerate(keys) if one in keys[:index]
    ]


def request_names(devices: Part) -> dict[str, frozenset[str]]:
    """Return the names of a claim's requests, each with those of its alternatives."""
    return {
        request.get("name") or "": frozenset(
            one.get("name") or "" for one in request.get("firstAvailable") or ()
        )
        for request in devices.get("requests") or ()
    }


def devices_problems(devices: Part, at: str) -> list[FieldError]:
    """Check what a claim asks for."""
    known = request_names(devices)

    def named(part: Part) -> str:
        return part.get("name") or ""

    def reference(name: str, field: str) -> list[FieldError]:
        return request_reference(name, field, known)

    def constraint(part: Part, field: str) -> list[FieldError]:
        requests = part.get("requests")
        found = distinct(requests, MOST, f"{field}.requests", reference, lambda name: name)
        return found + _constraint(part, field)

    def configuration(part: Part, field: str) -> list[FieldError]:
        requests = part.get("requests")
        found = distinct(requests, MOST, f"{field}.requests", reference, lambda name: name)
        return found + configuration_problems(part, field)

    return [
        *distinct(devices.get("requests"), MOST, f"{at}.requests", _request, named),
        *limited(devices.get("constraints"), MOST, f"{at}.constraints", constraint),
        *limited(devices.get("config"), MOST, f"{at}.config", configuration),
    ]


def request_reference(
    name: str, field: str, known: Mapping[str, frozenset[str]]
) -> list[FieldError]:
    """Check the name of a request, or of one of its alternatives."""
    parts = name.split("/")
    if len(parts) > 2:
        return [invalid(field, name, _REQUEST)]
    found = [
        problem for part in parts for problem in each_invalid(field, part, names.dns_label(part))
    ]
    inner = known.get(parts[0])
    if inner is None or (len(parts) == 2 and parts[1] not in inner):
        found.append(invalid(field, name, _REQUEST))
    return found


def _label(field: str, name: str) -> list[FieldError]:
    return each_invalid(field, name, names.dns_label(name))


def _request(request: Part, at: str) -> list[FieldError]:
    found = _label(f"{at}.name", request.get("name") or "")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    why = "exactly one of `exactly` or `firstAvailable` is required"
    if exactly is not None and alternatives:
        found.append(invalid(at, None, f"{why}, but multiple fields are set"))
    elif alternatives:
        found += distinct(
            alternatives,
            _ALTERNATIVES,
            f"{at}.firstAvailable",
            _alternative,
            lambda one: one.get("name") or "",
        )
    elif exactly is not None:
        found += _device(exactly, f"{at}.exactly")
    else:
        found.append(required(at, why))
    return found


def _alternative(request: Part, at: str) -> list[FieldError]:
    return _label(f"{at}.name", request.get("name") or "") + _device(request, at)


def _device(request: Part, at: str) -> list[FieldError]:
    name = request.get("deviceClassName") or ""
    field = f"{at}.deviceClassName"
    found = each_invalid(field, name, names.dns_subdomain(name)) if name else [required(field)]
    found += limited(request.get("selectors"), MOST, f"{at}.selectors", selector_problems)
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode == "All":
        if count:
            why = "must not be specified when allocationMode is 'All'"
            found.append(invalid(f"{at}.count", count, why))
    elif mode == "ExactCount":
        if count <= 0:
            found.append(invalid(f"{at}.count", count, "must be greater than zero"))
    else:
        found.append(not_supported(f"{at}.allocationMode", mode, _MODES))
    for index, toleration in enumerate(request.get("tolerations") or ()):
        found += toleration_problems(toleration, f"{at}.tolerations[{index}]")
    return found


def selector_problems(selector: Part, at: str) -> list[FieldError]:
    """Check one selector of devices."""
    cel = selector.get("cel")
    if cel is None:
        return [required(f"{at}.cel")]
    expression = cel.get("expression") or ""
    field = f"{at}.cel.expression"
    if len(expression.encode()) > _EXPRESSION_BYTES:
        return [too_long(field, _EXPRESSION_BYTES)]
    return expression_problems(field, expression, "device", Surroundings())


def toleration_problems(toleration: Part, at: str) -> list[FieldError]:
    """Check one toleration of devices' taints."""
    key, operator, value, effect = (
        toleration.get(field) or "" for field in ("key", "operator", "value", "effect")
    )
    found = each_invalid(f"{at}.key", key, names.qualified_name(key)) if key else []
    if operator == "Exists":
        if value:
            why = "must be empty for operator `Exists`"
            found.append(invalid(f"{at}.value", value, why))
    elif operator == "Equal":
        found += each_invalid(f"{at}.value", value, names.label_value(value))
    elif operator:
        found.append(not_supported(f"{at}.operator", operator, _OPERATORS))
    else:
        found.append(required(f"{at}.operator"))
    return found + if_given(f"{at}.effect", effect or None, EFFECTS)


def _constraint(constraint: Part, at: str) -> list[FieldError]:
    for field in ("matchAttribute", "distinctAttribute"):
        if constraint.get(field) is not None:
            return whole_name(constraint[field], f"{at}.{field}")
    return [required(f"{at}.matchAttribute")]


def qualified_problems(name: str, at: str) -> list[FieldError]:
    """Check the name of an attribute or a capacity, with its driver's domain or without."""
    parts = name.split("/")
    if len(parts) == 1:
        return _c_identifier(name, at)
    if len(parts) > 2:
        return [invalid(at, name, "must not contain more than one slash")]
    domain, own = parts
    found = driver_name(at, domain) if domain else [invalid(at, "", "the domain must not be empty")]
    return found + (
        _c_identifier(own, at) if own else [invalid(at, "", "the name must not be empty")]
    )


def whole_name(name: str, at: str) -> list[FieldError]:
    """Check the name of an attribute that has to have its domain."""
    found = qualified_problems(name, at)
    if "/" not in name:
        why = "a fully qualified name must be a domain and a name separated by a slash"
        found.append(invalid(at, name, why))
    return found


def _c_identifier(name: str, at: str) -> list[FieldError]:
    found = [too_long(at, _IDENTIFIER_LIMIT)] if len(name) > _IDENTIFIER_LIMIT else []
    if not _identifier.fullmatch(name):
        found.append(invalid(at, name, _IDENTIFIER_WRONG))
    return found


def configuration_problems(part: Part, at: str) -> list[FieldError]:
    """Check what a driver is told."""
    opaque = part.get("opaque")
    if opaque is None:
        return [required(f"{at}.opaque")]
    found = driver_name(f"{at}.opaque.driver", opaque.get("driver") or "")
    return found + raw_problems(opaque.get("parameters"), f"{at}.opaque.parameters")


def raw_problems(value: Any, at: str) -> list[FieldError]:
    """Check a JSON object of any structure."""
    if value is None:
        return [required(at)]
    if len(orjson.dumps(value)) > _PARAMETER_BYTES:
        return [too_long(at, _PARAMETER_BYTES)]
    if not isinstance(value, dict):
        return [invalid(at, "<value omitted>", "must be a valid JSON object")]
    return []
