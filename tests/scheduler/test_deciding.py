"""What becomes of a pod, with nominations and preemption."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from orchestrator.resources.objects import Key
from orchestrator.scheduler.configuration import DEFAULT_PROFILE
from orchestrator.scheduler.core import Cluster, PodClass, PodState
from orchestrator.scheduler.core.deciding import Decider, Refusal
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.preemption import find_released

Object = dict[str, Any]
CLASSES: dict[str, PodClass] = {}


def pod(name: str, cpu: str = "3", priority: int = 0, **options: Any) -> PodState:
    """Make a pod."""
    if cpu not in CLASSES:
        container = {"name": "c", "resources": {"requests": {"cpu": cpu}}}
        CLASSES[cpu] = PodClass({"containers": [container]})
    key = Key("pods", "default", name)
    return PodState(name, key, CLASSES[cpu], priority=priority, **options)


def node(name: str, cpu: str = "4") -> Object:
    """Make a node."""
    allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return {"metadata": {"name": name}, "status": {"allocatable": allocatable}}


class Scene:
    """A cluster and a decider for it."""

    def __init__(self, *nodes: Object) -> None:
        self.cluster = Cluster()
        for item in nodes:
            self.cluster.put_node(item, None)
        self.decider = self.decider_of(Framework())

    def decider_of(self, framework: Framework) -> Decider:
        return Decider(self.cluster, Budgets(), random.Random(1).random, framework)

    def put(self, on: str, *pods: PodState) -> None:
        for item in pods:
            self.cluster.place(item, on)

    def place(self, item: PodState) -> str | None:
        """Choose a node for a pod and count it there."""
        chosen = self.decider.choose(item)
        if chosen is None:
            return None
        self.cluster.nominations.remove(item.uid)
        self.cluster.place(item, chosen.name)
        return chosen.name

    def refuse(self, item: PodState) -> Refusal:
        assert self.decider.choose(item) is None
        return self.decider.refuse(item)


def victims(refusal: Refusal) -> list[str]:
    """Return who has to go."""
    assert refusal.preemption is not None
    return [victim.uid for victim in refusal.preemption.victims]


def test_a_pod_waits_nominated_and_is_placed_there_when_its_victims_are_gone() -> None:
    """Until then its message is of the filters alone, and it does not preempt again."""
    scene = Scene(node("a"), node("b", "1"))
    scene.put("a", pod("low"))
    me = pod("me", priority=5)
    refusal = scene.refuse(me)
    assert (refusal.nomination, victims(refusal)) == ("a", ["low"])
    assert refusal.message == "0/2 nodes are available: 2 Insufficient cpu."
    scene.cluster.pods["low"].preempted = True
    scene.decider.begin()
    again = scene.refuse(me)
    assert (again.nomination, again.preemption) == (None, None)
    assert again.message == (
        "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, "
        "preemption: not eligible due to a terminating pod on the nominated node."
    )
    scene.cluster.put_node(node("better", "64"), None)
    scene.cluster.displace("low")
    scene.decider.begin()
    assert scene.place(me) == "a"


def test_room_that_is_kept_is_not_given_to_a_pod_that_is_less_important() -> None:
    """It is refused the room that a victim left, and placed as soon as nobody waits for it."""
    scene = Scene(node("a"))
    scene.put("a", pod("low"))
    scene.refuse(pod("me", priority=5))
    scene.cluster.displace("low")
    scene.decider.begin()
    other = pod("other", priority=4)
    refusal = scene.refuse(other)
    assert refusal.message.startswith("0/1 nodes are available: 1 Insufficient cpu. ")
    assert scene.place(pod("small", "1", priority=4)) == "a"
    scene.cluster.nominations.remove("me")
    scene.cluster.displace("small")
    scene.decider.begin()
    assert scene.place(other) == "a"


def test_a_more_important_pod_takes_the_place_that_is_kept_for_another() -> None:
    """Room that is free goes to it at once; victims that still go are its own then."""
    scene = Scene(node("a"))
    scene.put("a", pod("low"))
    first = pod("first", priority=5)
    scene.refuse(first)
    scene.cluster.pods["low"].preempted = True
    second = pod("second", priority=9)
    refusal = scene.refuse(second)
    assert (refusal.nomination, victims(refusal)) == ("a", ["low"])
    assert [other.uid for other in refusal.displaced] == ["first"]
    assert scene.cluster.nominations.node_of("first") == ""
    scene.cluster.displace("low")
    scene.decider.begin()
    assert scene.place(pod("third", priority=10)) == "a"
    lost = scene.refuse(second)
    assert lost.nomination == ""
    assert lost.preemption is None
    assert lost.message.endswith(
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_pods_of_one_pass_preempt_on_different_nodes_until_there_is_none_left() -> None:
    """What the first ones have claimed is not there for the next."""
    scene = Scene(node("a"), node("b"))
    scene.put("a", pod("low-a"))
    scene.put("b", pod("low-b"))
    found = [scene.refuse(pod(f"p{number}", priority=5)) for number in range(3)]
    assert sorted(refusal.nomination or "-" for refusal in found) == ["-", "a", "b"]
    assert found[2].message.endswith("preemption: 0/2 nodes are available: 2 Insufficient cpu.")


def test_who_may_not_preempt_says_so() -> None:
    """By its policy, or since the profile does without preemption."""
    scene = Scene(node("a"))
    scene.put("a", pod("low"))
    meek = scene.refuse(pod("meek", priority=5, preempts=False))
    assert meek.message.endswith("preemption: not eligible due to preemptionPolicy=Never.")
    assert meek.preemption is None
    profile = dataclasses.replace(DEFAULT_PROFILE, post_filters=())
    scene.decider = scene.decider_of(Framework(profile))
    refusal = scene.refuse(pod("me", priority=5))
    assert refusal.message == "0/1 nodes are available: 1 Insufficient cpu."
    assert refusal.preemption is None


@pytest.mark.parametrize("nodes", [0, 1])
def test_without_a_node_nothing_is_said_of_preemption(nodes: int) -> None:
    """There is nobody to preempt where nothing is."""
    scene = Scene(*(node("a") for _ in range(nodes)))
    refusal = scene.refuse(pod("huge", "9", priority=5))
    expected = {
        0: "no nodes available to schedule pods",
        1: "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    }
    assert refusal.message == expected[nodes]


def test_a_nominated_pod_waits_as_long_as_there_is_something_to_wait_for() -> None:
    """It is released when it fits, or when its victims are gone and somebody else has the room."""
    scene = Scene(node("a"))
    lows = [pod("one", "2"), pod("two", "2")]
    scene.put("a", *lows)
    me = pod("me", "4", priority=5)
    assert victims(scene.refuse(me)) == ["one", "two"]
    for low in lows:
        low.preempted = True
    (state,) = scene.cluster.by_name.values()

    def released() -> list[str]:
        return [found.uid for found in find_released(state, scene.cluster)]

    assert released() == []
    scene.cluster.displace("one")
    assert released() == []
    scene.put("a", pod("third", "2", priority=9))
    scene.cluster.displace("two")
    assert released() == ["me"]
    scene.cluster.displace("third")
    assert released() == ["me"]


@pytest.mark.parametrize(("nodes", "asked"), [(100, 10), (101, 1)])
def test_a_large_cluster_is_not_asked_again_after_every_placement(nodes: int, asked: int) -> None:
    """A pod that looks for others is tried again, and told what was said before in this pass."""
    scene = Scene(*(node(f"n{index}") for index in range(nodes)))
    rule = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}
    lonely = PodClass({"containers": [], "affinity": {"podAffinity": terms}})
    times = 0
    ask = scene.decider._diagnoser.diagnose

    def count(*args: Any) -> Any:
        nonlocal times
        times += 1
        return ask(*args)

    scene.decider._diagnoser.diagnose = count  # type: ignore[method-assign, assignment] # counts
    for number in range(10):
        scene.refuse(PodState(f"lonely-{number}", Key("pods", "default", "lonely"), lonely))
        assert scene.place(pod(f"p{number}", "1")) is not None
    assert times == asked
