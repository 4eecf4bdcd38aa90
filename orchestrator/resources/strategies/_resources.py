"""Validation of resource requests and limits.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._problems import (
    NOT_NEGATIVE,
    duplicate,
    each_invalid,
    invalid,
    required,
)
from orchestrator.resources.strategies._sharing import Part

_STANDARD: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_NANO: Final = 10**9


def resource_problems(resources: Part, at: str) -> list[FieldError]:
    """Return every complaint about ``requests``, ``limits`` and ``claims``."""
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    found: list[FieldError] = []
    for name, amount in limits.items():
        found += _amount(name, amount, f"{at}.limits")
    for name, amount in requests.items():
        problems = _amount(name, amount, f"{at}.requests")
        found += problems
        limit = limits.get(name)
        if problems or limit is None:
            if limit is None and not problems and not _overcommits(name):
                found.append(
                    required(f"{at}.limits", "Limit must be set for non overcommitable resources")
                )
            continue
        found += _over_limit(name, amount, limit, at)
    claims: set[str] = set()
    for index, claim in enumerate(resources.get("claims") or ()):
        name = claim.get("name") or ""
        if not name:
            found.append(required(f"{at}.claims[{index}]"))
        if name in claims:
            found.append(duplicate(f"{at}.claims[{index}]", name))
        claims.add(name)
    return found


def _over_limit(name: str, amount: str, limit: str, at: str) -> list[FieldError]:
    try:
        asked, most = parse(amount).nano, parse(limit).nano
    except QuantityError:
        return []  # said already for the limit
    if asked == most:
        return []
    if not _overcommits(name):
        return [
            invalid(
                f"{at}.requests",
                canonical(amount),
                f"must be equal to {name} limit of {canonical(limit)}",
            )
        ]
    if asked < most:
        return []
    return [
        invalid(
            f"{at}.requests",
            canonical(amount),
            f"must be less than or equal to {name} limit of {canonical(limit)}",
        )
    ]


def _overcommits(name: str) -> bool:
    """Tell whether a request may be below its limit: not for huge pages and extended resources."""
    return name in _STANDARD


def _amount(name: str, amount: str, at: str) -> list[FieldError]:
    here = f"{at}[{name}]"
    problems = names.qualified_name(name)
    if problems:
        return each_invalid(here, name, problems)
    if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        return [
            invalid(here, name, "must be a standard resource type or fully qualified"),
            invalid(here, name, "must be a standard resource for containers"),
        ]
    try:
        parsed = parse(amount)
    except QuantityError as error:
        return [invalid(here, amount, str(error))]
    if parsed.nano < 0:
        return [invalid(here, canonical(amount), NOT_NEGATIVE)]
    if "/" in name and parsed.nano % _NANO:
        return [invalid(here, canonical(amount), "must be an integer")]
    return []
