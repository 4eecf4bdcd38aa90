"""Extension points, and which of them each built-in plugin extends.

Source: the interfaces that the plugins of pkg/scheduler/framework/plugins implement in Kubernetes
1.35, and pkg/scheduler/apis/config/v1/default_plugins.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

Point: TypeAlias = Literal[
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
]
Registry: TypeAlias = Mapping[str, frozenset[Point]]
"""Name of a plugin → what it extends."""

POINTS: Final[tuple[Point, ...]] = get_args(Point)


def interface(point: Point) -> str:
    """Return what upstream's messages call plugins of a point: ``PreFilterPlugin``."""
    return f"{point[0].upper()}{point[1:]}Plugin"


def _extends(*points: Point) -> frozenset[Point]:
    return frozenset(points)


BUILT_IN: Final[Registry] = MappingProxyType(
    {
        "SchedulingGates": _extends("preEnqueue"),
        "PrioritySort": _extends("queueSort"),
        "NodeUnschedulable": _extends("filter"),
        "NodeName": _extends("filter"),
        "TaintToleration": _extends("filter", "preScore", "score"),
        "NodeAffinity": _extends("preFilter", "filter", "preScore", "score"),
        "NodePorts": _extends("preFilter", "filter"),
        "NodeResourcesFit": _extends("preFilter", "filter", "preScore", "score"),
        "VolumeRestrictions": _extends("preFilter", "filter"),
        "NodeVolumeLimits": _extends("preFilter", "filter"),
        "VolumeBinding": _extends("preFilter", "filter", "preScore", "score", "reserve", "preBind"),
        "VolumeZone": _extends("preFilter", "filter"),
        "PodTopologySpread": _extends("preFilter", "filter", "preScore", "score"),
        "InterPodAffinity": _extends("preFilter", "filter", "preScore", "score"),
        "DefaultPreemption": _extends("postFilter", "preEnqueue"),
        "NodeResourcesBalancedAllocation": _extends("preScore", "score"),
        "ImageLocality": _extends("score"),
        "DefaultBinder": _extends("bind"),
    }
)
"""In the order in which the default profile has them."""

DEFAULT_WEIGHTS: Final[Mapping[str, int]] = MappingProxyType(
    {"TaintToleration": 3, "NodeAffinity": 2, "PodTopologySpread": 2, "InterPodAffinity": 2}
)
"""Where it is not 1."""

STATE_OF_FILTERS: Final = frozenset(
    {
        "InterPodAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "PodTopologySpread",
        "VolumeBinding",
        "VolumeRestrictions",
    }
)
"""Whose filter fails upstream, for every pod, without their preFilter."""

STATE_OF_SCORES: Final = frozenset(
    {"InterPodAffinity", "PodTopologySpread", "TaintToleration"},
)
"""Whose score fails upstream, for every pod, without their preScore."""

UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DynamicResources": "pods with spec.resourceClaims are not placed yet",
        "GangScheduling": "use the plugin Coscheduling",
        "NodeDeclaredFeatures": "nodes here declare no features",
    }
)
"""Plugins of upstream that this scheduler has not got, and what to know instead."""
