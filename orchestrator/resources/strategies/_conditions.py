"""Conditions of the shape that newer kinds share.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go.
"""

from __future__ import annotations

import re
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    invalid,
    not_supported,
    required,
    too_long,
)
from orchestrator.resources.strategies._sharing import Part

_STATUSES: Final = ("False", "True", "Unknown")
_REASON: Final = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_reason = re.compile(_REASON)
_REASON_WRONG: Final = names.pattern_message(
    "a condition reason must start with alphabetic character, optionally followed by a string of "
    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
    _REASON,
    "my_name",
    "MY_NAME",
    "MyName",
    "ReasonA,ReasonB",
    "ReasonA:ReasonB",
)
_REASON_BYTES: Final = 1024
_MESSAGE_BYTES: Final = 32 * 1024


def condition_problems(conditions: list[Part] | None, field: str) -> list[FieldError]:
    """Check a list of conditions."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions or ()):
        at = f"{field}[{index}]"
        type_ = condition.get("type") or ""
        if type_ in seen:
            found.append(duplicate(f"{at}.type", type_))
        seen.add(type_)
        found += each_invalid(f"{at}.type", type_, names.qualified_name(type_))
        found += _condition(condition, at)
    return found


def _condition(condition: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    status = condition.get("status") or ""
    if status not in _STATUSES:
        found.append(not_supported(f"{at}.status", status, _STATUSES))
    generation = condition.get("observedGeneration") or 0
    if generation < 0:
        why = "must be greater than or equal to zero"
        found.append(invalid(f"{at}.observedGeneration", generation, why))
    if not condition.get("lastTransitionTime"):
        found.append(required(f"{at}.lastTransitionTime", "must be set"))
    reason = condition.get("reason") or ""
    if not reason:
        found.append(required(f"{at}.reason", "must be set"))
    else:
        if not _reason.fullmatch(reason):
            found.append(invalid(f"{at}.reason", reason, _REASON_WRONG))
        if len(reason.encode()) > _REASON_BYTES:
            found.append(too_long(f"{at}.reason", _REASON_BYTES))
    if len((condition.get("message") or "").encode()) > _MESSAGE_BYTES:
        found.append(too_long(f"{at}.message", _MESSAGE_BYTES))
    return found
