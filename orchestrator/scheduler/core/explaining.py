"""What every plugin says about every node, for one pod.

Unlike a search for a place it stops nowhere: all filters are asked, and all scores of all feasible
nodes are kept apart. `orchestrator explain-scheduling` prints it, and pods that ask for it get it
as an annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from orchestrator.records import dataclass
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import diagnose
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.node_affinity import CONFLICT, NOT_NAMED
from orchestrator.scheduler.core.plugins.node_affinity import NAME as NODE_AFFINITY


class PluginScore(NamedTuple):
    """What one plugin gives one node.

    Attributes:
        plugin: Its name.
        raw: Before it is seen beside other nodes; None where the plugin has nothing to say about
            the pod.
        normalised: 0 to 100.
        weight: What that is multiplied by.
    """

    plugin: str
    raw: int | None
    normalised: int
    weight: int

    @property
    def weighted(self) -> int:
        """The plugin's part of the node's total."""
        return self.normalised * self.weight


class PluginRejection(NamedTuple):
    """Why one plugin does not let the pod run on one node.

    Attributes:
        plugin: Its name.
        reasons: In upstream's words.
        resolvable: Whether taking pods away from the node might help.
    """

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """What becomes of one node.

    Attributes:
        name: Of the node.
        rejections: Empty for a feasible node. The first is what a scheduler reports, which asks no
            further.
        scores: In the profile's order; empty for a node that is not feasible.
    """

    name: str
    rejections: tuple[PluginRejection, ...]
    scores: tuple[PluginScore, ...]

    @property
    def total(self) -> int | None:
        """The sum of the weighted scores; None for a node that is not feasible."""
        return None if self.rejections else sum(score.weighted for score in self.scores)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of all nodes.

    Attributes:
        scheduler_name: Of the profile.
        nodes: Feasible ones first, the best of them at the top; then by name.
        message: Why the pod fits nowhere, as its condition says it; empty where it fits.
    """

    scheduler_name: str
    nodes: tuple[NodeExplanation, ...]
    message: str

    @property
    def best(self) -> tuple[str, ...]:
        """The nodes of the highest total, one of which is taken at random."""
        feasible = [node for node in self.nodes if node.total is not None]
        return tuple(node.name for node in feasible if node.total == feasible[0].total)

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """Return it as JSON-shaped data.

        Args:
            most: Nodes to tell of; None for all. How many are left out is told.
        """
        nodes = self.nodes if most is None else self.nodes[:most]
        found: dict[str, Any] = {"scheduler": self.scheduler_name, "best": list(self.best[:most])}
        if self.message:
            found["message"] = self.message
        found["nodes"] = [_node_as_json(node) for node in nodes]
        if len(nodes) < len(self.nodes):
            found["nodesLeftOut"] = len(self.nodes) - len(nodes)
        return found


def _node_as_json(node: NodeExplanation) -> dict[str, Any]:
    if node.rejections:
        return {
            "name": node.name,
            "feasible": False,
            "rejections": [
                {
                    "plugin": one.plugin,
                    "reasons": list(one.reasons),
                    "resolvable": one.resolvable,
                }
                for one in node.rejections
            ],
        }
    return {
        "name": node.name,
        "feasible": True,
        "total": node.total,
        "scores": [
            {
                "plugin": one.plugin,
                "raw": one.raw,
                "normalised": one.normalised,
                "weight": one.weight,
                "weighted": one.weighted,
            }
            for one in node.scores
        ],
    }


def explain(
    pod: PodClass, cluster: Cluster, framework: Framework, *, preempts: bool = True
) -> Explanation:
    """Ask all plugins about all nodes.

    Args:
        pod: The class of the pod, which must not be counted on a node.
        cluster: As it is.
        framework: The profile's plugins.
        preempts: Whether the pod's policy lets it preempt others, for the message.
    """
    rejections: dict[str, tuple[PluginRejection, ...]] = {}
    feasible: list[NodeState] = []
    for node in cluster.by_name.values():
        found = _reject(pod, node, cluster, framework)
        if found:
            rejections[node.name] = found
        else:
            feasible.append(node)
    if pod.unsupported:
        feasible = []
    scores = _score(pod, feasible, cluster, framework)
    explained = [
        NodeExplanation(node.name, (), given) for node, given in zip(feasible, scores, strict=True)
    ]
    explained.sort(key=lambda node: (-(node.total or 0), node.name))
    explained += (NodeExplanation(name, rejections[name], ()) for name in sorted(rejections))
    message = ""
    if not feasible:
        message = diagnose(pod, cluster, preempts=preempts, framework=framework).message
    return Explanation(framework.profile.scheduler_name, tuple(explained), message)


def _reject(
    pod: PodClass, node: NodeState, cluster: Cluster, framework: Framework
) -> tuple[PluginRejection, ...]:
    if pod.unsupported:
        return (
            PluginRejection("", tuple(f"not supported: {at}" for at in pod.unsupported), False),
        )
    names = pod.selection.names
    if names is not None and not names:
        return (PluginRejection(NODE_AFFINITY, *CONFLICT),)
    found = []
    for plugin in framework.filters:
        if plugin.check_pod is not None:
            rejection = plugin.check_pod(pod, cluster)
            if rejection is not None:
                found.append(PluginRejection(plugin.name, *rejection))
    if names is not None and node.name not in names:
        found.append(PluginRejection(NODE_AFFINITY, *NOT_NAMED))
        return tuple(found)
    for plugin in framework.filters:
        rejection = plugin.check(pod, node, cluster)
        if rejection is not None:
            found.append(PluginRejection(plugin.name, *rejection))
    return tuple(found)


def _score(
    pod: PodClass, nodes: Sequence[NodeState], cluster: Cluster, framework: Framework
) -> list[tuple[PluginScore, ...]]:
    if not nodes:
        return []
    columns: list[list[PluginScore]] = []
    for plugin, weight in framework.scores:
        raw = plugin.score(pod, nodes, cluster)
        if raw is None:
            columns.append([PluginScore(plugin.name, None, 0, weight)] * len(nodes))
        else:
            columns.append(
                [
                    PluginScore(plugin.name, before, after, weight)
                    for before, after in zip(raw, plugin.normalise(list(raw)), strict=True)
                ]
            )
    return list(zip(*columns, strict=True)) if columns else [()] * len(nodes)
