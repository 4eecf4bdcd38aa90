"""A profile's plugins, in order and with their arguments, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from orchestrator.resources.selectors import NOTHING
from orchestrator.scheduler.configuration import DEFAULT_PROFILE, Profile
from orchestrator.scheduler.configuration.arguments import PluginArguments
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import TopologySettings
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import (
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    pod_topology_spread,
    taint_toleration,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from orchestrator.scheduler.core.plugins.base import (
    Depends,
    Filter,
    Rejection,
    Score,
    Scores,
    has_demand,
)
from orchestrator.scheduler.core.strategies import balance_score, fit_score
from orchestrator.scheduler.core.terms import spread_of

BALANCED = "NodeResourcesBalancedAllocation"

_KEPT = frozenset(
    {
        "TaintToleration",
        "NodeAffinity",
        "PodTopologySpread",
        "InterPodAffinity",
        "NodeResourcesFit",
        BALANCED,
        "ImageLocality",
    }
)
"""Scores that the fast path knows how to keep up to date."""


_SMALL = 100
"""Up to so many nodes, upstream looks at every one; and it never looks at fewer."""


def enough_nodes(nodes: int, percentage: int) -> int:
    """Return how many feasible nodes are enough to choose among, as upstream has it.

    Args:
        nodes: In the cluster.
        percentage: The profile's ``percentageOfNodesToScore``; 0 for upstream's adaptive share.
    """
    if nodes <= _SMALL:
        return nodes
    share = percentage or max(5, 50 - nodes // 125)
    return nodes if share >= 100 else max(_SMALL, nodes * share // 100)


class WeightedPlugin(NamedTuple):
    """A score plugin and what its normalised score is multiplied by."""

    plugin: Score
    weight: int


class Verdict(NamedTuple):
    """A rejection, with the plugin that made it.

    Attributes:
        plugin: Its name.
        rejection: Why.
        events: What could change its mind.
    """

    plugin: str
    rejection: Rejection
    events: ClusterEvent


class Framework:
    """The plugins of one profile.

    Attributes:
        profile: Which one.
        settings: What it says about spread and affinity.
        filters: In the order they are asked; the first that rejects a node gives the reasons.
        scores: In order, with weights.
        own_scores: Those from elsewhere whose scores are a node's own.
        asks_each_pod: Whether what is found for a pod need not hold for others of its class.
    """

    def __init__(
        self,
        profile: Profile = DEFAULT_PROFILE,
        filters: Mapping[str, Filter] | None = None,
        scores: Mapping[str, Score] | None = None,
    ) -> None:
        """Make the plugins that a profile names.

        NodeName is not among them: a pod that waits for the scheduler names no node.

        Args:
            profile: Its plugins and their arguments.
            filters: Plugins from elsewhere, by name.
            scores: Likewise.
        """
        self.profile = profile
        self.settings = settings_of(profile)
        self._is_extended = bool(filters) or bool(scores)
        known_filters = {**_built_in_filters(profile.arguments, self.settings), **(filters or {})}
        known_scores = {**_built_in_scores(profile.arguments, self.settings), **(scores or {})}
        self.asks_each_pod = any(
            plugin.check_pod is not None or plugin.depends is Depends.EVERYTHING
            for plugin in (filters or {}).values()
        )
        # What comes from elsewhere may look at pods alone, before any node.
        early = [name for name in profile.pre_filters if name in (filters or {})]
        self.filters: tuple[Filter, ...] = tuple(
            known_filters[name]
            for name in dict.fromkeys((*profile.filters, *early))
            if name in known_filters
        )
        self.scores: tuple[WeightedPlugin, ...] = tuple(
            WeightedPlugin(known_scores[name], weight)
            for name, weight in profile.scores
            if name in known_scores
        )
        self._weights = {plugin.name: weight for plugin, weight in self.scores}
        self._pod_checks = tuple(plugin for plugin in self.filters if plugin.check_pod is not None)
        self._asks_all_pods = any(plugin.applies is not has_demand for plugin in self._pod_checks)
        # Asked about without a call, since it is asked for every pod.
        self._named_nodes = (
            Verdict(node_affinity.NAME, node_affinity.CONFLICT, node_affinity.FILTER.events)
            if node_affinity.NAME in profile.pre_filters
            else None
        )
        self._boundless = tuple(
            plugin for plugin in self.filters if plugin.depends is Depends.EVERYTHING
        )
        self.own_scores: tuple[WeightedPlugin, ...] = tuple(
            one for one in self.scores if one.plugin.name not in _KEPT and one.plugin.is_own
        )
        self._scores_everything = any(
            one.plugin.depends is Depends.EVERYTHING
            or (one.plugin.name not in _KEPT and one not in self.own_scores)
            for one in self.scores
        )

    def enough_nodes(self, nodes: int, looks_around: bool) -> int:
        """Return how many feasible nodes are enough to choose among, when many are not known.

        A profile that says how many gets them. Where it leaves that to the scheduler, all nodes
        are looked at in the end; a class that takes turns with many others makes do with
        upstream's smallest number, or with upstream's share if it looks at the pods around.

        Args:
            nodes: In the cluster.
            looks_around: Whether other pods matter to the class.
        """
        percentage = self.profile.percentage_of_nodes_to_score
        if percentage or looks_around:
            return enough_nodes(nodes, percentage)
        return min(nodes, _SMALL)

    def identity(self, pod: PodClass) -> Hashable:
        """Return what classes have in common that the plugins cannot tell apart by themselves.

        Plugins from elsewhere may look at labels and namespaces; built-in ones do by counters only.
        """
        return pod if self._is_extended else pod.shape

    def needs_everything(self, pod: PodClass) -> bool:
        """Tell whether some plugin's answer for a class cannot be kept from pod to pod."""
        if self._scores_everything:
            return True
        return any(plugin.applies(pod) for plugin in self._boundless)

    def weight(self, name: str) -> int:
        """Return a score plugin's weight; 0 when it is not enabled."""
        return self._weights.get(name, 0)

    def asks(self, pod: PodClass) -> bool:
        """Tell whether some filter looks at the pod before it looks at nodes."""
        return pod.volumes is not None or self._asks_all_pods

    def reject_pod(self, pod: PodClass, cluster: Cluster) -> Verdict | None:
        """Ask the filters about the pod alone; a verdict is for all nodes."""
        names = pod.selection.names
        if names is not None and not names and self._named_nodes is not None:
            return self._named_nodes
        if not self.asks(pod):
            return None
        for plugin in self._pod_checks:
            if plugin.check_pod is not None:
                rejection = plugin.check_pod(pod, cluster)
                if rejection is not None:
                    return Verdict(plugin.name, rejection, plugin.events)
        return None

    def reject(self, pod: PodClass, node: NodeState, cluster: Cluster) -> Verdict | None:
        """Ask the filters about a node; return the first rejection."""
        for plugin in self.filters:
            rejection = plugin.check(pod, node, cluster)
            if rejection is not None:
                return Verdict(plugin.name, rejection, plugin.events)
        return None

    def score(self, pod: PodClass, nodes: Sequence[NodeState], cluster: Cluster) -> list[int]:
        """Return the total scores of feasible nodes, in their order, by asking every plugin."""
        totals = [0] * len(nodes)
        for plugin, weight in self.scores:
            raw = plugin.score(pod, nodes, cluster)
            if raw is not None:
                for index, value in enumerate(plugin.normalise(raw)):
                    totals[index] += weight * value
        return totals


def settings_of(profile: Profile) -> TopologySettings:
    """Return what a profile says about spread and affinity."""
    arguments = profile.arguments
    scores = {name for name, weight in profile.scores if weight}
    spread, affinity = arguments.pod_topology_spread, arguments.inter_pod_affinity
    return TopologySettings(
        tuple(spread_of(form, NOTHING) for form in spread.constraints),
        spread.defaulting_type == "System",
        affinity.hard_pod_affinity_weight,
        affinity.ignore_preferred_terms_of_existing_pods,
        spread_filters=pod_topology_spread.NAME in profile.filters,
        spread_scores=pod_topology_spread.NAME in scores,
        affinity_filters=inter_pod_affinity.NAME in profile.filters,
        affinity_scores=inter_pod_affinity.NAME in scores,
    )


def _built_in_filters(arguments: PluginArguments, settings: TopologySettings) -> dict[str, Filter]:
    fit, added = arguments.node_resources_fit, arguments.node_affinity.added_affinity
    made = [
        node_unschedulable.FILTER,
        taint_toleration.FILTER,
        node_affinity.FILTER if added is None else node_affinity.enforce(added)[0],
        node_ports.FILTER,
        node_resources_fit.ignore(fit.ignored_resources, fit.ignored_resource_groups)
        if fit.ignored_resources or fit.ignored_resource_groups
        else node_resources_fit.FILTER,
        volume_restrictions.FILTER,
        node_volume_limits.FILTER,
        volume_binding.FILTER,
        volume_zone.FILTER,
        pod_topology_spread.make(settings)[0],
        inter_pod_affinity.make(settings)[0],
    ]
    return {plugin.name: plugin for plugin in made}


def _built_in_scores(arguments: PluginArguments, settings: TopologySettings) -> dict[str, Score]:
    added = arguments.node_affinity.added_affinity
    strategy = arguments.node_resources_fit.scoring_strategy
    balanced = arguments.balanced_allocation.resources
    made = [
        taint_toleration.SCORE,
        node_affinity.SCORE if added is None else node_affinity.enforce(added)[1],
        pod_topology_spread.make(settings)[1],
        inter_pod_affinity.make(settings)[1],
        image_locality.SCORE,
        Score(
            node_resources_fit.NAME,
            _each(lambda pod: fit_score(strategy, pod)),
            depends=Depends.PODS,
        ),
        Score(BALANCED, _each(lambda pod: balance_score(balanced, pod)), depends=Depends.PODS),
    ]
    return {plugin.name: plugin for plugin in made}


def _each(
    make: Callable[[PodClass], Callable[[NodeState], int] | None],
) -> Callable[[PodClass, Sequence[NodeState], Cluster], Scores | None]:
    def score(pod: PodClass, nodes: Sequence[NodeState], _cluster: Cluster) -> Scores | None:
        one = make(pod)
        return None if one is None else [one(node) for node in nodes]

    return score


DEFAULT_FRAMEWORK = Framework()

VOLUME_FILTERS = (
    volume_restrictions.FILTER,
    node_volume_limits.FILTER,
    volume_binding.FILTER,
    volume_zone.FILTER,
)
"""Filters for pods whose volumes can matter to where they go."""
