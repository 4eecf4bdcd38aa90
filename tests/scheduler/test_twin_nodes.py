"""The twin on nodes, requests and their scores: values worked out from upstream's formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scheduler.twin import Profile, Snapshot
from tests.scheduler.twin.asking import points, verdict
from tests.scheduler.twin.builders import (
    MI,
    Object,
    container,
    expression,
    node,
    node_affinity,
    pod,
)
from tests.scheduler.twin.resources import on_shape, requests

# ---- requests


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"containers": [container({"cpu": "100m"}), container({"cpu": "200m"})]},
            {"cpu": 300},
            id="containers-add",
        ),
        pytest.param(
            {
                "containers": [container({"cpu": "1", "memory": "1Gi"})],
                "initContainers": [
                    container({"cpu": "2", "memory": "1Gi"}),
                    container({"cpu": "2", "memory": "3Gi"}),
                ],
            },
            {"cpu": 2000, "memory": 3 * 1024 * MI},
            id="init-containers-one-after-another",
        ),
        pytest.param(
            {
                "containers": [container({"cpu": "1"})],
                "initContainers": [
                    container({"cpu": "1"}, restartPolicy="Always"),
                    container({"cpu": "3"}),
                    container({"cpu": "2"}, restartPolicy="Always"),
                ],
            },
            {"cpu": 4000},
            id="init-beside-the-sidecars-before-it",
        ),
        pytest.param(
            {"containers": [container({"cpu": "1"})], "overhead": {"cpu": "250m"}},
            {"cpu": 1250},
            id="overhead",
        ),
        pytest.param(
            {
                "containers": [container({"cpu": "1", "example.com/x": "2"})],
                "resources": {"requests": {"cpu": "500m"}},
                "overhead": {"cpu": "1m"},
            },
            {"cpu": 501, "example.com/x": 2},
            id="pod-level-replaces",
        ),
        pytest.param(
            {"containers": [container({"memory": "100m"}), container({"memory": "100m"})]},
            {"memory": 1},
            id="rounded-once",
        ),
    ],
)
def test_requests_add_up(spec: Mapping[str, Any], expected: Mapping[str, int]) -> None:
    """As upstream's PodRequests says in its comments."""
    assert requests({"metadata": {}, "spec": spec}) == expected


def test_containers_without_requests_count_in_scores() -> None:
    """100m and 200Mi each, also those beside one that has requests."""
    two = pod("p", containers=[container(), container({"cpu": "1"})])
    assert requests(two, non_zero=True) == {"cpu": 1100, "memory": 400 * MI}


# ---- filters, one node each


@pytest.mark.parametrize(
    ("pod_", "on", "expected"),
    [
        pytest.param(pod("p"), node("n"), None, id="fits"),
        pytest.param(
            pod("p"),
            node("n", unschedulable=True),
            (("node(s) were unschedulable",), False),
            id="cordoned",
        ),
        pytest.param(
            pod("p", tolerations=[{"operator": "Exists"}]),
            node("n", unschedulable=True),
            None,
            id="cordoned-tolerated",
        ),
        pytest.param(
            pod("p"),
            node("n", taints=[{"key": "k", "effect": "NoExecute"}]),
            (("node(s) had untolerated taint(s)",), False),
            id="taint",
        ),
        pytest.param(
            pod("p", tolerations=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            node("n", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            None,
            id="taint-tolerated",
        ),
        pytest.param(
            pod("p", nodeSelector={"a": "1"}),
            node("n", {"a": "2"}),
            (("node(s) didn't match Pod's node affinity/selector",), False),
            id="selector",
        ),
        pytest.param(
            pod("p", affinity=node_affinity({}, {"matchExpressions": [expression("a", "Exists")]})),
            node("n", {"a": ""}),
            None,
            id="one-term-is-enough",
        ),
        pytest.param(
            pod("p", affinity=node_affinity({"matchExpressions": [expression("a", "Gt", "5")]})),
            node("n", {"a": "5"}),
            (("node(s) didn't match Pod's node affinity/selector",), False),
            id="gt",
        ),
        pytest.param(
            pod(
                "p",
                affinity=node_affinity(
                    {"matchFields": [expression("metadata.name", "In", "other")]}
                ),
            ),
            node("n"),
            (("node(s) didn't satisfy plugin(s) [NodeAffinity]",), False),
            id="another-node-named",
        ),
        pytest.param(
            pod(
                "p",
                affinity=node_affinity(
                    {
                        "matchFields": [
                            expression("metadata.name", "In", "n"),
                            expression("metadata.name", "In", "other"),
                        ]
                    }
                ),
            ),
            node("n"),
            (("pod affinity terms conflict",), False),
            id="names-conflict",
        ),
        pytest.param(
            pod("p", {"cpu": "5", "memory": "9Gi", "example.com/x": "1"}),
            node("n"),
            (
                ("Insufficient cpu", "Insufficient memory", "Insufficient example.com/x"),
                False,
            ),
            id="too-small",
        ),
        pytest.param(
            pod("p", {"cpu": "0"}), node("n", allocatable={"cpu": "0"}), None, id="zero-fits"
        ),
        pytest.param(
            pod("p"),
            node("n", allocatable={"pods": "0"}),
            (("Too many pods",), True),
            id="too-many-pods",
        ),
    ],
)
def test_a_node_is_rejected_in_upstreams_words(pod_: Object, on: Object, expected: Any) -> None:
    """The first plugin's reasons, and whether removing pods could help."""
    assert verdict(pod_, on) == expected


def test_a_profile_may_ignore_resources_and_add_affinity() -> None:
    """Arguments of NodeResourcesFit and NodeAffinity."""
    wants = pod("p", {"example.com/x": "1", "other.com/y": "1"})
    ignoring = Profile(
        ignored_resources=frozenset({"example.com/x"}), ignored_groups=frozenset({"other.com"})
    )
    assert verdict(wants, node("n"), ignoring) is None
    added = node_affinity({"matchExpressions": [expression("a", "Exists")]})["nodeAffinity"]
    assert verdict(pod("p"), node("n"), Profile(added_affinity=added)) == (
        ("node(s) didn't match scheduler-enforced node affinity",),
        False,
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False),
    ],
)
def test_host_ports_clash(mine: Object, theirs: Object, fits: bool) -> None:
    """Any address clashes with every address; protocols do not."""
    there = pod("there", containers=[container(ports=[theirs])], on="n")
    found = verdict(pod("p", containers=[container(ports=[mine])]), node("n"), pods=[there])
    assert (found is None) == fits


# ---- resource scores


def test_least_and_most_allocated() -> None:
    """Upstream's documented formulas: free, or used, in percent; the mean of CPU and memory."""
    nodes = [
        node("a", allocatable={"cpu": "4", "memory": "10000"}),
        node("b", allocatable={"cpu": "6", "memory": "10000"}),
    ]
    wants = pod("p", {"cpu": "3", "memory": "5000"})
    snapshot = Snapshot(nodes=nodes)
    # (4-3)/4 = 25 and 50: 37; (6-3)/6 = 50 and 50: 50.
    assert points("NodeResourcesFit", snapshot, wants) == [37, 50]
    most = Profile(strategy="MostAllocated")
    assert points("NodeResourcesFit", snapshot, wants, most) == [62, 50]
    uneven = Profile(resources=(("cpu", 3), ("memory", 1)))
    assert points("NodeResourcesFit", snapshot, wants, uneven) == [31, 50]


def test_requested_to_capacity_ratio() -> None:
    """A broken line in whole numbers, the mean rounded, resources that score 0 left out."""
    assert [on_shape(((0, 10), (100, 0)), at) for at in (0, 33, 100)] == [100, 67, 0]
    assert [on_shape(((20, 2), (80, 8)), at) for at in (0, 20, 51, 90)] == [20, 20, 51, 80]
    profile = Profile(
        strategy="RequestedToCapacityRatio",
        shape=((0, 0), (100, 10)),
        resources=(("example.com/foo", 3), ("example.com/bar", 5)),
    )
    # Upstream's test of resource bin packing: foo 2/8 -> 25, bar 2/4 -> 50: (75+250)/8 -> 41.
    big = {"example.com/foo": "8", "example.com/bar": "4"}
    wants = pod("p", {"example.com/foo": "2", "example.com/bar": "2"})
    snapshot = Snapshot(nodes=[node("a", allocatable=big), node("b")])
    assert points("NodeResourcesFit", snapshot, wants, profile) == [41, 0]
    plain = pod("q", {"cpu": "1"})
    assert points("NodeResourcesFit", snapshot, plain, profile) == [0, 0]


def test_balanced_allocation() -> None:
    """One minus the deviation of the used fractions; not for pods that request nothing."""
    nodes = [
        node("a", allocatable={"cpu": "4", "memory": "10000"}),
        node("b", allocatable={"cpu": "6", "memory": "10000"}),
    ]
    wants = pod("p", {"cpu": "3", "memory": "5000"})
    plugin = "NodeResourcesBalancedAllocation"
    # |0.75 - 0.5| / 2 = 0.125.
    assert points(plugin, Snapshot(nodes=nodes), wants) == [87, 100]
    assert points(plugin, Snapshot(nodes=nodes), pod("p")) == [0, 0]
    three = Profile(balanced=("cpu", "memory", "nvidia.com/gpu"))
    gpus = node("a", allocatable={"cpu": "3500m", "memory": "40000", "nvidia.com/gpu": "8"})
    wants = pod("p", {"cpu": "3500m", "memory": "40000", "nvidia.com/gpu": "4"})
    # 1, 1, 0.5: mean 0.8333, deviation 0.2357.
    assert points(plugin, Snapshot(nodes=[gpus]), wants, three) == [76]


# ---- taints, affinity, images


def test_soft_taints_and_preferred_affinity_are_scaled_by_the_highest() -> None:
    """Three times 0..100 the fewer taints, twice 0..100 the more weight."""
    soft = [{"key": key, "effect": "PreferNoSchedule"} for key in "abc"]
    nodes = [node("a", taints=soft[:1]), node("b", {"x": "1"}, taints=soft), node("c", {"x": "2"})]
    wants = pod(
        "p",
        affinity=node_affinity(
            preferred=[
                (2, {"matchExpressions": [expression("x", "Exists")]}),
                (1, {"matchExpressions": [expression("x", "In", "2")]}),
                (50, {}),
            ]
        ),
    )
    assert points("TaintToleration", Snapshot(nodes=nodes), wants) == [3 * 67, 0, 300]
    assert points("NodeAffinity", Snapshot(nodes=nodes), wants) == [0, 2 * 66, 200]


def test_images_count_by_size_and_by_how_many_nodes_have_them() -> None:
    """Upstream's example: 250 MB on one of two nodes; below 23 MB nothing."""
    nodes = [
        node("a", images={"gcr.io/40:latest": 40 * MI, "gcr.io/300:latest": 300 * MI}),
        node("b", images={"gcr.io/250:latest": 250 * MI}),
    ]
    large = pod("p", containers=[container(image="gcr.io/40"), container(image="gcr.io/250")])
    # a: 40/2 = 20, below the threshold; b: 125: 100 * (125 - 23) / (2000 - 23).
    assert points("ImageLocality", Snapshot(nodes=nodes), large) == [0, 5]
