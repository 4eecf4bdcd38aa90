"""LimitRanges."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
)
from orchestrator.resources.quantities import Quantity, QuantityError, parse
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._resources import (
    container_resource_name_problems,
    may_overcommit,
    resource_name_problems,
)
from orchestrator.resources.strategies._sharing import Part, changed, each
from orchestrator.resources.strategies._strategy import Strategy, build

_TYPES: Final = ("Pod", "Container", "PersistentVolumeClaim")
_NANO: Final = 10**9


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of LimitRanges."""
    return build(
        has_status=False,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _limits),
        update_checks=(metadata_update_check(),),
        create_on_update=True,
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", lambda spec: changed(spec, "limits", each(_default_item)))


def _default_item(item: Part) -> Part:
    """Let a limit be the maximum, and a request the limit, or else the minimum."""
    if item.get("type") != "Container":
        return item
    limits = {**(item.get("max") or {}), **(item.get("default") or {})}
    requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
    new = dict(item)
    if limits:
        new["default"] = limits
    if requests:
        new["defaultRequest"] = requests
    return item if new == item else new


def _limits(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        at = f"spec.limits[{index}]"
        type_ = item.get("type") or ""
        found += _type(type_, f"{at}.type")
        if type_ in seen:
            found.append(duplicate(f"{at}.type", type_))
        seen.add(type_)
        found += _item(item, type_, at)
    return found


def _type(type_: str, at: str) -> list[FieldError]:
    if problems := names.qualified_name(type_):
        return each_invalid(at, type_, problems)
    if "/" in type_ or type_ in _TYPES:
        return []
    return [invalid(at, type_, "must be a standard limit type or fully qualified")]


def _item(item: Part, type_: str, at: str) -> list[FieldError]:
    rule = (
        container_resource_name_problems
        if type_ in {"Pod", "Container"}
        else resource_name_problems
    )
    found: list[FieldError] = []
    for field in ("max", "min"):
        for name in item.get(field) or ():
            found += rule(name, f"{at}.{field}[{name}]")
    for field in ("default", "defaultRequest"):
        if type_ == "Pod":
            if item.get(field):
                wrong = "may not be specified when `type` is 'Pod'"
                found.append(forbidden(f"{at}.{field}", wrong))
            continue
        for name in item.get(field) or ():
            found += rule(name, f"{at}.{field}[{name}]")
    if type_ == "PersistentVolumeClaim" and not any(
        "storage" in (item.get(field) or ()) for field in ("min", "max")
    ):
        wrong = "either minimum or maximum storage value is required, but neither was provided"
        found.append(required(f"{at}.limits", wrong))
    for name in item.get("maxLimitRequestRatio") or ():
        found += rule(name, f"{at}.maxLimitRequestRatio[{name}]")
    named = dict.fromkeys(
        name
        for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
        if type_ != "Pod" or not field.startswith("default")
        for name in item.get(field) or ()
    )
    for name in named:
        try:
            found += _order(item, type_, name, at)
        except QuantityError:
            continue  # decoding refuses it
    return found


def _order(item: Part, type_: str, name: str, at: str) -> list[FieldError]:
    """Check that the amounts of one resource are in order."""

    def amount(field: str) -> Quantity | None:
        value: Any = (item.get(field) or {}).get(name)
        return None if value is None else parse(value)

    least, most = amount("min"), amount("max")
    limit = None if type_ == "Pod" else amount("default")
    request = None if type_ == "Pod" else amount("defaultRequest")
    ratio = amount("maxLimitRequestRatio")
    found: list[FieldError] = []

    # What is compared, what the complaint shows, where, and how: in upstream's order and words.
    rules = (
        (least, most, least, "min", "min value {} is greater than max value {}"),
        (
            least,
            request,
            request,
            "defaultRequest",
            "min value {} is greater than default request value {}",
        ),
        (
            request,
            most,
            request,
            "defaultRequest",
            "default request value {} is greater than max value {}",
        ),
        (
            request,
            limit,
            request,
            "defaultRequest",
            "default request value {} is greater than default limit value {}",
        ),
        (least, limit, least, "default", "min value {} is greater than default value {}"),
        (limit, most, most, "default", "default value {} is greater than max value {}"),
    )
    for low, high, shown, field, wrong in rules:
        if low is not None and high is not None and low.nano > high.nano:
            here = f"{at}.{field}[{name}]"
            found.append(invalid(here, str(shown), wrong.format(low, high)))
    if ratio is not None:
        found += _ratio(ratio, least, most, f"{at}.maxLimitRequestRatio[{name}]")
    if limit and request and not may_overcommit(name) and limit.nano != request.nano:
        wrong = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        found.append(invalid(f"{at}.defaultRequest[{name}]", str(request), wrong))
    return found


def _ratio(
    ratio: Quantity, least: Quantity | None, most: Quantity | None, at: str
) -> list[FieldError]:
    found: list[FieldError] = []
    if ratio.nano < _NANO:
        found.append(invalid(at, str(ratio), f"ratio {ratio} is less than 1"))
    if least and most and least.nano:
        span = most.nano / least.nano
        if ratio.nano / _NANO > span:
            wrong = f"ratio {ratio} is greater than max/min = {span:f}"
            found.append(invalid(at, str(ratio), wrong))
    return found
