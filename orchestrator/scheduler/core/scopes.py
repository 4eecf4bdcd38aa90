"""How far a pod's verdict on a node reaches, which says how long it can be kept."""

from __future__ import annotations

import enum

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.plugins import node_ports, node_resources_fit
from orchestrator.scheduler.core.plugins.base import Depends


class Scope(enum.Enum):
    """What the verdict on a node depends on, beside what the node itself is."""

    RESOURCES = enum.auto()
    """What its pods request."""
    NODE = enum.auto()
    """Its pods, or some whose coming and going is in the journal as a change of the node."""
    CLUSTER = enum.auto()
    """Anything."""


def scope_of(pod: PodClass, cluster: Cluster, framework: Framework) -> Scope:
    """Return the scope of verdicts about pods of a class, at this version of the topology."""
    if pod.volumes is not None:
        return Scope.CLUSTER
    scope = Scope.RESOURCES
    for plugin in framework.filters:
        if not plugin.applies(pod) or plugin is node_resources_fit.FILTER:
            continue
        if plugin.depends is Depends.EVERYTHING:
            return Scope.CLUSTER
        if plugin.depends is Depends.PODS and (
            plugin is not node_ports.FILTER or pod.request.ports
        ):
            scope = Scope.NODE
    demands = cluster.demands(pod, framework.settings)
    if demands is None:
        return scope
    if demands.hard or demands.attracted:
        return Scope.CLUSTER
    others = (*demands.repelled, *demands.repelling)
    if any(counter.domains.coarse for counter in others):
        return Scope.CLUSTER
    return Scope.NODE if others else scope
