"""The scheduler's plugins, one module each, and the order they run in.

A filter says why a pod cannot run on a node; a score says how good a node is. To add a plugin:
write its module, put it in the tuple below (upstream's order), and add its case to
``tests/scheduler``.
"""

from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.plugins import (
    node_affinity,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    taint_toleration,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from orchestrator.scheduler.core.plugins.base import Filter, Rejection

STATIC_FILTERS: tuple[Filter, ...] = (
    node_unschedulable.FILTER,
    taint_toleration.FILTER,
    node_affinity.FILTER,
)
"""Filters whose verdict depends on what the node is, not on which pods it runs."""

DYNAMIC_FILTERS: tuple[Filter, ...] = (node_ports.FILTER, node_resources_fit.FILTER)
"""Filters whose verdict changes with every placement."""

VOLUME_FILTERS: tuple[Filter, ...] = (
    volume_restrictions.FILTER,
    node_volume_limits.FILTER,
    volume_binding.FILTER,
    volume_zone.FILTER,
)
"""Filters for pods whose class has a volume demand; they have nothing to say to any other.

What their verdicts depend on beside the node, the demand says itself (`VolumeDemand.depends`).
"""

FILTERS = STATIC_FILTERS + DYNAMIC_FILTERS + VOLUME_FILTERS

__all__ = [
    "DYNAMIC_FILTERS",
    "FILTERS",
    "STATIC_FILTERS",
    "VOLUME_FILTERS",
    "ClusterEvent",
    "Filter",
    "Rejection",
]
