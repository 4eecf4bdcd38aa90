"""The fast core against its slow twin: on random clusters both must come to the same answers.

``pytest tests/scheduler/test_twin.py --hypothesis-profile=thorough`` looks at thousands.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import event, given, note
from hypothesis import strategies as st

from orchestrator.scheduler.core import Placer
from orchestrator.scheduler.core.explaining import Explanation, explain
from tests.scheduler.twin import Profile, filter_all, fit_error, score_all
from tests.scheduler.twin.builders import Object
from tests.scheduler.twin.looking import look_at
from tests.scheduler.twin.profiles import DEFAULT, BothProfiles, profiles
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

ON_NODES = FEATURES[:9]
TOPOLOGY = (
    "requests", "tolerations", "selector", "images", "spread", "soft spread", "affinity",
    "anti-affinity", "preferred pods", "owner",
)  # fmt: skip
MIXTURES = (
    TOPOLOGY, ("spread", "tolerations"), ("spread", "selector"), ("soft spread", "tolerations"),
    ("affinity", "anti-affinity"), ("preferred pods", "anti-affinity"), ("owner", "images"),
)  # fmt: skip
"""Few features at once show faults that need many pods of one kind."""
ALL = tuple(feature for feature in FEATURES if feature != "priority")


def explained(explanation: Explanation) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
    """Return what the core says of each node, as the twin would say it: verdicts and scores."""
    verdicts: dict[str, Any] = {}
    scores: dict[str, dict[str, int]] = {}
    for node in explanation.nodes:
        verdicts[node.name] = node.rejections[0] if node.rejections else None
        if node.total is not None:
            scores[node.name] = {one.plugin: one.weighted for one in node.scores}
            scores[node.name][TOTAL] = node.total
    return verdicts, scores


def place_like_the_twin(world: World, placer: Placer, profile: Profile, pod: Object) -> None:
    """Let the core place a pod, and hold it to what the twin says."""
    snapshot = world.snapshot
    verdicts = filter_all(snapshot, pod, profile)
    feasible = [name for name, rejection in verdicts.items() if rejection is None]
    scores = score_all(snapshot, pod, feasible, profile)

    pod_class = world.class_of(pod)
    explanation = explain(pod_class, world.cluster, placer.framework)
    assert explained(explanation) == (verdicts, scores)
    chosen = placer.find_best(pod_class)
    if not feasible:
        assert chosen is None
        assert explanation.message == fit_error(snapshot, pod, profile)
        event("fits nowhere")
        return
    assert chosen is not None
    best = max(score[TOTAL] for score in scores.values())
    assert scores[chosen.name][TOTAL] == best
    event("placed")
    world.place(pod, chosen.name)


def play(world: World, happenings: list[Step], seed: int, profile: BothProfiles = DEFAULT) -> None:
    """Let things happen to a cluster, and look at every placement."""
    chance = random.Random(seed).random
    placer = Placer(world.cluster, chance, limit=3, framework=profile.core)
    for step in happenings:
        if step.what != "place":
            world.apply(step)
            continue
        pod = world.next_pod(step)
        try:
            place_like_the_twin(world, placer, profile.twin, pod)
        except AssertionError:
            note(f"{pod}\nin {world}\nby {profile.document}")
            raise


NODES = st.lists(node_recipes(), min_size=2, max_size=10)
SEEDS = st.integers(0, 3)


@look_at(1)
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


@look_at(2)
@given(
    nodes=st.lists(node_recipes(), min_size=2, max_size=7),
    pods=st.sampled_from(MIXTURES).flatmap(
        lambda features: st.lists(pod_recipes(features), min_size=1, max_size=3)
    ),
    happenings=steps(),
    seed=SEEDS,
)
def test_the_core_places_by_topology_as_the_twin_would(
    nodes: list[NodeRecipe], pods: list[PodRecipe], happenings: list[Step], seed: int
) -> None:
    """Pods that spread, attract and repel each other."""
    play(World(nodes, pods), happenings, seed)


@look_at(1)
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


@look_at(2)
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


@look_at(2)
@given(
    nodes=NODES,
    pods=st.lists(pod_recipes(set(ALL) - {"claims", "disk"}), min_size=1, max_size=4),
    happenings=steps(),
    seed=SEEDS,
    profile=profiles(),
)
def test_the_core_places_by_profiles_as_the_twin_would(
    nodes: list[NodeRecipe],
    pods: list[PodRecipe],
    happenings: list[Step],
    seed: int,
    profile: BothProfiles,
) -> None:
    """Other strategies and weights, default constraints, added affinity, plugins turned off."""
    play(World(nodes, pods), happenings, seed, profile)


@look_at(0.4)
@given(
    nodes=st.lists(node_recipes(), min_size=2, max_size=6),
    pods=st.lists(pod_recipes(set(ALL) - {"claims", "disk"}), min_size=2, max_size=6),
    happenings=steps(most=10),
    seed=SEEDS,
)
def test_a_pod_finds_a_node_among_many_if_there_is_one(
    nodes: list[NodeRecipe], pods: list[PodRecipe], happenings: list[Step], seed: int
) -> None:
    """Of more than a hundred nodes, enough are looked at, and all before a pod is refused."""
    world = World([nodes[index % len(nodes)] for index in range(104)], pods)
    placer = Placer(world.cluster, random.Random(seed).random, limit=3)
    for step in happenings:
        if step.what != "place":
            world.apply(step)
            continue
        pod = world.next_pod(step)
        verdicts = filter_all(world.snapshot, pod)
        chosen = placer.find_best(world.class_of(pod))
        if chosen is None:
            assert None not in verdicts.values()
            event("fits nowhere")
        else:
            assert verdicts[chosen.name] is None
            world.place(pod, chosen.name)
            event("placed")
