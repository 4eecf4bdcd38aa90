"""What metrics APIs are asked, and how their answers are read."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers.autoscaler.questions import (
    external_value,
    object_value,
    pod_resources,
    pod_values,
    question_of,
    write_selector,
)
from orchestrator.controllers.autoscaler.source import MetricsError
from orchestrator.resources.objects import Object

SELECTED = {"name": "hits", "selector": {"matchLabels": {"verb": "GET"}}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "web"}


def _plural(version: str, kind: str) -> str:
    return {"Service": "services", "Ingress": "ingresses.networking.k8s.io"}[kind]


@pytest.mark.parametrize(
    ("metric", "group", "path", "query"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu"}},
            "metrics.k8s.io",
            "namespaces/ns/pods",
            {"labelSelector": "app=web"},
        ),
        (
            {"type": "Pods", "pods": {"metric": SELECTED}},
            "custom.metrics.k8s.io",
            "namespaces/ns/pods/*/hits",
            {"labelSelector": "app=web", "metricLabelSelector": "verb=GET"},
        ),
        (
            {"type": "Object", "object": {"metric": {"name": "h"}, "describedObject": SERVICE}},
            "custom.metrics.k8s.io",
            "namespaces/ns/services/web/h",
            {},
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": SELECTED,
                    "describedObject": {
                        "apiVersion": "networking.k8s.io/v1",
                        "kind": "Ingress",
                        "name": "main",
                    },
                },
            },
            "custom.metrics.k8s.io",
            "namespaces/ns/ingresses.networking.k8s.io/main/hits",
            {"metricLabelSelector": "verb=GET"},
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "h"},
                    "describedObject": {"kind": "Namespace", "name": "other"},
                },
            },
            "custom.metrics.k8s.io",
            "namespaces/ns/metrics/h",
            {},
        ),
        (
            {"type": "External", "external": {"metric": {**SELECTED, "name": "queue length"}}},
            "external.metrics.k8s.io",
            "namespaces/ns/queue%20length",
            {"labelSelector": "verb=GET"},
        ),
    ],
)
def test_each_type_of_metric_has_its_question(
    metric: Object, group: str, path: str, query: dict[str, str]
) -> None:
    """The paths are those of client-go's metrics clients."""
    question = question_of(metric, "ns", "app=web", _plural)
    assert (question.group, question.path, question.query) == (group, path, query)


def test_usage_of_pods_is_added_up() -> None:
    """A pod with a container that says nothing of the resource counts as missing."""

    def item(name: str, *used: dict[str, str]) -> Any:
        containers = [{"name": f"c{at}", "usage": usage} for at, usage in enumerate(used)]
        return {
            "metadata": {"name": name},
            "timestamp": "2026-01-01T00:00:10Z",
            "window": "1m5.5s",
            "containers": containers,
        }

    answer = {"items": [item("a", {"cpu": "100m"}, {"cpu": "1"}), item("b", {"memory": "1"})]}
    found = pod_resources(answer, "cpu")
    assert set(found) == {"a"}
    assert (found["a"].value, found["a"].window) == (1100, 65.5)
    assert pod_resources(answer, "cpu", "c1")["a"].value == 1000
    with pytest.raises(MetricsError, match="no metrics returned from resource metrics API"):
        pod_resources({"items": []}, "cpu")


def test_other_answers_are_read() -> None:
    """Custom metrics by object, external ones added up."""
    value = {
        "describedObject": {"name": "a"},
        "timestamp": "2026-01-01T00:00:10Z",
        "value": "1500m",
    }
    read = pod_values(
        {
            "items": [
                value,
                {**value, "describedObject": {"name": "b"}, "windowSeconds": 30, "value": "2"},
            ]
        }
    )
    assert [(one.value, one.window) for one in read.values()] == [(1500, 60.0), (2000, 30.0)]
    assert object_value({"items": [value]}) == 1500
    with pytest.raises(MetricsError, match="returned 2 results when we asked for exactly one"):
        object_value({"items": [value, value]})
    assert external_value({"items": [value, value]}) == 3000
    with pytest.raises(MetricsError, match="no metrics returned from external metrics API"):
        external_value({})


def test_selectors_are_written_as_go_prints_them() -> None:
    """Scripts search Events for that."""
    assert write_selector(None) == "nil"
    expression = {"key": "k", "operator": "In", "values": ["a", "b"]}
    assert write_selector({"matchLabels": {"q": "w"}, "matchExpressions": [expression]}) == (
        "&LabelSelector{MatchLabels:map[string]string{q: w,},MatchExpressions:"
        "[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[a b],},},}"
    )
