"""What the metrics APIs are asked for a metric, and how their answers are read; pure.

Source: k8s.io/metrics pkg/client and pkg/controller/podautoscaler/metrics of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from orchestrator.controllers.autoscaler.calculator import PodValue
from orchestrator.controllers.autoscaler.source import MetricsError, Question
from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.quantities import milli
from orchestrator.resources.scales import selector_text
from orchestrator.resources.selectors import label_selector
from orchestrator.resources.timestamps import parse_time

PluralOf = Callable[[str, str], str]
"""From an ``apiVersion`` and a kind to ``plural.group``; raises MetricsError for unknown ones."""

_RESOURCE: Final = ("metrics.k8s.io", ("v1beta1",))
_CUSTOM: Final = ("custom.metrics.k8s.io", ("v1beta2", "v1beta1"))
_EXTERNAL: Final = ("external.metrics.k8s.io", ("v1beta1",))
_WINDOW: Final = 60.0
"""Seconds that a custom metric is taken to cover which does not say; upstream's default."""
_DURATION: Final = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip


def question_of(metric: Object, namespace: str, selector: str, plural_of: PluralOf) -> Question:
    """Return what is asked for one metric of an autoscaler.

    Args:
        metric: As in ``spec.metrics``.
        namespace: The autoscaler's.
        selector: Of the target's pods, as text.
        plural_of: Finds the resource of a described object.

    Raises:
        MetricsError: Nothing can be asked: the described object's kind is unknown.
        SelectorError: The metric's selector cannot be read.
    """
    within = f"namespaces/{quote(namespace, safe='')}"
    match metric["type"]:
        case "Pods":
            name, query = _identity(metric["pods"]["metric"], "metricLabelSelector")
            path = f"{within}/pods/*/{name}"
            return Question(*_CUSTOM, path, "pods", {"labelSelector": selector, **query})
        case "Object":
            described = metric["object"]["describedObject"]
            name, query = _identity(metric["object"]["metric"], "metricLabelSelector")
            version, kind = described.get("apiVersion") or "v1", described["kind"]
            if (version, kind) == ("v1", "Namespace"):
                # Its name does not count: nobody is to look beyond their namespace.
                return Question(*_CUSTOM, f"{within}/metrics/{name}", "namespaces", query)
            plural = plural_of(version, kind)
            path = f"{within}/{plural}/{quote(described['name'], safe='')}/{name}"
            return Question(*_CUSTOM, path, plural, query)
        case "External":
            name, query = _identity(metric["external"]["metric"], "labelSelector")
            return Question(*_EXTERNAL, f"{within}/{name}", name, query)
        case _:
            return Question(*_RESOURCE, f"{within}/pods", "pods", {"labelSelector": selector})


def _identity(metric: Object, parameter: str) -> tuple[str, dict[str, str]]:
    """Return a metric's name for a path, and the query that selects its series."""
    selector = metric.get("selector") or {}
    label_selector(selector)  # which tells what is wrong with it
    text = selector_text(selector)
    return quote(metric["name"], safe=""), {parameter: text} if text else {}


def pod_resources(answer: Object, resource: str, container: str = "") -> dict[str, PodValue]:
    """Read what pods use of a resource, or one container of each.

    A pod is left out where something is missing.

    Raises:
        MetricsError: There are no metrics at all.
    """
    found = {}
    for item in _items(answer, "resource"):
        used = [
            one.get("usage") or {}
            for one in item.get("containers") or ()
            if not container or one.get("name") == container
        ]
        if used and all(resource in one for one in used):
            found[name_of(item)] = PodValue(
                sum(milli(one[resource]) for one in used),
                parse_time(item["timestamp"]),
                _seconds(item.get("window") or ""),
            )
    return found


def pod_values(answer: Object) -> dict[str, PodValue]:
    """Read a custom metric of pods.

    Raises:
        MetricsError: There is none.
    """
    found = {}
    for item in _items(answer, "custom"):
        seconds = item.get("windowSeconds")
        found[item["describedObject"]["name"]] = PodValue(
            milli(item["value"]),
            parse_time(item["timestamp"]),
            _WINDOW if seconds is None else float(seconds),
        )
    return found


def object_value(answer: Object) -> int:
    """Read a custom metric of one object.

    Raises:
        MetricsError: There is none, or more than one.
    """
    items: list[Object] = answer.get("items") or []
    if len(items) != 1:
        raise MetricsError(
            "unable to fetch metrics from custom metrics API: the custom metrics API server "
            f"returned {len(items)} results when we asked for exactly one"
        )
    return milli(items[0]["value"])


def external_value(answer: Object) -> int:
    """Add up the series of an external metric.

    Raises:
        MetricsError: There is none.
    """
    return sum(milli(item["value"]) for item in _items(answer, "external"))


def _items(answer: Object, api: str) -> list[Object]:
    items: list[Object] = answer.get("items") or []
    if not items:
        raise MetricsError(f"no metrics returned from {api} metrics API")
    return items


def _seconds(duration: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))


def write_selector(selector: Mapping[str, Any] | None) -> str:
    """Write a selector as Go prints one, for messages."""
    if selector is None:
        return "nil"
    labels = selector.get("matchLabels")
    written = "".join(f"{key}: {value}," for key, value in sorted((labels or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one['key']},Operator:{one['operator']},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{written}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
