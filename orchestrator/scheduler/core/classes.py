"""Pod classes: pods that the scheduler cannot tell apart.

Pods of one Deployment differ in name only, so what is computed for one holds for all: the class is
the unit of filtering and scoring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from orchestrator.scheduler.core.affinities import NodeSelection, Term, preferences_of, selection_of
from orchestrator.scheduler.core.requests import Request, request_of
from orchestrator.scheduler.core.taints import Toleration, tolerations_of

_SPEC_FIELDS = (
    "affinity",
    "nodeSelector",
    "overhead",
    "resourceClaims",
    "resources",
    "tolerations",
    "topologySpreadConstraints",
)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_CONTAINER_FIELDS = ("resources", "ports", "restartPolicy")


class PodClass:
    """What scheduling needs to know of a pod; compared by identity, see `PodClasses`.

    Attributes:
        request: The resources it takes.
        tolerations: The taints it puts up with.
        selection: The nodes it may run on.
        preferences: Weights for nodes it would rather run on.
        unsupported: Paths of demands that this scheduler cannot keep yet; a pod that has some is
            not placed, since ignoring them would break a promise.
    """

    __slots__ = ("preferences", "request", "selection", "tolerations", "unsupported")

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.request: Request = request_of(spec)
        self.tolerations: tuple[Toleration, ...] = tolerations_of(spec)
        self.selection: NodeSelection = selection_of(spec)
        self.preferences: tuple[tuple[int, Term], ...] = preferences_of(spec)
        self.unsupported: tuple[str, ...] = tuple(_find_unsupported(spec))


class PodClasses:
    """Finds the class of a pod: by the identity of its spec, else by what the spec says.

    Specs of pods from one template are usually one shared dictionary, which makes finding the
    class a dictionary lookup. Both tables are bounded and start anew when they are full.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        # The spec is kept beside its class so that its identity is not given to another one.
        self._by_identity: dict[int, tuple[Mapping[str, Any], PodClass]] = {}
        self._by_content: dict[bytes, PodClass] = {}

    def of(self, spec: Mapping[str, Any]) -> PodClass:
        """Return the class of a pod with this spec; the spec must not change afterwards."""
        found = self._by_identity.get(id(spec))
        if found is not None:
            return found[1]
        content = _content(spec)
        pod_class = self._by_content.get(content)
        if pod_class is None:
            if len(self._by_content) >= self._limit:
                self._by_content.clear()
            pod_class = self._by_content[content] = PodClass(spec)
        if len(self._by_identity) >= self._limit:
            self._by_identity.clear()
        self._by_identity[id(spec)] = (spec, pod_class)
        return pod_class


def _find_unsupported(spec: Mapping[str, Any]) -> Iterator[str]:
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        if (affinity.get(kind) or {}).get(_REQUIRED):
            yield f"spec.affinity.{kind}.{_REQUIRED}"
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("whenUnsatisfiable") == "DoNotSchedule":
            yield f"spec.topologySpreadConstraints[{index}]"
    if spec.get("resourceClaims"):
        yield "spec.resourceClaims"


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
