"""Complaints about plugins' arguments, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from orchestrator.scheduler.configuration import ConfigurationError, parse_configuration

PREFIX = "profiles[0].pluginConfig[0].args."

RANGE = "not in valid range"

TABLE: list[tuple[str, str, list[str]]] = [
    (
        "DefaultPreemption",
        "{minCandidateNodesPercentage: 101, minCandidateNodesAbsolute: -1}",
        [
            f"minCandidateNodesPercentage: Invalid value: 101: {RANGE} [0, 100]",
            f"minCandidateNodesAbsolute: Invalid value: -1: {RANGE} [0, inf)",
        ],
    ),
    (
        "DefaultPreemption",
        "{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}",
        [
            (
                "minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as "
                "minCandidateNodesAbsolute"
            ),
            (
                "minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as "
                "minCandidateNodesPercentage"
            ),
        ],
    ),
    (
        "InterPodAffinity",
        "{hardPodAffinityWeight: 101}",
        [f"hardPodAffinityWeight: Invalid value: 101: {RANGE} [0, 100]"],
    ),
    (
        "NodeAffinity",
        """
        addedAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - {key: a, operator: Within}
              - {key: a b, operator: Exists, values: [c]}
              - {key: n, operator: Gt, values: [x]}
              - {key: n, operator: In}
              matchFields:
              - {key: metadata.name, operator: In, values: [a, b]}
              - {key: metadata.name, operator: Exists}
            - {}
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 0, preference: {matchExpressions: [{key: n, operator: Lt}]}}
          - {weight: 1, preference: {matchExpressions: [{key: n, operator: Lt}]}}
        """,
        [
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                'matchExpressions[0].operator: Unsupported value: "Within": supported '
                'values: "In", '
                '"NotIn", "Exists", "DoesNotExist", "Gt", "Lt"'
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                'matchExpressions[1].key: Invalid value: "a b": name part must consist of '
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                'matchExpressions[1].values: Invalid value: ["c"]: values set must be '
                "empty for exists "
                "and does not exist"
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                "matchExpressions[2].values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
                "operators, the "
                "value must be an integer"
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                "matchExpressions[3].values: Invalid value: []: for 'in', 'notin' "
                "operators, values "
                "set can't be empty"
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                'matchFields[0].values: Invalid value: ["a","b"]: must have one element'
            ),
            (
                "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                'matchFields[1].operator: Unsupported value: "Exists": supported values: '
                '"In", "NotIn"'
            ),
            (
                ""
                "addedAffinity.preferredDuringSchedulingIgnoredDuringExecution[1].matchExpressions[0]."
                "values: Invalid value: []: for 'Gt', 'Lt' operators, exactly one value is required"
            ),
        ],
    ),
    (
        "NodeResourcesFit",
        "{ignoredResources: [a b], ignoredResourceGroups: [a/b]}",
        [
            'ignoredResources[0]: Invalid value: "a b": name part must consist of ',
            (
                'ignoredResourceGroups[0]: Invalid value: "a/b": resource group name can\'t '
                "contain '/'"
            ),
        ],
    ),
    (
        "NodeResourcesFit",
        "{scoringStrategy: {resources: [{name: cpu, weight: 101}, {name: cpu}]}}",
        [
            (
                'scoringStrategy.type: Unsupported value: "": supported values: "LeastAllocated", '
                '"MostAllocated", "RequestedToCapacityRatio"'
            ),
            (
                "scoringStrategy.resources[0].weight: Invalid value: 101: resource weight "
                "of cpu not in "
                "valid range (0, 100]"
            ),
            'scoringStrategy.resources[1].name: Duplicate value: "cpu"',
        ],
    ),
    (
        "NodeResourcesFit",
        "{scoringStrategy: {type: RequestedToCapacityRatio}}",
        [
            (
                "scoringStrategy.requestedToCapacityRatio: Required value: must be "
                "specified when type "
                "is RequestedToCapacityRatio"
            )
        ],
    ),
    (
        "NodeResourcesFit",
        "{scoringStrategy: {type: MostAllocated, requestedToCapacityRatio: {shape: []}}}",
        [
            (
                "scoringStrategy.requestedToCapacityRatio: Forbidden: must be nil when type is not "
                "RequestedToCapacityRatio"
            )
        ],
    ),
    (
        "NodeResourcesFit",
        "{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {}}}",
        [
            (
                "scoringStrategy.requestedToCapacityRatio.shape: Required value: at least "
                "one point "
                "must be specified"
            )
        ],
    ),
    (
        "NodeResourcesFit",
        """
        scoringStrategy:
          type: RequestedToCapacityRatio
          requestedToCapacityRatio:
            shape: [{utilization: 50, score: 11}, {utilization: 50}, {utilization: 101, score: 1}]
        """,
        [
            (
                "scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: "
                "values must be sorted in increasing order"
            ),
            (
                "scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: 11: "
                f"{RANGE} [0, 10]"
            ),
            (
                "scoringStrategy.requestedToCapacityRatio.shape[2].utilization: Invalid "
                "value: 101: "
                f"{RANGE} [0, 100]"
            ),
        ],
    ),
    (
        "NodeResourcesBalancedAllocation",
        "{resources: [{name: cpu, weight: 2}, {name: cpu}]}",
        [
            "resources[0].weight: Invalid value: 2: must be 1",
            'resources[1].name: Duplicate value: "cpu"',
        ],
    ),
    (
        "PodTopologySpread",
        """
        defaultConstraints:
        - {topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {}}
        - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}
        - {maxSkew: 1}
        - {maxSkew: 1, topologyKey: a b, whenUnsatisfiable: Never}
        """,
        [
            'defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
            f"defaultConstraints[0].maxSkew: Invalid value: 0: {RANGE} (0, inf)",
            (
                "defaultConstraints[0].labelSelector: Forbidden: constraint must not define a "
                "selector, as they deduced for each pod"
            ),
            'defaultConstraints[1]: Duplicate value: "{zone, ScheduleAnyway}"',
            "defaultConstraints[2].topologyKey: Required value: can not be empty",
            "defaultConstraints[2].whenUnsatisfiable: Required value: can not be empty",
            'defaultConstraints[3].topologyKey: Invalid value: "a b": name part must consist of ',
            (
                'defaultConstraints[3].whenUnsatisfiable: Unsupported value: "Never": supported '
                'values: "DoNotSchedule", "ScheduleAnyway"'
            ),
        ],
    ),
    (
        "PodTopologySpread",
        "{defaultingType: Mine}",
        ['defaultingType: Unsupported value: "Mine": supported values: "System", "List"'],
    ),
    (
        "VolumeBinding",
        "{bindTimeoutSeconds: -1, shape: [{utilization: 0, score: 0}]}",
        [
            (
                "bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should "
                "not be a "
                "negative value"
            ),
            (
                'shape: Invalid value: [{"utilization":0,"score":0}]: unexpected field '
                "`shape`, remove "
                "it or turn on the feature gate StorageCapacityScoring"
            ),
        ],
    ),
]


@pytest.mark.parametrize(("plugin", "args", "wanted"), TABLE)
def test_arguments_are_held_to_upstreams_rules(plugin: str, args: str, wanted: list[str]) -> None:
    """Each field's complaint, and no other."""
    found = complaints([{"name": plugin, "args": yaml.safe_load(args)}])
    assert len(found) == len(wanted), found
    for one, expected in zip(found, wanted, strict=True):
        assert one.startswith(PREFIX + expected)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        (
            [{"name": "NodeAffinity"}, {"name": "NodeAffinity"}],
            'profiles[0].pluginConfig[1]: Duplicate value: "NodeAffinity"',
        ),
        (
            [{"name": "EBSLimits"}],
            (
                'profiles[0].pluginConfig[0]: Invalid value: "EBSLimits": was invalid in '
                'version "v1" '
                '(KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1")'
            ),
        ),
        (
            [{"name": "Unheard"}],
            'profiles[0].pluginConfig[0].name: Invalid value: "Unheard": plugin does not exist',
        ),
        (
            [{"name": "NodeName", "args": {"a": 1}}],
            "profiles[0].pluginConfig[0].args: Forbidden: the plugin NodeName takes no arguments",
        ),
    ],
)
def test_arguments_belong_to_a_plugin(entries: list[Any], wanted: str) -> None:
    """To one that is there, once."""
    assert complaints(entries) == [wanted]


def complaints(entries: list[Any]) -> list[str]:
    """Return what is wrong with a ``pluginConfig``."""
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [{"pluginConfig": entries}],
    }
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(document)
    return list(caught.value.problems)


def test_a_plugin_from_elsewhere_gets_its_arguments_as_they_are() -> None:
    """Nobody here knows their structure."""
    config = parse_configuration(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "profiles": [{"pluginConfig": [{"name": "Mine", "args": {"any": [1]}}]}],
        },
        {"Mine": frozenset({"score"})},
    )
    assert config.profiles[0].arguments.others == {"Mine": {"any": [1]}}
