"""The objects of a simulation, as plugins may ask for them."""

from __future__ import annotations

from orchestrator.resources.objects import Object, labels_of, name_of
from orchestrator.resources.selectors import LabelSelector


class KnownObjects:
    """Objects by resource, namespace and name.

    Attributes:
        sequence: Grows with every change.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}

    def put(self, resource: str, obj: Object) -> None:
        """Add an object, or change it."""
        self.sequence += 1
        key = obj["metadata"].get("namespace") or "", name_of(obj)
        self._objects.setdefault(resource, {})[key] = obj

    def remove(self, resource: str, namespace: str, name: str) -> None:
        """Forget an object."""
        self.sequence += 1
        self._objects.get(resource, {}).pop((namespace, name), None)

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None."""
        return self._objects.get(resource, {}).get((namespace, name))

    def list(
        self, resource: str, namespace: str | None = None, *, labels: LabelSelector | None = None
    ) -> list[Object]:
        """Return the objects of a namespace, or of all, that a selector matches."""
        return [
            obj
            for (where, _), obj in self._objects.get(resource, {}).items()
            if (namespace is None or where == namespace)
            and (labels is None or labels.matches(labels_of(obj)))
        ]
