"""What an autoscaler aims at: finding it, its scale, and whose pods its selector selects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from orchestrator.resources.errors import StatusError, not_found
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object
from orchestrator.resources.scales import scaling_of
from orchestrator.resources.selectors import LabelSelector


class TargetError(Exception):
    """There is nothing to scale; the text is upstream's."""


class Scaled(NamedTuple):
    """An object with a scale.

    Attributes:
        kind: Of the object, in the version that it is stored in.
        object: As it is.
        scale: Its ``Scale``.
    """

    kind: Kind
    object: Object
    scale: Object


class ScaledStore(Protocol):
    """What of the store is looked at."""

    @property
    def registry(self) -> KindRegistry:
        """The kinds that are served."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one object."""


def find_scaled(store: ScaledStore, namespace: str, reference: Object) -> Scaled:
    """Return what ``scaleTargetRef`` names.

    Only the group of its ``apiVersion`` counts, as upstream: the scale is the same in all versions.

    Raises:
        TargetError: There is no such kind or object, or it cannot be scaled.
    """
    version, name = reference.get("apiVersion") or "", reference["name"]
    group, slash, rest = version.partition("/")
    if "/" in rest:
        raise TargetError(f"unexpected GroupVersion string: {version}")
    found = kinds_of(store.registry, group if slash else "", reference["kind"])
    if not found:
        kind = reference["kind"]
        raise TargetError(f'no matches for kind "{kind}" in group "{group if slash else ""}"')
    resource = found[0].resource
    if all("scale" not in kind.subresources for kind in found):
        raise TargetError("the server could not find the requested resource")
    obj = store.get(resource, namespace, name)
    if obj is None:
        raise TargetError(not_found(resource, name).message)
    kind = store.registry.by_key(resource)
    try:
        return Scaled(kind, obj, scaling_of(kind).read(obj))
    except StatusError as error:
        raise TargetError(error.message) from error


def kinds_of(registry: KindRegistry, group: str, kind: str) -> list[Kind]:
    """Return a kind in all versions of a group that are served."""
    versions = registry.groups().get(group, ())
    named = (f"{group}/{version}" if group else version for version in versions)
    return [found for one in named if (found := registry.by_kind(one, kind)) is not None]


class Selectors:
    """The selectors of all autoscalers' targets, found by the labels of a pod."""

    def __init__(self) -> None:
        self._selectors: dict[tuple[str, str], LabelSelector] = {}
        self._places: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._by_place: dict[tuple[str, str, str], dict[str, None]] = {}

    def put(self, namespace: str, name: str, selector: LabelSelector) -> None:
        """Note an autoscaler's selector."""
        key = (namespace, name)
        if self._selectors.get(key) == selector:
            return
        self.drop(namespace, name)
        # One pair that every selected pod has leads to the selector; some have none.
        pair = next(iter(selector.equalities.items()), ("", ""))
        place = (namespace, *pair)
        self._selectors[key], self._places[key] = selector, place
        self._by_place.setdefault(place, {})[name] = None

    def drop(self, namespace: str, name: str) -> None:
        """Forget an autoscaler."""
        key = (namespace, name)
        if self._selectors.pop(key, None) is None:
            return
        place = self._places.pop(key)
        names = self._by_place[place]
        del names[name]
        if not names:
            del self._by_place[place]

    def of_pods(self, namespace: str, labels: Iterable[dict[str, str]]) -> list[str]:
        """Return the autoscalers whose targets select some pod, as ``namespace/name``, sorted."""
        found: set[str] = set()
        seen: set[int] = set()
        for one in labels:
            if id(one) in seen:
                continue  # pods of one template share their labels
            seen.add(id(one))
            for pair in (*one.items(), ("", "")):
                for name in self._by_place.get((namespace, *pair), ()):
                    if self._selectors[namespace, name].matches(one):
                        found.add(f"{namespace}/{name}")
        return sorted(found)
