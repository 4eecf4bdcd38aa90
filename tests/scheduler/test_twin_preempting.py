"""Fast preemption against its slow twin: the same victims, or the same reasons."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.diagnosis import Diagnoser, diagnose
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.preemption import Preemptor
from tests.scheduler.twin import Snapshot, filter_all, preempt
from tests.scheduler.twin.builders import Object, thing
from tests.scheduler.twin.strategies import (
    NodeRecipe,
    PodRecipe,
    Step,
    node_recipes,
    pod_recipes,
    steps,
)
from tests.scheduler.twin.worlds import World

SOME = settings().max_examples
PRIORITIES = (0, 10, 5, -1)
CPUS = ("2", "1", "3", "500m")
FEW = 3
"""So many candidates are enough where the preemptor has to be content with a part of the nodes."""


class Contested(World):
    """A cluster in which pods preempt one another."""

    def __init__(
        self, nodes: list[NodeRecipe], pods: list[PodRecipe], seed: int, few: bool
    ) -> None:
        super().__init__(nodes, pods)
        self.nominated: dict[str, Object] = {}
        self.disruption_budgets: dict[str, Object] = {}
        self.nominations = self.cluster.nominations
        self.budgets = Budgets()
        self.few = few
        chance = random.Random(seed).random
        self.preemptor = Preemptor(
            self.cluster,
            self.budgets,
            chance,
            percentage=1,
            absolute=FEW if few else 100,
            limit=3,
        )
        self.diagnoser = Diagnoser(self.cluster, DEFAULT_FRAMEWORK, limit=3)
        self._minutes = itertools.count()

    @property
    def snapshot(self) -> Snapshot:
        return replace(
            super().snapshot,
            nominated=list(self.nominated.values()),
            budgets=list(self.disruption_budgets.values()),
        )

    def next_pod(self, step: Step) -> Object:
        """Make the next pod of a template, often a large one, of some priority."""
        made = super().next_pod(step)
        spec = {**made["spec"], "priority": PRIORITIES[step.other % len(PRIORITIES)]}
        spec.pop("preemptionPolicy", None)
        first, *others = spec["containers"]
        requests = {**first["resources"]["requests"], "cpu": CPUS[step.which % len(CPUS)]}
        spec["containers"] = [{**first, "resources": {"requests": requests}}, *others]
        return {**made, "spec": spec}

    def place(self, pod: Object, node: str) -> None:
        """Let a pod run on a node, since a minute in which no other began to."""
        status = {"phase": "Running", "startTime": f"2026-01-01T00:{next(self._minutes):02}:00Z"}
        self._put_pod({**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status})

    def nominate(self, pod: Object, node: str) -> None:
        """Keep a pod's place on a node."""
        self.nominated[pod["metadata"]["name"]] = {**pod, "status": {"nominatedNodeName": node}}
        self.nominations.add(self.state_of(pod), node)

    def forget_nomination(self, step: Step) -> None:
        """Let somebody who waits for a place give up."""
        if self.nominated:
            name = list(self.nominated)[step.which % len(self.nominated)]
            gone = self.nominated.pop(name)
            self.nominations.remove(gone["metadata"]["uid"])

    def put_budget(self, step: Step) -> None:
        """Protect the pods of an application, more or less."""
        app = "ab"[step.which % 2]
        budget = thing(
            f"budget-{app}",
            spec={"selector": {"matchLabels": {"app": app}}},
            status={"disruptionsAllowed": step.other - 2, "disruptedPods": {f"p{step.which}": ""}},
        )
        self.disruption_budgets[app] = budget
        self.budgets.put(Key("poddisruptionbudgets.policy", "default", app), budget)

    def evict(self, names: list[str]) -> None:
        """Let pods go at once."""
        for name in names:
            self.cluster.displace(self.pods.pop(name)["metadata"]["uid"])


def preempt_like_the_twin(world: Contested, pod: Object, step: Step) -> None:
    """Let a pod that fits nowhere preempt others, and hold the core to what the twin says."""
    expected = preempt(world.snapshot, pod)
    pod_class, priority = world.class_of(pod), pod["spec"]["priority"]
    found = world.preemptor.find(pod_class, priority)
    diagnosis = world.diagnoser.diagnose(pod_class, priority)
    assert diagnosis == diagnose(pod_class, world.cluster, priority=priority)
    if not expected.candidates:
        assert found is None
        assert world.preemptor.explain(pod_class, priority) == expected.message
        event("nothing to gain")
        return
    assert found is not None
    if not world.few:
        assert found.node.name in expected.best
    twin = expected.candidates[found.node.name]
    victims = [victim.key.name for victim in found.victims]
    assert victims == [victim["metadata"]["name"] for victim in twin.victims]
    assert found.violations == twin.violations
    event("preempted, against a budget" if found.violations else "preempted")
    if step.other % 2:
        world.nominate(pod, found.node.name)
    else:
        world.evict(victims)
        world.place(pod, found.node.name)


def roomy(recipe: NodeRecipe) -> NodeRecipe:
    """Make a node large enough to be fought for."""
    given = recipe.allocatable
    pods = given["pods"] if given["pods"] == "3" else "110"
    cpu = given["cpu"] if given["cpu"] in {"2", "8"} else "4"
    return recipe._replace(
        allocatable={**given, "cpu": cpu, "memory": "8Gi", "pods": pods}, cordoned=False
    )


@settings(max_examples=SOME)
@given(
    nodes=st.lists(node_recipes().map(roomy), min_size=1, max_size=6),
    pods=st.lists(pod_recipes(), min_size=1, max_size=4),
    happenings=steps(most=24),
    seed=st.integers(0, 3),
    few=st.booleans(),
    crowd=st.integers(0, 2),
)
def test_the_core_preempts_whom_the_twin_would(
    nodes: list[NodeRecipe],
    pods: list[PodRecipe],
    happenings: list[Step],
    seed: int,
    few: bool,
    crowd: int,
) -> None:
    """Through placements, nominations, removals, and nodes and budgets that change meanwhile."""
    world = Contested(nodes, pods, seed, few)
    for number in range(seed):
        world.put_budget(Step("", number, 2 + number))
    for number in range(crowd * len(nodes)):
        low = Step("place", number, 3 * (number % 2))
        world.place(world.next_pod(low), f"n{number % len(nodes)}")
    for step in happenings:
        match step.what:
            case "place":
                pod = world.next_pod(step)
                verdicts = filter_all(world.snapshot, pod)
                feasible = sorted(name for name, verdict in verdicts.items() if verdict is None)
                if feasible:
                    world.place(pod, feasible[step.which % len(feasible)])
                elif world.nodes:
                    preempt_like_the_twin(world, pod, step)
            case "terminate":
                world.put_budget(step)
            case "relabel node":
                world.forget_nomination(step)
            case _:
                world.apply(step)
