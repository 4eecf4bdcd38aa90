"""What plugins can be told (``pluginConfig``), typed, with upstream's defaults.

Source: k8s.io/kube-scheduler/config/v1 and pkg/scheduler/apis/config/v1/defaults.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from orchestrator.records import dataclass

ScoringStrategyType: TypeAlias = Literal[
    "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"
]


class ResourceWeight(NamedTuple):
    """A resource that counts in a score, and how much beside the others (1 to 100)."""

    name: str
    weight: int = 1


class ShapePoint(NamedTuple):
    """One point of a scoring function: utilization in percent, score from 0 to 10."""

    utilization: int
    score: int


CPU_AND_MEMORY: Final = (ResourceWeight("cpu"), ResourceWeight("memory"))
SYSTEM_CONSTRAINTS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "maxSkew": 3,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
    },
    {
        "maxSkew": 5,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
    },
)
"""What ``defaultingType: System`` stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPreemptionArgs:
    """How many nodes preemption looks at: the larger of a share of all nodes and a number.

    Attributes:
        min_candidate_nodes_percentage: In percent of the nodes.
        min_candidate_nodes_absolute: Nodes.
    """

    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InterPodAffinityArgs:
    """How placed pods' affinities count for a new pod.

    Attributes:
        hard_pod_affinity_weight: What a placed pod's required affinity to the new one is worth, 0
            to 100.
        ignore_preferred_terms_of_existing_pods: Whether placed pods' preferences count only for
            pods that have affinities themselves.
    """

    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAffinityArgs:
    """What all pods of the profile ask of nodes.

    Attributes:
        added_affinity: A pod's ``spec.affinity.nodeAffinity``, which holds beside its own; None
            for nothing.
    """

    added_affinity: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringStrategy:
    """How free and used resources make a score.

    Attributes:
        type: Spread, pack, or a function of utilization.
        resources: What counts, at least one.
        shape: The function's points by rising utilization; only and always for
            ``RequestedToCapacityRatio``.
    """

    type: ScoringStrategyType = "LeastAllocated"
    resources: tuple[ResourceWeight, ...] = CPU_AND_MEMORY
    shape: tuple[ShapePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResourcesFitArgs:
    """What the resource filter leaves out, and how its score is made.

    Attributes:
        ignored_resources: Extended resources that the filter does not look at.
        ignored_resource_groups: Likewise all of ``GROUP/...``.
        scoring_strategy: Of the score, which ignores nothing.
    """

    ignored_resources: frozenset[str] = frozenset()
    ignored_resource_groups: frozenset[str] = frozenset()
    scoring_strategy: ScoringStrategy = ScoringStrategy()


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedAllocationArgs:
    """Whose utilization should be alike on a node.

    Attributes:
        resources: Each of weight 1.
    """

    resources: tuple[ResourceWeight, ...] = CPU_AND_MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTopologySpreadArgs:
    """How pods spread that say nothing about it themselves.

    Attributes:
        default_constraints: ``topologySpreadConstraints`` without selectors, which are deduced
            from the Services, ReplicaSets, ... that a pod belongs to.
        defaulting_type: Whether the built-in list holds (``System``) or the one above (``List``).
            The difference beside the content: constraints of the built-in list only score, and
            there nodes without the zone's label are not left out.
    """

    default_constraints: tuple[Mapping[str, Any], ...] = ()
    defaulting_type: Literal["System", "List"] = "System"

    @property
    def constraints(self) -> tuple[Mapping[str, Any], ...]:
        """The constraints that hold for pods without any."""
        return SYSTEM_CONSTRAINTS if self.defaulting_type == "System" else self.default_constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeBindingArgs:
    """How long volumes may take.

    Attributes:
        bind_timeout_seconds: After which a pod whose volumes are not bound is taken back; 0 does
            not wait.
    """

    bind_timeout_seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginArguments:
    """The arguments of one profile's plugins.

    Attributes:
        default_preemption: Of DefaultPreemption.
        inter_pod_affinity: Of InterPodAffinity.
        node_affinity: Of NodeAffinity.
        node_resources_fit: Of NodeResourcesFit.
        balanced_allocation: Of NodeResourcesBalancedAllocation.
        pod_topology_spread: Of PodTopologySpread.
        volume_binding: Of VolumeBinding.
        others: Of plugins from elsewhere, by name, as they were written.
    """

    default_preemption: DefaultPreemptionArgs = DefaultPreemptionArgs()
    inter_pod_affinity: InterPodAffinityArgs = InterPodAffinityArgs()
    node_affinity: NodeAffinityArgs = NodeAffinityArgs()
    node_resources_fit: NodeResourcesFitArgs = NodeResourcesFitArgs()
    balanced_allocation: BalancedAllocationArgs = BalancedAllocationArgs()
    pod_topology_spread: PodTopologySpreadArgs = PodTopologySpreadArgs()
    volume_binding: VolumeBindingArgs = VolumeBindingArgs()
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
