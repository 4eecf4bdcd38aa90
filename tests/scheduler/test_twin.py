"""The fast core against its slow twin: on random clusters both must come to the same answers.

``pytest tests/scheduler/test_twin.py --hypothesis-profile=thorough`` looks at thousands.
"""

from __future__ import annotations

import random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestrator.scheduler.core import Placer, diagnose
from tests.scheduler.twin import Profile, filter_all, fit_error, score_all
from tests.scheduler.twin.builders import Object
from tests.scheduler.twin.scoring import TOTAL
from tests.scheduler.twin.strategies import (
    FEATURES,
    NodeRecipe,
    PodRecipe,
    Step,
    node_recipes,
    pod_recipes,
    steps,
)
from tests.scheduler.twin.worlds import World

SOME = settings().max_examples
"""As many as the profile says: 100, or thousands."""

KNOWN = FEATURES[:9]
PROFILE = Profile(
    weights={
        "TaintToleration": 3,
        "NodeAffinity": 2,
        "NodeResourcesFit": 1,
        "NodeResourcesBalancedAllocation": 1,
    }
)


def place_like_the_twin(world: World, placer: Placer, pod: Object) -> None:
    """Let the core place a pod, and hold it to what the twin says."""
    snapshot = world.snapshot
    verdicts = filter_all(snapshot, pod, PROFILE)
    feasible = {name for name, rejection in verdicts.items() if rejection is None}
    pod_class = world.class_of(pod)
    chosen = placer.find_best(pod_class)
    if not feasible:
        assert chosen is None
        assert diagnose(pod_class, world.cluster).message == fit_error(snapshot, pod, PROFILE)
        event("fits nowhere")
        return
    assert chosen is not None
    scores = score_all(snapshot, pod, feasible, PROFILE)
    best = max(score[TOTAL] for score in scores.values())
    assert chosen.name in {name for name, score in scores.items() if score[TOTAL] == best}
    event("placed")
    world.place(pod, chosen.name)


@settings(max_examples=SOME)
@given(
    nodes=st.lists(node_recipes(), min_size=1, max_size=10),
    pods=st.lists(pod_recipes(KNOWN), min_size=1, max_size=4),
    happenings=steps(),
    seed=st.integers(0, 3),
)
def test_the_core_places_where_the_twin_would(
    nodes: list[NodeRecipe], pods: list[PodRecipe], happenings: list[Step], seed: int
) -> None:
    """Through placements, removals, and nodes, pods and labels that change meanwhile."""
    world = World(nodes, pods)
    placer = Placer(world.cluster, random.Random(seed).random, limit=3)
    for step in happenings:
        if step.what == "place":
            place_like_the_twin(world, placer, world.next_pod(step))
        else:
            world.apply(step)
