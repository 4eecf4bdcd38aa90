"""How many replicas a metric asks for: the algorithm's details as a table.

Rules: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from orchestrator.controllers.autoscaler.calculator import (
    CalculationError,
    Calculator,
    PodValue,
    Proposal,
    Tolerances,
    requests_of,
)
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time

NOW = 1_800_000_000.0
OLD = NOW - 3600


def pod(
    index: int,
    *,
    ready: bool = True,
    phase: str = "Running",
    deleting: bool = False,
    started: float = OLD,
    turned: float | None = None,
    request: str | None = "1",
) -> Object:
    """Build a pod of one container that requests a core, and has long been ready."""
    metadata = {"name": f"p{index}"}
    if deleting:
        metadata["deletionTimestamp"] = format_time(NOW)
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": format_time(started if turned is None else turned),
    }
    status = {"phase": phase, "startTime": format_time(started), "conditions": [condition]}
    resources = {} if request is None else {"requests": {"cpu": request}}
    container = {"name": "main", "resources": resources}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": status}


def pods(states: str) -> list[Object]:
    """Build pods, a letter each: Ready, Unready, Pending, Failed, Deleting, Hot (just started)."""
    made: dict[str, Callable[[int], Object]] = {
        "R": pod,
        "U": lambda index: pod(index, ready=False),
        "P": lambda index: pod(index, phase="Pending", ready=False),
        "F": lambda index: pod(index, phase="Failed"),
        "D": lambda index: pod(index, deleting=True),
        "H": lambda index: pod(index, started=NOW - 10),
    }
    return [made[letter](index) for index, letter in enumerate(states)]


def values(levels: Sequence[int | None]) -> dict[str, PodValue]:
    """Return metrics of p0, p1, ...; None for a pod without."""
    return {
        f"p{index}": PodValue(level, NOW, 60.0)
        for index, level in enumerate(levels)
        if level is not None
    }


def calculator(found: Sequence[Object], replicas: int, **more: Any) -> Calculator:
    """Calculate with upstream's settings."""
    settings = {
        "status_replicas": replicas,
        "tolerances": Tolerances(0.1, 0.1),
        "settings": AutoscalerSettings(),
        "now": NOW,
        **more,
    }
    return Calculator(found, replicas, **settings)


UTILIZATION = [
    # replicas, pods, millicores, target, replicas, utilization, average
    pytest.param(3, "RRR", [300, 500, 700], 30, 5, 50, 500, id="up"),
    pytest.param(3, "URR", [300, 500, 700], 30, 4, 60, 600, id="up-less-with-unready"),
    pytest.param(3, "HRR", [300, 500, 700], 30, 4, 60, 600, id="up-less-with-just-started"),
    pytest.param(3, "PRR", [None, 500, 700], 30, 4, 60, 600, id="up-less-with-pending"),
    pytest.param(3, "RUU", [400, 500, 700], 30, 3, 40, 400, id="no-more-while-two-start"),
    pytest.param(2, "RRFF", [500, 700, None, None], 30, 4, 60, 600, id="failed-do-not-count"),
    pytest.param(2, "RRDD", [500, 700, 900, 900], 30, 4, 60, 600, id="leaving-do-not-count"),
    pytest.param(5, "RRRRR", [100, 300, 500, 250, 250], 50, 3, 28, 280, id="down"),
    pytest.param(5, "RURUU", [100, 300, 500, 250, 250], 50, 2, 30, 300, id="down-by-ready-ones"),
    pytest.param(3, "RRR", [1010, 1030, 1020], 100, 3, 102, 1020, id="within-tolerance"),
    pytest.param(3, "RRR", [900, 910, 920], 100, 3, 91, 910, id="within-tolerance-below"),
    pytest.param(3, "RRR", [1110, 1110, 1110], 100, 4, 111, 1110, id="beyond-tolerance"),
    pytest.param(4, "RRRR", [4000, 9500, 3000, 7000], 100, 24, 587, 5875, id="any-factor"),
    pytest.param(4, "RRRR", [400, 95, None, None], 100, 3, 24, 247, id="missing-count-full-down"),
    pytest.param(2, "RR", [1000, None], 100, 2, 100, 1000, id="missing-none-needed"),
    pytest.param(2, "RR", [1900, None], 100, 2, 190, 1900, id="missing-count-idle-up"),
    pytest.param(2, "RR", [600, None], 100, 2, 60, 600, id="missing-prevents-down"),
    pytest.param(3, "URR", [100, 450, None], 50, 3, 45, 450, id="missing-and-unready"),
    pytest.param(3, "URR", [100, 2000, None], 50, 4, 200, 2000, id="missing-and-unready-up"),
    pytest.param(4, "URRR", [100, 100, 100, None], 50, 3, 10, 100, id="missing-and-unready-down"),
    pytest.param(2, "RRR", [100, 100, None], 300, 2, 10, 100, id="missing-count-as-the-target"),
    pytest.param(1, "RR", [900, 700], 100, 2, 80, 800, id="surge-pods-count"),
]


@pytest.mark.parametrize(
    ("replicas", "states", "levels", "target", "expected", "utilization", "average"), UTILIZATION
)
def test_utilization_of_requests_gives_replicas(
    replicas: int,
    states: str,
    levels: list[int | None],
    target: int,
    expected: int,
    utilization: int,
    average: int,
) -> None:
    """DesiredReplicas = ceil(currentReplicas * (currentMetricValue / desiredMetricValue))."""
    found = calculator(pods(states), replicas).by_utilization(values(levels), target, "cpu")
    assert found == Proposal(expected, average, utilization)


@pytest.mark.parametrize(
    ("replicas", "states", "levels", "target", "expected", "average"),
    [
        pytest.param(3, "RRR", [20000, 10000, 30000], 15000, 4, 20000, id="up"),
        pytest.param(3, "URR", [50000, 10000, 30000], 15000, 6, 30000, id="readiness-is-no-matter"),
        pytest.param(3, "PRR", [None, 30000, 30000], 15000, 4, 30000, id="pending-counts-as-0"),
        pytest.param(5, "RRRRR", [12000] * 5, 20000, 3, 12000, id="down"),
        pytest.param(3, "RRR", [20000, 21000, 21000], 20000, 3, 20666, id="within-tolerance"),
        pytest.param(2, "RR", [50000, None], 20000, 3, 50000, id="missing-counts-as-0-up"),
        pytest.param(3, "RRR", [10000, 10000, None], 20000, 2, 10000, id="missing-at-target-down"),
    ],
)
def test_an_average_over_pods_gives_replicas(
    replicas: int,
    states: str,
    levels: list[int | None],
    target: int,
    expected: int,
    average: int,
) -> None:
    """For per-pod custom metrics it works with raw values, not utilization."""
    found = calculator(pods(states), replicas).by_value(values(levels), target)
    assert found == Proposal(expected, average)


@pytest.mark.parametrize(
    ("replicas", "states", "value", "target", "expected"),
    [
        pytest.param(3, "RRR", 20000, 15000, 4, id="up"),
        pytest.param(3, "URR", 50000, 15000, 7, id="only-ready-pods-are-multiplied"),
        pytest.param(5, "RRRRR", 12000, 20000, 3, id="down"),
        pytest.param(3, "RRR", 16000, 15000, 3, id="within-tolerance"),
        pytest.param(0, "", 250000, 100000, 3, id="from-zero"),
    ],
)
def test_a_whole_value_gives_replicas(
    replicas: int, states: str, value: int, target: int, expected: int
) -> None:
    """For object metrics and external metrics, a single metric is fetched."""
    found = calculator(pods(states), replicas).by_whole(value, target)
    assert found == Proposal(expected, value)


@pytest.mark.parametrize(
    ("replicas", "value", "target", "expected", "average"),
    [
        pytest.param(3, 20000, 5000, 4, 6667, id="up"),
        pytest.param(3, 6000, 5000, 2, 2000, id="down"),
        pytest.param(3, 16000, 5000, 3, 5334, id="within-tolerance"),
        pytest.param(0, 16000, 5000, 4, 16000, id="from-zero"),
    ],
)
def test_a_value_divided_by_the_number_of_pods_gives_replicas(
    replicas: int, value: int, target: int, expected: int, average: int
) -> None:
    """In the autoscaling/v2 API, this value can be divided by the number of pods."""
    found = calculator(pods("R" * replicas), replicas).by_share(value, target)
    assert found == Proposal(expected, average)


def test_tolerances_of_both_directions_are_their_own() -> None:
    """Configurable tolerance: spec.behavior.scaleDown.tolerance and scaleUp.tolerance."""
    tolerances = Tolerances(up=0.5, down=0.0)
    found = calculator(pods("RRRR"), 4, tolerances=tolerances)
    assert found.by_utilization(values([1400] * 4), 100, "cpu").replicas == 4
    assert found.by_utilization(values([1600] * 4), 100, "cpu").replicas == 7
    assert found.by_utilization(values([700] * 4), 100, "cpu").replicas == 3


def test_a_pods_cpu_counts_once_it_was_ready_for_a_window() -> None:
    """Until then it is set aside, within the initialization period; afterwards if never ready."""
    young = pod(0, started=NOW - 100, turned=NOW - 90)
    fresh = pod(0, started=NOW - 100, turned=NOW - 30)
    slow = pod(0, ready=False, started=NOW - 400, turned=NOW - 380)
    broken = pod(0, ready=False, started=NOW - 400, turned=NOW - 60)
    counts = {}
    for name, one in {"young": young, "fresh": fresh, "slow": slow, "broken": broken}.items():
        both = [one, pod(1)]
        found = calculator(both, 2).by_utilization(values([0, 1000]), 100, "cpu")
        counts[name] = found.utilization
    assert counts == {"young": 50, "fresh": 100, "slow": 100, "broken": 50}


@pytest.mark.parametrize(
    ("found", "levels", "message"),
    [
        pytest.param([], [], "no pods returned by selector while calculating replica count"),
        pytest.param(
            pods("U"),
            [100],
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        pytest.param(
            [pod(0, request=None)],
            [100],
            "missing request for cpu in container main of Pod p0",
        ),
        pytest.param([pod(0, request="0")], [100], "no metrics returned matched known pods"),
    ],
)
def test_what_cannot_be_calculated_is_said(
    found: list[Object], levels: list[int], message: str
) -> None:
    """In upstream's words."""
    with pytest.raises(CalculationError) as caught:
        calculator(found, 1).by_utilization(values(levels), 50, "cpu")
    assert str(caught.value) == message


def test_requests_are_those_of_main_containers_and_sidecars() -> None:
    """Or one container's, or what the whole pod says."""
    one = pod(0, request="250m")
    one["spec"]["containers"].append({"name": "b", "resources": {"requests": {"cpu": "1"}}})
    one["spec"]["initContainers"] = [
        {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
        {"name": "i"},
    ]
    assert requests_of([one], "cpu") == {"p0": 1350}
    assert requests_of([one], "cpu", "b") == {"p0": 1000}
    one["spec"]["resources"] = {"requests": {"cpu": "2"}}
    assert requests_of([one], "cpu") == {"p0": 2000}
