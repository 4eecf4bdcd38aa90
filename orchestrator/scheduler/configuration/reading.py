"""From a document to a configuration: decoded, defaulted, validated, expanded. Pure.

`orchestrator.scheduler.configuration.files` reads the document from a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from orchestrator.resources.problems import invalid
from orchestrator.scheduler.configuration.arguments import (
    CPU_AND_MEMORY,
    BalancedAllocationArgs,
    DefaultPreemptionArgs,
    InterPodAffinityArgs,
    NodeAffinityArgs,
    NodeResourcesFitArgs,
    PluginArguments,
    PodTopologySpreadArgs,
    ResourceWeight,
    ScoringStrategy,
    ShapePoint,
    VolumeBindingArgs,
)
from orchestrator.scheduler.configuration.expanding import Expanded, expand, profile_of
from orchestrator.scheduler.configuration.points import BUILT_IN, POINTS, Registry
from orchestrator.scheduler.configuration.profiles import Profile, SchedulerConfiguration
from orchestrator.scheduler.configuration.structure import StructureError, decode
from orchestrator.scheduler.configuration.validation import configuration_problems, scheduler_name

_NO_OTHERS: Registry = MappingProxyType({})
_ABOUT_THE_PROCESS: Mapping[str, str] = {
    "parallelism": "nodes are not looked at in parallel here",
    "leaderElection": "the cluster has one scheduler, in its own process",
    "clientConnection": "the scheduler reads and writes the store directly",
    "enableProfiling": "the scheduler has no HTTP server of its own",
    "enableContentionProfiling": "the scheduler has no HTTP server of its own",
    "delayCacheUntilActive": "the scheduler is active from the start",
}


class ConfigurationError(ValueError):
    """A configuration that cannot be used.

    Attributes:
        problems: Everything that is wrong with it, in upstream's words with upstream's paths.
    """

    def __init__(self, problems: tuple[str, ...], source: str = "") -> None:
        self.problems = problems
        where = f"{source}: " if source else ""
        if len(problems) == 1:
            super().__init__(f"{where}invalid scheduler configuration: {problems[0]}")
        else:
            listed = "".join(f"\n  {problem}" for problem in problems)
            super().__init__(f"{where}invalid scheduler configuration:{listed}")


def parse_configuration(document: Any, others: Registry = _NO_OTHERS) -> SchedulerConfiguration:
    """Read a KubeSchedulerConfiguration of ``kubescheduler.config.k8s.io/v1``.

    Args:
        document: JSON-shaped data; never changed.
        others: Plugins beside the built-in ones, and what they extend.

    Raises:
        ConfigurationError: With all that is wrong.
    """
    try:
        config, complaints = decode(document)
    except StructureError as error:
        raise ConfigurationError((str(error),)) from None
    problems = [f"strict decoding error: {', '.join(complaints)}"] if complaints else []
    problems += map(str, configuration_problems(config, others))
    given = config.get("profiles") or [{}]
    expanded = []
    for index, profile in enumerate(given):
        at = f"profiles[{index}].plugins"
        name = scheduler_name(profile, len(given))
        expanded.append(expand(profile.get("plugins") or {}, at, name, others))
        problems += map(str, expanded[-1].problems)
    problems += _same_order(expanded)
    if problems:
        raise ConfigurationError(tuple(problems))
    percentage = config.get("percentageOfNodesToScore") or 0
    profiles = zip(given, expanded, strict=True)
    return SchedulerConfiguration(
        profiles=tuple(
            _profile(profile, plugins, scheduler_name(profile, len(given)), percentage)
            for profile, plugins in profiles
        ),
        initial_backoff=float(config.get("podInitialBackoffSeconds", 1)),
        max_backoff=float(config.get("podMaxBackoffSeconds", 10)),
        without_effect=(*_without_effect(config), *_kept_anyway(expanded)),
    )


def _same_order(expanded: list[Expanded]) -> Iterator[str]:
    """Complain about profiles that sort the queue, which they share, differently."""
    first = expanded[0].plugins["queueSort"]
    for index, one in enumerate(expanded):
        sorts = one.plugins["queueSort"]
        if sorts != first:
            at = f"profiles[{index}].plugins.queueSort"
            yield str(invalid(at, list(sorts), "must be the same for all profiles"))


def _without_effect(config: Mapping[str, Any]) -> Iterator[str]:
    for field, why in _ABOUT_THE_PROCESS.items():
        if field in config:
            yield f"{field}: {why}"
    for index, profile in enumerate(config["profiles"]):
        for point in POINTS:
            entries = ((profile.get("plugins") or {}).get(point) or {}).get("enabled") or ()
            for number, one in enumerate(entries):
                if point != "score" and one.get("weight"):
                    at = f"profiles[{index}].plugins.{point}.enabled[{number}].weight"
                    yield f"{at}: only plugins that score have a weight"


def _kept_anyway(expanded: list[Expanded]) -> Iterator[str]:
    for index, one in enumerate(expanded):
        if "SchedulingGates" not in one.plugins["preEnqueue"]:
            at = f"profiles[{index}].plugins.preEnqueue"
            yield f"{at}: SchedulingGates stays: the API binds no pod that has gates"


def _profile(given: Mapping[str, Any], plugins: Expanded, name: str, percentage: int) -> Profile:
    own = given.get("percentageOfNodesToScore")
    args = {one["name"]: one.get("args") or {} for one in given.get("pluginConfig") or ()}
    return profile_of(name, percentage if own is None else own, plugins, arguments_of(args))


def arguments_of(args: Mapping[str, Mapping[str, Any]]) -> PluginArguments:
    """Type the valid arguments of plugins, by name; what is left out gets its default."""
    preemption, affinity = args.get("DefaultPreemption", {}), args.get("InterPodAffinity", {})
    spread = args.get("PodTopologySpread", {})
    return PluginArguments(
        default_preemption=DefaultPreemptionArgs(
            min_candidate_nodes_percentage=preemption.get("minCandidateNodesPercentage", 10),
            min_candidate_nodes_absolute=preemption.get("minCandidateNodesAbsolute", 100),
        ),
        inter_pod_affinity=InterPodAffinityArgs(
            hard_pod_affinity_weight=affinity.get("hardPodAffinityWeight", 1),
            ignore_preferred_terms_of_existing_pods=affinity.get(
                "ignorePreferredTermsOfExistingPods", False
            ),
        ),
        node_affinity=NodeAffinityArgs(
            added_affinity=args.get("NodeAffinity", {}).get("addedAffinity")
        ),
        node_resources_fit=_fit(args.get("NodeResourcesFit", {})),
        balanced_allocation=BalancedAllocationArgs(
            resources=_resources(args.get("NodeResourcesBalancedAllocation", {}))
        ),
        pod_topology_spread=PodTopologySpreadArgs(
            default_constraints=tuple(spread.get("defaultConstraints") or ()),
            defaulting_type=spread.get("defaultingType") or "System",
        ),
        volume_binding=VolumeBindingArgs(
            bind_timeout_seconds=args.get("VolumeBinding", {}).get("bindTimeoutSeconds", 600)
        ),
        others={name: given for name, given in args.items() if name not in BUILT_IN},
    )


def _fit(args: Mapping[str, Any]) -> NodeResourcesFitArgs:
    strategy = args.get("scoringStrategy") or {"type": "LeastAllocated"}
    ratio = strategy.get("requestedToCapacityRatio") or {}
    return NodeResourcesFitArgs(
        ignored_resources=frozenset(args.get("ignoredResources") or ()),
        ignored_resource_groups=frozenset(args.get("ignoredResourceGroups") or ()),
        scoring_strategy=ScoringStrategy(
            type=strategy["type"],
            resources=_resources(strategy),
            shape=tuple(
                ShapePoint(point.get("utilization") or 0, point.get("score") or 0)
                for point in ratio.get("shape") or ()
            ),
        ),
    )


def _resources(given: Mapping[str, Any]) -> tuple[ResourceWeight, ...]:
    found = tuple(
        ResourceWeight(one.get("name") or "", one.get("weight") or 1)
        for one in given.get("resources") or ()
    )
    return found or CPU_AND_MEMORY
