"""Loads: work for a whole group of simulated pods, divided among those that are ready.

``simulation.orchestrator/cpu-load: 2000m`` (or ``memory-load``; ``NAME.cpu-load`` for the
container of that name, else the first one does it) is work

- of all pods that a Deployment, StatefulSet or other controller runs, when it stands there (on the
  Deployment, not on its ReplicaSets) or in the pod template;
- of the pods that a Service selects, when it stands on a Service.

On a controller or a Service it can be changed at any time without a rollout. A `LoadBook` is made
for one reading and looks up what that needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from orchestrator.node.annotations import PREFIX
from orchestrator.node.usage.courses import amount_at, parse_course
from orchestrator.node.usage.scripted import Resource, Shares, is_busy_one, no_load
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    controller_of,
    is_deleting,
    labels_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from orchestrator.resources.selectors import set_selector
from orchestrator.resources.timestamps import parse_time
from orchestrator.store.changes import Changes
from orchestrator.store.reading import Reads

Complain = Callable[[Object, str], None]
"""Takes an object with an annotation that cannot be read, and why."""

_LOADS: Final = ("cpu-load", "memory-load")
_RUNG_LIMIT: Final = 8
"""Controllers above a pod that are looked at: nobody has more, and owners may form a circle."""


class _Load(NamedTuple):
    """A load that stands on one object.

    Attributes:
        resource: Of what.
        container: Whose work it is, ``""`` for the first one's.
        each: What every ready pod of the group gets, in units of 10^-9.
    """

    resource: Resource
    container: str
    each: int


class LoadedServices:
    """The Services that a load stands on; looked for anew when some Service has changed."""

    def __init__(self, store: Reads) -> None:
        self._store = store
        self._changes = Changes(store, ["services"])
        self._found: dict[str, list[Object]] = {}

    def of(self, namespace: str) -> list[Object]:
        """Return those of a namespace."""
        if self._changes.seen():
            self._found = {}
        found = self._found.get(namespace)
        if found is None:
            found = self._found[namespace] = [
                service
                for service in self._store.list("services", namespace)
                if _has_load(service) and spec_of(service).get("selector")
            ]
        return found


class LoadBook:
    """The loads in a cluster at one moment."""

    def __init__(
        self, store: Reads, loaded: LoadedServices, now: float, complain: Complain
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._now = now
        self._complain = complain
        self._of_controller: dict[str, tuple[list[_Load], Object]] = {}
        self._ready: dict[str, int] = {}
        self._services: dict[str, list[tuple[dict[str, str], list[_Load]]]] = {}

    def shares_of(self, pod: Object) -> Shares:
        """Return the parts of loads that fall to a pod's containers."""
        loads: list[_Load] = []
        controller = controller_of(pod)
        if controller is not None:
            known = self._of_controller.get(controller["uid"])
            if known is None:
                known = self._of_controller[controller["uid"]] = self._read_controllers(pod)
            loads += known[0]
            if _has_load(pod):
                loads += self._read(pod, known[1], self._ready_pods(known[1]))
        elif _has_load(pod):
            loads += self._read(pod, pod, 1)
        labels = labels_of(pod)
        for selector, found in self._loaded_services(namespace_of(pod)):
            if selector.items() <= labels.items():
                loads += found
        if not loads:
            return no_load
        takes_part = is_ready(pod)

        def shares(resource: Resource, container: str) -> int | None:
            mine = [
                load.each
                for load in loads
                if load.resource == resource
                and (load.container or container) == container
                and (load.container or is_busy_one(pod, container))
            ]
            if not mine:
                return None
            return sum(mine) if takes_part else 0

        return shares

    def _read_controllers(self, pod: Object) -> tuple[list[_Load], Object]:
        """Return the topmost controller above a pod, and its loads.

        Those of lower ones are left alone: ReplicaSets get copies of their Deployment's.
        """
        top = pod
        for _ in range(_RUNG_LIMIT):
            above = self._controller(top)
            if above is None:
                break
            top = above
        if top is pod or not _has_load(top):
            return [], top
        return list(self._read(top, top, self._ready_pods(top))), top

    def _controller(self, obj: Object) -> Object | None:
        reference = controller_of(obj)
        if reference is None:
            return None
        kind = self._store.registry.by_kind(reference["apiVersion"], reference["kind"])
        if kind is None:
            return None
        namespace = namespace_of(obj) if kind.namespaced else ""
        found = self._store.get(kind.resource, namespace, reference["name"])
        return found if found is not None and uid_of(found) == reference["uid"] else None

    def _ready_pods(self, controller: Object) -> int:
        """Count the ready pods that a controller, or what it controls, runs."""
        uid = uid_of(controller)
        if uid not in self._ready:
            seen = {uid}
            waiting, count = [uid], 0
            while waiting:
                for obj in self._store.by_owner(waiting.pop()):
                    if obj.get("kind") == "Pod":
                        count += is_ready(obj)
                    elif uid_of(obj) not in seen:
                        seen.add(uid_of(obj))
                        waiting.append(uid_of(obj))
            self._ready[uid] = count
        return self._ready[uid]

    def _loaded_services(self, namespace: str) -> list[tuple[dict[str, str], list[_Load]]]:
        found = self._services.get(namespace)
        if found is None:
            found = self._services[namespace] = []
            for service in self._loaded.of(namespace):
                selector = spec_of(service)["selector"]
                pods = self._store.list("pods", namespace, labels=set_selector(selector))
                ready = sum(map(is_ready, pods))
                found.append((selector, list(self._read(service, service, ready))))
        return found

    def _read(self, holder: Object, began: Object, among: int) -> Iterable[_Load]:
        """Read an object's loads; time counts from the creation of ``began``."""
        seconds = self._now - parse_time(began["metadata"]["creationTimestamp"])
        for resource in ("cpu", "memory"):
            for key, text in annotations_of(holder).items():
                if not key.startswith(PREFIX) or not key.endswith(f"{resource}-load"):
                    continue
                name = key.removeprefix(PREFIX).removesuffix(f"{resource}-load")
                if name and not name.endswith("."):
                    continue
                try:
                    nano = amount_at(parse_course(text), seconds).absolute
                except ValueError as error:
                    self._complain(holder, f"annotation {key}: {error}")
                    continue
                yield _Load(resource, name.removesuffix("."), nano // max(1, among))


def _has_load(obj: Object) -> bool:
    return any(key.startswith(PREFIX) and key.endswith(_LOADS) for key in annotations_of(obj))


def is_ready(pod: Object) -> bool:
    """Tell whether a pod takes part in the work of its group."""
    return (
        status_of(pod).get("phase") == "Running"
        and not is_deleting(pod)
        and is_condition_true(pod, "Ready")
    )
