"""HorizontalPodAutoscalers: what ``autoscaling/v1`` has no fields for goes into annotations.

Source: k8s.io/kubernetes pkg/apis/autoscaling/v1/conversion.go and ../annotations.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.resources.objects import Object

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
METRICS: Final = f"{_PREFIX}metrics"
CURRENT_METRICS: Final = f"{_PREFIX}current-metrics"
CONDITIONS: Final = f"{_PREFIX}conditions"
BEHAVIOR: Final = f"{_PREFIX}behavior"
DEFAULT_UTILIZATION: Final = 80
"""Per cent of CPU that a v1 object aims at that names no metric at all."""

Item = dict[str, Any]


class _Shape(NamedTuple):
    """One type of metric: where v1's flat fields stand in v2.

    Attributes:
        field: The part of a metric that holds it, ``resource``.
        same: Fields that both versions have.
        spec: v1's field of a target to the type and field of v2's ``target``.
        status: v1's field of a status to v2's field of ``current``.
        metric: v1's fields of the metric's identity to v2's under ``metric``.
    """

    field: str
    same: tuple[str, ...]
    spec: dict[str, tuple[str, str]]
    status: dict[str, str]
    metric: dict[str, str]


_USED: Final = {
    "targetAverageUtilization": ("Utilization", "averageUtilization"),
    "targetAverageValue": ("AverageValue", "averageValue"),
}
_USED_NOW: Final = {
    "currentAverageUtilization": "averageUtilization",
    "currentAverageValue": "averageValue",
}
_SHAPES: Final = {
    "Resource": _Shape("resource", ("name",), _USED, _USED_NOW, {}),
    "ContainerResource": _Shape("containerResource", ("name", "container"), _USED, _USED_NOW, {}),
    "Pods": _Shape(
        "pods",
        (),
        {"targetAverageValue": ("AverageValue", "averageValue")},
        {"currentAverageValue": "averageValue"},
        {"metricName": "name", "selector": "selector"},
    ),
    "Object": _Shape(
        "object",
        (),
        {"targetValue": ("Value", "value"), "averageValue": ("AverageValue", "averageValue")},
        {"currentValue": "value", "averageValue": "averageValue"},
        {"metricName": "name", "selector": "selector"},
    ),
    "External": _Shape(
        "external",
        (),
        {
            "targetValue": ("Value", "value"),
            "targetAverageValue": ("AverageValue", "averageValue"),
        },
        {"currentValue": "value", "currentAverageValue": "averageValue"},
        {"metricName": "name", "metricSelector": "selector"},
    ),
}


def convert(obj: Object, api_version: str) -> Object:
    """Return an autoscaler in ``autoscaling/v1`` or ``autoscaling/v2``."""
    return _to_v1(obj) if api_version.endswith("/v1") else _to_v2(obj)


def _to_v2(obj: Object) -> Object:
    annotations = dict(obj["metadata"].get("annotations") or {})
    texts = {name: annotations.pop(name, None) for name in (METRICS, BEHAVIOR)}
    now = {name: annotations.pop(name, None) for name in (CURRENT_METRICS, CONDITIONS)}
    spec = dict(obj.get("spec") or {})
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    metrics = [_spec_to_v2(item) for item in _parsed(texts[METRICS])]
    if percent is None and not metrics:
        percent = DEFAULT_UTILIZATION
    if percent is not None:
        metrics.insert(0, _cpu({"target": _target("Utilization", "averageUtilization", percent)}))
    spec["metrics"] = metrics
    behavior = _parsed_object(texts[BEHAVIOR])
    if behavior:
        spec["behavior"] = behavior
    converted = {**obj, "apiVersion": "autoscaling/v2", "spec": spec}
    converted["metadata"] = _annotated(obj["metadata"], annotations)
    if "status" in obj or any(now.values()):
        status = dict(obj.get("status") or {})
        current = [_status_to_v2(item) for item in _parsed(now[CURRENT_METRICS])]
        used = status.pop("currentCPUUtilizationPercentage", None)
        if used is not None:
            current.insert(0, _cpu({"current": {"averageUtilization": used}}))
        if current:
            status["currentMetrics"] = current
        if conditions := _parsed(now[CONDITIONS]):
            status["conditions"] = conditions
        converted["status"] = status
    return converted


def _to_v1(obj: Object) -> Object:
    annotations = dict(obj["metadata"].get("annotations") or {})
    spec = dict(obj.get("spec") or {})
    others = []
    for item in spec.pop("metrics", None) or ():
        target = (item.get("resource") or {}).get("target") or {}
        percent = target.get("averageUtilization")
        if _is_cpu(item) and percent is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = percent
        else:
            others.append(_spec_to_v1(item))
    _annotate(annotations, METRICS, others)
    _annotate(annotations, BEHAVIOR, spec.pop("behavior", None))
    converted = {**obj, "apiVersion": "autoscaling/v1", "spec": spec}
    if "status" in obj:
        status = dict(obj["status"] or {})
        current = []
        for item in status.pop("currentMetrics", None) or ():
            used = ((item.get("resource") or {}).get("current") or {}).get("averageUtilization")
            if _is_cpu(item) and used is not None:
                status["currentCPUUtilizationPercentage"] = used
            current.append(_status_to_v1(item))
        _annotate(annotations, CURRENT_METRICS, current)
        _annotate(annotations, CONDITIONS, status.pop("conditions", None))
        converted["status"] = status
    converted["metadata"] = _annotated(obj["metadata"], annotations)
    return converted


def _cpu(value: Item) -> Item:
    return {"type": "Resource", "resource": {"name": "cpu", **value}}


def _is_cpu(item: Item) -> bool:
    return item.get("type") == "Resource" and (item.get("resource") or {}).get("name") == "cpu"


def _target(type_: str, field: str, value: Any) -> Item:
    return {"type": type_, field: value}


def _spec_to_v2(item: Item) -> Item:
    def values(shape: _Shape, flat: Item) -> Item:
        for field, (type_, into) in shape.spec.items():
            if flat.get(field) is not None:
                return {"target": _target(type_, into, flat[field])}
        return {}

    return _to_nested(item, values)


def _status_to_v2(item: Item) -> Item:
    def values(shape: _Shape, flat: Item) -> Item:
        found = {into: flat[name] for name, into in shape.status.items() if name in flat}
        return {"current": found}

    return _to_nested(item, values)


def _to_nested(item: Item, values: Callable[[_Shape, Item], Item]) -> Item:
    shape = _SHAPES.get(item.get("type", ""))
    flat = item.get(shape.field) if shape else None
    if shape is None or not isinstance(flat, dict):
        return item
    nested = {field: flat[field] for field in shape.same if field in flat}
    metric = {into: flat[name] for name, into in shape.metric.items() if name in flat}
    if metric:
        nested["metric"] = metric
    if shape.field == "object" and "target" in flat:
        nested["describedObject"] = flat["target"]
    return {"type": item["type"], shape.field: {**nested, **values(shape, flat)}}


def _spec_to_v1(item: Item) -> Item:
    def values(shape: _Shape, nested: Item) -> Item:
        target = nested.get("target") or {}
        return {name: target[field] for name, (_, field) in shape.spec.items() if field in target}

    return _to_flat(item, values)


def _status_to_v1(item: Item) -> Item:
    def values(shape: _Shape, nested: Item) -> Item:
        current = nested.get("current") or {}
        return {name: current[field] for name, field in shape.status.items() if field in current}

    return _to_flat(item, values)


def _to_flat(item: Item, values: Callable[[_Shape, Item], Item]) -> Item:
    shape = _SHAPES.get(item.get("type", ""))
    nested = item.get(shape.field) if shape else None
    if shape is None or not isinstance(nested, dict):
        return item
    flat = {field: nested[field] for field in shape.same if field in nested}
    metric = nested.get("metric") or {}
    flat.update({name: metric[into] for name, into in shape.metric.items() if into in metric})
    if "describedObject" in nested:
        flat["target"] = nested["describedObject"]
    return {"type": item["type"], shape.field: {**flat, **values(shape, nested)}}


def _parsed(text: str | None) -> list[Item]:
    """Read a list out of an annotation; what is not one counts as absent, as upstream."""
    try:
        found = orjson.loads(text) if text else []
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _parsed_object(text: str | None) -> Item | None:
    try:
        found = orjson.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _annotate(annotations: dict[str, str], name: str, value: Any) -> None:
    annotations.pop(name, None)
    if value:
        annotations[name] = orjson.dumps(value).decode()


def _annotated(metadata: Item, annotations: dict[str, str]) -> Item:
    kept = {field: value for field, value in metadata.items() if field != "annotations"}
    return {**kept, "annotations": annotations} if annotations else kept
