"""Validation of resource requests and limits, of containers and of whole pods.

Source of rules and words: pkg/apis/core/validation and pkg/apis/core/helper of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    NOT_NEGATIVE,
    NOT_WHOLE,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._aggregates import requested_together
from orchestrator.resources.strategies._sharing import Part

NameRule: TypeAlias = Callable[[str, str], list[FieldError]]

_COMPUTE: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_COUNTED: Final = frozenset(
    {
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_STANDARD: Final = frozenset(
    {
        *_COMPUTE,
        *_COUNTED,
        "storage",
        *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE),
    }
)
QUOTA_RESOURCES: Final = frozenset(
    {*_COMPUTE, *_COUNTED, "requests.storage"}
    | {f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE}
)
_HUGE: Final = "hugepages-"
_POD_LEVEL: Final = ("cpu", _HUGE, "memory")
_NANO: Final = 10**9


def is_huge_page(name: str) -> bool:
    """Tell whether a resource is huge pages of some size."""
    return name.startswith(_HUGE)


def is_native(name: str) -> bool:
    """Tell whether a resource is Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Tell whether a resource is one that a device plugin or an operator offers."""
    if is_native(name) or name.startswith("requests."):
        return False
    return not names.qualified_name(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    """Tell whether a request may be below its limit: not for huge pages and extended resources."""
    return is_native(name) and not is_huge_page(name)


def resource_name_problems(name: str, at: str) -> list[FieldError]:
    """Check the name of a resource of any sort."""
    if problems := names.qualified_name(name):
        return each_invalid(at, name, problems)
    if "/" in name or name in _STANDARD or name.startswith((_HUGE, f"requests.{_HUGE}")):
        return []
    return [invalid(at, name, "must be a standard resource type or fully qualified")]


def container_resource_name_problems(name: str, at: str) -> list[FieldError]:
    """Check the name of a resource that a container may ask for."""
    found = resource_name_problems(name, at)
    if "/" not in name:
        if name not in _COMPUTE and not is_huge_page(name):
            found.append(invalid(at, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        found.append(invalid(at, name, "doesn't follow extended resource name standard"))
    return found


def _pod_resource_name_problems(name: str, at: str) -> list[FieldError]:
    found = resource_name_problems(name, at)
    if found or name in _POD_LEVEL or is_huge_page(name):
        return found
    return [not_supported(at, name, _POD_LEVEL)]


def amount_problems(name: str, amount: Any, at: str) -> list[FieldError]:
    """Check an amount of a resource: not negative, and whole where parts make no sense."""
    try:
        nano = parse(amount).nano
    except QuantityError as error:
        return [invalid(at, amount, str(error))]
    found = [invalid(at, canonical(amount), NOT_NEGATIVE)] if nano < 0 else []
    if nano % _NANO and (name in _COUNTED or is_extended(name)):
        found.append(invalid(at, canonical(amount), NOT_WHOLE))
    return found


def resource_problems(
    resources: Part,
    at: str,
    claims: frozenset[str] = frozenset(),
    name_rule: NameRule = container_resource_name_problems,
) -> list[FieldError]:
    """Return every complaint about ``requests``, ``limits`` and ``claims``.

    Args:
        resources: Them.
        at: Their path.
        claims: Names of the pod's resource claims.
        name_rule: What resources may be named here.
    """
    limits: Part = resources.get("limits") or {}
    requests: Part = resources.get("requests") or {}
    found: list[FieldError] = []
    for name, amount in limits.items():
        found += _amount(name, amount, f"{at}.limits[{name}]", name_rule)
    for name, amount in requests.items():
        found += _amount(name, amount, f"{at}.requests[{name}]", name_rule)
        if (limit := limits.get(name)) is not None:
            found += _over_limit(name, amount, limit, at)
        elif not may_overcommit(name):
            found.append(
                required(f"{at}.limits", "Limit must be set for non overcommitable resources")
            )
    named = {*limits, *requests}
    if any(map(is_huge_page, named)) and not named & {"cpu", "memory"}:
        found.append(forbidden(at, "HugePages require cpu or memory"))
    if used := resources.get("claims"):
        found += _claims(used, claims, f"{at}.claims")
    return found


def _amount(name: str, amount: Any, at: str, name_rule: NameRule) -> list[FieldError]:
    found = name_rule(name, at)
    found += amount_problems(name, amount, at)
    if is_huge_page(name) and not _divisible(name, amount):
        text = canonical(amount)
        found.append(invalid(at, text, f"{text} is not positive integer multiple of {name}"))
    return found


def _divisible(name: str, amount: Any) -> bool:
    try:
        size, asked = parse(name.removeprefix(_HUGE)).nano, parse(amount).nano
    except QuantityError:
        return False
    return size > 0 and size % _NANO == 0 and asked % size == 0


def _over_limit(name: str, amount: Any, limit: Any, at: str) -> list[FieldError]:
    try:
        asked, most = parse(amount).nano, parse(limit).nano
    except QuantityError:
        return []  # said already
    if asked != most and not may_overcommit(name):
        how = "equal to"
    elif asked > most:
        how = "less than or equal to"
    else:
        return []
    return [
        invalid(
            f"{at}.requests",
            canonical(amount),
            f"must be {how} {name} limit of {canonical(limit)}",
        )
    ]


def _claims(used: list[Part], known: frozenset[str], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(used):
        here = f"{at}[{index}]"
        name, request = claim.get("name") or "", claim.get("request") or ""
        if not name:
            found.append(required(here))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            found.append(duplicate(here, name))
        else:
            if request:
                found += each_invalid(f"{here}.request", request, names.dns_label(request))
            if key in seen:
                found.append(duplicate(here, key))
            elif not request:
                found += [
                    duplicate(here, name) for other in seen if other.partition("/")[0] == name
                ]
            seen.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            found.append(
                not_found(
                    here, name, f"must be one of the names in pod.spec.resourceClaims{listed}"
                )
            )
    return found


def pod_resource_problems(spec: Part, at: str) -> list[FieldError]:
    """Check the resources of a pod as a whole, also against those of its containers."""
    resources: Part = spec["resources"]
    here = f"{at}.resources"
    found: list[FieldError] = []
    if resources.get("claims") is not None:
        found.append(forbidden(f"{here}.claims", "claims cannot be set for Resources at pod-level"))
    found += resource_problems(resources, here, name_rule=_pod_resource_name_problems)
    try:
        return found + _consistency(spec, resources, here)
    except QuantityError:
        return found  # said already


def _consistency(spec: Part, resources: Part, at: str) -> list[FieldError]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    found: list[FieldError] = []
    for name, needed in requested_together(spec).items():
        given = requests.get(name, "0")
        if needed.nano > parse(given).nano:
            found.append(
                invalid(
                    f"{at}.requests[{name}]",
                    canonical(given),
                    f"must be greater than or equal to aggregate container requests of {needed}",
                )
            )
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and parse(limit).nano > parse(limits[name]).nano:
                found.append(
                    invalid(
                        f"{at}.containers[{index}][{name}].limits",
                        canonical(limit),
                        f"must be less than or equal to pod limits of {canonical(limits[name])}",
                    )
                )
    return found
