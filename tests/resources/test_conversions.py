"""One object in several versions of its kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources.conversions import convert_built_in
from orchestrator.resources.kinds import Kind, registry

KINDS = registry("1.35")


def kind_of(api_version: str, name: str) -> Kind:
    """Return a kind that is served."""
    kind = KINDS.by_kind(api_version, name)
    assert kind is not None
    return kind


V1 = kind_of("autoscaling/v1", "HorizontalPodAutoscaler")
V2 = kind_of("autoscaling/v2", "HorizontalPodAutoscaler")
CORE = kind_of("v1", "Event")
NEW = kind_of("events.k8s.io/v1", "Event")

CPU: dict[str, Any] = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
METRICS: list[dict[str, Any]] = [
    {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    },
    {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "app",
            "target": {"type": "Utilization", "averageUtilization": 70},
        },
    },
    {
        "type": "Pods",
        "pods": {
            "metric": {"name": "packets", "selector": {"matchLabels": {"a": "b"}}},
            "target": {"type": "AverageValue", "averageValue": "1k"},
        },
    },
    {
        "type": "Object",
        "object": {
            "metric": {"name": "requests"},
            "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
            "target": {"type": "Value", "value": "2k"},
        },
    },
    {
        "type": "External",
        "external": {
            "metric": {"name": "queue", "selector": {"matchLabels": {"q": "w"}}},
            "target": {"type": "AverageValue", "averageValue": "30"},
        },
    },
]


def autoscaler(metrics: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An autoscaler in v2."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "annotations": {"mine": "kept"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": metrics,
            **more,
        },
    }


def test_an_autoscaler_on_cpu_is_a_percentage_in_v1() -> None:
    """The only metric that v1 has a field for."""
    v1 = convert_built_in(autoscaler([CPU]), V1)
    assert v1["apiVersion"] == "autoscaling/v1"
    assert v1["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in v1["spec"]
    assert v1["metadata"]["annotations"] == {"mine": "kept"}


def test_what_v1_has_no_field_for_is_in_annotations_in_its_old_form() -> None:
    """So that a client of v1 that writes the object back loses nothing."""
    v1 = convert_built_in(autoscaler(METRICS[2:3], behavior={"scaleUp": {}}), V1)
    assert v1["metadata"]["annotations"] == {
        "mine": "kept",
        "autoscaling.alpha.kubernetes.io/metrics": (
            '[{"type":"Pods","pods":{"metricName":"packets","selector":{"matchLabels":{"a":"b"}},'
            '"targetAverageValue":"1k"}}]'
        ),
        "autoscaling.alpha.kubernetes.io/behavior": '{"scaleUp":{}}',
    }


def test_an_autoscaler_of_v1_without_any_metric_aims_at_80_per_cent() -> None:
    """Upstream's default for v1."""
    bare = {**autoscaler([]), "apiVersion": "autoscaling/v1"}
    del bare["spec"]["metrics"]
    v2 = convert_built_in(bare, V2)
    assert v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80


@given(st.lists(st.sampled_from([CPU, *METRICS]), min_size=1, unique_by=id))
def test_every_metric_survives_v1(metrics: list[dict[str, Any]]) -> None:
    """The percentage comes first afterwards, as upstream has it."""
    v2 = autoscaler(metrics)
    back = convert_built_in(convert_built_in(v2, V1), V2)
    ordered = sorted(metrics, key=lambda metric: metric is not CPU)
    assert back == {**v2, "spec": {**v2["spec"], "metrics": ordered}}


def test_the_status_survives_v1() -> None:
    """Current metrics and conditions are annotations there."""
    v2 = autoscaler([CPU])
    v2["status"] = {
        "currentReplicas": 1,
        "desiredReplicas": 2,
        "currentMetrics": [
            {"type": "Pods", "pods": {"metric": {"name": "p"}, "current": {"averageValue": "5"}}}
        ],
        "conditions": [{"type": "AbleToScale", "status": "True"}],
    }
    assert convert_built_in(convert_built_in(v2, V1), V2) == v2


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "null"])
def test_an_annotation_that_is_no_list_of_metrics_counts_as_absent(text: str) -> None:
    """Anyone may write anything there."""
    v1 = convert_built_in(autoscaler([CPU]), V1)
    v1["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"] = text
    assert convert_built_in(v1, V2)["spec"]["metrics"] == [CPU]


def test_an_event_has_other_names_in_its_own_group() -> None:
    """One object, stored once."""
    assert NEW.resource == CORE.resource == "events"
    core = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "hello",
        "source": {"component": "kubelet"},
        "count": 2,
        "type": "Normal",
    }
    new = convert_built_in(core, NEW)
    assert new == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "a", "namespace": "default"},
        "regarding": {"kind": "Pod", "name": "p"},
        "note": "hello",
        "deprecatedSource": {"component": "kubelet"},
        "deprecatedCount": 2,
        "type": "Normal",
        "eventTime": None,
    }
    assert convert_built_in(new, CORE) == core
