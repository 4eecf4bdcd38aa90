"""Whole decisions against the slow twin: a node, or one to wait for, or the reasons why neither."""

from __future__ import annotations

import random

from hypothesis import event, given, note
from hypothesis import strategies as st

from orchestrator.scheduler.core.deciding import Decider, Refusal
from tests.scheduler.twin import filter_all, fit_error, preempt, score_all
from tests.scheduler.twin.builders import Object
from tests.scheduler.twin.contested import Contested, roomy
from tests.scheduler.twin.looking import look_at
from tests.scheduler.twin.scoring import TOTAL
from tests.scheduler.twin.snapshot import priority
from tests.scheduler.twin.strategies import (
    FEATURES,
    NodeRecipe,
    PodRecipe,
    Step,
    node_recipes,
    pod_recipes,
    steps,
)

BUT_VOLUMES = set(FEATURES) - {"claims", "disk"}


def decide_like_the_twin(
    world: Contested, decider: Decider, pod: Object, step: Step, *, fresh: bool
) -> bool:
    """Let the core decide about a pod, hold it to the twin, and tell whether room was made.

    Args:
        world: The cluster.
        decider: The core.
        pod: New, or nominated to a node.
        step: Of which it comes: whether victims leave at once.
        fresh: Nothing was decided in this pass; later, a message may be that of an earlier pod.
    """
    snapshot, name = world.snapshot, pod["metadata"]["name"]
    state = world.state_of(pod)
    verdicts = filter_all(snapshot, pod)
    feasible = [node for node, rejection in verdicts.items() if rejection is None]
    chosen = decider.choose(state)
    if feasible:
        assert chosen is not None
        nominated = pod["status"].get("nominatedNodeName")
        if nominated in feasible:
            assert chosen.name == nominated
            event("placed where it was nominated to")
        else:
            scores = score_all(snapshot, pod, feasible)
            best = max(score[TOTAL] for score in scores.values())
            assert scores[chosen.name][TOTAL] == best
            event("placed")
        if name in world.nominated:
            world.give_up(name)
        world.place({**pod, "status": {}}, chosen.name)
        return False
    assert chosen is None
    refusal = decider.refuse(state)
    if fresh:
        assert refusal.message == fit_error(snapshot, pod)
    expected = preempt(snapshot, pod)
    if not expected.candidates:
        assert refusal.preemption is None
        if refusal.nomination is not None:
            del world.nominated[name]
        event("refused")
        return False
    assert refusal.preemption is not None
    node = refusal.preemption.node.name
    assert node == refusal.nomination
    assert node in expected.best
    twin = expected.candidates[node]
    victims = [victim.key.name for victim in refusal.preemption.victims]
    assert victims == [victim["metadata"]["name"] for victim in twin.victims]
    assert refusal.preemption.violations == twin.violations
    event("nominated")
    follow(world, pod, refusal, victims, at_once=bool(step.which % 2))
    return True


def follow(
    world: Contested, pod: Object, refusal: Refusal, victims: list[str], *, at_once: bool
) -> None:
    """Do what was decided: the pod is nominated, others are not any more, the victims go."""
    for other in refusal.displaced:
        del world.nominated[other.key.name]
    world.nominated[pod["metadata"]["name"]] = {
        **pod,
        "status": {"nominatedNodeName": refusal.nomination},
    }
    if at_once:
        world.evict(victims)
    else:
        world.dismiss(victims)


@look_at(2)
@given(
    nodes=st.lists(node_recipes().map(roomy), min_size=1, max_size=6),
    pods=st.lists(pod_recipes(BUT_VOLUMES), min_size=1, max_size=4),
    happenings=steps(most=24),
    seed=st.integers(0, 3),
    crowd=st.integers(0, 2),
)
def test_the_core_decides_what_the_twin_would(
    nodes: list[NodeRecipe],
    pods: list[PodRecipe],
    happenings: list[Step],
    seed: int,
    crowd: int,
) -> None:
    """Pods of all priorities, budgets, nominations, victims that take their time."""
    world = Contested(nodes, pods, seed, few=False)
    decider = Decider(world.cluster, world.budgets, random.Random(seed).random)
    for number in range(seed):
        world.put_budget(Step("", number, 2 + number))
    for number in range(crowd * len(nodes)):
        low = Step("place", number, 3 * (number % 2))
        world.place(world.next_pod(low), f"n{number % len(nodes)}")
    stale, lowest = True, 0
    for step in happenings:
        match step.what:
            case "place" | "label namespace" if world.nodes:
                again = step.what != "place" or step.which > 12
                waiting = list(world.nominated.values()) if again else []
                pod = waiting[step.other % len(waiting)] if waiting else world.next_pod(step)
                # In a pass, pods come by priority.
                fresh = stale or bool(step.other % 2) or priority(pod) > lowest
                lowest = priority(pod)
                if fresh:
                    decider.begin()
                try:
                    stale = decide_like_the_twin(world, decider, pod, step, fresh=fresh)
                except AssertionError:
                    waiting = list(world.nominated.values())
                    note(f"{pod}\nin {world}\nbeside {waiting}\n{world.disruption_budgets}")
                    raise
                continue
            case "terminate":
                world.put_budget(step)
            case "relabel node" if world.nominated:
                world.give_up(list(world.nominated)[step.which % len(world.nominated)])
            case "place":
                pass
            case _:
                world.apply(step)
        stale = True
