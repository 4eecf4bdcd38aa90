"""How many pods the controllers of some pods want together, whatever kinds they are.

Rules: the finders of k8s.io/kubernetes/pkg/controller/disruption.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.controllers.disruption.core import UnknownScaleError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, controller_of, spec_of, uid_of
from orchestrator.store import Store


def expected_pods(store: Store, namespace: str, controllers: Iterable[tuple[Object, str]]) -> int:
    """Return how many pods some controllers want, each counted once.

    Args:
        store: Where they are.
        namespace: Of the pods.
        controllers: References to them, each with the name of a pod that has it.

    Raises:
        UnknownScaleError: One of them has no scale, or is gone.
    """
    wanted: dict[str, int] = {}
    for reference, pod in controllers:
        found = _scale(store, namespace, reference)
        if found is None:
            raise UnknownScaleError(f'found no controllers for pod "{pod}"')
        uid, replicas = found
        wanted[uid] = replicas
    return sum(wanted.values())


def _scale(store: Store, namespace: str, reference: Object) -> tuple[str, int] | None:
    """Return the uid and size of a controller; of a Deployment for its ReplicaSets."""
    found = _find(store, namespace, reference)
    if found is None:
        return None
    kind, owner = found
    if kind.resource == "replicasets.apps":
        above = controller_of(owner)
        if above is not None and above.get("kind") == "Deployment":
            kind, owner = _find(store, namespace, above) or found
    return uid_of(owner), _replicas(kind, owner)


def _find(store: Store, namespace: str, reference: Object) -> tuple[Kind, Object] | None:
    """Return the object that a reference names; None when it, or one of that uid, is not there."""
    api_version, name = reference.get("apiVersion", ""), reference.get("kind", "")
    kind = store.registry.by_kind(api_version, name)
    if kind is None:
        raise UnknownScaleError(f'no matches for kind "{name}" in version "{api_version}"')
    if "scale" not in kind.subresources:
        # Upstream asks for the scale, and finds out on the way that there is none.
        raise UnknownScaleError(f"{kind.resource} does not implement the scale subresource")
    place = namespace if kind.namespaced else ""
    owner = store.get(kind.resource, place, reference.get("name", ""))
    if owner is None or uid_of(owner) != reference.get("uid"):
        return None
    return store.registry.by_key(kind.resource), owner


def _replicas(kind: Kind, owner: Object) -> int:
    if kind.custom is None or kind.custom.scale is None:
        replicas: int = spec_of(owner).get("replicas", 1)
        return replicas
    try:
        scale = kind.custom.scale.scale_of(owner)
    except StatusError as error:
        raise UnknownScaleError(error.message) from None
    return spec_of(scale).get("replicas") or 0
