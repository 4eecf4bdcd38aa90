"""Pods that a node is kept free for: they preempted others there, or somebody chose it for them.

A pod of lower priority is placed on a node only if it fits beside all that are nominated to it; one
of higher priority pays no heed to them, and may take their place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence

from orchestrator.scheduler.core.pods import PodState

_ENDED = 4096


class Nominations:
    """Which pod is nominated to which node, by uid and by node.

    A node may be named that is not there (any more).
    """

    def __init__(self, changed: Callable[[str], object]) -> None:
        """Begin without any.

        Args:
            changed: Is told the name of each node whose nominations have changed: verdicts about
                it are void.
        """
        self._changed = changed
        self._pods: dict[str, tuple[PodState, str]] = {}
        self._nodes: dict[str, dict[str, PodState]] = {}
        self._ended: deque[tuple[PodState, str]] = deque(maxlen=_ENDED)

    def __len__(self) -> int:
        return len(self._pods)

    def add(self, pod: PodState, node: str) -> None:
        """Nominate a pod to a node, and to no other any more."""
        known = self._pods.get(pod.uid)
        if known is not None:
            if known == (pod, node):
                return
            self.remove(pod.uid)
        self._pods[pod.uid] = (pod, node)
        self._nodes.setdefault(node, {})[pod.uid] = pod
        self._changed(node)

    def remove(self, uid: str) -> str:
        """Forget a pod's nomination; return its node, empty when it had none."""
        known = self._pods.pop(uid, None)
        if known is None:
            return ""
        node = known[1]
        pods = self._nodes[node]
        self._ended.append((pods.pop(uid), node))
        if not pods:
            del self._nodes[node]
        self._changed(node)
        return node

    def take_ended(self) -> list[tuple[PodState, str]]:
        """Return the nominations that have ended since the last time, as far as remembered.

        Some of them may have been made anew, and some of the pods may be on the node now.
        """
        ended = list(self._ended)
        self._ended.clear()
        return [(pod, node) for pod, node in ended if self.node_of(pod.uid) != node]

    @property
    def nodes(self) -> Collection[str]:
        """The nodes that some pod is nominated to."""
        return self._nodes

    def pods_on(self, node: str) -> Collection[PodState]:
        """Return the pods nominated to a node."""
        return self._nodes.get(node, {}).values()

    def node_of(self, uid: str) -> str:
        """Return the node that a pod is nominated to, empty for none."""
        known = self._pods.get(uid)
        return known[1] if known else ""

    def heeded(self, node: str, priority: int, uid: str = "") -> Sequence[PodState]:
        """Return the pods nominated to a node that another pod has to fit beside.

        Args:
            node: Its name.
            priority: The other pod's.
            uid: The other pod's: its own nomination does not stand in its way.
        """
        pods = self._nodes.get(node)
        if not pods:
            return ()
        return [pod for pod in pods.values() if pod.priority >= priority and pod.uid != uid]

    def unheeded(self, node: str, priority: int) -> Sequence[PodState]:
        """Return the pods nominated to a node whose room a pod of this priority may take."""
        pods = self._nodes.get(node)
        return [pod for pod in pods.values() if pod.priority < priority] if pods else ()
