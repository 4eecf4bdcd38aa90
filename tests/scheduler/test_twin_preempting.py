"""Fast preemption against its slow twin: the same victims, or the same reasons."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestrator.scheduler.core.diagnosis import diagnose
from tests.scheduler.twin import filter_all, preempt
from tests.scheduler.twin.builders import Object
from tests.scheduler.twin.contested import Contested, roomy
from tests.scheduler.twin.strategies import (
    NodeRecipe,
    PodRecipe,
    Step,
    node_recipes,
    pod_recipes,
    steps,
)

SOME = settings().max_examples


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
