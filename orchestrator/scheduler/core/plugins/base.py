"""The plugin points."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState


class ClusterEvent(enum.Flag):
    """What can happen in a cluster that lets a pod fit where it did not."""

    NODE_ADDED = enum.auto()
    NODE_RESOURCES = enum.auto()
    NODE_LABELS = enum.auto()
    NODE_TAINTS = enum.auto()
    """Taints or ``spec.unschedulable`` changed."""
    POD_REMOVED = enum.auto()
    """A pod on a node was deleted, finished, or turned out not to be there."""


class Rejection(NamedTuple):
    """Why a pod cannot run on a node.

    Attributes:
        reasons: All of the plugin's, in upstream's words.
        resolvable: Removing other pods from the node might help.
    """

    reasons: tuple[str, ...]
    resolvable: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter plugin.

    Attributes:
        name: Upstream's name of the plugin.
        check: Pure verdict: None when the pod can run on the node.
        events: What could change a rejection: a pod it rejected is looked at again when one of
            these happens, and not before.
    """

    name: str
    check: Callable[[PodClass, NodeState], Rejection | None]
    events: ClusterEvent
