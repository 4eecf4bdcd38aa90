"""What plugins see of pods and nodes: typed, read-only, made without copying.

A plugin whose answers are kept must not look at what they are not kept by: a view refuses to tell
it, with a message that says which declaration to change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from orchestrator.resources.objects import Object
from orchestrator.resources.tolerations import Taint, Toleration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.requests import Request

Lookup: TypeAlias = Callable[[str, str, str], Object | None]
"""(resource, namespace, name) → the object, or None."""

_POD_FIELDS: Final = frozenset(
    {
        "affinity",
        "nodeSelector",
        "overhead",
        "resourceClaims",
        "resources",
        "tolerations",
        "topologySpreadConstraints",
    }
)


class UndeclaredError(RuntimeError):
    """A plugin looked at something that it had not declared its answers depend on."""

    def __init__(self, what: str, needed: Depends) -> None:
        super().__init__(
            f"looked at {what}, which its kept answers do not depend on: "
            f"declare depends_on = Depends.{needed.name}"
        )


def amounts(request: Request, pods: int = 1) -> dict[str, int]:
    """Return a request by resource name: CPU in millicores, all else in whole units."""
    found = {"cpu": request.cpu, "memory": request.memory, "ephemeral-storage": request.ephemeral}
    found = {name: value for name, value in found.items() if value}
    return {**found, **dict(request.extended), "pods": pods}


class PodView:
    """A pod.

    What the scheduler's classes of pods go by is there for every plugin; what tells a pod from
    others of its class (name, uid, annotations, priority, the object) only for plugins that depend
    on everything, and at points where there is one pod: reserve, permit, bind.
    """

    __slots__ = ("_class", "_object", "_state")

    def __init__(
        self, pod_class: PodClass, obj: Object | None = None, state: PodState | None = None
    ) -> None:
        """Look at a pod.

        Args:
            pod_class: Its class.
            obj: It, where its own particulars may be told.
            state: What is known of a pod that has a place.
        """
        self._class = pod_class
        self._object = obj
        self._state = state

    def __repr__(self) -> str:
        if self._object is None and self._state is None:
            return f"PodView(a pod of namespace {self.namespace})"
        return f"PodView({self.namespace}/{self.name})"

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self._class.namespace

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self._class.labels

    @property
    def requests(self) -> dict[str, int]:
        """What it asks for in all: CPU in millicores, all else in whole units; ``pods`` is 1."""
        return amounts(self._class.request)

    @property
    def tolerations(self) -> tuple[Toleration, ...]:
        """Taints it puts up with."""
        return self._class.tolerations

    @property
    def node_selector(self) -> Mapping[str, str]:
        """Its ``spec.nodeSelector``."""
        found: Mapping[str, str] = self._class.shape.spec.get("nodeSelector") or {}
        return found

    @property
    def images(self) -> tuple[str, ...]:
        """Of its containers, init containers first."""
        return self._class.shape.images

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its ``spec``; of the class, what scheduling looks at outside its containers."""
        if self._object is not None:
            spec: Mapping[str, Any] = self._object["spec"]
            return spec
        spec = self._class.shape.spec
        return {field: value for field, value in spec.items() if field in _POD_FIELDS}

    @property
    def name(self) -> str:
        """Its name."""
        if self._state is not None:
            return self._state.key.name
        name: str = self._metadata("the pod's name")["name"]
        return name

    @property
    def uid(self) -> str:
        """Its uid."""
        if self._state is not None:
            return self._state.uid
        uid: str = self._metadata("the pod's uid")["uid"]
        return uid

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return self._metadata("the pod's annotations").get("annotations") or {}

    @property
    def priority(self) -> int:
        """Its ``spec.priority``."""
        if self._state is not None:
            return self._state.priority
        return self._whole("the pod's priority")["spec"].get("priority") or 0

    @property
    def object(self) -> Object:
        """The whole object, which must not be changed."""
        return self._whole("the pod's object")

    @property
    def terminating(self) -> bool:
        """Whether its deletion has been asked for."""
        if self._state is not None:
            return self._state.terminating
        return "deletionTimestamp" in self._metadata("whether the pod is being deleted")

    def _metadata(self, what: str) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._whole(what)["metadata"]
        return metadata

    def _whole(self, what: str) -> Object:
        if self._object is None:
            raise UndeclaredError(what, Depends.EVERYTHING)
        return self._object


class NodeView:
    """A node."""

    __slots__ = ("_depends", "_lookup", "_node")

    def __init__(self, node: NodeState, depends: Depends, lookup: Lookup) -> None:
        """Look at a node.

        Args:
            node: What the scheduler knows of it.
            depends: What may be told.
            lookup: Finds the node's object, and those of its pods.
        """
        self._node = node
        self._depends = depends
        self._lookup = lookup

    def __repr__(self) -> str:
        return f"NodeView({self._node.name})"

    @property
    def name(self) -> str:
        """Its name."""
        return self._node.name

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self._node.labels

    @property
    def taints(self) -> tuple[Taint, ...]:
        """Its taints."""
        return self._node.taints

    @property
    def unschedulable(self) -> bool:
        """Whether it is cordoned."""
        return self._node.unschedulable

    @property
    def images(self) -> Mapping[str, int]:
        """Sizes in bytes by every name of the images that are there."""
        return self._node.images

    @property
    def allocatable(self) -> dict[str, int]:
        """What pods can have in all: CPU in millicores, all else in whole units."""
        node = self._node
        return {
            "cpu": node.cpu,
            "memory": node.memory,
            "ephemeral-storage": node.ephemeral,
            "pods": node.allowed_pods,
            **node.extended,
        }

    @property
    def requested(self) -> dict[str, int]:
        """What its pods request, in the units of `allocatable`."""
        node = self._with_pods("what the node's pods request")
        return {
            "cpu": node.used_cpu,
            "memory": node.used_memory,
            "ephemeral-storage": node.used_ephemeral,
            "pods": len(node.pods),
            **node.used_extended,
        }

    @property
    def free(self) -> dict[str, int]:
        """What is left of `allocatable`."""
        requested = self.requested
        return {name: all_ - requested.get(name, 0) for name, all_ in self.allocatable.items()}

    @property
    def pods(self) -> tuple[PodView, ...]:
        """The pods on it, those among them whose binding is on its way."""
        node = self._with_pods("the pods on the node")
        everything = self._depends is Depends.EVERYTHING
        return tuple(
            PodView(pod.pod_class, self._lookup(*pod.key) if everything else None, pod)
            for pod in node.pods.values()
        )

    @property
    def object(self) -> Object:
        """The whole object, which must not be changed."""
        if self._depends is not Depends.EVERYTHING:
            raise UndeclaredError("the node's object", Depends.EVERYTHING)
        return self._lookup("nodes", "", self._node.name) or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        if self._depends is not Depends.EVERYTHING:
            raise UndeclaredError("the node's annotations", Depends.EVERYTHING)
        return self.object.get("metadata", {}).get("annotations") or {}

    def _with_pods(self, what: str) -> NodeState:
        if self._depends is Depends.NODE:
            raise UndeclaredError(what, Depends.PODS)
        return self._node
