"""What arguments of built-in plugins must be; `arguments_of` types those that are.

Source of rules and words: pkg/scheduler/apis/config/validation/validation_pluginargs.go of
Kubernetes, with default feature gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from orchestrator.scheduler.configuration.selector_validation import (
    preference_problems,
    requirement_problems,
)

Args = Mapping[str, Any]

_STRATEGIES: Final = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
_RATIO: Final = "RequestedToCapacityRatio"


def argument_problems(plugin: str, args: Args, at: str) -> Iterator[FieldError]:
    """Complain about the decoded arguments of a built-in plugin.

    Args:
        plugin: Its name.
        args: What it is told.
        at: Their path.
    """
    match plugin:
        case "DefaultPreemption":
            yield from _default_preemption(args, at)
        case "InterPodAffinity":
            yield from _within(f"{at}.hardPodAffinityWeight", args.get("hardPodAffinityWeight", 1))
        case "NodeAffinity":
            yield from _node_affinity(args.get("addedAffinity") or {}, f"{at}.addedAffinity")
        case "NodeResourcesFit":
            yield from _node_resources_fit(args, at)
        case "NodeResourcesBalancedAllocation":
            yield from _balanced_allocation(args.get("resources") or (), f"{at}.resources")
        case "PodTopologySpread":
            yield from _pod_topology_spread(args, at)
        case "VolumeBinding":
            yield from _volume_binding(args, at)
        case _ if args:
            yield forbidden(at, f"the plugin {plugin} takes no arguments")


def _within(at: str, value: int, low: int = 0, high: int = 100) -> Iterator[FieldError]:
    if not low <= value <= high:
        yield invalid(at, value, f"not in valid range [{low}, {high}]")


def _default_preemption(args: Args, at: str) -> Iterator[FieldError]:
    percentage = args.get("minCandidateNodesPercentage", 10)
    absolute = args.get("minCandidateNodesAbsolute", 100)
    yield from _within(f"{at}.minCandidateNodesPercentage", percentage)
    if absolute < 0:
        why = "not in valid range [0, inf)"
        yield invalid(f"{at}.minCandidateNodesAbsolute", absolute, why)
    if percentage == absolute == 0:
        for one, other in (
            ("minCandidateNodesPercentage", "minCandidateNodesAbsolute"),
            ("minCandidateNodesAbsolute", "minCandidateNodesPercentage"),
        ):
            yield invalid(f"{at}.{one}", 0, f"cannot be zero at the same time as {other}")


def _node_affinity(affinity: Args, at: str) -> Iterator[FieldError]:
    field = "requiredDuringSchedulingIgnoredDuringExecution"
    for index, term in enumerate((affinity.get(field) or {}).get("nodeSelectorTerms") or ()):
        yield from requirement_problems(term, f"{at}.{field}.nodeSelectorTerms[{index}]")
    field = "preferredDuringSchedulingIgnoredDuringExecution"
    for index, preference in enumerate(affinity.get(field) or ()):
        yield from preference_problems(preference, f"{at}.{field}[{index}]")


def _node_resources_fit(args: Args, at: str) -> Iterator[FieldError]:
    for index, name in enumerate(args.get("ignoredResources") or ()):
        yield from each_invalid(f"{at}.ignoredResources[{index}]", name, names.qualified_name(name))
    for index, name in enumerate(args.get("ignoredResourceGroups") or ()):
        here = f"{at}.ignoredResourceGroups[{index}]"
        if "/" in name:
            yield invalid(here, name, "resource group name can't contain '/'")
        yield from each_invalid(here, name, names.qualified_name(name))
    if (strategy := args.get("scoringStrategy")) is not None:
        yield from _scoring_strategy(strategy, f"{at}.scoringStrategy")


def _scoring_strategy(strategy: Args, at: str) -> Iterator[FieldError]:
    kind = strategy.get("type") or ""
    if kind not in _STRATEGIES:
        yield not_supported(f"{at}.type", kind, _STRATEGIES)
    seen: set[str] = set()
    for index, one in enumerate(strategy.get("resources") or ()):
        name, weight = one.get("name") or "", one.get("weight") or 1
        here = f"{at}.resources[{index}]"
        if not 0 < weight <= 100:
            why = f"resource weight of {name} not in valid range (0, 100]"
            yield invalid(f"{here}.weight", weight, why)
        if name in seen:  # upstream takes the last one's weight, and tells nobody
            yield duplicate(f"{here}.name", name)
        seen.add(name)
    ratio = strategy.get("requestedToCapacityRatio")
    here = f"{at}.requestedToCapacityRatio"
    if kind != _RATIO:
        if ratio is not None:
            yield forbidden(here, f"must be nil when type is not {_RATIO}")
    elif ratio is None:
        yield required(here, f"must be specified when type is {_RATIO}")
    else:
        yield from _shape(ratio.get("shape") or (), f"{here}.shape")


def _shape(points: Sequence[Args], at: str) -> Iterator[FieldError]:
    if not points:
        yield required(at, "at least one point must be specified")
    utilizations = [point.get("utilization") or 0 for point in points]
    for index in range(1, len(points)):
        if utilizations[index - 1] >= utilizations[index]:
            why = "values must be sorted in increasing order"
            yield invalid(f"{at}[{index}].utilization", utilizations[index], why)
            break
    for index, point in enumerate(points):
        yield from _within(f"{at}[{index}].utilization", utilizations[index])
        yield from _within(f"{at}[{index}].score", point.get("score") or 0, high=10)


def _balanced_allocation(resources: Sequence[Args], at: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(resources):
        name, weight = one.get("name") or "", one.get("weight") or 1
        if name in seen:
            yield duplicate(f"{at}[{index}].name", name)
        seen.add(name)
        if weight != 1:
            yield invalid(f"{at}[{index}].weight", weight, "must be 1")


def _pod_topology_spread(args: Args, at: str) -> Iterator[FieldError]:
    kind = args.get("defaultingType") or "System"
    constraints = args.get("defaultConstraints") or ()
    if kind not in {"System", "List"}:
        yield not_supported(f"{at}.defaultingType", kind, ("System", "List"))
    elif kind == "System" and constraints:
        yield invalid(f"{at}.defaultingType", kind, "when .defaultConstraints are not empty")
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        here = f"{at}.defaultConstraints[{index}]"
        yield from _constraint(constraint, here)
        pair = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if pair in seen:
            yield duplicate(here, f"{{{pair[0]}, {pair[1]}}}")
        seen.add(pair)


def _constraint(constraint: Args, at: str) -> Iterator[FieldError]:
    skew, key = constraint.get("maxSkew") or 0, constraint.get("topologyKey") or ""
    action = constraint.get("whenUnsatisfiable") or ""
    if skew <= 0:
        yield invalid(f"{at}.maxSkew", skew, "not in valid range (0, inf)")
    if not key:
        yield required(f"{at}.topologyKey", "can not be empty")
    else:
        yield from each_invalid(f"{at}.topologyKey", key, names.qualified_name(key))
    if not action:
        yield required(f"{at}.whenUnsatisfiable", "can not be empty")
    elif action not in {"DoNotSchedule", "ScheduleAnyway"}:
        known = ("DoNotSchedule", "ScheduleAnyway")
        yield not_supported(f"{at}.whenUnsatisfiable", action, known)
    if constraint.get("labelSelector") is not None:
        yield forbidden(
            f"{at}.labelSelector",
            "constraint must not define a selector, as they deduced for each pod",
        )


def _volume_binding(args: Args, at: str) -> Iterator[FieldError]:
    seconds = args.get("bindTimeoutSeconds", 600)
    if seconds < 0:
        why = "invalid BindTimeoutSeconds, should not be a negative value"
        yield invalid(f"{at}.bindTimeoutSeconds", seconds, why)
    if (shape := args.get("shape")) is not None:
        yield invalid(
            f"{at}.shape",
            shape,
            "unexpected field `shape`, remove it or turn on the feature gate "
            "StorageCapacityScoring",
        )
