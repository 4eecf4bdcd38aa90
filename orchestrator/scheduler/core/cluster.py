"""The scheduler's picture of the cluster: nodes, and what is placed on them.

Every change goes into a journal of node indexes, from which each `ClassIndex` learns what to look
at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.resources.objects import name_of, spec_of, status_of
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.demands import (
    DEFAULT_SETTINGS,
    Demands,
    TopologySettings,
    demands_of,
)
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.nominations import Nominations
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.terms import HOSTNAME
from orchestrator.scheduler.core.topology import Topology
from orchestrator.scheduler.core.volumes import VolumeBook

_JOURNAL_LIMIT = 50_000
_DEMANDS_LIMIT = 4096


class Cluster:
    """Nodes by name and index, and pods by uid with the node each one is on.

    A pod may be on a node that is not there (yet): it is counted as soon as the node is.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeState | None] = []  # an index is never used twice
        self.by_name: dict[str, NodeState] = {}
        self.by_host: dict[str, dict[str, NodeState]] = {}
        """Nodes by name, by their host name label: as a rule one for each."""
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """Labels of the namespaces; one that is not known has none."""
        self.image_nodes: dict[str, int] = {}
        """How many nodes have each image, by every name of it."""
        self.images_version = 0
        self.topology = Topology(self.namespaces)
        self.journal: list[int] = []
        self.journal_start = 0  # how many entries were dropped from the front
        self.revision = 0
        """Grows with every change of the picture: the length of the journal, had it all."""
        self.pods: dict[str, PodState] = {}
        """Pods that count on a node, by uid."""
        self.volumes = VolumeBook()
        """Storage objects, and what is attached to nodes."""
        self.nominations = Nominations(self._touch_named)
        """Pods that have a place kept for them."""
        self._homeless: dict[str, dict[str, PodState]] = {}
        self._demands: dict[tuple[PodClass, TopologySettings], tuple[int, Demands | None]] = {}

    def put_node(self, node: Mapping[str, Any], previous: Mapping[str, Any] | None) -> ClusterEvent:
        """Take over a new or changed node; tell what about it matters to waiting pods.

        Args:
            node: The node object.
            previous: The object it replaces, as far as the caller knows.
        """
        state = self.by_name.get(name_of(node))
        if state is None:
            state = NodeState(node, len(self.nodes))
            self.nodes.append(state)
            self.by_name[state.name] = state
            self._note_host(state, 1)
            self._count_images(state, 1)
            for pod in self._homeless.pop(state.name, {}).values():
                state.add(pod)
                if pod.pod_class.volumes is not None:
                    self.volumes.attach(pod.uid, state.name)
            self._touch(state.index, self.topology.attach(state))
            return ClusterEvent.NODE_ADDED
        changed = _diff(node, previous)
        if previous is None or status_of(node).get("images") != status_of(previous).get("images"):
            self._count_images(state, -1)
            state.describe_images(node)
            self._count_images(state, 1)
            self._touch(state.index)
        if changed:
            regrouped = changed & (ClusterEvent.NODE_LABELS | ClusterEvent.NODE_TAINTS)
            if regrouped:
                self._touch(state.index, self.topology.detach(state))
                self._note_host(state, -1)
            state.describe(node)
            if regrouped:
                self._note_host(state, 1)
                self._touch(state.index, self.topology.attach(state))
            self._touch(state.index)
        return changed

    def remove_node(self, name: str) -> None:
        """Forget a node; its pods stay on record until they are removed themselves."""
        state = self.by_name.pop(name, None)
        if state is None:
            return
        self._touch(state.index, self.topology.detach(state))
        self._note_host(state, -1)
        self._count_images(state, -1)
        self.nodes[state.index] = None
        if state.pods:
            self._homeless[name] = dict(state.pods)
        for pod in state.pods.values():
            if pod.pod_class.volumes is not None:  # it keeps no claim from others any more
                self.volumes.detach(pod.uid)

    def holds(self, uid: str) -> str | None:
        """Return the node a pod is counted on, or None."""
        pod = self.pods.get(uid)
        return pod.node if pod else None

    def place(self, pod: PodState, node: str) -> None:
        """Count a pod on a node, in place of what was counted under its uid."""
        if pod.uid in self.pods:
            self.displace(pod.uid)
        pod.node = node
        self.pods[pod.uid] = pod
        state = self.by_name.get(node)
        if state is None:
            self._homeless.setdefault(node, {})[pod.uid] = pod
        else:
            if pod.pod_class.volumes is not None:
                self.volumes.attach(pod.uid, node)
            state.add(pod)
            self._touch(state.index, self.topology.add(pod, state))

    def displace(self, uid: str) -> NodeState | None:
        """Uncount a pod; return the node that has more room now, if it is there."""
        pod = self.pods.pop(uid, None)
        if pod is None:
            return None
        node, pod.node = pod.node, ""
        if pod.pod_class.volumes is not None:
            self.volumes.detach(uid)
        state = self.by_name.get(node)
        if state is None:
            homeless = self._homeless.get(node, {})
            homeless.pop(uid, None)
            if not homeless:
                self._homeless.pop(node, None)
            return None
        touched = self.topology.remove(pod, state)
        state.remove(pod)
        self._touch(state.index, touched)
        return state

    def touch(self, names: Iterable[str]) -> None:
        """Have verdicts about these nodes found anew: something about them changed elsewhere."""
        for name in names:
            state = self.by_name.get(name)
            if state is not None:
                self._touch(state.index)

    def terminate(self, uid: str) -> NodeState | None:
        """Note that a pod is being deleted: it keeps its room but no longer counts for spread.

        Returns:
            The pod's node, if it is there and the pod was not being deleted before.
        """
        pod = self.pods.get(uid)
        if pod is None or pod.terminating:
            return None
        state = self.by_name.get(pod.node)
        if state is None:
            pod.terminating = True
            return None
        touched = self.topology.remove(pod, state)
        pod.terminating = True
        self.topology.add(pod, state)
        self._touch(state.index, touched)
        return state

    def put_namespace(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """Take over a namespace's labels, None when it is gone; tell whether that matters."""
        if (self.namespaces.get(name) or {}) == (labels or {}):
            return False
        if labels:
            self.namespaces[name] = labels
        else:
            self.namespaces.pop(name, None)
        if not self.topology.uses_spaces:
            return False
        self.topology.rebuild()
        return True

    def demands(
        self, pod: PodClass, settings: TopologySettings = DEFAULT_SETTINGS
    ) -> Demands | None:
        """Return what a class wants of the pods around it; None when they do not matter."""
        version = self.topology.version
        found = self._demands.get((pod, settings))
        if found is not None:
            if found[0] == version:
                return found[1]
            if found[1] is not None:
                found[1].release()
        if len(self._demands) >= _DEMANDS_LIMIT:
            for _, old in self._demands.values():
                if old is not None:
                    old.release()
            self._demands.clear()
        demands = demands_of(pod, self.topology, settings)
        self._demands[pod, settings] = (self.topology.version, demands)
        return demands

    def changes_since(self, revision: int) -> dict[int, None] | None:
        """Return the indexes of nodes changed since; None when that is too long ago to know."""
        start = revision - self.journal_start
        if start < 0:
            return None
        return dict.fromkeys(self.journal[start:])

    def _note_host(self, node: NodeState, sign: int) -> None:
        host = node.labels.get(HOSTNAME)
        if host is None:
            return
        nodes = self.by_host.setdefault(host, {})
        if sign > 0:
            nodes[node.name] = node
        else:
            nodes.pop(node.name, None)
            if not nodes:
                del self.by_host[host]

    def _count_images(self, node: NodeState, sign: int) -> None:
        if not node.images:
            return
        self.images_version += 1
        for name in node.images:
            count = self.image_nodes.get(name, 0) + sign
            if count:
                self.image_nodes[name] = count
            else:
                del self.image_nodes[name]

    def _touch_named(self, name: str) -> None:
        node = self.by_name.get(name)
        if node is not None:
            self._touch(node.index)

    def _touch(self, index: int, others: Iterable[int] = ()) -> None:
        """Note that nodes have changed."""
        journal, nodes = self.journal, self.nodes
        journal.append(index)
        self.revision += 1
        node = nodes[index]
        if node is not None:
            node.generation += 1
        for other in others:
            journal.append(other)
            self.revision += 1
            node = nodes[other]
            if node is not None:
                node.generation += 1
        if len(journal) > _JOURNAL_LIMIT:
            dropped = _JOURNAL_LIMIT // 2
            del journal[:dropped]
            self.journal_start += dropped


def _diff(node: Mapping[str, Any], previous: Mapping[str, Any] | None) -> ClusterEvent:
    """Tell what changed of a node; heartbeats and conditions do not matter."""
    if previous is None:
        return ClusterEvent.NODE_RESOURCES | ClusterEvent.NODE_LABELS | ClusterEvent.NODE_TAINTS
    changed = ClusterEvent(0)
    old, new = status_of(previous), status_of(node)
    if old is not new and (
        old.get("allocatable") != new.get("allocatable")
        or old.get("capacity") != new.get("capacity")
    ):
        changed |= ClusterEvent.NODE_RESOURCES
    old, new = spec_of(previous), spec_of(node)
    if old is not new and (
        old.get("taints") != new.get("taints")
        or old.get("unschedulable") != new.get("unschedulable")
    ):
        changed |= ClusterEvent.NODE_TAINTS
    if node["metadata"].get("labels") != previous["metadata"].get("labels"):
        changed |= ClusterEvent.NODE_LABELS
    return changed
