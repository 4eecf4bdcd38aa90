"""Rules that workloads share: replicas, selector, pod template.

Source: pkg/apis/apps/validation and pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import SelectorError, label_selector
from orchestrator.resources.strategies._metadata import annotation_problems, label_problems
from orchestrator.resources.strategies._pod_validation import pod_spec_problems
from orchestrator.resources.strategies._problems import (
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._sharing import Part

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def replica_checks(spec: Part, at: str) -> list[FieldError]:
    """Check counts that must not be negative."""
    return [
        *not_negative(f"{at}.replicas", spec.get("replicas")),
        *not_negative(f"{at}.minReadySeconds", spec.get("minReadySeconds")),
    ]


def selector_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check that there is a selector, that it is valid and not empty."""
    selector = spec.get("selector")
    field = f"{at}.selector"
    if selector is None:
        return [required(field)]
    found = label_selector_problems(field, selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(invalid(field, selector, f"empty selector is invalid for {kind}"))
    return found


def label_selector_problems(field: str, selector: Part) -> list[FieldError]:
    """Check the object form of a label selector."""
    found = label_problems(f"{field}.matchLabels", selector.get("matchLabels"))
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        found += _expression(f"{field}.matchExpressions[{index}]", expression)
    return found


def _expression(at: str, expression: Part) -> list[FieldError]:
    operator = expression.get("operator")
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


def template_checks(spec: Part, at: str, kind: str) -> list[FieldError]:
    """Check a pod template that runs for ever, and that the selector selects it."""
    template = spec.get("template")
    if not template:
        return [required(f"{at}.template")]
    found: list[FieldError] = []
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not _selects(spec.get("selector"), labels):
        found.append(
            invalid(
                f"{at}.template.metadata.labels",
                labels,
                "`selector` does not match template `labels`",
            )
        )
    found += template_problems(template, f"{at}.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") not in {None, "Always"}:
        found.append(
            not_supported(f"{at}.template.spec.restartPolicy", pod["restartPolicy"], ("Always",))
        )
    if pod.get("activeDeadlineSeconds") is not None:
        named = "ReplicaSet" if kind == "Deployment" else kind
        found.append(
            forbidden(
                f"{at}.template.spec.activeDeadlineSeconds",
                f"activeDeadlineSeconds in {named} is not Supported",
            )
        )
    return found


def template_problems(template: Part, at: str) -> list[FieldError]:
    """Check a pod template by itself."""
    metadata: dict[str, Any] = template.get("metadata") or {}
    return [
        *label_problems(f"{at}.metadata.labels", metadata.get("labels")),
        *annotation_problems(f"{at}.metadata.annotations", metadata.get("annotations")),
        *pod_spec_problems(template.get("spec") or {}, f"{at}.spec"),
    ]


def selector_unchanged(new: Object, old: Object) -> list[FieldError]:
    """Check that ``spec.selector`` stays."""
    return immutable(
        "spec.selector",
        (new.get("spec") or {}).get("selector"),
        (old.get("spec") or {}).get("selector"),
    )


def _selects(selector: Part | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return True  # said already: required
    try:
        parsed = label_selector(selector)
    except SelectorError:
        return True  # said already: not a valid operator
    return parsed.empty or parsed.matches(labels)
