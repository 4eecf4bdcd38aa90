"""Every workload runs to its end, tiny, on both paths, and its placements keep the rules."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.progress import Progress
from orchestrator.bench.scheduling import measuring
from orchestrator.bench.scheduling.baseline import Bare
from orchestrator.bench.scheduling.checking import Violation
from orchestrator.bench.scheduling.curves import measure_curve
from orchestrator.bench.scheduling.loading import built_in, load, select
from orchestrator.bench.scheduling.measuring import (
    PathName,
    PlacementsWrong,
    Result,
    Settings,
    bare_rate,
    measure,
    target,
)
from orchestrator.bench.scheduling.workloads import Workload, WorkloadError
from orchestrator.scheduler.core import Placer

NODES = 12
TINY = {w.name: w.resized(NODES, None) for w in built_in()}
BARE = Bare(1000.0, 1000.0)
SETTINGS = Settings(seed=7, patience=10.0)


def tiny(workload: Workload, path: PathName, seed: int = 7) -> Result:
    """Run it."""
    settings = dataclasses.replace(SETTINGS, seed=seed)
    return measure(workload, path, settings, Progress(), BARE)


@pytest.mark.parametrize("path", ["core", "store"])
@pytest.mark.parametrize("workload", TINY.values(), ids=TINY)
def test_a_tiny_workload_runs_and_keeps_the_rules(workload: Workload, path: PathName) -> None:
    """All measured pods are bound and every binding has been checked."""
    result = tiny(workload, path)
    assert result.pods == workload.measured_pods
    assert result.checked >= result.pods
    assert result.pods_per_second > 0
    assert 0 <= result.p50_ms <= result.p90_ms <= result.p99_ms


@pytest.mark.parametrize("path", ["core", "store"])
def test_a_seed_gives_the_same_placements_and_another_one_others(path: PathName) -> None:
    """Choices among equal nodes are the seed's."""
    (workload,) = select([TINY["SchedulingBasic"]], [])
    first, again, other = (tiny(workload, path, seed).placements for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_core_alone_repeats_even_what_happens_beside() -> None:
    """Its churn comes by number of pods, not by time."""
    workload = TINY["SchedulingWithMixedChurn"]
    assert tiny(workload, "core").placements == tiny(workload, "core").placements


def test_wrong_placements_have_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the pod and the rule."""
    wrong = Violation(("default", "p"), "NodeAffinity", "node-1 is not selected")
    monkeypatch.setattr(measuring, "check", lambda *_: [wrong])
    with pytest.raises(PlacementsWrong, match="pod default/p breaks NodeAffinity"):
        measure(TINY["SchedulingBasic"], "core", SETTINGS, Progress(), BARE)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("SchedulingBasic", "NodeResourcesFit"),
        ("SchedulingPodAntiAffinity", "InterPodAffinity"),
        ("TopologySpreading", "PodTopologySpread"),
        ("SchedulingDaemonset", "NodeAffinity"),
    ],
)
def test_a_scheduler_that_heeds_nothing_is_found_out(
    name: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that puts all pods on the last node that joined."""
    monkeypatch.setattr(Placer, "find_best", lambda self, _: self._cluster.nodes[-1])
    with pytest.raises(PlacementsWrong) as raised:
        measure(TINY[name].resized(NODES, 50), "core", SETTINGS, Progress(), BARE)
    assert rule in {violation.rule for violation in raised.value.violations}


@pytest.mark.parametrize("path", ["core", "store"])
def test_pods_that_fit_nowhere_end_the_run_with_the_schedulers_reason(path: PathName) -> None:
    """In its words, not by waiting for ever."""
    text = """
    templates:
      big: {apiVersion: v1, kind: Pod, spec: {containers: [
        {name: c, image: i, resources: {requests: {cpu: "5"}}}]}}
    workloads:
    - name: TooBig
      defaultPodTemplate: big
      workloadTemplate:
      - {opcode: createNodes, count: 2}
      - {opcode: createPods, count: 1, collectMetrics: true}
      workloads: [{name: one}]
    """
    (workload,) = load(text, "f.yaml", Path())
    settings = Settings(patience=0.3)
    with pytest.raises(WorkloadError, match="0/2 nodes are available: 2 Insufficient cpu"):
        measure(workload, path, settings, Progress(), BARE)


def test_the_target_is_the_lesser_of_floor_and_bare_loop() -> None:
    """Twenty times the floor, or 60 % of what nothing but a log and a dictionary reach."""
    (basic,) = select(built_in(), ["SchedulingBasic/5000Nodes_10000Pods"])
    assert target(basic, "store", 100_000) == 13_600
    assert target(basic, "store", 20_000) == 12_000
    assert target(basic, "core", 20_000) == 100_000


def test_the_bare_loop_creates_and_binds() -> None:
    """It has a rate of its own."""
    bare = bare_rate(TINY["SchedulingBasic"], SETTINGS)
    assert bare.rate > 0
    assert bare.processor_rate > 0


@pytest.mark.parametrize("over", ["nodes", "classes"])
def test_a_curve_has_a_point_for_each_size(over: Any) -> None:
    """Of checked placements."""
    curve = measure_curve(over, SETTINGS, Progress(), sizes=[3, 6], pods=60)
    assert [point.size for point in curve.points] == [3, 6]
    assert all(point.pods_per_second > 0 for point in curve.points)
