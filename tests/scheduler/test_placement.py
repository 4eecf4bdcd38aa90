"""The fast path against a plain loop over the same plugins, with pods that look at other pods."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.resources.selectors import parse_label_selector
from orchestrator.scheduler.core import Cluster, Placer, PodClass, PodState
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, enough_nodes

Object = dict[str, Any]
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def node(name: str, zone: str | None, *, host: bool = True, cpu: int = 4) -> Object:
    """Make a node."""
    labels = {HOST: name} if host else {}
    if zone:
        labels[ZONE] = zone
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"allocatable": {"cpu": str(cpu), "memory": "8Gi", "pods": "8"}},
    }


def term(key: str, app: str, **more: Any) -> Object:
    """Make an affinity term about pods of an app."""
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}, **more}


KEYS = st.sampled_from([ZONE, HOST])
APPS = st.sampled_from(["a", "b"])
TERMS = st.builds(term, KEYS, APPS) | st.builds(
    lambda key, app: term(key, app, namespaceSelector={"matchLabels": {"team": "x"}}), KEYS, APPS
)
REQUIRED = st.builds(
    lambda terms: {"requiredDuringSchedulingIgnoredDuringExecution": terms},
    st.lists(TERMS, min_size=1, max_size=2),
)
PREFERRED = st.builds(
    lambda terms: {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": weight, "podAffinityTerm": form} for weight, form in terms
        ]
    },
    st.lists(st.tuples(st.integers(1, 100), TERMS), min_size=1, max_size=2),
)
AFFINITY = st.fixed_dictionaries(
    {}, optional={"podAffinity": REQUIRED | PREFERRED, "podAntiAffinity": REQUIRED | PREFERRED}
)
SPREADS = st.lists(
    st.builds(
        lambda key, skew, when, app, more: {
            "topologyKey": key,
            "maxSkew": skew,
            "whenUnsatisfiable": when,
            "labelSelector": {"matchLabels": {"app": app}},
            **more,
        },
        KEYS,
        st.integers(1, 2),
        st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
        APPS,
        st.sampled_from([{}, {}, {"nodeAffinityPolicy": "Ignore"}, {"nodeTaintsPolicy": "Honor"}]),
    ),
    max_size=2,
)
PODS = st.builds(
    lambda app, space, affinity, spreads, cpu, zone, default: PodClass(
        {
            "containers": [{"resources": {"requests": {"cpu": cpu, "memory": "100Mi"}}}],
            "affinity": affinity,
            "topologySpreadConstraints": spreads,
            "nodeSelector": {ZONE: zone} if zone else {},
        },
        space,
        {"app": app},
        default_selector=parse_label_selector(f"app={app}")
        if default and not spreads
        else parse_label_selector(""),
    ),
    APPS,
    st.sampled_from(["default", "other"]),
    st.just({}) | AFFINITY,
    st.just([]) | SPREADS,
    st.sampled_from(["100m", "900m", "3"]),
    st.sampled_from([None, None, None, "a"]),
    st.booleans(),
)
NODES = st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([True, True, True, False]))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pod", "pod", "pod", "pod", "free", "end", "node", "drop", "space"]),
        st.integers(0, 11),
    ),
    max_size=40,
)


def plain_best(pod: PodClass, cluster: Cluster) -> set[str]:
    """Return every node that a plain loop over nodes and plugins could choose."""
    framework = DEFAULT_FRAMEWORK
    feasible = [
        state for state in cluster.by_name.values() if framework.reject(pod, state, cluster) is None
    ]
    totals = framework.score(pod, feasible, cluster)
    best = max(totals, default=0)
    return {state.name for state, total in zip(feasible, totals, strict=True) if total == best}


@settings(max_examples=200, deadline=None)
@given(
    nodes=st.lists(NODES, min_size=1, max_size=9),
    pods=st.lists(PODS, min_size=1, max_size=5),
    steps=STEPS,
    seed=st.integers(0, 3),
)
def test_the_fast_choice_is_one_the_plain_loop_could_make(
    nodes: list[tuple[str | None, bool]],
    pods: list[PodClass],
    steps: list[tuple[str, int]],
    seed: int,
) -> None:
    """Through placements, removals, relabelled nodes and namespaces; and the counters agree."""
    cluster = Cluster()
    cluster.put_namespace("default", {"team": "x"})
    placer = Placer(cluster, random.Random(seed).random, limit=3)
    for index, (zone, host) in enumerate(nodes):
        cluster.put_node(node(f"n{index}", zone, host=host), None)
    for step, (what, which) in enumerate(steps):
        index = which % len(nodes)
        match what:
            case "pod":
                pod = pods[which % len(pods)]
                chosen = placer.find_best(pod)
                possible = plain_best(pod, cluster)
                assert (chosen is None) == (not possible)
                if chosen is not None:
                    assert chosen.name in possible
                    state = PodState(f"p{step}", Key("pods", pod.namespace, f"p{step}"), pod)
                    cluster.place(state, chosen.name)
            case "free":
                cluster.displace(f"p{which}")
            case "end":
                cluster.terminate(f"p{which}")
            case "node":
                zone, host = nodes[(index + 1) % len(nodes)]
                cluster.put_node(node(f"n{index}", zone, host=host, cpu=1 + which % 4), None)
            case "space":
                cluster.put_namespace("other", {"team": "x" if which % 2 else "y"})
            case _:
                cluster.remove_node(f"n{index}")


@pytest.mark.parametrize(
    ("nodes", "percentage", "enough"),
    [(80, 0, 80), (100, 0, 100), (1000, 0, 420), (5000, 0, 500), (6000, 0, 300), (6000, 100, 6000)],
)
def test_as_many_nodes_are_enough_as_upstream_says(
    nodes: int, percentage: int, enough: int
) -> None:
    """From numFeasibleNodesToFind and its tests."""
    assert enough_nodes(nodes, percentage) == enough


def test_many_classes_in_turn_still_fill_every_node() -> None:
    """A class that knows only a part of the nodes looks at the others before it gives up."""
    cluster = Cluster()
    for index in range(300):
        cluster.put_node(node(f"n{index}", "a", cpu=1), None)
    placer = Placer(cluster, random.Random(1).random)
    classes = [
        PodClass({"containers": [{"resources": {"requests": {"cpu": f"{100 + 10 * extra}m"}}}]})
        for extra in range(30)
    ]
    placed = 0
    for step in range(3000):
        pod = classes[step % 30]
        chosen = placer.find_best(pod)
        if chosen is None:
            assert plain_best(pod, cluster) == set()
            continue
        assert DEFAULT_FRAMEWORK.reject(pod, chosen, cluster) is None
        placed += 1
        cluster.place(PodState(f"p{step}", Key("pods", "default", f"p{step}"), pod), chosen.name)
    assert placed > 1000
    assert all(state.used_cpu <= state.cpu for state in cluster.by_name.values())


@pytest.mark.parametrize("seed", range(5))
def test_a_node_is_found_however_much_happened_since_the_class_was_asked(seed: int) -> None:
    """What is put off, or set aside for others, may be the only node there is."""
    chance = random.Random(seed)
    cluster = Cluster()
    for index in range(150):
        cluster.put_node(node(f"n{index}", None), None)
    placer = Placer(cluster, chance.random)
    classes = [PodClass(spec_of(cpu)) for cpu in ("1", "2", "4")]
    for index in range(150):
        cluster.place(
            PodState(f"p{index}", Key("pods", "ns", f"p{index}"), classes[2]), f"n{index}"
        )
    found = missed = 0
    for _ in range(100):
        if chance.random() < 0.4:
            for index in range(150):
                if f"p{index}" not in cluster.pods:
                    uid = f"p{index}"
                    cluster.place(PodState(uid, Key("pods", "ns", uid), classes[2]), f"n{index}")
        for _ in range(chance.choice([0, 1, 12, 30])):  # most nodes stay full
            index = chance.randrange(150)
            uid, name = f"p{index}", f"n{index}"
            if cluster.displace(uid) is None or chance.random() < 0.98:
                cluster.place(PodState(uid, Key("pods", "ns", uid), classes[2]), name)
        pod = chance.choice(classes)
        feasible = {
            state.name
            for state in cluster.by_name.values()
            if DEFAULT_FRAMEWORK.reject(pod, state, cluster) is None
        }
        excluded = set(chance.sample(sorted(feasible), k=len(feasible) // 2))
        best = placer.find_best(pod, excluded)
        assert (best is None) == (not feasible - excluded)
        assert best is None or best.name in feasible - excluded
        found += best is not None
        missed += best is None
    assert found > 20
    assert missed > 5


def test_nodes_set_aside_do_not_hide_the_others() -> None:
    """Were the first hundred that are known all kept for others, one of the rest is found."""
    cluster = Cluster()
    for index in range(400):
        cluster.put_node(node(f"n{index}", None), None)
    placer = Placer(cluster, random.Random(1).random)
    excluded = {f"n{index}" for index in range(400)} - {"n77", "n333"}
    best = placer.find_best(PodClass(spec_of("1")), excluded)
    assert best is not None
    assert best.name in {"n77", "n333"}


def spec_of(cpu: str) -> Object:
    """Make a pod spec."""
    return {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}


def test_a_class_that_is_behind_hears_of_room_before_it_gives_up() -> None:
    """Among more nodes than are looked at, when the only room came with a burst of changes."""
    cluster = Cluster()
    for index in range(200):
        cluster.put_node(node(f"n{index}", "a", cpu=1), None)
    placer = Placer(cluster, random.Random(1).random)
    pod = PodClass({"containers": [{"resources": {"requests": {"cpu": "1"}}}]})

    def state(name: str) -> PodState:
        return PodState(name, Key("pods", "default", name), pod)

    for index in range(200):
        chosen = placer.find_best(pod)
        assert chosen is not None
        cluster.place(state(f"p{index}"), chosen.name)
    assert placer.find_best(pod) is None
    freed = cluster.pods["p77"].node
    cluster.displace("p77")
    for _ in range(20):  # more than are looked at at once
        home = cluster.pods["p1"].node
        cluster.displace("p1")
        cluster.place(state("p1"), home)
    chosen = placer.find_best(pod)
    assert chosen is not None
    assert chosen.name == freed


@pytest.mark.parametrize(("policy", "fits"), [("Honor", True), ("Ignore", False)])
def test_nodes_that_a_pod_does_not_select_count_for_spread_if_its_policy_says_so(
    policy: str, fits: bool
) -> None:
    """The empty zone is out of the pod's reach: it is the lowest one only under Ignore."""
    cluster = Cluster()
    for name, zone in (("a", "a"), ("b", "b")):
        cluster.put_node(node(name, zone), None)
    constraint = {
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "nodeAffinityPolicy": policy,
    }
    spec = {"nodeSelector": {ZONE: "a"}, "topologySpreadConstraints": [constraint]}
    pod = PodClass(spec, "default", {"app": "web"})
    cluster.place(PodState("there", Key("pods", "default", "there"), pod), "a")
    assert (Placer(cluster, random.Random(1).random).find_best(pod) is not None) is fits
    assert (DEFAULT_FRAMEWORK.reject(pod, cluster.by_name["a"], cluster) is None) is fits


def test_what_scores_are_measured_by_is_the_worst_of_the_feasible_nodes() -> None:
    """A node with many unwelcome taints in a zone that is closed makes no other look better."""
    cluster = Cluster()
    taints = [{"key": f"k{n}", "effect": "PreferNoSchedule"} for n in range(4)]
    for name, zone, count in (("disliked", "a", 1), ("loaded", "a", 0), ("closed", "b", 4)):
        made = node(name, zone)
        cluster.put_node({**made, "spec": {"taints": taints[:count]}}, None)
    away = {"requiredDuringSchedulingIgnoredDuringExecution": [term(ZONE, "rival")]}

    def sized(cpu: str, app: str, **more: Any) -> PodClass:
        requests = {"cpu": cpu, "memory": "100Mi"}
        spec = {"containers": [{"resources": {"requests": requests}}], **more}
        return PodClass(spec, "default", {"app": app})

    for name, home, pod in (
        ("load", "loaded", sized("3500m", "load")),
        ("rival", "closed", sized("100m", "rival")),
    ):
        cluster.place(PodState(name, Key("pods", "default", name), pod), home)
    pod = sized("100m", "web", affinity={"podAntiAffinity": away})
    chosen = Placer(cluster, random.Random(1).random).find_best(pod)
    assert chosen is not None
    assert {chosen.name} == plain_best(pod, cluster) == {"loaded"}
