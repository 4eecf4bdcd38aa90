"""Reading the past: the state at a version, as one reads the present."""

from __future__ import annotations

import builtins
import datetime as dt
from collections.abc import Iterable, Iterator

from orchestrator.embedded.kinds.names import find_kind
from orchestrator.resources.custom.kinds import DEFINITIONS, CustomKinds
from orchestrator.resources.errors import not_found
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.selectors import parse_field_selector, parse_label_selector
from orchestrator.resources.strategies import strategy_of
from orchestrator.store.conversion import Conversion
from orchestrator.store.history import History


def registry_at(history: History, built_in: KindRegistry, version: int) -> KindRegistry:
    """Return the kinds that were served at a version: custom ones as defined then."""
    found = [history.get(key, version) for key in sorted(history.keys(DEFINITIONS))]
    definitions = [obj for obj in found if obj is not None]
    return CustomKinds(built_in).registry(definitions) if definitions else built_in


class Past:
    """The state at one version. It never changes, whatever the cluster does meanwhile.

    Attributes:
        version: Which.
        registry: The kinds that were served.
    """

    def __init__(self, history: History, built_in: KindRegistry, version: int) -> None:
        """Look back.

        Args:
            history: What is held.
            built_in: The kinds that come with the Kubernetes version.
            version: A ``resourceVersion``.

        Raises:
            VersionError: The version is not held.
        """
        history.check(version)
        self.version = version
        self._history = history
        self.registry = registry_at(history, built_in, version)

    def __repr__(self) -> str:
        return f"<Past at version {self.version}>"

    @property
    def time(self) -> dt.datetime | None:
        """When the version came about; None where that is not known."""
        seconds = self._history.time(self.version)
        return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """Return one object as it was.

        Args:
            kind: By any of its names: ``deploy``, ``deployments``, ``Deployment``.
            name: Its name.
            namespace: Where; no matter for kinds without namespaces.

        Raises:
            StatusError: 404, there was no such object, or no such kind.
        """
        found = self.find(kind, name, namespace)
        if found is None:
            raise not_found(find_kind(self.registry, kind).resource, name)
        return found

    def find(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        """Return one object as it was, or None where there was none; see `get`."""
        asked = find_kind(self.registry, kind)
        key = Key(asked.resource, namespace if asked.namespaced else "", name)
        obj = self._history.get(key, self.version)
        return None if obj is None else _shown(obj, asked)

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> builtins.list[Object]:
        """Return the objects of a kind as they were, by namespace and name.

        Args:
            kind: By any of its names.
            namespace: Only there; None for everywhere.
            labels: A label selector, ``app=web,tier!=cache``.
            fields: A field selector, ``status.phase=Running``.

        Raises:
            StatusError: 404, there was no such kind.
            SelectorError: A selector cannot be read.
        """
        asked = find_kind(self.registry, kind)
        by_labels = parse_label_selector(labels) if labels else None
        by_fields = parse_field_selector(fields) if fields else None
        values = strategy_of(asked).selectable_fields
        return [
            _shown(obj, asked)
            for obj in self._of(asked.resource, namespace)
            if (by_labels is None or by_labels.matches(obj["metadata"].get("labels")))
            and (by_fields is None or by_fields.matches(values(obj)))
        ]

    def _of(self, resource: str, namespace: str | None) -> Iterator[Object]:
        for key in sorted(self._history.keys(resource)):
            if namespace is None or not key.namespace or key.namespace == namespace:
                obj = self._history.get(key, self.version)
                if obj is not None:
                    yield obj

    def of_kind(self, kind: Kind, namespace: str | None = None) -> builtins.list[Object]:
        """Return the objects of one kind in its version; None for everywhere."""
        return [_shown(obj, kind) for obj in self._of(kind.resource, namespace)]

    def resources(self) -> builtins.list[str]:
        """Return the resources that had objects, by name: ``deployments.apps``, ``pods``."""
        everything = sorted(self._history.resources())
        return [name for name in everything if next(self._of(name, None), None) is not None]

    def objects(self, resources: Iterable[str] | None = None) -> builtins.list[Object]:
        """Return all objects as they were stored, or those of some resources."""
        wanted = self.resources() if resources is None else resources
        return [obj for resource in wanted for obj in self._of(resource, None)]


def _shown(obj: Object, kind: Kind) -> Object:
    """Return an object in the version asked for, where that takes no webhook."""
    return obj if Conversion.waits(kind) else Conversion.now(obj, kind)
