"""The plugin points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState


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
    check: Callable[[PodClass, NodeState, Cluster], Rejection | None]
    events: ClusterEvent
