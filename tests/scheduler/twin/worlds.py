"""A cluster as raw objects that things happen to, and as the scheduler's core sees it.

What happens is done to both; `World.snapshot` is for the twin, `World.cluster` for the core.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import Cluster, PodClass, PodClasses
from orchestrator.scheduler.core.owners import Kinships
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.volumes import VolumeDemand
from tests.scheduler.twin.builders import ZONE, Object, thing
from tests.scheduler.twin.preempting import is_being_preempted
from tests.scheduler.twin.snapshot import Snapshot, labels, namespace
from tests.scheduler.twin.snapshot import name as name_of
from tests.scheduler.twin.storage import (
    CLAIM_RESOURCE,
    CLASSES,
    CSI_NODES,
    DONE,
    VOLUMES,
    Storage,
    volume,
)
from tests.scheduler.twin.strategies import NAMESPACES, NodeRecipe, PodRecipe, Step

SERVICES = {
    "a": thing("a", spec={"selector": {"app": "a"}}),
    "revised": thing("revised", spec={"selector": {"app": "a", "rev": "1"}}),
    "b": thing("b", namespace="other", spec={"selector": {"app": "b"}}),
}
REPLICA_SETS = [
    thing(
        name,
        namespace=namespace,
        metadata={"uid": f"{namespace}/{name}"},
        spec={"selector": {"matchLabels": {"app": name}}},
    )
    for name in ("a", "b")
    for namespace in NAMESPACES
]


class World:
    """Both views of one cluster."""

    def __init__(
        self,
        nodes: Sequence[NodeRecipe],
        pods: Sequence[PodRecipe],
        storage: Storage | None = None,
    ) -> None:
        self.node_recipes = nodes
        self.pod_recipes = pods
        self.cluster = Cluster()
        self.kin = Kinships()
        self.services: dict[str, Object] = {}
        for owner in REPLICA_SETS:
            self.kin.put(Key("replicasets.apps", namespace(owner), name_of(owner)), owner, None)
        self._serve("a")
        self.classes = PodClasses(default_selector=self.kin.selector_of, volumes=self._resolve)
        self.storage: dict[str, dict[str, Object]] = {
            resource: {} for resource in (CLASSES, VOLUMES, CLAIM_RESOURCE, CSI_NODES)
        }
        for resource, objects in (storage.objects if storage else {}).items():
            for obj in objects:
                self._put_storage(resource, obj)
        self.nodes: dict[str, Object] = {}
        self.pods: dict[str, Object] = {}
        self.namespaces = {name: thing(name, namespace=None) for name in NAMESPACES}
        self._numbers = itertools.count()
        for index, recipe in enumerate(nodes):
            self._put_node(recipe.named(f"n{index}"))

    def __str__(self) -> str:
        things = (*self.nodes.values(), *self.pods.values())
        kept = [obj for objects in self.storage.values() for obj in objects.values()]
        return "\n".join(map(str, (*things, *kept)))

    @property
    def snapshot(self) -> Snapshot:
        """The cluster for the twin."""
        return Snapshot(
            nodes=list(self.nodes.values()),
            pods=list(self.pods.values()),
            namespaces=list(self.namespaces.values()),
            services=list(self.services.values()),
            replica_sets=REPLICA_SETS,
            classes=list(self.storage[CLASSES].values()),
            volumes=list(self.storage[VOLUMES].values()),
            claims=list(self.storage[CLAIM_RESOURCE].values()),
            csi_nodes=list(self.storage[CSI_NODES].values()),
        )

    def next_pod(self, step: Step) -> Object:
        """Make the next pod of a template."""
        recipe = self.pod_recipes[step.which % len(self.pod_recipes)]
        return recipe.named(f"p{next(self._numbers)}")

    def class_of(self, pod: Object) -> PodClass:
        """Return what the core makes of a pod."""
        return self.classes.of(pod)

    def place(self, pod: Object, node: str) -> None:
        """Let a pod run on a node, with its claims bound."""
        self._bind(pod, node)
        minute = len(self.pods) % 60
        bound = {
            **pod,
            "spec": {**pod["spec"], "nodeName": node},
            "status": {"phase": "Running", "startTime": f"2026-01-01T00:{minute:02}:00Z"},
        }
        self._put_pod(bound)

    def _resolve(self, pod: Object) -> VolumeDemand | None:
        metadata = pod["metadata"]
        return self.cluster.volumes.resolve(
            pod["spec"], metadata["namespace"], metadata["name"], metadata["uid"]
        )

    def _bind(self, pod: Object, node: str) -> None:
        """Do what the controllers of volumes do with the core's decision."""
        book = self.cluster.volumes
        found = book.reserve(pod["metadata"]["uid"], node, labels(self.nodes[node]))
        assert not isinstance(found, str), found
        if found is None:
            return
        claims = self.storage[CLAIM_RESOURCE]
        for name, (_, claim_name) in found.volumes:
            held = self.storage[VOLUMES][name]
            owner = {"namespace": "default", "name": claim_name, "uid": f"default/{claim_name}"}
            bound = {**held, "spec": {**held["spec"], "claimRef": owner}}
            self._put_storage(VOLUMES, {**bound, "status": {"phase": "Bound"}})
            self._finish(claims[claim_name], name)
        for _, claim_name in found.provisions:
            zone = labels(self.nodes[node]).get(ZONE)
            made = volume(
                f"made-{claim_name}",
                size="20Gi",
                place=(ZONE, zone) if zone else None,
                storage_class="late",
                claim=claim_name,
                handle=f"made-{claim_name}",
            )
            self._put_storage(VOLUMES, made)
            self._finish(claims[claim_name], f"made-{claim_name}")

    def _finish(self, unbound: Object, to: str) -> None:
        metadata = {**unbound["metadata"], "annotations": {DONE: "yes"}}
        spec = {**unbound["spec"], "volumeName": to}
        self._put_storage(
            CLAIM_RESOURCE,
            {**unbound, "metadata": metadata, "spec": spec, "status": {"phase": "Bound"}},
        )

    def _put_storage(self, resource: str, obj: Object) -> None:
        self.storage[resource][name_of(obj)] = obj
        self.cluster.volumes.put(resource, obj)

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
                own = {"team": "x"} if step.other % 2 else {}
                self.namespaces[name] = thing(name, namespace=None, metadata={"labels": own})
                self.cluster.put_namespace(name, own)
            case "serve":
                self._serve(list(SERVICES)[step.which % len(SERVICES)])
            case "relabel node" | "cordon":
                self._change_node(step)
            case "remove" | "terminate" | "relabel pod":
                self._change_pod(step)
            case other:
                raise ValueError(other)

    def _serve(self, name: str) -> None:
        """Make a Service, or remove it if it is there."""
        service = SERVICES[name]
        key = Key("services", namespace(service), name)
        if self.services.pop(name, None) is not None:
            self.kin.remove(key, service)
        else:
            self.services[name] = service
            self.kin.put(key, service, None)

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
        own = {**labels(node), ZONE: f"z{1 + step.other % 3}"}
        if step.other > 2:
            del own[ZONE]
        self._put_node({**node, "metadata": {**node["metadata"], "labels": own}})

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
                own = {"app": "ab"[step.other % 2], "rev": str(step.other % 3)}
                self._put_pod({**pod, "metadata": {**metadata, "labels": own}})

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
            preempted=is_being_preempted(pod),
            preempts=spec.get("preemptionPolicy") != "Never",
        )


def _pick(things: Mapping[str, Object], step: Step) -> Any:
    """Return the thing that a step is about."""
    if not things:
        return None
    return list(things.values())[step.which % len(things)]
