"""ResourceQuotas."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import IMMUTABLE, invalid, required
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._resources import (
    QUOTA_RESOURCES,
    amount_problems,
    is_huge_page,
    resource_name_problems,
)
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build

_SCOPES: Final = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
_EXISTING: Final = frozenset(_SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_COMPUTE: Final = frozenset(
    {"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
)
_EXCLUSIVE: Final = (
    {"BestEffort", "NotBestEffort"},
    {"Terminating", "NotTerminating"},
)
_MISFIT: Final = "unsupported scope applied to resource"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ResourceQuotas."""
    return build(
        has_status=True,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), _scopes_stay),
        status_checks=(metadata_update_check(), _status),
        create_on_update=True,
    )


def _amounts(amounts: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for name, amount in amounts.items():
        here = f"{at}[{name}]"
        found += resource_name_problems(name, here)
        if "/" not in name and not _is_counted(name):
            found.append(invalid(here, name, "must be a standard resource for quota"))
        found += amount_problems(name, amount, here)
    return found


def _is_counted(name: str) -> bool:
    return name in QUOTA_RESOURCES or is_huge_page(name.removeprefix("requests."))


def _fits(scope: str, resource: str) -> bool:
    if not _is_counted(resource):
        return True
    match scope:
        case "BestEffort":
            return resource == "pods"
        case "VolumeAttributesClass":
            return resource in {"persistentvolumeclaims", "requests.storage"}
        case _:
            return resource == "pods" or resource in _COMPUTE


def _spec(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    hard: Part = spec.get("hard") or {}
    found = _amounts(hard, "spec.hard")
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _SCOPES:
            found.append(invalid("spec.scopes", scopes, "unsupported scope"))
        found += [
            invalid("spec.scopes", scopes, _MISFIT)
            for resource in sorted(hard)
            if not _fits(scope, resource)
        ]
    found += _conflicts(set(scopes), scopes)
    if (selector := spec.get("scopeSelector")) is not None:
        found += _selector(selector, hard, scopes)
    return found


def _conflicts(given: set[str], shown: list[str]) -> list[FieldError]:
    return [
        invalid("spec.scopes", shown, "conflicting scopes") for pair in _EXCLUSIVE if pair <= given
    ]


def _selector(selector: Part, hard: Part, scopes: list[str]) -> list[FieldError]:
    at = "spec.scopeSelector.matchExpressions"
    given: set[str] = set()
    found: list[FieldError] = []
    for one in selector.get("matchExpressions") or ():
        scope, operator = one.get("scopeName") or "", one.get("operator") or ""
        values: Any = one.get("values") or []
        if scope not in _SCOPES:
            found.append(invalid(f"{at}.scopeName", scope, "unsupported scope"))
        found += [
            invalid(at, selector, _MISFIT)
            for resource in sorted(hard)
            if not _fits(scope, resource)
        ]
        if scope in _EXISTING and operator != "Exists":
            wrong = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            found.append(invalid(f"{at}.operator", operator, wrong))
        if operator in {"In", "NotIn"}:
            if not values:
                wrong = (
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                    "selector"
                )
                found.append(required(f"{at}.values", wrong))
        elif operator in {"Exists", "DoesNotExist"}:
            if values:
                wrong = (
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
                    "selector"
                )
                found.append(invalid(f"{at}.values", values, wrong))
        else:
            found.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        given.add(scope)
    return found + _conflicts(given, scopes)


def _scopes_stay(new: Object, old: Object) -> list[FieldError]:
    after = (new.get("spec") or {}).get("scopes") or []
    before = (old.get("spec") or {}).get("scopes") or []
    return [] if set(after) == set(before) else [invalid("spec.scopes", after, IMMUTABLE)]


def _status(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    return [
        problem
        for field in ("hard", "used")
        for problem in _amounts(status.get(field) or {}, f"status.{field}")
    ]
