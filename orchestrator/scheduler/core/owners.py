"""Which pods belong together though they do not say so: those of one Service and one owner.

A profile's default spread constraints are about those. Source of the rules: ``DefaultSelector`` in
``pkg/scheduler/framework/plugins/helper``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.resources.objects import Key
from orchestrator.resources.selectors import NOTHING, LabelSelector, Requirement, label_selector

SERVICES: Final = "services"
CONTROLLERS: Final = "replicationcontrollers"
RESOURCES: Final = (SERVICES, CONTROLLERS, "replicasets.apps", "statefulsets.apps")
"""What has to be followed to know."""

_REMEMBERED: Final = 4096


class Kinships:
    """Selectors of Services and of the owners of pods."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._services: dict[str, dict[str, Mapping[str, str]]] = {}
        self._owners: dict[str, tuple[Mapping[str, str], LabelSelector | None]] = {}
        self._known: dict[Any, LabelSelector] = {}
        self._last: tuple[str, str, Mapping[str, str], LabelSelector] | None = None

    def put(self, key: Key, obj: Mapping[str, Any], previous: Mapping[str, Any] | None) -> None:
        """Take over a new or changed object of one of `RESOURCES`."""
        selector = (obj.get("spec") or {}).get("selector") or {}
        if previous is not None and (previous.get("spec") or {}).get("selector") == selector:
            return
        if key.resource == SERVICES:
            services = self._services.setdefault(key.namespace, {})
            if not selector:
                services.pop(key.name, None)
            else:
                services[key.name] = selector
            self._changed.add(key.namespace)
        elif key.resource == CONTROLLERS:
            self._owners[obj["metadata"]["uid"]] = (selector, None)
        else:
            self._owners[obj["metadata"]["uid"]] = ({}, label_selector(selector))
        self._forget()

    def remove(self, key: Key, obj: Mapping[str, Any]) -> None:
        """Forget an object that is gone."""
        if key.resource == SERVICES:
            self._services.get(key.namespace, {}).pop(key.name, None)
            self._changed.add(key.namespace)
        else:
            self._owners.pop(obj["metadata"]["uid"], None)
        self._forget()

    def take_changed(self) -> set[str]:
        """Return, once, the namespaces whose Services have changed.

        Pods that are known there may belong to others now. An owner is there before its pods.
        """
        if not self._changed:
            return set()
        changed, self._changed = self._changed, set()
        return changed

    def selector_of(self, pod: Mapping[str, Any]) -> LabelSelector:
        """Return the selector of the pods that belong together with this one.

        It matches nothing where there is neither a Service nor an owner that is known.
        """
        metadata = pod["metadata"]
        namespace = metadata.get("namespace") or ""
        services = self._services.get(namespace)
        owner = ""
        if self._owners:
            for reference in metadata.get("ownerReferences") or ():
                if reference.get("controller"):
                    owner = reference.get("uid") or ""
        found = self._owners.get(owner)
        if not services and found is None:
            return NOTHING
        labels = metadata.get("labels") or {}
        # Pods of one owner come one after another.
        last = self._last
        if last is not None and last[0] == owner and last[1] == namespace and last[2] == labels:
            return last[3]
        key = (namespace, owner, tuple(labels.items()))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = _combine(labels, services or {}, found)
        self._last = (owner, namespace, labels, known)
        return known

    def _forget(self) -> None:
        self._known.clear()
        self._last = None


def _combine(
    labels: Mapping[str, str],
    services: Mapping[str, Mapping[str, str]],
    owner: tuple[Mapping[str, str], LabelSelector | None] | None,
) -> LabelSelector:
    exact: dict[str, str] = {}
    for selector in services.values():
        if all(labels.get(name) == value for name, value in selector.items()):
            exact.update(selector)
    more: tuple[Requirement, ...] = ()
    if owner is not None:
        exact.update(owner[0])
        if owner[1] is not None:
            more = owner[1].requirements
    requirements = [Requirement(name, "in", (value,)) for name, value in exact.items()]
    requirements += [each for each in more if each not in requirements]
    return LabelSelector(requirements) if requirements else NOTHING
