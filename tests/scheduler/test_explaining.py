"""What every plugin says about every node."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import diagnose
from orchestrator.scheduler.core.explaining import PluginRejection, PluginScore, explain
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.placement import Placer


def cluster_of(**nodes: dict[str, Any]) -> Cluster:
    """Nodes of 4 CPUs and 8 GiB, with something else each."""
    cluster = Cluster()
    for name, more in nodes.items():
        cluster.put_node(
            {
                "metadata": {"name": name, "labels": more.get("labels", {})},
                "spec": {"taints": more.get("taints", [])},
                "status": {
                    "allocatable": {"cpu": more.get("cpu", "4"), "memory": "8Gi", "pods": "110"}
                },
            },
            None,
        )
    return cluster


def pod(cpu: str = "1", **spec: Any) -> PodClass:
    """A pod that asks for CPU."""
    return PodClass({"containers": [{"resources": {"requests": {"cpu": cpu}}}], **spec})


SOFT = {"key": "old", "effect": "PreferNoSchedule"}
HARD = {"key": "gpu", "effect": "NoSchedule"}


def test_all_reasons_are_told_not_only_the_first() -> None:
    """A search for a place stops at the first; whoever asks why wants to know them all."""
    cluster = cluster_of(a={"cpu": "500m", "taints": [HARD]}, b={})
    found = explain(pod(), cluster, DEFAULT_FRAMEWORK)
    assert [node.name for node in found.nodes] == ["b", "a"]
    assert found.nodes[1].rejections == (
        PluginRejection("TaintToleration", ("node(s) had untolerated taint(s)",), False),
        PluginRejection("NodeResourcesFit", ("Insufficient cpu",), False),
    )
    assert found.best == ("b",)
    assert found.message == ""


def test_scores_are_told_raw_normalised_and_weighted() -> None:
    """Their sum is what the scheduler goes by."""
    cluster = cluster_of(a={}, b={"taints": [SOFT]})
    found = explain(pod(), cluster, DEFAULT_FRAMEWORK)
    assert [node.name for node in found.nodes] == ["a", "b"]
    scores = {score.plugin: score for score in found.nodes[1].scores}
    assert scores["TaintToleration"] == PluginScore("TaintToleration", 1, 0, 3)
    assert scores["NodeAffinity"].raw is None
    better = {score.plugin: score for score in found.nodes[0].scores}
    assert better["TaintToleration"].weighted == 300
    assert found.nodes[0].total == sum(score.weighted for score in found.nodes[0].scores)


@pytest.mark.parametrize("cpu", ["100m", "1", "3"])
def test_the_scheduler_takes_one_of_the_best(cpu: str) -> None:
    """The explanation is of what is done."""
    cluster = cluster_of(a={}, b={"taints": [SOFT]}, c={"cpu": "8"}, d={"cpu": "2"})
    asked = pod(cpu)
    best = explain(asked, cluster, DEFAULT_FRAMEWORK).best
    chosen = Placer(cluster, lambda: 0.5).find_best(asked)
    assert chosen is not None
    assert chosen.name in best


def test_a_pod_that_fits_nowhere_gets_the_message_of_its_condition() -> None:
    """Beside the reasons of each node."""
    cluster = cluster_of(a={}, b={"taints": [HARD]})
    asked = pod("5")
    found = explain(asked, cluster, DEFAULT_FRAMEWORK)
    assert found.best == ()
    assert found.message == diagnose(asked, cluster).message
    assert found.message.startswith("0/2 nodes are available: ")


def test_a_pod_that_names_its_nodes_is_told_of_the_others() -> None:
    """As upstream rejects them before any filter."""
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    found = explain(
        pod(affinity={"nodeAffinity": required}), cluster_of(a={}, b={}), DEFAULT_FRAMEWORK
    )
    assert found.best == ("a",)
    assert found.nodes[1].rejections[0].plugin == "NodeAffinity"


def test_what_is_told_can_be_limited() -> None:
    """An annotation has no room for thousands of nodes; what is left out is counted."""
    cluster = cluster_of(**{f"n{number}": {} for number in range(5)})
    told = explain(pod(), cluster, DEFAULT_FRAMEWORK).as_json(2)
    assert [node["name"] for node in told["nodes"]] == ["n0", "n1"]
    assert told["nodesLeftOut"] == 3
    assert told["best"] == ["n0", "n1"]
    assert told["nodes"][0]["feasible"]
    assert {"plugin", "raw", "normalised", "weight", "weighted"} == told["nodes"][0]["scores"][
        0
    ].keys()
