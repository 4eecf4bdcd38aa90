"""The pure core: filters, scores, messages, classes and the queue; the fast path and its twin."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.scheduler.configuration.arguments import CPU_AND_MEMORY, ScoringStrategy
from orchestrator.scheduler.core import (
    Cluster,
    Placer,
    PodClass,
    PodClasses,
    PodState,
    diagnose,
)
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import taint_toleration
from orchestrator.scheduler.core.requests import request_of
from orchestrator.scheduler.core.strategies import NodeScore, balance_score, fit_score

Object = dict[str, Any]
MI = 1024 * 1024


def node(name: str = "n", *, labels: Object | None = None, **parts: Any) -> Object:
    """Make a node of 4 CPUs and 8 GiB."""
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **parts.pop("allocatable", {})}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": parts,
        "status": {"allocatable": allocatable},
    }


def container(**requests: str) -> Object:
    """Make a container with requests."""
    return {"name": "c", "resources": {"requests": requests}}


def spec(*containers: Object, **parts: Any) -> Object:
    """Make a pod spec."""
    return {"containers": list(containers) or [container(cpu="1", memory="1Gi")], **parts}


def pod(pod_spec: Object, **labels: str) -> Object:
    """Make a pod of a spec."""
    return {"metadata": {"name": "p", "namespace": "default", "labels": labels}, "spec": pod_spec}


def placed(uid: str, pod_class: PodClass) -> PodState:
    """Make a pod that can be placed."""
    return PodState(uid, Key("pods", "default", uid), pod_class)


def least_allocated(pod_class: PodClass) -> NodeScore:
    """Return the default strategy's score."""
    return fit_score(ScoringStrategy(), pod_class)


def balanced(pod_class: PodClass) -> NodeScore:
    """Return the balanced score of CPU and memory."""
    score = balance_score(CPU_AND_MEMORY, pod_class)
    assert score is not None
    return score


def why_not(pod_spec: Object, on: Object) -> tuple[str, ...] | None:
    """Return the first rejection's reasons."""
    found = DEFAULT_FRAMEWORK.reject(PodClass(pod_spec), NodeState(on, 0), Cluster())
    return None if found is None else found.rejection.reasons


def affinity(*terms: Object) -> Object:
    """Make a required node affinity of these terms."""
    required = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def expression(key: str, operator: str, *values: str) -> Object:
    """Make a node selector term of one expression."""
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def test_requests_are_added_up_as_upstream_does() -> None:
    """Containers add, init containers take the maximum beside sidecars, overhead is on top."""
    request = request_of(
        spec(
            container(cpu="100m", memory="100Mi"),
            container(cpu="200m"),
            initContainers=[
                container(cpu="50m"),
                {**container(cpu="300m"), "restartPolicy": "Always"},
                container(cpu="1"),
            ],
            overhead={"cpu": "10m"},
        )
    )
    assert request.cpu == 1310
    assert request.memory == 100 * MI
    assert request_of(spec(container(), container(cpu="1"))).score_cpu == 1100
    assert request_of(spec(container())).score_memory == 200 * MI
    assert request_of(spec(container(cpu="1"), resources={"requests": {"cpu": "3"}})).cpu == 3000
    assert request_of(spec(container(**{"nvidia.com/gpu": "2"}))).extended == (
        ("nvidia.com/gpu", 2),
    )


NOT_MATCHED = ("node(s) didn't match Pod's node affinity/selector",)
UNTOLERATED = ("node(s) had untolerated taint(s)",)


@pytest.mark.parametrize(
    ("pod_spec", "on", "expected"),
    [
        pytest.param(spec(), node(), None, id="fits"),
        pytest.param(
            spec(), node(unschedulable=True), ("node(s) were unschedulable",), id="cordon"
        ),
        pytest.param(
            spec(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]),
            node(unschedulable=True),
            None,
            id="cordon-tolerated",
        ),
        pytest.param(
            spec(container(cpu="5", memory="9Gi", **{"example.com/x": "1"})),
            node(),
            ("Insufficient cpu", "Insufficient memory", "Insufficient example.com/x"),
            id="all-reasons",
        ),
        pytest.param(spec(), node(allocatable={"pods": "0"}), ("Too many pods",), id="pods"),
        pytest.param(
            spec(), node(taints=[{"key": "k", "effect": "NoSchedule"}]), UNTOLERATED, id="taint"
        ),
        pytest.param(
            spec(), node(taints=[{"key": "k", "effect": "NoExecute"}]), UNTOLERATED, id="noexecute"
        ),
        pytest.param(
            spec(), node(taints=[{"key": "k", "effect": "PreferNoSchedule"}]), None, id="prefer"
        ),
        pytest.param(
            spec(tolerations=[{"operator": "Exists"}]),
            node(taints=[{"key": "k", "value": "v", "effect": "NoExecute"}]),
            None,
            id="tolerates-everything",
        ),
        pytest.param(
            spec(tolerations=[{"key": "k", "value": "w", "effect": "NoSchedule"}]),
            node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            UNTOLERATED,
            id="other-value",
        ),
        pytest.param(spec(nodeSelector={"a": "1"}), node(labels={"a": "1"}), None, id="selector"),
        pytest.param(spec(nodeSelector={"a": "1"}), node(), NOT_MATCHED, id="selector-not"),
        pytest.param(spec(affinity=affinity()), node(), NOT_MATCHED, id="no-terms"),
        pytest.param(spec(affinity=affinity({})), node(), NOT_MATCHED, id="empty-term"),
        pytest.param(
            spec(affinity=affinity(expression("a", "Exists"), expression("b", "Exists"))),
            node(labels={"b": ""}),
            None,
            id="terms-are-alternatives",
        ),
        pytest.param(
            spec(
                affinity=affinity(
                    {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": ["other"]}
                        ]
                    }
                )
            ),
            node(),
            NOT_MATCHED,
            id="field",
        ),
    ],
)
def test_filters_give_all_reasons_in_upstreams_words(
    pod_spec: Object, on: Object, expected: tuple[str, ...] | None
) -> None:
    """The first plugin that rejects tells everything it has against the node."""
    assert why_not(pod_spec, on) == expected


@pytest.mark.parametrize(
    ("operator", "values", "matching"),
    [
        ("In", ("5", "6"), {"5"}),
        ("NotIn", ("5",), {"7", "x", None}),
        ("Exists", (), {"5", "7", "x"}),
        ("DoesNotExist", (), {None}),
        ("Gt", ("5",), {"7"}),
        ("Lt", ("6",), {"5"}),
        ("Gt", ("x",), set()),
    ],
)
def test_every_affinity_operator(
    operator: str, values: tuple[str, ...], matching: set[str | None]
) -> None:
    """Each operator against a small, a large, a wrong and a missing label value."""
    pod_spec = spec(affinity=affinity(expression("k", operator, *values)))
    found = {
        value
        for value in ("5", "7", "x", None)
        if why_not(pod_spec, node(labels={} if value is None else {"k": value})) is None
    }
    assert found == matching


def test_host_ports_clash_by_address_and_protocol() -> None:
    """Any address clashes with every other; protocols do not."""

    def wants(port: int, address: str = "", protocol: str = "TCP") -> PodClass:
        ports = [{"hostPort": port, "hostIP": address, "protocol": protocol}]
        return PodClass(spec({"name": "c", "ports": ports}))

    state = NodeState(node(), 0)
    taken = placed("x", wants(80, "10.0.0.1"))
    state.add(taken)
    assert DEFAULT_FRAMEWORK.reject(wants(80), state, Cluster()) is not None
    assert DEFAULT_FRAMEWORK.reject(wants(80, "10.0.0.1"), state, Cluster()) is not None
    assert DEFAULT_FRAMEWORK.reject(wants(80, "10.0.0.2"), state, Cluster()) is None
    assert DEFAULT_FRAMEWORK.reject(wants(80, protocol="UDP"), state, Cluster()) is None
    state.remove(taken)
    assert DEFAULT_FRAMEWORK.reject(wants(80), state, Cluster()) is None


def test_scores_follow_kube_schedulers_formulas() -> None:
    """Values worked out by hand from upstream's formulas."""
    state = NodeState(node(allocatable={"cpu": "4", "memory": "8Gi"}), 0)
    one = PodClass(spec(container(cpu="1", memory="4Gi")))
    assert least_allocated(one)(state) == (75 + 50) // 2
    assert balanced(one)(state) == 87
    none = PodClass(spec(container()))
    assert least_allocated(none)(state) == (97 + 97) // 2
    assert taint_toleration.normalise(0, 0) == 100
    assert taint_toleration.normalise(1, 3) == 67


def test_the_message_counts_reasons_over_all_nodes() -> None:
    """Reasons are sorted as text, and preemption is told from what it could help with."""
    cluster = Cluster()
    cluster.put_node(node("a", taints=[{"key": "k", "effect": "NoSchedule"}]), None)
    cluster.put_node(node("b"), None)
    cluster.put_node(node("c", allocatable={"cpu": "1"}), None)
    two = PodClass(spec(container(cpu="2")))
    cluster.place(placed("x", PodClass(spec(container(cpu="3")))), "b")
    diagnosis = diagnose(two, cluster)
    assert diagnosis.message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )
    assert diagnosis.plugins == {"TaintToleration", "NodeResourcesFit"}
    never = diagnose(two, cluster, preempts=False).message
    assert never.endswith("preemption: not eligible due to preemptionPolicy=Never.")


def test_a_pod_bound_to_a_named_node_names_the_plugin_for_the_others() -> None:
    """What DaemonSet pods get to read."""
    cluster = Cluster()
    cluster.put_node(node("a", allocatable={"cpu": "1"}), None)
    cluster.put_node(node("b"), None)
    fields = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    pod = PodClass(spec(container(cpu="2"), affinity=affinity(fields)))
    assert diagnose(pod, cluster).message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) "
        "[NodeAffinity]. "
    )


def test_pods_that_differ_in_name_only_are_one_class() -> None:
    """By identity of the spec, and by content; what matters makes another class."""
    classes = PodClasses()
    first = spec()
    assert classes.of(pod(first)) is classes.of(pod(first))
    assert classes.of(pod(first)) is classes.of(pod({**spec(), "hostname": "x"}))
    assert classes.of(pod(first)) is not classes.of(pod(spec(nodeSelector={"a": "b"})))
    assert classes.of(pod(first)) is not classes.of(pod(spec(container(cpu="2"))))
    assert classes.of(pod(first)) is not classes.of(pod(first, app="web"))


def test_pods_on_a_missing_node_count_when_it_comes() -> None:
    """A node that is removed and comes back still has its pods."""
    cluster = Cluster()
    cluster.place(placed("early", PodClass(spec())), "a")
    cluster.put_node(node("a"), None)
    assert cluster.by_name["a"].pods.keys() == {"early"}
    cluster.remove_node("a")
    cluster.put_node(node("a"), None)
    assert cluster.by_name["a"].pods.keys() == {"early"}
    cluster.displace("early")
    assert cluster.by_name["a"].pods == {}


def test_heartbeats_of_a_node_change_nothing() -> None:
    """Only what matters to waiting pods is a change."""
    cluster = Cluster()
    first = node("a")
    assert cluster.put_node(first, None) == ClusterEvent.NODE_ADDED
    beat = {**first, "status": {**first["status"], "conditions": [{"type": "Ready"}]}}
    assert not cluster.put_node(beat, first)
    cordoned = {**beat, "spec": {"unschedulable": True}}
    assert cluster.put_node(cordoned, beat) == ClusterEvent.NODE_TAINTS


def test_a_demand_that_cannot_be_kept_yet_keeps_the_pod_waiting_and_is_named() -> None:
    """Better no placement than one that breaks what the pod asked for."""
    cluster = Cluster()
    cluster.put_node(node("a"), None)
    pod = PodClass(spec(resourceClaims=[{"name": "gpu"}]))
    assert Placer(cluster, random.Random(1).random).find_best(pod) is None
    assert diagnose(pod, cluster).message == (
        "not supported by this scheduler yet: spec.resourceClaims"
    )


# ---- the fast path and its slow twin


def preferring(weight: int) -> Object:
    """Make an affinity that would rather have zone a."""
    term = {"weight": weight, "preference": expression("zone", "In", "a")}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}


LABELS = st.sampled_from(["a", "b"])
NODES = st.builds(
    lambda cpu, memory, pods, zone, taints, cordoned: {
        "labels": {"zone": zone},
        "taints": taints,
        "unschedulable": cordoned,
        "allocatable": {"cpu": str(cpu), "memory": f"{memory}Gi", "pods": str(pods)},
    },
    cpu=st.integers(0, 4),
    memory=st.integers(0, 4),
    pods=st.integers(0, 4),
    zone=LABELS,
    taints=st.lists(
        st.builds(
            lambda key, effect: {"key": key, "effect": effect},
            LABELS,
            st.sampled_from(["NoSchedule", "PreferNoSchedule", "PreferNoSchedule"]),
        ),
        max_size=2,
    ),
    cordoned=st.sampled_from([False, False, False, True]),
)
SPECS = st.builds(
    lambda cpu, memory, zone, tolerated, port, weight: spec(
        {
            **container(cpu=f"{cpu}00m", memory=f"{memory}00Mi"),
            "ports": [{"hostPort": port}] if port else [],
        },
        nodeSelector={"zone": zone} if zone else {},
        tolerations=[{"key": tolerated, "operator": "Exists"}] if tolerated else [],
        affinity=preferring(weight) if weight else {},
    ),
    cpu=st.integers(0, 12),
    memory=st.integers(0, 12),
    zone=st.sampled_from([None, None, "a", "b"]),
    tolerated=st.sampled_from([None, "a"]),
    port=st.sampled_from([0, 0, 0, 80]),
    weight=st.sampled_from([0, 0, 1, 100]),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["pod", "pod", "pod", "free", "node", "drop"]), st.integers(0, 7)),
    max_size=40,
)


def slow_best(pod: PodClass, cluster: Cluster) -> set[str]:
    """Return every node that a plain loop over all of them could choose."""
    framework = DEFAULT_FRAMEWORK
    feasible = [
        state for state in cluster.by_name.values() if framework.reject(pod, state, cluster) is None
    ]
    totals = framework.score(pod, feasible, cluster)
    best = max(totals, default=0)
    return {state.name for state, total in zip(feasible, totals, strict=True) if total == best}


@settings(max_examples=150, deadline=None)
@given(
    nodes=st.lists(NODES, min_size=1, max_size=8),
    specs=st.lists(SPECS, min_size=1, max_size=4),
    steps=STEPS,
    seed=st.integers(0, 3),
)
def test_the_fast_choice_is_one_the_slow_loop_could_make(
    nodes: list[Object], specs: list[Object], steps: list[tuple[str, int]], seed: int
) -> None:
    """On random clusters, through placements, removals, and nodes that change, come and go."""
    cluster = Cluster()
    placer = Placer(cluster, random.Random(seed).random, limit=3)
    classes = [PodClass(pod_spec) for pod_spec in specs]
    for index, parts in enumerate(nodes):
        cluster.put_node(node(f"n{index}", **parts), None)
    for step, (what, which) in enumerate(steps):
        index = which % len(nodes)
        match what:
            case "pod":
                pod = classes[which % len(classes)]
                chosen = placer.find_best(pod)
                possible = slow_best(pod, cluster)
                if chosen is None:
                    assert possible == set()
                    assert diagnose(pod, cluster).message
                else:
                    assert chosen.name in possible
                    cluster.place(placed(f"p{step}", pod), chosen.name)
            case "free":
                cluster.displace(f"p{which}")
            case "node":
                changed = node(f"n{index}", **nodes[(index + 1) % len(nodes)])
                cluster.put_node(changed, None)
            case _:
                cluster.remove_node(f"n{index}")


def test_equal_nodes_are_chosen_at_random_and_the_seed_decides() -> None:
    """One seed gives one choice, different seeds differ."""

    def choose(seed: int) -> str:
        cluster = Cluster()
        for index in range(50):
            cluster.put_node(node(f"n{index}"), None)
        chosen = Placer(cluster, random.Random(seed).random).find_best(PodClass(spec()))
        assert chosen is not None
        return chosen.name

    assert choose(1) == choose(1)
    assert len({choose(seed) for seed in range(10)}) > 3
