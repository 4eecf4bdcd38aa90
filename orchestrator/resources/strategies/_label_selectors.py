"""Validation of label selectors in the form objects carry them.

Source of rules and words: k8s.io/apimachinery/pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import each_invalid, forbidden, invalid, required
from orchestrator.resources.strategies._metadata import label_problems
from orchestrator.resources.strategies._sharing import Part


def label_selector_problems(field: str, selector: Part) -> list[FieldError]:
    """Check the object form of a label selector."""
    found = label_problems(f"{field}.matchLabels", selector.get("matchLabels"))
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        found += _expression(f"{field}.matchExpressions[{index}]", expression)
    return found


def _expression(at: str, expression: Part) -> list[FieldError]:
    operator = expression.get("operator") or ""
    values = expression.get("values") or []
    found: list[FieldError] = []
    if operator in {"In", "NotIn"}:
        if not values:
            found.append(
                required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
            )
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            found.append(
                forbidden(
                    f"{at}.values",
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                )
            )
    else:
        found.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
    key = expression.get("key") or ""
    found += each_invalid(f"{at}.key", key, names.qualified_name(key))
    for index, value in enumerate(values):
        found += each_invalid(f"{at}.values[{index}]", value, names.label_value(value))
    return found
