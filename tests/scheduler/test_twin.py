"""The fast core against its slow twin: on random clusters both must come to the same answers.

``pytest tests/scheduler/test_twin.py --hypothesis-profile=thorough`` looks at thousands.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from orchestrator.scheduler.core import Placer, PodClass, diagnose
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from tests.scheduler.twin import filter_all, fit_error, score_all
from tests.scheduler.twin.builders import Object
from tests.scheduler.twin.scoring import TOTAL
from tests.scheduler.twin.storage import Storage, storages
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

ON_NODES = FEATURES[:9]
TOPOLOGY = (*FEATURES[:9:4], "spread", "soft spread", "affinity", "anti-affinity")
ALL = tuple(feature for feature in FEATURES if feature != "priority")


def verdicts_of(world: World, pod: PodClass) -> dict[str, Any]:
    """Return what the core's filters say of each node."""
    framework, cluster = DEFAULT_FRAMEWORK, world.cluster
    whole = framework.reject_pod(pod, cluster)
    found = {}
    for name, node in cluster.by_name.items():
        verdict = whole or framework.reject(pod, node, cluster)
        found[name] = verdict and (verdict.plugin, *verdict.rejection)
    return found


def place_like_the_twin(world: World, placer: Placer, pod: Object) -> None:
    """Let the core place a pod, and hold it to what the twin says."""
    snapshot = world.snapshot
    pod_class = world.class_of(pod)
    verdicts = filter_all(snapshot, pod)
    feasible = [name for name, rejection in verdicts.items() if rejection is None]
    scores = {name: score[TOTAL] for name, score in score_all(snapshot, pod, feasible).items()}
    if pod_class.selection.names is None:
        assert verdicts_of(world, pod_class) == verdicts
    nodes = [world.cluster.by_name[name] for name in feasible]
    totals = DEFAULT_FRAMEWORK.score(pod_class, nodes, world.cluster)
    assert dict(zip(feasible, totals, strict=True)) == scores

    chosen = placer.find_best(pod_class)
    if not feasible:
        assert chosen is None
        assert diagnose(pod_class, world.cluster).message == fit_error(snapshot, pod)
        event("fits nowhere")
        return
    assert chosen is not None
    best = max(scores.values())
    assert chosen.name in {name for name, score in scores.items() if score == best}
    event("placed")
    world.place(pod, chosen.name)


def play(world: World, happenings: list[Step], seed: int) -> None:
    """Let things happen to a cluster, and look at every placement."""
    placer = Placer(world.cluster, random.Random(seed).random, limit=3)
    for step in happenings:
        if step.what != "place":
            world.apply(step)
            continue
        pod = world.next_pod(step)
        try:
            place_like_the_twin(world, placer, pod)
        except AssertionError:
            note(f"{pod}\nin {world}")
            raise


NODES = st.lists(node_recipes(), min_size=1, max_size=10)
SEEDS = st.integers(0, 3)


@settings(max_examples=SOME, report_multiple_bugs=False)
@given(
    nodes=NODES,
    pods=st.lists(pod_recipes(ON_NODES), min_size=1, max_size=4),
    happenings=steps(),
    seed=SEEDS,
)
def test_the_core_places_by_nodes_as_the_twin_would(
    nodes: list[NodeRecipe], pods: list[PodRecipe], happenings: list[Step], seed: int
) -> None:
    """Through placements, removals, and nodes, pods and labels that change meanwhile."""
    play(World(nodes, pods), happenings, seed)


@settings(max_examples=2 * SOME, report_multiple_bugs=False)
@given(
    nodes=NODES,
    pods=st.lists(pod_recipes(TOPOLOGY), min_size=1, max_size=4),
    happenings=steps(),
    seed=SEEDS,
)
def test_the_core_places_by_topology_as_the_twin_would(
    nodes: list[NodeRecipe], pods: list[PodRecipe], happenings: list[Step], seed: int
) -> None:
    """Pods that spread, attract and repel each other."""
    play(World(nodes, pods), happenings, seed)


@settings(max_examples=SOME, report_multiple_bugs=False)
@given(
    nodes=NODES,
    pods=st.lists(pod_recipes(["claims", "disk", "requests"]), min_size=1, max_size=4),
    storage=storages(),
    happenings=steps(),
    seed=SEEDS,
)
def test_the_core_places_by_volumes_as_the_twin_would(
    nodes: list[NodeRecipe],
    pods: list[PodRecipe],
    storage: Storage,
    happenings: list[Step],
    seed: int,
) -> None:
    """Claims that are shared, bound, to be bound, or wrong."""
    play(World(nodes, pods, storage), happenings, seed)


@settings(max_examples=2 * SOME, report_multiple_bugs=False)
@given(
    nodes=NODES,
    pods=st.lists(pod_recipes(ALL), min_size=1, max_size=6),
    storage=storages(),
    happenings=steps(most=24),
    seed=SEEDS,
)
def test_the_core_places_by_everything_as_the_twin_would(
    nodes: list[NodeRecipe],
    pods: list[PodRecipe],
    storage: Storage,
    happenings: list[Step],
    seed: int,
) -> None:
    """Every feature mixed."""
    play(World(nodes, pods, storage), happenings, seed)
