"""A cluster as raw objects that things happen to, and as the scheduler's core sees it.

What happens is done to both; `World.snapshot` is for the twin, `World.cluster` for the core.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import Cluster, PodClass, PodClasses
from orchestrator.scheduler.core.pods import PodState
from tests.scheduler.twin.builders import ZONE, Object, thing
from tests.scheduler.twin.snapshot import Snapshot
from tests.scheduler.twin.strategies import NAMESPACES, NodeRecipe, PodRecipe, Step

SERVICE = thing("a", spec={"selector": {"app": "a"}})
REPLICA_SETS = [
    thing(name, namespace=namespace, spec={"selector": {"matchLabels": {"app": name}}})
    for name in ("a", "b")
    for namespace in NAMESPACES
]


class World:
    """Both views of one cluster."""

    def __init__(self, nodes: Sequence[NodeRecipe], pods: Sequence[PodRecipe]) -> None:
        self.node_recipes = nodes
        self.pod_recipes = pods
        self.cluster = Cluster()
        self.classes = PodClasses()
        self.nodes: dict[str, Object] = {}
        self.pods: dict[str, Object] = {}
        self.namespaces = {name: thing(name, namespace=None) for name in NAMESPACES}
        self._numbers = itertools.count()
        for index, recipe in enumerate(nodes):
            self._put_node(recipe.named(f"n{index}"))

    @property
    def snapshot(self) -> Snapshot:
        """The cluster for the twin."""
        return Snapshot(
            nodes=list(self.nodes.values()),
            pods=list(self.pods.values()),
            namespaces=list(self.namespaces.values()),
            services=[SERVICE],
            replica_sets=REPLICA_SETS,
        )

    def next_pod(self, step: Step) -> Object:
        """Make the next pod of a template."""
        recipe = self.pod_recipes[step.which % len(self.pod_recipes)]
        return recipe.named(f"p{next(self._numbers)}")

    def class_of(self, pod: Object) -> PodClass:
        """Return what the core makes of a pod."""
        return self.classes.of(pod)

    def place(self, pod: Object, node: str) -> None:
        """Let a pod run on a node."""
        minute = len(self.pods) % 60
        bound = {
            **pod,
            "spec": {**pod["spec"], "nodeName": node},
            "status": {"phase": "Running", "startTime": f"2026-01-01T00:{minute:02}:00Z"},
        }
        self._put_pod(bound)

    def apply(self, step: Step) -> None:
        """Let something happen; nothing where there is nothing that it could happen to."""
        match step.what:
            case "remove node":
                self._remove_node(step)
            case "change node":
                name = f"n{step.which % len(self.node_recipes)}"
                recipe = self.node_recipes[step.other % len(self.node_recipes)]
                self._put_node(recipe.named(name))
            case "label namespace":
                name = NAMESPACES[step.which % len(NAMESPACES)]
                labels = {"team": "x"} if step.other % 2 else {}
                self.namespaces[name] = thing(name, namespace=None, metadata={"labels": labels})
                self.cluster.namespaces[name] = labels
            case "relabel node" | "cordon":
                self._change_node(step)
            case "remove" | "terminate" | "relabel pod":
                self._change_pod(step)
            case other:
                raise ValueError(other)

    def _remove_node(self, step: Step) -> None:
        node = _pick(self.nodes, step)
        if node is not None:
            name = node["metadata"]["name"]
            del self.nodes[name]
            self.cluster.remove_node(name)

    def _change_node(self, step: Step) -> None:
        node = _pick(self.nodes, step)
        if node is None:
            return
        if step.what == "cordon":
            flipped = not node["spec"].get("unschedulable")
            self._put_node({**node, "spec": {**node["spec"], "unschedulable": flipped}})
            return
        labels = {**node["metadata"]["labels"], ZONE: f"z{1 + step.other % 3}"}
        if step.other > 2:
            del labels[ZONE]
        self._put_node({**node, "metadata": {**node["metadata"], "labels": labels}})

    def _change_pod(self, step: Step) -> None:
        pod = _pick(self.pods, step)
        if pod is None:
            return
        metadata = pod["metadata"]
        match step.what:
            case "remove":
                del self.pods[metadata["name"]]
                self.cluster.displace(metadata["uid"])
            case "terminate":
                self._put_pod({**pod, "metadata": {**metadata, "deletionTimestamp": "2026"}})
            case _:
                labels = {"app": "ab"[step.other % 2], "rev": str(step.other % 3)}
                self._put_pod({**pod, "metadata": {**metadata, "labels": labels}})

    def _put_node(self, node: Object) -> None:
        name = node["metadata"]["name"]
        self.cluster.put_node(node, self.nodes.get(name))
        self.nodes[name] = node

    def _put_pod(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self.pods[metadata["name"]] = pod
        self.cluster.place(self.state_of(pod), pod["spec"]["nodeName"])

    def state_of(self, pod: Object) -> PodState:
        """Return a pod as the core counts it."""
        metadata, spec = pod["metadata"], pod["spec"]
        started = (pod.get("status") or {}).get("startTime")
        return PodState(
            metadata["uid"],
            Key("pods", metadata["namespace"], metadata["name"]),
            self.class_of(pod),
            priority=spec.get("priority") or 0,
            start=float(started[14:16]) if started else None,
            terminating="deletionTimestamp" in metadata,
            preempts=spec.get("preemptionPolicy") != "Never",
        )


def _pick(things: Mapping[str, Object], step: Step) -> Any:
    """Return the thing that a step is about."""
    if not things:
        return None
    return list(things.values())[step.which % len(things)]
