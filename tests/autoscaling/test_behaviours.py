"""Limits, rates and stabilisation as tables.

Rules: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior.
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers.autoscaler.behaviours import (
    Bounds,
    Change,
    Memory,
    Normal,
    Recommendation,
    behaviour_of,
    normalize,
    remember_change,
    tolerances_of,
)
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings

SETTINGS = AutoscalerSettings()


def decide(
    recommended: int,
    current: int,
    behavior: dict[str, Any] | None = None,
    memory: Memory | None = None,
    bounds: tuple[int, int] = (1, 100),
    now: float = 1000.0,
) -> Normal:
    """Decide with an empty memory, between 1 and 100 replicas."""
    spec = {} if behavior is None else {"behavior": behavior}
    behaviour = behaviour_of({"spec": spec}, SETTINGS)
    return normalize(
        recommended, Bounds(current, *bounds), behaviour, memory or Memory(), SETTINGS, now
    )


@pytest.mark.parametrize(
    ("recommended", "current", "bounds", "replicas", "reason"),
    [
        (5, 4, (1, 100), 5, "DesiredWithinRange"),
        (20, 4, (1, 100), 8, "ScaleUpLimit"),
        (20, 1, (1, 100), 4, "ScaleUpLimit"),
        (20, 4, (1, 6), 6, "TooManyReplicas"),
        (1, 4, (2, 100), 2, "TooFewReplicas"),
        (0, 4, (1, 100), 1, "TooFewReplicas"),
        (1, 4, (1, 100), 1, "DesiredWithinRange"),
    ],
)
def test_without_behavior_steps_at_most_double(
    recommended: int, current: int, bounds: tuple[int, int], replicas: int, reason: str
) -> None:
    """Bounds come first; a step leads to at most twice the replicas, or four."""
    found = decide(recommended, current, bounds=bounds)
    assert (found.replicas, found.limited.reason) == (replicas, reason)
    assert found.limited.status == ("False" if reason == "DesiredWithinRange" else "True")


def test_the_highest_recommendation_of_the_window_counts() -> None:
    """The stabilization window is 300 seconds for scaling down."""
    memory = Memory(recommendations=[Recommendation(600, 9), Recommendation(750, 5)])
    found = decide(3, 5, memory=memory)
    assert found.replicas == 5
    assert found.able.reason == "ScaleDownStabilized"
    assert [one.at for one in memory.recommendations] == [750, 1000]
    later = decide(3, 5, memory=memory, now=1050.1)
    assert (later.replicas, later.able.reason) == (3, "ReadyForNewScale")


PODS_4_PERCENT_10 = {
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 60},
        {"type": "Percent", "value": 10, "periodSeconds": 60},
    ],
    "stabilizationWindowSeconds": 0,
}


@pytest.mark.parametrize(
    ("current", "rules", "replicas"),
    [
        (80, PODS_4_PERCENT_10, 72),
        (72, PODS_4_PERCENT_10, 64),
        (38, PODS_4_PERCENT_10, 34),
        (80, {**PODS_4_PERCENT_10, "selectPolicy": "Min"}, 76),
        (80, {**PODS_4_PERCENT_10, "selectPolicy": "Disabled"}, 80),
        (80, {"stabilizationWindowSeconds": 0}, 1),
    ],
)
def test_policies_limit_how_many_replicas_go(
    current: int, rules: dict[str, Any], replicas: int
) -> None:
    """The policy which allows the highest amount of change is selected by default."""
    found = decide(1, current, {"scaleDown": rules})
    assert found.replicas == replicas
    limited = replicas > 1
    assert found.limited.reason == ("ScaleDownLimit" if limited else "DesiredWithinRange")


@pytest.mark.parametrize(
    ("current", "rules", "replicas"),
    [
        (1, {}, 5),
        (10, {}, 20),
        (10, {"policies": [{"type": "Percent", "value": 5, "periodSeconds": 60}]}, 11),
        (10, {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}, 14),
        (10, {"selectPolicy": "Min"}, 14),
        (10, {"selectPolicy": "Disabled"}, 10),
    ],
)
def test_policies_limit_how_many_replicas_come(
    current: int, rules: dict[str, Any], replicas: int
) -> None:
    """By default 4 pods or 100 percent every 15 seconds, whichever is more."""
    found = decide(100, current, {"scaleUp": rules})
    assert (found.replicas, found.limited.reason) == (replicas, "ScaleUpLimit")


def test_what_was_changed_in_the_period_counts() -> None:
    """PeriodSeconds is how long in the past the policy must hold true."""
    policy = {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}
    behavior = {"scaleUp": policy}
    memory = Memory(added=[Change(950, 3)])
    assert decide(50, 10, behavior, memory).replicas == 11
    assert decide(50, 10, behavior, Memory(added=[Change(950, 5)])).replicas == 10
    assert decide(50, 10, behavior, Memory(added=[Change(940, 5)])).replicas == 14
    both = Memory(added=[Change(950, 3)], removed=[Change(960, 2)])
    assert decide(50, 10, behavior, both).replicas == 13
    behaviour = behaviour_of({"spec": {"behavior": behavior}}, SETTINGS)
    remember_change(10, 14, behaviour, memory, 1011.0)
    remember_change(14, 12, behaviour, memory, 1012.0)
    assert memory.added == [Change(1011.0, 4)]
    assert memory.removed == [Change(1012.0, 2)]


@pytest.mark.parametrize(
    ("recommended", "past", "replicas", "reason"),
    [
        pytest.param(12, [11, 15], 11, "ScaleUpStabilized", id="lowest-upwards"),
        pytest.param(12, [9, 15], 10, "ScaleUpStabilized", id="not-below-the-present"),
        pytest.param(12, [13, 15], 12, "ReadyForNewScale", id="lowest-is-the-newest"),
        pytest.param(7, [8, 5], 8, "ScaleDownStabilized", id="highest-downwards"),
        pytest.param(7, [15, 5], 10, "ScaleDownStabilized", id="not-above-the-present"),
    ],
)
def test_recommendations_of_the_window_hold_both_directions(
    recommended: int, past: list[int], replicas: int, reason: str
) -> None:
    """The stabilization window restricts flapping when metrics keep fluctuating."""
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 60},
        "scaleDown": {"stabilizationWindowSeconds": 60},
    }
    memory = Memory(recommendations=[Recommendation(950, one) for one in past])
    found = decide(recommended, 10, behavior, memory)
    assert (found.replicas, found.able.reason) == (replicas, reason)


def test_tolerances_come_from_the_behavior() -> None:
    """A tolerance that is not given is the cluster's: 10 percent."""
    given = {"spec": {"behavior": {"scaleUp": {"tolerance": "50m"}, "scaleDown": {}}}}
    assert tolerances_of(given, SETTINGS) == (0.05, 0.1)
    assert tolerances_of({"spec": {}}, SETTINGS) == (0.1, 0.1)
