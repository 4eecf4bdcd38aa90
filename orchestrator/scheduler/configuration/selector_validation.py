"""What node selector terms of an added affinity must be.

Upstream reads them with the scheduler's own parser, whose words differ from those of the API.

Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity and labels.NewRequirement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid, not_supported

_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_FIELD_OPERATORS: Final = ("In", "NotIn")


def preference_problems(preference: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    """Complain about a weighted term; one of no weight is not looked at."""
    if preference.get("weight"):
        yield from requirement_problems(preference.get("preference") or {}, at)


def requirement_problems(term: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    """Complain about a node selector term."""
    for index, one in enumerate(term.get("matchExpressions") or ()):
        yield from _expression(one, f"{at}.matchExpressions[{index}]")
    for index, one in enumerate(term.get("matchFields") or ()):
        operator, values = one.get("operator") or "", one.get("values") or []
        here = f"{at}.matchFields[{index}]"
        if operator not in _FIELD_OPERATORS:
            yield not_supported(f"{here}.operator", operator, _FIELD_OPERATORS)
        elif len(values) != 1:
            yield invalid(f"{here}.values", values, "must have one element")


def _expression(one: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    operator, values = one.get("operator") or "", one.get("values") or []
    key = one.get("key") or ""
    if operator not in _OPERATORS:
        yield not_supported(f"{at}.operator", operator, _OPERATORS)
        return
    if wrong := names.qualified_name(key):
        yield invalid(f"{at}.key", key, "; ".join(wrong))
    why = ""
    match operator:
        case "In" | "NotIn" if not values:
            why = "for 'in', 'notin' operators, values set can't be empty"
        case "Exists" | "DoesNotExist" if values:
            why = "values set must be empty for exists and does not exist"
        case "Gt" | "Lt" if len(values) != 1:
            why = "for 'Gt', 'Lt' operators, exactly one value is required"
    if why:
        yield invalid(f"{at}.values", values, why)
    for index, value in enumerate(values):
        if operator in {"Gt", "Lt"} and not _is_integer(value):
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            yield invalid(f"{at}.values[{index}]", value, why)
    for index, value in enumerate(values):
        if wrong := names.label_value(value):
            yield invalid(f"{at}.values[{index}][{key}]", value, "; ".join(wrong))


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return digits.isascii() and digits.isdigit() and -(2**63) <= int(text) < 2**63
