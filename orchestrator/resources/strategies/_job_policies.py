"""Validation of the policies of Jobs: when a pod's failure, or enough success, ends one.

Source of rules and words: pkg/apis/batch/validation of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    invalid,
    invalid_somehow,
    not_negative,
    not_supported,
    required,
    too_long,
    too_many,
)
from orchestrator.resources.strategies._sharing import Part

_RULES: Final = 20
_PATTERNS: Final = 20
_EXIT_CODES: Final = 255
_INDEXES_BYTES: Final = 64 * 1024
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_STATUSES: Final = ("False", "True", "Unknown")
_INTERVAL: Final = re.compile(r"([0-9]+)(?:-([0-9]+))?", re.ASCII)


def failure_policy_problems(policy: Part, spec: Part, at: str) -> list[FieldError]:
    """Check ``podFailurePolicy``."""
    rules = policy.get("rules") or ()
    found = [too_many(f"{at}.rules", len(rules), _RULES)] if len(rules) > _RULES else []
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {
        container.get("name")
        for field in ("containers", "initContainers")
        for container in pod.get(field) or ()
    }
    for index, rule in enumerate(rules):
        found += _failure_rule(rule, spec, containers, f"{at}.rules[{index}]")
    return found


def _listed(values: tuple[str, ...]) -> str:
    quoted = " ".join(f'"{value}"' for value in values)
    return f"valid values: [{quoted}]"


def _failure_rule(rule: Part, spec: Part, containers: set[Any], at: str) -> list[FieldError]:
    action = rule.get("action") or ""
    found: list[FieldError] = []
    if not action:
        found.append(required(f"{at}.action", _listed(_ACTIONS)))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            wrong = "requires the backoffLimitPerIndex to be set"
            found.append(invalid(f"{at}.action", action, wrong))
    elif action not in _ACTIONS:
        found.append(not_supported(f"{at}.action", action, _ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
    if codes is not None:
        found += _exit_codes(codes, containers, f"{at}.onExitCodes")
    if conditions:
        found += _conditions(conditions, f"{at}.onPodConditions")
    if codes is not None and conditions:
        wrong = "specifying both OnExitCodes and OnPodConditions is not supported"
        found.append(invalid_somehow(at, wrong))
    if codes is None and not conditions:
        wrong = "specifying one of OnExitCodes and OnPodConditions is required"
        found.append(invalid_somehow(at, wrong))
    return found


def _conditions(conditions: list[Part], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if len(conditions) > _PATTERNS:
        found.append(too_many(at, len(conditions), _PATTERNS))
    for index, condition in enumerate(conditions):
        kind, status = condition.get("type") or "", condition.get("status") or ""
        found += each_invalid(f"{at}[{index}].type", kind, names.qualified_name(kind))
        if not status:
            found.append(required(f"{at}[{index}].status", _listed(_STATUSES)))
        elif status not in _STATUSES:
            found.append(not_supported(f"{at}[{index}].status", status, _STATUSES))
    return found


def _exit_codes(codes: Part, containers: set[Any], at: str) -> list[FieldError]:
    operator, values = codes.get("operator") or "", codes.get("values") or []
    found: list[FieldError] = []
    if not operator:
        found.append(required(f"{at}.operator", _listed(_OPERATORS)))
    elif operator not in _OPERATORS:
        found.append(not_supported(f"{at}.operator", operator, _OPERATORS))
    container = codes.get("containerName")
    if container is not None and container not in containers:
        wrong = "must be one of the container or initContainer names in the pod template"
        found.append(invalid(f"{at}.containerName", container, wrong))
    here = f"{at}.values"
    if not values:
        found.append(invalid(here, values, "at least one value is required"))
    elif len(values) > _EXIT_CODES:
        found.append(too_many(here, len(values), _EXIT_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            wrong = "must not be 0 for the In operator"
            found.append(invalid(f"{here}[{index}]", value, wrong))
        if value in seen:
            found.append(duplicate(f"{here}[{index}]", value))
        seen.add(value)
    if values != sorted(values):
        found.append(invalid(here, values, "must be ordered"))
    return found


def success_policy_problems(policy: Part, spec: Part, at: str) -> list[FieldError]:
    """Check ``successPolicy``."""
    rules = policy.get("rules") or ()
    here = f"{at}.rules"
    if not rules:
        wrong = "at least one rules must be specified when the successPolicy is specified"
        return [required(here, wrong)]
    found = [too_many(here, len(rules), _RULES)] if len(rules) > _RULES else []
    for index, rule in enumerate(rules):
        found += _success_rule(rule, spec.get("completions"), f"{here}[{index}]")
    return found


def _success_rule(rule: Part, completions: int | None, at: str) -> list[FieldError]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        wrong = "at least one of succeededCount or succeededIndexes must be specified"
        return [required(at, wrong)]
    found: list[FieldError] = []
    total: int | None = None
    if indexes is not None:
        here = f"{at}.succeededIndexes"
        if len(indexes.encode()) > _INDEXES_BYTES:
            found.append(too_long(here, _INDEXES_BYTES))
        total, wrong = count_indexes(indexes, completions or 0)
        if wrong:
            wrong = f"error parsing succeededIndexes: {wrong}"
            found.append(invalid(here, indexes, wrong))
    if count is None:
        return found
    here = f"{at}.succeededCount"
    found += not_negative(here, count)
    if completions is not None and count > completions:
        wrong = f"must be less than or equal to {completions} (the number of specified completions)"
        found.append(invalid(here, count, wrong))
    if indexes is not None and total is not None and count > total:
        wrong = (
            f"must be less than or equal to {total} (the number of indexes in the specified "
            "succeededIndexes field)"
        )
        found.append(invalid(here, count, wrong))
    return found


def count_indexes(text: str, completions: int) -> tuple[int | None, str]:
    """Return how many indexes a text like ``1,3-5`` names, or None and what is wrong with it."""
    if not text:
        return 0, ""
    total, last = 0, -1
    for part in text.split(","):
        match = _INTERVAL.fullmatch(part)
        if match is None:
            return None, f'cannot convert string to integer for index: "{part.split("-")[0]}"'
        first, end = int(match[1]), int(match[2] or match[1])
        if first >= completions or end >= completions:
            return None, f'too large index: "{match[1] if first >= completions else match[2]}"'
        if first <= last:
            return None, f"non-increasing order, previous: {last}, current: {first}"
        if match[2] is not None and end <= first:
            return None, f"non-increasing order, previous: {first}, current: {end}"
        total, last = total + end - first + 1, end
    return total, ""
