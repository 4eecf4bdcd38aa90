"""Preemption: who has to leave, on which node, and what is said when nobody can.

The tables hold the cases of upstream's own tests of DefaultPreemption. Nodes have 5 CPUs there, and
pods are small (1), medium (2), large (3) or huge (5).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from orchestrator.resources.objects import Key
from orchestrator.scheduler.configuration import DEFAULT_PROFILE
from orchestrator.scheduler.core import Cluster, PodClass, PodState
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection
from orchestrator.scheduler.core.preemption import Preemption, Preemptor, why_ineligible
from orchestrator.scheduler.core.trials import Trial

Object = dict[str, Any]
SMALL, MEDIUM, LARGE, HUGE = 1, 2, 3, 5
NEGATIVE, LOW, MID, HIGH, HIGHEST = -100, 0, 100, 1000, 10000


class On(NamedTuple):
    """A pod on a node."""

    name: str
    priority: int = MID
    cpu: int = LARGE
    start: float | None = None
    labels: Object | None = None
    spec: Object | None = None


def node(name: str, **labels: str) -> Object:
    """Make a node of 5 CPUs."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {},
        "status": {"allocatable": {"cpu": "5", "memory": "8Gi", "pods": "10", "x/gpu": "2"}},
    }


def spec(cpu: int, **parts: Any) -> Object:
    """Make a pod spec."""
    return {"containers": [{"name": "c", "resources": {"requests": {"cpu": str(cpu)}}}], **parts}


def budget(name: str, allowed: int, *disrupted: str, **labels: str) -> Object:
    """Make a PodDisruptionBudget for pods with these labels."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}},
        "status": {
            "disruptionsAllowed": allowed,
            "disruptedPods": dict.fromkeys(disrupted, "2026-01-01T00:00:00Z"),
        },
    }


class Scene:
    """A cluster with pods in it, and a preemptor."""

    def __init__(
        self,
        nodes: Mapping[str, Sequence[On]],
        budgets: Sequence[Object] = (),
        labels: dict[str, Object] | None = None,
        percentage: int = 10,
        absolute: int = 100,
    ) -> None:
        self.cluster = Cluster()
        self.nominated = self.cluster.nominations
        self.budgets = Budgets()
        self.classes: dict[str, PodClass] = {}
        for item in budgets:
            self.put_budget(item)
        for name, pods in nodes.items():
            self.cluster.put_node(node(name, **(labels or {}).get(name, {})), None)
            for pod in pods:
                self.cluster.place(self.state(pod), name)
        chance = random.Random(7)
        self.preemptor = Preemptor(
            self.cluster,
            self.budgets,
            chance.random,
            percentage=percentage,
            absolute=absolute,
        )

    def put_budget(self, item: Object) -> None:
        name = item["metadata"]["name"]
        self.budgets.put(Key("poddisruptionbudgets.policy", "default", name), item)

    def class_of(self, pod: On) -> PodClass:
        key = repr(pod[2:3] + pod[4:])
        if key not in self.classes:
            parts = pod.spec if pod.spec and "containers" in pod.spec else None
            self.classes[key] = PodClass(
                parts or spec(pod.cpu, **(pod.spec or {})), "default", pod.labels or {}
            )
        return self.classes[key]

    def state(self, pod: On) -> PodState:
        return PodState(
            pod.name,
            Key("pods", "default", pod.name),
            self.class_of(pod),
            priority=pod.priority,
            start=pod.start,
        )

    def find(self, pod: On) -> Preemption | None:
        return self.preemptor.find(self.class_of(pod), pod.priority)

    def explain(self, pod: On) -> str:
        return self.preemptor.explain(self.class_of(pod), pod.priority)


def names(found: Preemption | None) -> tuple[str, list[str], int] | None:
    """Return node, victims and violations of a preemption."""
    if found is None:
        return None
    return found.node.name, [pod.uid for pod in found.victims], found.violations


ME = On("me", HIGH, LARGE)


@pytest.mark.parametrize(
    ("pod", "present", "expected"),
    [
        pytest.param(ME, [On("a")], ["a"], id="a lower one leaves"),
        pytest.param(ME._replace(priority=LOW), [On("a")], None, id="a higher one stays"),
        pytest.param(ME, [On("a", HIGH)], None, id="an equal one stays"),
        pytest.param(ME, [On("a", LOW, SMALL), On("b")], ["b"], id="a small one may stay"),
        pytest.param(
            ME,
            [On("a", MID, SMALL), On("b", LOW, SMALL), On("c", MID, MEDIUM), On("d", HIGH, SMALL)],
            ["c", "b"],
            id="mixed priorities",
        ),
        pytest.param(
            ME,
            [
                On("a", LOW, SMALL, 5.0),
                On("b", LOW, SMALL, 4.0),
                On("c", MID, MEDIUM, 3.0),
                On("d", HIGH, SMALL, 2.0),
            ],
            ["c", "a"],
            id="the later one of equal priority leaves",
        ),
        pytest.param(
            On("me", HIGH, SMALL, labels={"foo": ""}),
            [
                On("a", LOW, MEDIUM, labels={"foo": ""}),
                On("b", MID, MEDIUM, None),
                On("c", HIGH, SMALL, 1.0),
            ],
            ["a"],
            id="the least important one leaves",
        ),
        pytest.param(
            On("me", HIGH, 0), [On("a", LOW, HUGE)], None, id="whoever asks for nothing fits"
        ),
    ],
)
def test_victims_are_the_least_important_pods_that_make_enough_room(
    pod: On, present: list[On], expected: list[str] | None
) -> None:
    """Pods of lower priority go, beginning with the least important, and no more than needed."""
    found = Scene({"n": present}).find(pod)
    assert names(found) == (None if expected is None else ("n", expected, 0))


PORT = {"containers": [{"name": "c", "ports": [{"hostPort": 80, "containerPort": 80}]}]}
GPU = {"containers": [{"name": "c", "resources": {"requests": {"x/gpu": "1"}}}]}


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        pytest.param(PORT, [On("a", LOW, 1), On("b", MID, 1, spec=PORT)], ["b"], id="a port"),
        pytest.param(PORT, [On("a", LOW, 1), On("b", HIGH, 1, spec=PORT)], None, id="a kept port"),
        pytest.param(
            GPU,
            [On("a", LOW, 5), On("b", MID, 0, spec=GPU), On("c", MID, 0, 5.0, spec=GPU)],
            ["b"],
            id="an extended resource",
        ),
    ],
)
def test_ports_and_devices_are_taken_from_those_who_have_them(
    wanted: Object, present: list[On], expected: list[str] | None
) -> None:
    """Only who holds what is asked for has to leave, even where others are less important."""
    found = Scene({"n": present}).find(On("me", HIGH, 0, spec=wanted))
    assert names(found) == (None if expected is None else ("n", expected, 0))


FOO = {"app": "foo"}


def _mediums(*numbers: int) -> list[On]:
    return [On(f"p{n}", MID, MEDIUM, float(n), labels=FOO) for n in numbers]


@pytest.mark.parametrize(
    ("present", "budgets", "victims", "violations"),
    [
        pytest.param(_mediums(1, 2), [budget("b", 1, app="foo")], ["p1", "p2"], 1, id="one more"),
        pytest.param(_mediums(1, 2), [budget("b", 2, app="foo")], ["p1", "p2"], 0, id="allowed"),
        pytest.param(
            _mediums(1, 2), [budget("b", 1, "p9", app="foo")], ["p1", "p2"], 1, id="another evicted"
        ),
        pytest.param(
            _mediums(1, 2), [budget("b", 1, "p2", app="foo")], ["p1", "p2"], 0, id="evicted already"
        ),
        pytest.param(
            [*_mediums(1, 2), On("p3", MID, SMALL, 3.0, labels=FOO)],
            [budget("b", 1, "p3", app="foo")],
            ["p1", "p2", "p3"],
            1,
            id="the evicted one does not count",
        ),
        pytest.param(
            _mediums(1, 2),
            [budget("b", 1, app="foo"), budget("c", 0, app="foo")],
            ["p1", "p2"],
            2,
            id="two budgets",
        ),
        pytest.param(_mediums(1, 2), [budget("b", 0)], ["p1", "p2"], 0, id="an empty selector"),
        pytest.param([On("p1", MID, HUGE)], [budget("b", 0, app="foo")], ["p1"], 0, id="no labels"),
    ],
)
def test_budgets_are_counted_down(
    present: list[On], budgets: list[Object], victims: list[str], violations: int
) -> None:
    """A victim beyond what a budget allows is a violation, whichever of its budgets it is."""
    found = Scene({"n": present}, budgets).find(On("me", HIGH, HUGE))
    assert names(found) == ("n", victims, violations)


def test_who_is_protected_by_a_budget_is_given_back_first() -> None:
    """A more important pod leaves in place of one that a budget protects."""
    present = [On("a", LOW, MEDIUM, labels=FOO), On("b", MID, MEDIUM)]
    scene = Scene({"n": present}, [budget("b", 0, app="foo")])
    assert names(scene.find(ME)) == ("n", ["b"], 0)


def test_victims_of_both_kinds_are_in_order_of_importance() -> None:
    """The nodes are compared by the first of them."""
    present = [On("a", LOW, MEDIUM, labels=FOO), On("b", MID, MEDIUM)]
    scene = Scene({"n": present}, [budget("b", 0, app="foo")])
    assert names(scene.find(On("me", HIGH, HUGE))) == ("n", ["b", "a"], 1)


@pytest.mark.parametrize(
    ("priority", "nodes", "expected"),
    [
        pytest.param(HIGH, {"a": [On("1", MID)], "b": [On("2", MID)]}, {"a", "b"}, id="a tie"),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, MEDIUM), On("2", MID, LARGE)],
                "b": [On("3", MID, MEDIUM), On("4", LOW, MEDIUM)],
                "c": [On("5", LOW, MEDIUM), On("6", LOW, MEDIUM)],
            },
            {"c"},
            id="lowest highest priority",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, MEDIUM), On("2", MID, LARGE)],
                "b": [On("3", MID, LARGE), On("4", LOW, MEDIUM)],
                "c": [On("5", MID, MEDIUM), On("6", MID, MEDIUM)],
            },
            {"b"},
            id="lowest sum of priorities",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, 1), On("2", NEGATIVE, 1), On("3", MID, 1), On("4", NEGATIVE, 1)],
                "b": [On("5", MID, LARGE), On("6", NEGATIVE, MEDIUM)],
                "c": [On("7", MID, MEDIUM), On("8", NEGATIVE, SMALL), On("9", LOW, SMALL)],
            },
            {"b"},
            id="fewest pods",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, 1), On("2", NEGATIVE, 1), On("3", NEGATIVE, 1)],
                "b": [On("4", MID, LARGE), On("5", NEGATIVE, MEDIUM)],
                "c": [On("6", MID, MEDIUM), On("7", NEGATIVE, SMALL), On("8", LOW, SMALL)],
            },
            {"b"},
            id="negative priorities do not pay for more victims",
        ),
        pytest.param(
            HIGHEST,
            {
                "a": [On("1", MID, 1), On("2", LOW, 1), On("3", LOW, 1)],
                "b": [On("4", HIGH, LARGE)],
                "c": [On("5", MID, 2), On("6", LOW, 1), On("7", LOW, 1), On("8", LOW, 2)],
                "d": [On("9", MID, 2), On("10", MID, 1), On("11", MID, 1), On("12", NEGATIVE, 1)],
            },
            {"a"},
            id="all criteria at odds",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, 2, 2.0), On("2", MID, 2, 2.0)],
                "b": [On("3", MID, 2, 3.0), On("4", MID, 2, 3.0)],
                "c": [On("5", MID, 2, 1.0), On("6", MID, 2, 1.0)],
            },
            {"b"},
            id="latest start",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", MID, 2, 4.0), On("2", MID, 2, 2.0)],
                "b": [On("3", MID, 2, 5.0), On("4", MID, 2, 1.0)],
                "c": [On("5", MID, 2, 3.0), On("6", MID, 2, 6.0)],
            },
            {"c"},
            id="latest of the earliest starts",
        ),
        pytest.param(
            HIGH,
            {
                "a": [On("1", LOW, 2, 4.0), On("2", MID, 2, 2.0)],
                "b": [On("3", MID, 2, 6.0), On("4", LOW, 2, 1.0)],
                "c": [On("5", LOW, 2, 3.0), On("6", MID, 2, 5.0)],
            },
            {"b"},
            id="only the most important one's start counts",
        ),
    ],
)
def test_the_node_whose_victims_cost_least_is_taken(
    priority: int, nodes: dict[str, list[On]], expected: set[str]
) -> None:
    """Criteria are asked one after another, each only where those before it tie."""
    found = Scene(nodes).find(On("me", priority, HUGE))
    assert found is not None
    assert found.node.name in expected


def test_equal_nodes_are_taken_at_random() -> None:
    """Which of equal nodes suffers is up to chance."""
    chosen = set()
    for seed in range(20):
        scene = Scene({name: [On(f"p{name}")] for name in "abc"})
        chance = random.Random(seed)
        preemptor = Preemptor(scene.cluster, scene.budgets, chance.random)
        found = preemptor.find(scene.class_of(ME), HIGH)
        assert found is not None
        chosen.add(found.node.name)
    assert chosen == {"a", "b", "c"}


def test_a_node_where_no_budget_is_broken_is_looked_for_beyond_the_sample() -> None:
    """More nodes than the settings demand are looked at while all candidates break a budget."""
    protected = {f"n{i}": [On(f"p{i}", MID, LARGE, labels=FOO)] for i in range(30)}
    nodes = {**protected, "free": [On("q", MID, LARGE)]}
    scene = Scene(nodes, [budget("b", 0, app="foo")], absolute=1, percentage=10)
    assert names(scene.find(ME)) == ("free", ["q"], 0)


def test_no_more_nodes_are_looked_at_than_asked_for() -> None:
    """In a large cluster the best of a sample is taken."""
    nodes = {f"n{i}": [On(f"p{i}", MID)] for i in range(50)}
    scene = Scene(nodes, absolute=5, percentage=10)
    assert scene.find(ME) is not None
    (index,) = scene.preemptor._known.values()
    assert len(index._candidates) == 5


@pytest.mark.parametrize(
    ("pod", "nodes", "message"),
    [
        pytest.param(
            On("me", HIGH, LARGE),
            {"a": [On("1", HIGH)], "b": [On("2", HIGH)]},
            "0/2 nodes are available: 2 No preemption victims found for incoming pod.",
            id="nobody is less important",
        ),
        pytest.param(
            On("me", HIGH, 6),
            {"a": [On("1", MID)], "b": []},
            "0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            id="too large for any node",
        ),
        pytest.param(
            On("me", HIGH, HUGE),
            {"a": [On("1", LOW, 1), On("2", HIGH, 1)], "b": [On("3", HIGH)], "c": [On("4", HIGH)]},
            "0/3 nodes are available: 1 Insufficient cpu, "
            "2 No preemption victims found for incoming pod.",
            id="not enough leave",
        ),
        pytest.param(
            On("me", HIGH, HUGE, spec={"nodeSelector": {"disk": "ssd"}}),
            {"a": [On("1", LOW, 1), On("2", HIGH, 1)], "b": [On("3", HIGH)]},
            "0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            id="not wanted there",
        ),
        pytest.param(
            On("me", HIGH, 0, spec=PORT),
            {"a": [On("1", LOW, 1), On("2", HIGH, 0, spec=PORT)]},
            "0/1 nodes are available: "
            "1 node(s) didn't have free ports for the requested pod ports.",
            id="a port that stays taken",
        ),
    ],
)
def test_why_nothing_is_gained_is_said_in_upstream_words(
    pod: On, nodes: dict[str, list[On]], message: str
) -> None:
    """Every node has its reason, or preemption is of no use there."""
    scene = Scene(nodes)
    assert scene.find(pod) is None
    assert scene.explain(pod) == message


def test_a_node_is_full_for_the_pods_that_are_nominated_to_it_too() -> None:
    """Room that an equal pod has claimed is not claimed again; a lower one's claim is void."""
    scene = Scene({"a": [On("1", LOW, HUGE)], "b": [On("2", MID, HUGE)]})
    assert names(scene.find(ME)) == ("a", ["1"], 0)
    scene.nominated.add(scene.state(On("lower", MID, LARGE)), "a")
    assert names(scene.find(ME)) == ("a", ["1"], 0)
    scene.nominated.add(scene.state(On("first", HIGH, LARGE)), "a")
    assert names(scene.find(ME)) == ("b", ["2"], 0)
    scene.nominated.add(scene.state(On("second", HIGH, LARGE)), "b")
    assert scene.find(ME) is None
    assert scene.explain(ME) == "0/2 nodes are available: 2 Insufficient cpu."


def test_small_preemptors_share_what_one_victim_left() -> None:
    """Two pods for which one victim is enough take it from the same node, and no second one."""
    scene = Scene({"a": [On("1", LOW, 4)], "b": [On("2", MID, 4)]})
    small = On("me", HIGH, MEDIUM)
    for number in range(2):
        assert names(scene.find(small)) == ("a", ["1"], 0)
        scene.nominated.add(scene.state(small._replace(name=f"me{number}")), "a")
    assert names(scene.find(small)) == ("b", ["2"], 0)


def test_a_plugin_that_looks_at_single_pods_is_asked_about_each() -> None:
    """What was found for one pod of a class is not believed for the next."""
    scene = Scene({"a": [On("1", LOW, HUGE)], "b": [On("2", MID, HUGE)]})
    barred: list[str] = []

    def check(_pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
        return Rejection(("barred",), resolvable=False) if node.name in barred else None

    plugin = Filter("Mine", check, ClusterEvent(0), Depends.EVERYTHING)
    profile = dataclasses.replace(DEFAULT_PROFILE, filters=(*DEFAULT_PROFILE.filters, "Mine"))
    framework = Framework(profile, {"Mine": plugin})
    chance = random.Random(7).random
    preemptor = Preemptor(scene.cluster, scene.budgets, chance, framework=framework)
    assert names(preemptor.find(scene.class_of(ME), HIGH)) == ("a", ["1"], 0)
    barred.append("a")
    assert names(preemptor.find(scene.class_of(ME), HIGH)) == ("b", ["2"], 0)


@pytest.mark.parametrize(
    ("options", "victim", "why"),
    [
        pytest.param({}, On("v", LOW), None, id="not nominated"),
        pytest.param(
            {"preempts": False},
            On("v", LOW),
            "not eligible due to preemptionPolicy=Never.",
            id="never",
        ),
        pytest.param(
            {"nominated": "n"},
            On("v", LOW),
            "not eligible due to a terminating pod on the nominated node.",
            id="its victim still goes",
        ),
        pytest.param({"nominated": "n"}, On("v", HIGH), None, id="no victim of its own"),
        pytest.param({"nominated": "gone"}, On("v", LOW), None, id="its node is gone"),
    ],
)
def test_who_has_preempted_waits_for_its_victims(
    options: dict[str, Any], victim: On, why: str | None
) -> None:
    """A pod does not preempt again while pods that it preempted are on the way out."""
    scene = Scene({"n": [victim]})
    scene.cluster.pods["v"].preempted = True
    assert why_ineligible(scene.class_of(ME), HIGH, scene.cluster, **options) == why


def test_who_has_preempted_looks_elsewhere_when_its_node_will_not_do() -> None:
    """Victims on a node that has been cordoned since are not waited for."""
    scene = Scene({"n": [On("v", LOW)]})
    scene.cluster.pods["v"].preempted = True
    cordoned = {**node("n"), "spec": {"unschedulable": True}}
    scene.cluster.put_node(cordoned, node("n"))
    assert why_ineligible(scene.class_of(ME), HIGH, scene.cluster, nominated="n") is None


def test_a_pod_that_goes_by_itself_does_not_keep_anyone_from_preempting() -> None:
    """Only pods that were preempted are waited for, not those that somebody deleted."""
    scene = Scene({"n": [On("v", LOW)]})
    scene.cluster.pods["v"].terminating = True
    assert why_ineligible(scene.class_of(ME), HIGH, scene.cluster, nominated="n") is None


def test_a_trial_leaves_everything_as_it_was() -> None:
    """Even when it fails, and for everyone who follows the cluster, nothing has happened."""
    scene = Scene({"n": [On("a", LOW, 1), On("b", LOW, 2), On("c", LOW, 2)]})
    state = scene.cluster.by_name["n"]
    before = (list(state.pods), state.used_cpu, scene.cluster.revision)

    def fail() -> None:
        with Trial(state, scene.cluster) as trial:
            trial.take(state.pods["a"])
            trial.put(scene.state(On("d", LOW, 4)))
            trial.take(state.pods["b"])
            assert state.used_cpu == 6000
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (list(state.pods), state.used_cpu, scene.cluster.revision) == before
