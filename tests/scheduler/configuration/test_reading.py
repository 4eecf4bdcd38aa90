"""KubeSchedulerConfiguration: what it is read into, and every complaint about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    DEFAULT_PROFILE,
    ConfigurationError,
    Profile,
    ResourceWeight,
    SchedulerConfiguration,
    ShapePoint,
    parse_configuration,
)
from orchestrator.scheduler.configuration.files import load_configuration

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


def read(text: str) -> SchedulerConfiguration:
    """Read YAML without its first two lines."""
    return parse_configuration({**HEAD, **(yaml.safe_load(text) or {})})


def only_profile(text: str) -> Profile:
    """Read one profile's YAML."""
    return read_profiles([yaml.safe_load(text)])[0]


def read_profiles(profiles: list[Any]) -> tuple[Profile, ...]:
    """Read some profiles."""
    return parse_configuration({**HEAD, "profiles": profiles}).profiles


def complaints(text: str) -> list[str]:
    """Return what is wrong with YAML without its first two lines."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return list(caught.value.problems)


def test_nothing_but_the_kind_is_the_default() -> None:
    """Reading fills in exactly what is built in without YAML."""
    assert read("") == DEFAULT_CONFIGURATION


def test_the_default_profile_is_upstreams() -> None:
    """Filters and weights in the order that `kube-scheduler --v=2` prints."""
    assert DEFAULT_PROFILE.filters == (
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "VolumeRestrictions",
        "NodeVolumeLimits",
        "VolumeBinding",
        "VolumeZone",
        "PodTopologySpread",
        "InterPodAffinity",
    )
    assert dict(DEFAULT_PROFILE.scores) == {
        "TaintToleration": 3,
        "NodeAffinity": 2,
        "NodeResourcesFit": 1,
        "VolumeBinding": 1,
        "PodTopologySpread": 2,
        "InterPodAffinity": 2,
        "NodeResourcesBalancedAllocation": 1,
        "ImageLocality": 1,
    }
    assert DEFAULT_PROFILE.queue_sort == "PrioritySort"
    assert DEFAULT_PROFILE.binds == ("DefaultBinder",)
    assert DEFAULT_PROFILE.post_filters == ("DefaultPreemption",)
    assert [
        one["maxSkew"] for one in DEFAULT_PROFILE.arguments.pod_topology_spread.constraints
    ] == [
        3,
        5,
    ]


def test_a_profile_packs_nodes_as_the_documentation_shows_it() -> None:
    """The published example of RequestedToCapacityRatio."""
    profile = only_profile("""
        pluginConfig:
        - name: NodeResourcesFit
          args:
            apiVersion: kubescheduler.config.k8s.io/v1
            kind: NodeResourcesFitArgs
            scoringStrategy:
              resources:
              - {name: intel.com/foo, weight: 3}
              - {name: intel.com/bar}
              requestedToCapacityRatio:
                shape:
                - {utilization: 0, score: 0}
                - {utilization: 100, score: 10}
              type: RequestedToCapacityRatio
    """)
    strategy = profile.arguments.node_resources_fit.scoring_strategy
    assert strategy.type == "RequestedToCapacityRatio"
    assert strategy.resources == (
        ResourceWeight("intel.com/foo", 3),
        ResourceWeight("intel.com/bar"),
    )
    assert strategy.shape == (ShapePoint(0, 0), ShapePoint(100, 10))
    assert profile.filters == DEFAULT_PROFILE.filters


def test_everything_can_be_said() -> None:
    """Every field that has an effect arrives where its reader looks for it."""
    config = read("""
        percentageOfNodesToScore: 40
        podInitialBackoffSeconds: 2
        podMaxBackoffSeconds: 30
        profiles:
        - schedulerName: default-scheduler
          pluginConfig:
          - name: DefaultPreemption
            args: {minCandidateNodesPercentage: 5, minCandidateNodesAbsolute: 7}
          - name: InterPodAffinity
            args: {hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: true}
          - name: NodeAffinity
            args:
              addedAffinity:
                requiredDuringSchedulingIgnoredDuringExecution:
                  nodeSelectorTerms:
                  - matchExpressions: [{key: pool, operator: In, values: [a]}]
          - name: NodeResourcesFit
            args:
              ignoredResources: [example.com/a]
              ignoredResourceGroups: [example.org]
              scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 0}]}
          - name: NodeResourcesBalancedAllocation
            args: {resources: [{name: nvidia.com/gpu}]}
          - name: PodTopologySpread
            args:
              defaultingType: List
              defaultConstraints:
              - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}
          - name: VolumeBinding
            args: {bindTimeoutSeconds: 0}
        - schedulerName: other
          percentageOfNodesToScore: 0
    """)
    first, other = config.profiles
    arguments = first.arguments
    assert (config.initial_backoff, config.max_backoff) == (2, 30)
    assert (first.percentage_of_nodes_to_score, other.percentage_of_nodes_to_score) == (40, 0)
    assert arguments.default_preemption.min_candidate_nodes_percentage == 5
    assert arguments.default_preemption.min_candidate_nodes_absolute == 7
    assert arguments.inter_pod_affinity.hard_pod_affinity_weight == 0
    assert arguments.inter_pod_affinity.ignore_preferred_terms_of_existing_pods
    assert arguments.node_affinity.added_affinity is not None
    assert arguments.node_resources_fit.ignored_resources == {"example.com/a"}
    assert arguments.node_resources_fit.ignored_resource_groups == {"example.org"}
    assert arguments.node_resources_fit.scoring_strategy.type == "MostAllocated"
    assert arguments.node_resources_fit.scoring_strategy.resources == (ResourceWeight("cpu", 1),)
    assert arguments.balanced_allocation.resources == (ResourceWeight("nvidia.com/gpu", 1),)
    assert [one["topologyKey"] for one in arguments.pod_topology_spread.constraints] == ["rack"]
    assert arguments.volume_binding.bind_timeout_seconds == 0
    assert config.by_name["other"] == other
    assert other.arguments == DEFAULT_PROFILE.arguments


def test_what_is_about_the_process_is_accepted_and_told() -> None:
    """Upstream's own example files have these; the log says that they change nothing."""
    config = read("""
        parallelism: 32
        leaderElection: {leaderElect: true, leaseDuration: 20s}
        clientConnection: {kubeconfig: /etc/kubernetes/scheduler.conf, qps: 100, burst: 200}
        enableProfiling: false
        profiles:
        - plugins:
            filter: {enabled: [{name: NodePorts, weight: 4}]}
            preEnqueue: {disabled: [{name: SchedulingGates}]}
    """)
    assert [note.partition(":")[0] for note in config.without_effect] == [
        "parallelism",
        "leaderElection",
        "clientConnection",
        "enableProfiling",
        "profiles[0].plugins.filter.enabled[0].weight",
        "profiles[0].plugins.preEnqueue",
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "expected a KubeSchedulerConfiguration, a mapping, got NoneType"),
        ({"apiVersion": HEAD["apiVersion"]}, "Object 'Kind' is missing in "),
        ({"kind": HEAD["kind"]}, "Object 'apiVersion' is missing in "),
        (
            {**HEAD, "apiVersion": "kubescheduler.config.k8s.io/v1beta3"},
            (
                'no kind "KubeSchedulerConfiguration" is registered for version '
                '"kubescheduler.config.k8s.io/v1beta3"'
            ),
        ),
        (
            {**HEAD, "kind": "NodeAffinityArgs"},
            "couldn't decode as KubeSchedulerConfiguration, got ",
        ),
        (
            {**HEAD, "parallelism": "4"},
            (
                "json: cannot unmarshal string into Go struct field "
                "KubeSchedulerConfiguration.parallelism of type int32"
            ),
        ),
        (
            {
                **HEAD,
                "profiles": [
                    {
                        "pluginConfig": [
                            {"name": "NodeAffinity", "args": {"kind": "VolumeBindingArgs"}}
                        ]
                    }
                ],
            },
            (
                "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were "
                "not of type "
                "NodeAffinityArgs.kubescheduler.config.k8s.io, got "
                "VolumeBindingArgs.kubescheduler.config.k8s.io"
            ),
        ),
    ],
)
def test_what_is_no_configuration_is_refused(document: Any, message: str) -> None:
    """In the decoder's words."""
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(document)
    assert caught.value.problems[0].startswith(message)


def test_unknown_fields_are_refused_wherever_they_stand() -> None:
    """As a strict decoder does, arguments of plugins with a message of their own."""
    assert complaints("""
        nodes: 3
        profiles:
        - pluginConfig:
          - {name: NodeResourcesFit, args: {scoring: {}}}
          plugins: {score: {enabled: [{name: ImageLocality, factor: 2}]}}
    """) == [
        (
            'strict decoding error: unknown field "nodes", unknown field '
            '"profiles[0].plugins.score.enabled[0].factor", decoding .profiles[0].pluginConfig[0]: '
            "strict decoding error: decoding args for plugin NodeResourcesFit: strict "
            "decoding error: "
            'unknown field "scoring"'
        )
    ]


def test_all_complaints_come_at_once() -> None:
    """The first does not hide the others."""
    assert complaints("""
        parallelism: 0
        percentageOfNodesToScore: 101
        podInitialBackoffSeconds: 0
        podMaxBackoffSeconds: -1
        clientConnection: {burst: -1}
        leaderElection: {leaseDuration: 5s, resourceLock: endpoints, retryPeriod: 0s}
        extenders: [{urlPrefix: "http://x"}]
        profiles:
        - schedulerName: a
          percentageOfNodesToScore: -1
        - schedulerName: a
        - {}
    """) == [
        "clientConnection.burst: Invalid value: -1: must be non-negative",
        'leaderElection.retryPeriod: Invalid value: "0s": must be greater than zero',
        'leaderElection.leaseDuration: Invalid value: "10s": must be greater than `RenewDeadline`',
        (
            'leaderElection.resourceLock: Invalid value: "endpoints": resourceLock value must be '
            '"leases"'
        ),
        "parallelism: Invalid value: 0: should be an integer value greater than zero",
        "profiles[0].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]",
        'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
        "profiles[2].schedulerName: Required value",
        "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0",
        (
            "podMaxBackoffSeconds: Invalid value: -1: must be greater than or equal to "
            "PodInitialBackoffSeconds"
        ),
        (
            "extenders: Forbidden: this scheduler calls no extenders; write a plugin in "
            "Python instead "
            "(docs/scheduling.md)"
        ),
    ]


def test_a_file_is_read_and_its_name_told(tmp_path: Path) -> None:
    """A path, a document and a configuration stand for the same."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**HEAD, "podMaxBackoffSeconds": 20}))
    read_from_file = load_configuration(str(path))
    assert read_from_file.max_backoff == 20
    assert load_configuration({**HEAD, "podMaxBackoffSeconds": 20}) == read_from_file
    assert load_configuration(read_from_file) is read_from_file


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the reason."""
    missing = tmp_path / "none.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read: No such file") as caught:
        load_configuration(missing)
    assert str(missing) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", "not YAML: "),
        ("kind: A\nkind: B\n", 'line 2: key "kind" already set in map'),
        ("", "expected one document, got 0"),
        ("a: 1\n---\nb: 1\n", "expected one document, got 2"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    """A key that comes twice would lose a value silently."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert str(caught.value).startswith(f"{path}: invalid scheduler configuration: {message}")
