"""Validation of the metrics that an autoscaler goes by.

Source of rules and words: pkg/apis/autoscaling/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._sharing import Part

_TYPES: Final = ("ContainerResource", "External", "Object", "Pods", "Resource")
_SOURCES: Final = {
    "object": "Object",
    "external": "External",
    "pods": "Pods",
    "resource": "Resource",
    "containerResource": "ContainerResource",
}
"""Fields that hold a source, to the type that it belongs to; in upstream's order."""
_TARGETS: Final = ("Utilization", "Value", "AverageValue")

References = Callable[[Part, str], list[FieldError]]


def metric_problems(metric: Part, at: str, references: References) -> list[FieldError]:
    """Check one metric.

    Args:
        metric: It.
        at: Its path.
        references: Checks the object that a metric describes.
    """
    type_ = metric.get("type") or ""
    found: list[FieldError] = []
    if not type_:
        found.append(required(f"{at}.type", "must specify a metric source type"))
    elif type_ not in _TYPES:
        found.append(not_supported(f"{at}.type", type_, _TYPES))
    given = [field for field in _SOURCES if metric.get(field) is not None]
    if given:
        first = given[0]
        found += _source(first, metric[first], f"{at}.{first}", references)
    expected = next((field for field, kind in _SOURCES.items() if kind == type_), "")
    if expected and expected not in given:
        wrong = "must populate information for the given metric source"
        found.append(required(f"{at}.{expected}", wrong))
    if len(given) != 1:
        found += [
            forbidden(f"{at}.{field}", "must populate the given metric source only")
            for field in given
            if field != expected
        ]
    return found


def _source(kind: str, source: Part, at: str, references: References) -> list[FieldError]:
    target = source.get("target") or {}
    found: list[FieldError] = []
    if kind in {"resource", "containerResource"}:
        if not source.get("name"):
            found.append(required(f"{at}.name", "must specify a resource name"))
        if kind == "containerResource" and not source.get("container"):
            found.append(required(f"{at}.container", "must specify a container"))
        return found + _target(target, f"{at}.target") + _usage(target, f"{at}.target")
    if kind == "object":
        found += references(source.get("describedObject") or {}, f"{at}.describedObject")
    found += _identifier(source.get("metric") or {}, f"{at}.metric")
    found += _target(target, f"{at}.target")
    value, average = target.get("value"), target.get("averageValue")
    here = f"{at}.target.averageValue"
    if kind == "pods":
        if average is None or _sign(average) <= 0:
            found.append(required(here, "must specify a positive target averageValue"))
    elif value is None and average is None:
        wrong = (
            "must set either a target value or averageValue"
            if kind == "object"
            else "must set either a target value for metric or a per-pod target"
        )
        found.append(required(here, wrong))
    elif kind == "external" and value is not None and average is not None:
        wrong = "may not set both a target value for metric and a per-pod target"
        found.append(forbidden(f"{at}.target.value", wrong))
    return found


def _usage(target: Part, at: str) -> list[FieldError]:
    share, average = target.get("averageUtilization"), target.get("averageValue")
    if share is None and average is None:
        wrong = "must set either a target raw value or a target utilization"
        return [required(f"{at}.averageUtilization", wrong)]
    if share is not None and average is not None:
        wrong = "may not set both a target raw value and a target utilization"
        return [forbidden(f"{at}.averageValue", wrong)]
    return []


def _target(target: Part, at: str) -> list[FieldError]:
    type_ = target.get("type") or ""
    found: list[FieldError] = []
    if not type_:
        found.append(required(f"{at}.type", "must specify a metric target type"))
    if type_ not in _TARGETS:
        wrong = "must be either Utilization, Value, or AverageValue"
        found.append(invalid(f"{at}.type", type_, wrong))
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and _sign(amount) <= 0:
            found.append(invalid(f"{at}.{field}", canonical(amount), "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        found.append(invalid(f"{at}.averageUtilization", share, "must be greater than 0"))
    return found


def _identifier(metric: Part, at: str) -> list[FieldError]:
    name = metric.get("name") or ""
    if name:
        found = each_invalid(f"{at}.name", name, names.path_segment(name))
    else:
        found = [required(f"{at}.name", "must specify a metric name")]
    if (selector := metric.get("selector")) is not None:
        found += label_selector_problems(f"{at}.selector", selector)
    return found


def _sign(amount: Any) -> int:
    try:
        return parse(amount).nano
    except QuantityError:
        return 1  # decoding refuses it
