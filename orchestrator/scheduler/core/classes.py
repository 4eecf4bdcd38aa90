"""Pod classes: pods that the scheduler cannot tell apart.

Pods of one Deployment differ in name only, so what is computed for one holds for all: the class is
the unit of filtering and scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from orchestrator.resources.node_affinity import NodeSelection, Term, preferences_of, selection_of
from orchestrator.resources.selectors import NOTHING, LabelSelector
from orchestrator.resources.tolerations import Toleration, tolerations_of
from orchestrator.scheduler.configuration import DEFAULT_SCHEDULER_NAME
from orchestrator.scheduler.core.requests import Request, request_of
from orchestrator.scheduler.core.terms import PodAffinity, Spread, affinity_of, spreads_of
from orchestrator.scheduler.core.volumes.demands import VolumeDemand
from orchestrator.scheduler.core.volumes.resolving import has_relevant

_SPEC_FIELDS = (
    "affinity",
    "nodeSelector",
    "overhead",
    "resourceClaims",
    "resources",
    "schedulerName",
    "schedulingGroup",
    "tolerations",
    "topologySpreadConstraints",
    "workloadRef",
)
_CONTAINER_FIELDS = ("image", "resources", "ports", "restartPolicy")

NO_VOLUMES: Final = None
"""The volume demand of a pod whose volumes can be had on every node."""


class PodShape:
    """What a pod's spec alone says to the scheduler; compared by identity, see `PodClasses`.

    Attributes:
        request: The resources it takes.
        tolerations: The taints it puts up with.
        selection: The nodes it may run on.
        preferences: Weights for nodes it would rather run on.
        images: Of its containers, init containers among them, in their order, with their tags.
        unsupported: Paths of demands that this scheduler cannot keep; a pod that has some is
            not placed, since ignoring them would break a promise.
        scheduler_name: Of the profile that cares for it; its other answers hold under that alone.
        spec: One of the specs that say it.
    """

    __slots__ = (
        "images", "preferences", "request", "scheduler_name", "selection", "spec", "tolerations",
        "unsupported",
    )  # fmt: skip

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.scheduler_name: str = spec.get("schedulerName") or DEFAULT_SCHEDULER_NAME
        self.request: Request = request_of(spec)
        self.tolerations: tuple[Toleration, ...] = tolerations_of(spec)
        self.selection: NodeSelection = selection_of(spec)
        self.preferences: tuple[tuple[int, Term], ...] = preferences_of(spec)
        self.images: tuple[str, ...] = tuple(
            _full_name(container.get("image") or "")
            for containers in ("initContainers", "containers")
            for container in spec.get(containers) or ()
        )
        self.unsupported: tuple[str, ...] = tuple(_find_unsupported(spec))


class PodClass:
    """A shape with what else tells pods apart; compared by identity, see `PodClasses`.

    Attributes:
        shape: What the spec says.
        namespace: Of the pods.
        labels: Of the pods.
        affinity: Towards and away from other pods.
        spreads: Topology spread constraints of the pods' own.
        default_selector: The pods that count for the profile's default spread constraints:
            those of the same Services and the same owner. Matches nothing where there are none.
        volumes: What the pods' volumes demand of nodes.
    """

    __slots__ = (
        "affinity", "default_selector", "labels", "namespace", "preferences", "request",
        "selection", "shape", "spreads", "tolerations", "unsupported", "volumes",
    )  # fmt: skip

    def __init__(
        self,
        spec: Mapping[str, Any],
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        *,
        shape: PodShape | None = None,
        default_selector: LabelSelector = NOTHING,
        volumes: VolumeDemand | None = NO_VOLUMES,
    ) -> None:
        self.shape = shape = shape or PodShape(spec)
        self.request = shape.request
        self.tolerations = shape.tolerations
        self.selection = shape.selection
        self.preferences = shape.preferences
        self.unsupported = shape.unsupported
        self.namespace = namespace
        self.labels: Mapping[str, str] = labels or {}
        self.affinity: PodAffinity = affinity_of(spec, namespace, self.labels)
        self.spreads: tuple[Spread, ...] = spreads_of(spec, self.labels)
        self.default_selector = default_selector
        self.volumes = volumes


class PodClasses:
    """Finds the class of a pod: by the identity of its spec, else by what the spec says.

    Specs of pods from one template are usually one shared dictionary, which makes finding the
    class a dictionary lookup. All tables are bounded and start anew when they are full.
    """

    def __init__(
        self,
        limit: int = 4096,
        *,
        default_selector: Callable[[Mapping[str, Any]], LabelSelector] | None = None,
        volumes: Callable[[Mapping[str, Any]], VolumeDemand | None] | None = None,
    ) -> None:
        """Begin without any class.

        Args:
            limit: Most classes that are remembered.
            default_selector: Finds `PodClass.default_selector` for a pod.
            volumes: Finds `PodClass.volumes` for a pod that has volumes.
        """
        self._limit = limit
        self._default_selector = default_selector
        self._volumes = volumes
        # The spec is kept beside its shape so that its identity is not given to another one.
        self._by_identity: dict[int, tuple[Mapping[str, Any], PodShape, bool]] = {}
        self._by_content: dict[bytes, PodShape] = {}
        self._classes: dict[Any, PodClass] = {}
        self._last: PodClass | None = None

    def of(self, pod: Mapping[str, Any]) -> PodClass:
        """Return the class of a pod, whose parts must not change afterwards."""
        metadata, spec = pod["metadata"], pod["spec"]
        found = self._by_identity.get(id(spec))
        if found is None:
            found = self._look(spec)
        _, shape, has_volumes = found
        labels = metadata.get("labels") or {}
        selector = NOTHING
        if self._default_selector is not None and not spec.get("topologySpreadConstraints"):
            selector = self._default_selector(pod)
        demand = NO_VOLUMES
        if has_volumes and self._volumes is not None:
            demand = self._volumes(pod)
        namespace = metadata.get("namespace") or ""
        # Pods of one kind come one after another.
        last = self._last
        if (
            last is not None
            and last.shape is shape
            and last.default_selector is selector
            and last.volumes is demand
            and last.namespace == namespace
            and last.labels == labels
        ):
            return last
        key = (shape, namespace, tuple(labels.items()), selector, demand)
        pod_class = self._last = self._classes.get(key)
        if pod_class is None:
            if len(self._classes) >= self._limit:
                self._classes.clear()
            pod_class = self._last = self._classes[key] = PodClass(
                shape.spec,
                namespace,
                labels,
                shape=shape,
                default_selector=selector,
                volumes=demand,
            )
        return pod_class

    def _look(self, spec: Mapping[str, Any]) -> tuple[Mapping[str, Any], PodShape, bool]:
        """Look at a spec: what it says, and whether it has volumes that matter."""
        content = _content(spec)
        shape = self._by_content.get(content)
        if shape is None:
            if len(self._by_content) >= self._limit:
                self._by_content.clear()
            shape = self._by_content[content] = PodShape(spec)
        if len(self._by_identity) >= self._limit:
            self._by_identity.clear()
        found = self._by_identity[id(spec)] = (spec, shape, has_relevant(spec))
        return found


def _find_unsupported(spec: Mapping[str, Any]) -> Iterator[str]:
    for field in ("resourceClaims", "schedulingGroup", "workloadRef"):
        if spec.get(field):
            yield f"spec.{field}"


def _full_name(image: str) -> str:
    """Return an image's name with a tag or digest, as nodes report it."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def _content(spec: Mapping[str, Any]) -> bytes:
    """Return what of a spec matters for scheduling, as bytes that are equal when it is equal."""
    relevant: list[Any] = [spec.get(field) for field in _SPEC_FIELDS]
    relevant.extend(
        [
            [container.get(field) for field in _CONTAINER_FIELDS]
            for container in spec.get(containers) or ()
        ]
        for containers in ("containers", "initContainers")
    )
    return orjson.dumps(relevant, option=orjson.OPT_SORT_KEYS)
