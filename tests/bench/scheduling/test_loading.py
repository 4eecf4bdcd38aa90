"""Workloads in YAML: what is read, and what is said of what is not understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.bench.scheduling.loading import built_in, load, read, select
from orchestrator.bench.scheduling.workloads import (
    Barrier,
    Churn,
    CreatePodSets,
    DeletePods,
    Sleep,
    WorkloadError,
)

POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "i"}]}}
ANCHORS = {
    "SchedulingBasic/5000Nodes_10000Pods": (5000, 10000, 680),
    "SchedulingBasic/5000Nodes_50000Pods": (5000, 50000, 810),
    "SchedulingDaemonset/15000Nodes": (15001, 30000, 1100),
    "SchedulingNodeAffinity/5000Nodes_10000Pods": (5000, 10000, 540),
    "SchedulingPodAntiAffinity/5000Nodes_2000Pods": (5000, 2000, 180),
    "SchedulingPodMatchingAntiAffinity/5000Nodes_5000Pods": (5000, 5000, 600),
    "SchedulingPodAffinity/5000Nodes_5000Pods": (5000, 5000, 70),
    "SchedulingPreferredPodAffinity/5000Nodes_5000Pods": (5000, 5000, 160),
    "SchedulingPreferredPodAntiAffinity/5000Nodes_5000Pods": (5000, 5000, 190),
    "TopologySpreading/5000Nodes_5000Pods": (5000, 5000, 460),
    "PreferredTopologySpreading/5000Nodes_5000Pods": (5000, 5000, 340),
    "DefaultTopologySpreading/5000Nodes_50000Pods": (5000, 50000, 160),
    "MixedSchedulingBasePod/5000Nodes_5000Pods": (5000, 5000, 540),
    "SchedulingWithMixedChurn/5000Nodes_10000Pods": (5000, 10000, 710),
    "Unschedulable/5000Nodes_20000Init_10000Pods": (5000, 10000, 600),
    "PreemptionAsync/5000Nodes": (5000, 5000, 570),
    "PreemptionBasic/1000Nodes": (1000, 1000, None),
    "PreemptionBasic/5000Nodes": (5000, 5000, None),
    "SchedulingSecrets/5000Nodes_10000Pods": (5000, 10000, 790),
    "SchedulingCSIPVs/5000Nodes_5000Pods": (5000, 5000, 100),
    "SchedulingDeletedPodsWithFinalizers/5000Nodes_5000DeletingPods": (5000, 5000, 830),
}


def document(steps: list[dict[str, Any]], **size: Any) -> str:
    """A file with one case, one size and the template ``pod``."""
    case = {
        "name": "Case",
        "workloadTemplate": steps,
        "workloads": [{"name": "small", "params": {"n": 3}, **size}],
    }
    return yaml.safe_dump({"templates": {"pod": POD}, "workloads": [case]})


MEASURED = {"opcode": "createPods", "podTemplate": "pod", "count": 1, "collectMetrics": True}


def test_the_built_in_workloads_are_those_with_a_published_floor() -> None:
    """Names, sizes and thresholds of scheduler_perf, and the preemption that it leaves out."""
    found = {w.full_name: (w.nodes, w.measured_pods, w.floor) for w in built_in()}
    assert found == ANCHORS


def test_a_case_is_chosen_with_all_its_sizes_or_one_of_them() -> None:
    """Capitals do not matter; the order is the file's."""
    workloads = built_in()
    assert [w.size for w in select(workloads, ["schedulingbasic"])] == [
        "5000Nodes_10000Pods",
        "5000Nodes_50000Pods",
    ]
    (one,) = select(workloads, ["PreemptionBasic/1000Nodes"])
    assert one.nodes == 1000
    assert len(select(workloads, [])) == len(workloads)


def test_other_sizes_keep_the_ratios() -> None:
    """More nodes bring more pods; the measured pods can be chosen by themselves."""
    (one,) = select(built_in(), ["PreemptionBasic/1000Nodes"])
    assert one.resized(10, None).parameters == {"initNodes": 10, "initPods": 40, "measurePods": 10}
    assert one.resized(10, 3).parameters == {"initNodes": 10, "initPods": 40, "measurePods": 3}
    assert one.resized(None, 7).parameters["measurePods"] == 7
    assert one.resized(10, None).target is None, "a target is for the published size"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "f.yaml: not YAML in line "),
        ("[1]", "f.yaml: workloads[0]: expected a mapping, found 1"),
        ("workload: []", "f.yaml: workloads: missing; give it a list"),
        (
            "{workloads: [], temlates: {}}",
            "f.yaml: temlates: unknown here. Did you mean templates?",
        ),
        (
            document([{"opcode": "createPod", "count": 1}]),
            "workloadTemplate[0].opcode: 'createPod' is unknown. Did you mean createPods?",
        ),
        (
            document([{**MEASURED, "countParam": "$m", "count": None}]),
            "countParam: there is no parameter m in f.yaml: workloads[0].workloads[0].params; add",
        ),
        (
            document([{**MEASURED, "countParam": "n", "count": None}]),
            "countParam: 'n' is no parameter; write $n, or count: for a number",
        ),
        (
            document([{**MEASURED, "podTemplate": "pods"}]),
            "podTemplate: no template 'pods'. Did you mean pod?",
        ),
        (
            document([{**MEASURED, "count": "3"}]),
            "workloadTemplate[0].count: expected a whole number, found '3'",
        ),
        (document([{**MEASURED, "collectMetrics": False}]), "nothing is measured; give one"),
        (document([{**MEASURED, "skipWaitToCompletion": True}]), "measured pods are waited for"),
        (
            document([MEASURED], params={"n": -1}),
            "params.n: expected a number of 0 or more, not -1",
        ),
        (
            document([MEASURED, {"opcode": "sleep", "duration": "5 parsecs"}]),
            "'5 parsecs' is no duration such as 500ms or 2s",
        ),
        (
            document([MEASURED, {"opcode": "churn", "mode": "create", "templates": ["spod"]}]),
            "templates[0]: no template 'spod'. Did you mean pod?",
        ),
        (
            document([{**MEASURED, "podTemplatePath": "none.yaml", "podTemplate": None}]),
            "podTemplatePath: cannot read none.yaml: No such file or directory; paths start at",
        ),
    ],
)
def test_what_is_not_understood_is_named_with_its_place(text: str, complaint: str) -> None:
    """Path, what is wrong, and what to do."""
    with pytest.raises(WorkloadError) as raised:
        load(text, "f.yaml", Path())
    assert complaint in str(raised.value)


def test_an_unknown_name_leads_to_the_one_that_was_meant() -> None:
    """Of a case, or of a size."""
    with pytest.raises(WorkloadError, match=r"Did you mean SchedulingBasic\?"):
        select(built_in(), ["SchedulinBasic"])
    with pytest.raises(WorkloadError, match=r"Did you mean PreemptionBasic/5000Nodes\?"):
        select(built_in(), ["PreemptionBasic/500Nodes"])


def test_files_of_scheduler_perf_are_read_as_they_are(tmp_path: Path) -> None:
    """A list of cases, templates in files beside it, thresholds, labels and feature gates."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "pod.yaml").write_text(yaml.safe_dump(POD))
    steps = [
        {"opcode": "createNodes", "countParam": "$n"},
        {"opcode": "createPodSets", "count": 2, "namespacePrefix": "set",
         "createPodsOp": {"opcode": "createPods", "count": 1}},
        {"opcode": "churn", "mode": "recreate", "number": 1, "intervalMilliseconds": 100,
         "templatePaths": ["templates/pod.yaml"]},
        {"opcode": "deletePods", "namespace": "set-0", "deletePodsPerSecond": 5,
         "skipWaitToCompletion": True},
        {"opcode": "barrier", "stageRequirement": "Attempted"},
        {"opcode": "sleep", "duration": "500ms"},
        {"opcode": "createPods", "countParam": "$n", "collectMetrics": True},
    ]  # fmt: skip
    case = {
        "name": "Upstream",
        "featureGates": {"SomeGate": True},
        "defaultPodTemplatePath": "templates/pod.yaml",
        "workloadTemplate": steps,
        "workloads": [{"name": "5Nodes", "labels": ["short"], "threshold": 35, "params": {"n": 5}}],
    }
    file = tmp_path / "performance-config.yaml"
    strange = {**case, "name": "Strange", "workloadTemplate": [{"opcode": "createClaims"}]}
    file.write_text(yaml.safe_dump([case, strange]))
    with pytest.raises(WorkloadError, match="'createClaims' is unknown"):
        read(file)
    (workload,) = read(file, ["upstream/5Nodes"])
    _, sets, churn, delete, barrier, sleep, _ = workload.steps
    assert workload.floor == 35
    assert isinstance(sets, CreatePodSets)
    assert isinstance(churn, Churn)
    assert churn.interval == 0.1
    assert isinstance(delete, DeletePods)
    assert delete.per_second == 5
    assert not delete.waits
    assert barrier == Barrier(stage="Attempted")
    assert sleep == Sleep(seconds=0.5)
    assert workload.varies
