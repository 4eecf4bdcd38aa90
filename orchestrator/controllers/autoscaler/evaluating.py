"""What one metric of an autoscaler asks for, and what the status shows of it; pure.

Source of the words: pkg/controller/podautoscaler/horizontal.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from orchestrator.controllers.autoscaler.calculator import (
    CalculationError,
    Calculator,
    Proposal,
)
from orchestrator.controllers.autoscaler.questions import (
    external_value,
    object_value,
    pod_resources,
    pod_values,
    write_selector,
)
from orchestrator.controllers.autoscaler.source import MetricsError
from orchestrator.resources.objects import Object
from orchestrator.resources.quantities import format_milli, milli

Answer: TypeAlias = "Object | Exception"
"""What a metrics API said to a question, or why it said nothing."""

T = TypeVar("T")

_FIELDS: Final = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


class Finding(NamedTuple):
    """What a metric asks for.

    Attributes:
        replicas: So many.
        name: The metric in messages.
        status: Its entry in ``status.currentMetrics``.
    """

    replicas: int
    name: str
    status: Object


class MetricFailedError(Exception):
    """A metric came to nothing.

    Attributes:
        reason: Of the condition and the Event.
        why: Their message.
        text: What the failure of all metrics says of this one.
    """

    def __init__(self, reason: str, why: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.why = why
        self.text = text


def evaluate(metric: Object, answer: Answer, calculator: Calculator, namespace: str) -> Finding:
    """Return what a metric asks for.

    Args:
        metric: As in ``spec.metrics``.
        answer: To its question.
        calculator: For this autoscaler.
        namespace: The autoscaler's.

    Raises:
        MetricFailedError: It cannot be known.
    """
    kind = metric["type"]
    match kind:
        case "Resource" | "ContainerResource":
            return _resource(metric, answer, calculator)
        case "Pods":
            return _pods(metric["pods"], answer, calculator)
        case "Object":
            return _object(metric["object"], answer, calculator, namespace)
        case "External":
            return _external(metric["external"], answer, calculator, namespace)
        case _:
            text = f'unknown metric source type "{kind}"'
            raise MetricFailedError("InvalidMetricSourceType", text, text)


def _resource(metric: Object, answer: Answer, calculator: Calculator) -> Finding:
    kind = metric["type"]
    source = metric[_FIELDS[kind]]
    name, container, target = source["name"], source.get("container", ""), source["target"]
    aims_at_value = target.get("averageValue") is not None
    try:
        try:
            values = _read(answer, "resource", pod_resources, name, container)
        except MetricsError as error:
            raise CalculationError(f"unable to get metrics for resource {name}: {error}") from error
        if aims_at_value:
            found = calculator.by_value(values, milli(target["averageValue"]), name)
        else:
            percent = target["averageUtilization"]
            found = calculator.by_utilization(values, percent, name, container)
    except CalculationError as error:
        why = f"failed to get {name} {'usage' if aims_at_value else 'utilization'}: {error}"
        whose = "resource" if kind == "Resource" else "container"
        text = f"failed to get {name} {whose} metric value: {why}"
        raise MetricFailedError(f"FailedGet{kind}Metric", why, text) from error
    current: dict[str, Any] = {"averageValue": format_milli(found.value)}
    if found.utilization is not None:
        current["averageUtilization"] = found.utilization
    shown = {"name": name, "current": current}
    proposal = f"{name} resource"
    if container:
        shown["container"] = container
        proposal = f"{name} container resource"
    if not aims_at_value:
        proposal += " utilization (percentage of request)"
    return Finding(found.replicas, proposal, {"type": kind, _FIELDS[kind]: shown})


def _pods(source: Object, answer: Answer, calculator: Calculator) -> Finding:
    name = source["metric"]["name"]
    try:
        try:
            values = _read(answer, "custom", pod_values)
        except MetricsError as error:
            raise CalculationError(f"unable to get metric {name}: {error}") from error
        found = calculator.by_value(values, milli(source["target"]["averageValue"]))
    except CalculationError as error:
        text = f"failed to get pods metric value: {error}"
        raise MetricFailedError("FailedGetPodsMetric", str(error), text) from error
    current = {"averageValue": format_milli(found.value)}
    status = {"type": "Pods", "pods": {"metric": source["metric"], "current": current}}
    return Finding(found.replicas, f"pods metric {name}", status)


def _object(source: Object, answer: Answer, calculator: Calculator, namespace: str) -> Finding:
    name, described, target = source["metric"]["name"], source["describedObject"], source["target"]
    shared = target["type"] == "AverageValue"
    try:
        try:
            value = _read(answer, "custom", object_value)
        except MetricsError as error:
            whose = f"{described['kind']} {namespace}/{described['name']}"
            raise CalculationError(f"unable to get metric {name}: {whose}/{error}") from error
        found, current = _proposal(value, target, calculator)
    except CalculationError as error:
        why = f"failed to get {name} object metric: {error}" if shared else str(error)
        text = f"failed to get object metric value: {why}"
        raise MetricFailedError("FailedGetObjectMetric", str(error), text) from error
    proposal = f"{described['kind']} metric {name}"
    if shared:
        proposal = f"external metric {name}({write_selector(source['metric'].get('selector'))})"
    shown = {"metric": source["metric"], "describedObject": described, "current": current}
    return Finding(found.replicas, proposal, {"type": "Object", "object": shown})


def _external(source: Object, answer: Answer, calculator: Calculator, namespace: str) -> Finding:
    name, target = source["metric"]["name"], source["target"]
    selector = write_selector(source["metric"].get("selector"))
    try:
        try:
            value = _read(answer, "external", external_value)
        except MetricsError as error:
            raise CalculationError(
                f"unable to get external metric {namespace}/{name}/{selector}: {error}"
            ) from error
        found, current = _proposal(value, target, calculator)
    except CalculationError as error:
        shared = target.get("averageValue") is not None
        what = f"{name} external metric" if shared else f"external metric {name}"
        text = f"failed to get {name} external metric value: failed to get {what}: {error}"
        raise MetricFailedError("FailedGetExternalMetric", str(error), text) from error
    shown = {"metric": source["metric"], "current": current}
    proposal = f"external metric {name}({selector})"
    return Finding(found.replicas, proposal, {"type": "External", "external": shown})


def _proposal(
    value: int, target: Object, calculator: Calculator
) -> tuple[Proposal, dict[str, str]]:
    if target.get("averageValue") is not None:
        found = calculator.by_share(value, milli(target["averageValue"]))
        return found, {"averageValue": format_milli(found.value)}
    found = calculator.by_whole(value, milli(target["value"]))
    return found, {"value": format_milli(found.value)}


def _read(answer: Answer, api: str, reader: Callable[..., T], *more: str) -> T:
    """Read an answer; what a server says that cannot be read is its failure."""
    if isinstance(answer, Exception):
        raise MetricsError(f"unable to fetch metrics from {api} metrics API: {answer}")
    try:
        return reader(answer, *more)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MetricsError(
            f"unable to fetch metrics from {api} metrics API: the answer cannot be read: {error!r}"
        ) from error
