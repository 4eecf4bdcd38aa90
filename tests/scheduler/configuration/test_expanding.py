"""Which plugins a profile ends up with; the cases are upstream's own, with its names shortened."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from orchestrator.scheduler.configuration import (
    DEFAULT_PROFILE,
    ConfigurationError,
    Point,
    Profile,
    Registry,
    parse_configuration,
)

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
SCORE: frozenset[Point] = frozenset({"score"})
FILTER: frozenset[Point] = frozenset({"filter"})
OTHERS: Registry = {
    "A": SCORE,
    "B": SCORE,
    "C": SCORE,
    "FilterAndScore": SCORE | FILTER,
    "Both": SCORE | FILTER,
    "Sorts": frozenset({"queueSort"}),
}


def expand(text: str) -> Profile:
    """Read one profile's ``plugins``."""
    document = {**HEAD, "profiles": [{"plugins": yaml.safe_load(text)}]}
    return parse_configuration(document, OTHERS).profiles[0]


def scores(text: str) -> list[tuple[str, int]]:
    """Return the scores of a profile without the default ones."""
    head = "multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: "
    return [(one.name, one.weight) for one in expand(head + "DefaultBinder}" + text).scores]


def complaints(text: str) -> list[str]:
    """Return what is wrong with one profile's ``plugins``."""
    with pytest.raises(ConfigurationError) as caught:
        expand(text)
    return list(caught.value.problems)


def test_a_score_is_added_after_the_default_ones() -> None:
    """And has weight 1 unless it says otherwise."""
    profile = expand("score: {enabled: [{name: B, weight: 5}, {name: A}]}")
    assert profile.scores == (*DEFAULT_PROFILE.scores, ("B", 5), ("A", 1))
    assert profile.filters == DEFAULT_PROFILE.filters


def test_a_default_weight_is_overridden_at_the_point() -> None:
    """What the point says comes first, in its order."""
    profile = expand("score: {enabled: [{name: ImageLocality, weight: 9}]}")
    rest = [one for one in DEFAULT_PROFILE.scores if one.name != "ImageLocality"]
    assert list(profile.scores) == [("ImageLocality", 9), *rest]


def test_a_default_weight_is_overridden_for_all_points_in_place() -> None:
    """`multiPoint` keeps a default plugin's place."""
    profile = expand("multiPoint: {enabled: [{name: NodeAffinity, weight: 7}, {name: Both}]}")
    names = [one.name for one in DEFAULT_PROFILE.scores]
    assert [one.name for one in profile.scores] == [*names, "Both"]
    assert dict(profile.scores)["NodeAffinity"] == 7
    assert profile.filters == (*DEFAULT_PROFILE.filters, "Both")


def test_a_plugin_is_disabled_at_one_point() -> None:
    """And stays at the others."""
    profile = expand("score: {disabled: [{name: NodeResourcesFit}]}")
    assert "NodeResourcesFit" not in dict(profile.scores)
    assert profile.filters == DEFAULT_PROFILE.filters


def test_a_plugin_is_disabled_at_all_points() -> None:
    """By `multiPoint`."""
    profile = expand("multiPoint: {disabled: [{name: InterPodAffinity}]}")
    assert "InterPodAffinity" not in dict(profile.scores)
    assert "InterPodAffinity" not in (*profile.filters, *profile.pre_filters, *profile.pre_scores)


def test_a_star_leaves_only_what_the_point_enables() -> None:
    """Other points keep their defaults."""
    profile = expand("score: {disabled: [{name: '*'}], enabled: [{name: A, weight: 2}]}")
    assert profile.scores == (("A", 2),)
    assert profile.filters == DEFAULT_PROFILE.filters


def test_enabled_wins_over_disabled_at_the_same_place() -> None:
    """A disabled default is put at the end by enabling it, which is how defaults are reordered."""
    profile = expand("multiPoint: {disabled: [{name: NodeName}], enabled: [{name: NodeName}]}")
    rest = [name for name in DEFAULT_PROFILE.filters if name != "NodeName"]
    assert list(profile.filters) == [*rest, "NodeName"]


@pytest.mark.parametrize(
    ("plugins", "wanted"),
    [
        (", {name: A}, {name: B}]}", [("A", 1), ("B", 1)]),
        (", {name: B, weight: 3}, {name: A}]}", [("B", 3), ("A", 1)]),
        # The point's own order comes first for what it overrides, then the rest of multiPoint,
        # then what only the point has.
        (
            ", {name: A}, {name: B}]}\nscore: {enabled: [{name: C}, {name: B, weight: 4}]}",
            [("B", 4), ("A", 1), ("C", 1)],
        ),
        (
            ", {name: A}, {name: B}]}\nscore: {enabled: [{name: B}, {name: A}]}",
            [("B", 1), ("A", 1)],
        ),
        (
            ", {name: A, weight: 5}, {name: B}]}\nscore: {enabled: [{name: A}]}",
            [("A", 1), ("B", 1)],
        ),
        (
            ", {name: Both}, {name: A}]}\nscore: {disabled: [{name: Both}]}",
            [("A", 1)],
        ),
        (
            ", {name: A}]}\nscore: {enabled: [{name: B}], disabled: [{name: '*'}]}",
            [("B", 1)],
        ),
    ],
)
def test_points_and_multi_point_are_put_together(
    plugins: str, wanted: list[tuple[str, int]]
) -> None:
    """In upstream's order of precedence."""
    assert scores(plugins) == wanted


@pytest.mark.parametrize(
    ("plugins", "wanted"),
    [
        (
            "filter: {enabled: [{name: Unheard}]}",
            [
                (
                    'filter.enabled[0].name: Invalid value: "Unheard": FilterPlugin "Unheard" '
                    "does not exist"
                )
            ],
        ),
        (
            "multiPoint: {enabled: [{name: DynamicResources}]}",
            [
                (
                    'multiPoint.enabled[0].name: Invalid value: "DynamicResources": is not '
                    "supported by "
                    "this scheduler: pods with spec.resourceClaims are not placed yet"
                )
            ],
        ),
        (
            "filter: {enabled: [{name: A}]}",
            [
                (
                    'filter.enabled[0].name: Invalid value: "A": plugin "A" does not extend '
                    "FilterPlugin plugin"
                )
            ],
        ),
        (
            "score: {enabled: [{name: A}, {name: A}]}",
            [
                (
                    'score.enabled[1].name: Invalid value: "A": plugin "A" already registered '
                    'as "ScorePlugin"'
                )
            ],
        ),
        (
            "multiPoint: {enabled: [{name: A}, {name: A}]}",
            [
                (
                    'multiPoint.enabled[1].name: Invalid value: "A": plugin "A" already '
                    'registered as "ScorePlugin"'
                )
            ],
        ),
        (
            "queueSort: {enabled: [{name: Sorts}]}",
            [
                (
                    'queueSort: Invalid value: ["PrioritySort","Sorts"]: only one queue '
                    "sort plugin "
                    'required for profile with scheduler name "default-scheduler", but got 2'
                )
            ],
        ),
        (
            "bind: {disabled: [{name: DefaultBinder}]}",
            [
                (
                    "bind: Invalid value: []: at least one bind plugin is needed for profile with "
                    'scheduler name "default-scheduler"'
                )
            ],
        ),
        (
            "preFilter: {disabled: [{name: NodePorts}]}",
            [
                (
                    'preFilter: Invalid value: "NodePorts": filter of the plugin cannot '
                    "work without "
                    "its preFilter: disable both"
                )
            ],
        ),
        (
            "filter: {enabled: [{name: CinderLimits}]}",
            [
                (
                    'filter.enabled[0]: Invalid value: "CinderLimits": was invalid in version "v1" '
                    '(KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1")'
                ),
                (
                    'filter.enabled[0].name: Invalid value: "CinderLimits": FilterPlugin '
                    '"CinderLimits" '
                    "does not exist"
                ),
            ],
        ),
    ],
)
def test_plugins_that_cannot_be_are_refused(plugins: str, wanted: list[str]) -> None:
    """What upstream refuses when it starts."""
    assert complaints(plugins) == [f"profiles[0].plugins.{one}" for one in wanted]


def test_profiles_sort_the_queue_alike() -> None:
    """They share it."""
    document: dict[str, Any] = {
        **HEAD,
        "profiles": [
            {"schedulerName": "a"},
            {
                "schedulerName": "b",
                "plugins": {
                    "queueSort": {"disabled": [{"name": "*"}], "enabled": [{"name": "Sorts"}]}
                },
            },
        ],
    }
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(document, OTHERS)
    assert caught.value.problems == (
        (
            'profiles[1].plugins.queueSort: Invalid value: ["Sorts"]: must be the same for all '
            "profiles"
        ),
    )
