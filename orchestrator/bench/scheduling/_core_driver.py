"""The scheduler's core alone: one decision after the other, without a store, a log or a loop.

Everything that this package knows of `orchestrator.scheduler.core` stands here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.bench.scheduling.checking import Surroundings, surroundings
from orchestrator.bench.scheduling.history import Change, ChangeType, PodName
from orchestrator.bench.scheduling.running import Companions, Meter
from orchestrator.bench.scheduling.workloads import WorkloadError
from orchestrator.resources.objects import Key, Object
from orchestrator.scheduler.core import (
    Cluster,
    Placer,
    PodClass,
    PodClasses,
    PodState,
)
from orchestrator.scheduler.core.diagnosis import Diagnoser
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.owners import SERVICES, Kinships
from orchestrator.scheduler.core.preemption import Preemptor
from orchestrator.scheduler.core.volumes import RESOURCES


@dataclass(slots=True)
class _Repeated:
    """Something that happens again and again: when next and at which interval, in pods."""

    due: float
    interval: float
    action: Callable[[], Awaitable[bool]]


class CoreDriver:
    """A picture of a cluster, and the pods placed in it.

    There is no time: what happens at an interval happens once for so many pods as kube-scheduler
    would place meanwhile at its floor. So the same seed gives the same placements.
    """

    def __init__(self, seed: int, pace: float) -> None:
        """Begin with an empty cluster.

        Args:
            seed: Of the choice among equal nodes.
            pace: Pods that count as a second.
        """
        self._cluster = Cluster()
        self._kinships = Kinships()
        self._classes = PodClasses(
            default_selector=self._kinships.selector_of, volumes=self._demand
        )
        chance = random.Random(seed).random  # noqa: S311 - repeats on purpose
        self._placer = Placer(self._cluster, chance)
        self._preemptor = Preemptor(self._cluster, Budgets(), chance)
        self._diagnoser = Diagnoser(self._cluster, DEFAULT_FRAMEWORK)
        self._pace = pace
        self._objects: dict[tuple[str, str, str], Object] = {}
        # What happened to which object; of a pod that was placed, its node, when and until when.
        self._log: list[tuple[ChangeType, Object, str, float, float]] = []
        self._why = ""
        self._actions: list[_Repeated] = []
        self._count = 0
        self._acting = False

    async def create(self, resource: str, objects: Sequence[Object]) -> None:
        """Make objects that are no pods."""
        for made in objects:
            metadata = made["metadata"]
            self._objects[resource, metadata.get("namespace") or "", metadata["name"]] = made
            if resource == "nodes":
                self._cluster.put_node(made, None)
                self._note("node", made)
            elif resource == "namespaces":
                self._cluster.put_namespace(metadata["name"], metadata.get("labels") or {})
            elif resource == SERVICES:
                self._kinships.put(
                    Key(resource, metadata["namespace"], metadata["name"]), made, None
                )
            elif resource in RESOURCES:
                self._cluster.volumes.put(resource, made)

    async def submit(self, pods: Iterable[Object], companions: Companions | None) -> None:
        """Place pods, one after the other; what happens beside them happens in between."""
        log, clock, now = self._log, time.perf_counter, time.perf_counter()
        class_of, find_best, place = self._classes.of, self._placer.find_best, self._cluster.place
        for pod in pods:
            if companions is not None:
                volume, claim, pod = companions(pod)  # noqa: PLW2901 - the same pod, with its volume
                await self.create("persistentvolumes", [volume])
                await self.create("persistentvolumeclaims", [claim])
            begun = now
            pod_class = class_of(pod)
            node = find_best(pod_class) or self._make_room(pod, pod_class)
            if node is None:
                log.append(("created", pod, "", begun, begun))
            else:
                metadata, name = pod["metadata"], node.name
                key = Key("pods", metadata["namespace"], metadata["name"])
                priority = pod["spec"].get("priority") or 0
                place(PodState(_uid(*key[1:]), key, pod_class, priority=priority), name)
                now = clock()
                log.append(("bound", pod, name, begun, now))
            if self._actions and not self._acting:
                await self._act()
                now = clock()
            self._count += 1

    def _make_room(self, pod: Object, pod_class: PodClass) -> NodeState | None:
        """Remove pods of lower priority from a node; note why not when it would not help."""
        priority = pod["spec"].get("priority") or 0
        found = self._preemptor.find(pod_class, priority)
        if found is None:
            self._why = self._diagnoser.diagnose(pod_class, priority).message
            return None
        for victim in found.victims:
            self._remove(victim.key.namespace, victim.key.name)
        return found.node

    def _remove(self, namespace: str, name: str) -> None:
        self._cluster.displace(_uid(namespace, name))
        self._cluster.volumes.forget(_uid(namespace, name))
        gone = {"metadata": {"namespace": namespace, "name": name}, "spec": {}}
        self._note("gone", gone)

    def _note(self, what: ChangeType, made: Object) -> None:
        now = time.perf_counter()
        self._log.append((what, made, "", now, now))

    def _demand(self, pod: Mapping[str, Any]) -> Any:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        return self._cluster.volumes.resolve(pod["spec"], namespace, name, _uid(namespace, name))

    async def settle(self, pods: Sequence[PodName], *, attempted: bool, progress: Meter) -> None:
        """Make sure that all these pods are placed."""
        placed = self._cluster.pods
        left = [name for name in pods if _uid(*name) not in placed]
        progress.advance(len(pods) - len(left))
        if left and not attempted:
            raise WorkloadError(
                f"{len(left):,} pods are not placed. Of one of them, perhaps "
                f"{'/'.join(left[-1])}, the scheduler says: {self._why}"
            )

    async def delete(self, resource: str, namespace: str, names: Sequence[str]) -> None:
        """Delete objects; pods that a finalizer keeps stay where they are."""
        for name in names:
            if resource == "pods":
                self._remove(namespace, name)
            elif resource == "nodes":
                self._cluster.remove_node(name)
                node = self._objects.pop((resource, namespace, name), {"metadata": {"name": name}})
                self._note("node gone", node)
            else:
                gone = self._objects.pop((resource, namespace, name), None)
                if gone is not None and resource == SERVICES:
                    self._kinships.remove(Key(resource, namespace, name), gone)
                elif gone is not None and resource in RESOURCES:
                    self._cluster.volumes.remove(resource, gone)

    async def sleep(self, seconds: float) -> None:
        """Do what happens meanwhile."""
        self._count += round(seconds * self._pace)
        await self._act()

    def every(self, seconds: float, action: Callable[[], Awaitable[bool]]) -> None:
        """Do something once for so many pods, beginning with the next."""
        self._actions.append(_Repeated(self._count, seconds * self._pace, action))

    async def _act(self) -> None:
        self._acting = True
        try:
            for repeated in list(self._actions):
                while self._count >= repeated.due:
                    if not await repeated.action():
                        self._actions.remove(repeated)
                        break
                    repeated.due += repeated.interval
        finally:
            self._acting = False

    def changes(self) -> list[Change]:
        """Return all that happened so far, in order."""
        found = []
        specs: dict[tuple[int, str], Any] = {}  # by the identity of what the log keeps
        for what, made, node, begun, ended in self._log:
            if what != "bound":
                found.append(Change(what, made, ended))
                continue
            found.append(Change("created", made, begun))
            spec = specs.get((id(made["spec"]), node))
            if spec is None:
                spec = {**made["spec"], "nodeName": node}
                specs[id(made["spec"]), node] = spec
            found.append(Change("bound", {**made, "spec": spec}, ended))
        return found

    def around(self) -> Surroundings:
        """Return the objects that rules refer to."""
        return surroundings(
            lambda wanted: [
                made for (resource, _, _), made in self._objects.items() if resource == wanted
            ]
        )


def _uid(namespace: str, name: str) -> str:
    """Return what the core knows a pod by."""
    return f"{namespace}/{name}"
