"""The plugin points: filters say why a pod cannot run on a node, scores how good a node is."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from orchestrator.records import dataclass
from orchestrator.scheduler.core.changes import Hint, Registration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState


class Depends(enum.Enum):
    """What an answer about a node depends on, which says how long it can be kept."""

    NODE = enum.auto()
    """On the node object alone."""
    PODS = enum.auto()
    """Also on the pods that are on the node."""
    TOPOLOGY = enum.auto()
    """Also on pods elsewhere, through the counters of `orchestrator.scheduler.core.demands`."""
    EVERYTHING = enum.auto()
    """On anything: it is asked anew for every pod and every node."""


class Rejection(NamedTuple):
    """Why a pod cannot run on a node.

    Attributes:
        reasons: All of the plugin's, in upstream's words.
        resolvable: Removing other pods from the node might help.
    """

    reasons: tuple[str, ...]
    resolvable: bool


def applies_always(_pod: PodClass) -> bool:
    """Tell that a plugin has something to say about every pod."""
    return True


def has_demand(pod: PodClass) -> bool:
    """Tell whether a pod's volumes can matter to where it goes."""
    return pod.volumes is not None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter plugin.

    Attributes:
        name: Upstream's name of the plugin.
        check: Pure verdict: None when the pod can run on the node.
        events: What could change a rejection: a pod it rejected is looked at again when one of
            these happens, and not before.
        depends: What the verdict depends on.
        applies: Tells of a pod that the filter passes every node (upstream's Skip) with False.
        check_pod: Looks at the pod before any node is looked at; a rejection is for all nodes.
        hint: Looks closer at one of ``events``; None when each of them may help.
        local: Such an event helps only on the node that it is about.
    """

    name: str
    check: Callable[[PodClass, NodeState, Cluster], Rejection | None]
    events: ClusterEvent
    depends: Depends = Depends.NODE
    applies: Callable[[PodClass], bool] = applies_always
    check_pod: Callable[[PodClass, Cluster], Rejection | None] | None = None
    hint: Hint | None = None
    local: bool = False

    @property
    def registration(self) -> Registration:
        """What the queue has to know of the plugin."""
        return Registration(self.name, self.events, self.hint, self.local)


Scores: TypeAlias = list[int]


def keep_scores(scores: Scores) -> Scores:
    """Leave raw scores as they are: the plugin's are between 0 and 100 as it is."""
    return scores


@dataclass(frozen=True, slots=True)
class Score:
    """A score plugin.

    Attributes:
        name: Upstream's name of the plugin.
        score: The raw scores of some feasible nodes, in their order; None where the plugin has
            nothing to say about the pod (upstream's Skip), which counts as 0.
        normalise: From raw scores to scores between 0 and 100.
        depends: What the raw score of a node depends on. `Depends.EVERYTHING` also for one that
            depends on which other nodes are feasible.
    """

    name: str
    score: Callable[[PodClass, Sequence[NodeState], Cluster], Scores | None]
    normalise: Callable[[Scores], Scores] = keep_scores
    depends: Depends = Depends.NODE

    @property
    def is_own(self) -> bool:
        """Whether a node's score depends on no other node, not even for its normalised form."""
        return self.normalise is keep_scores and self.depends in {Depends.NODE, Depends.PODS}


def by_share_of_highest(scores: Scores) -> Scores:
    """Scale so that the highest gets 100; all 0 stay 0."""
    highest = max(scores, default=0)
    return [100 * score // highest if highest else 0 for score in scores]


def by_lack_of_highest(scores: Scores) -> Scores:
    """Scale so that the highest gets 0 and none gets 100."""
    highest = max(scores, default=0)
    return [100 - 100 * score // highest if highest else 100 for score in scores]
