"""Carries out a workload's operations, through a driver: the whole path or the core alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from orchestrator.bench.progress import Progress
from orchestrator.bench.scheduling.checking import Surroundings
from orchestrator.bench.scheduling.history import Change, PodName, name_of_pod
from orchestrator.bench.scheduling.making import (
    CSI_NODES,
    PRIORITY_CLASSES,
    Maker,
    priority_class,
    with_volume,
)
from orchestrator.bench.scheduling.workloads import (
    Barrier,
    Churn,
    CreateAny,
    CreateNamespaces,
    CreateNodes,
    CreatePods,
    CreatePodSets,
    DeletePods,
    Sleep,
    Step,
    Template,
    Workload,
    WorkloadError,
)
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object


class Driver(Protocol):
    """What operations work on."""

    async def create(self, resource: str, objects: Sequence[Object]) -> None:
        """Make objects that are no pods."""

    async def submit(self, pods: Iterable[Object], companions: Companions | None) -> None:
        """Make pods, which are scheduled from then on.

        Args:
            pods: Made one after the other, as they are needed.
            companions: Makes a pod's volume and claim, which come to be before it.
        """

    async def settle(self, pods: Sequence[PodName], *, attempted: bool, progress: Meter) -> None:
        """Return when all these pods are scheduled, or at least have been tried.

        Raises:
            WorkloadError: They are not, and nothing goes on any more.
        """

    async def delete(self, resource: str, namespace: str, names: Sequence[str]) -> None:
        """Ask for objects' deletion, pods' among them."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def every(self, seconds: float, action: Callable[[], Awaitable[bool]]) -> None:
        """Do something at this interval until the workload ends or it returns False."""

    def changes(self) -> list[Change]:
        """Return all that happened so far, in order."""

    def around(self) -> Surroundings:
        """Return the objects that rules refer to."""


Companions = Callable[[Object], tuple[Object, Object, Object]]
"""From a pod to its volume, its claim, and the pod with them."""


Watch: TypeAlias = Callable[[], AbstractContextManager[object]]


class Meter(Protocol):
    """Something on which progress is shown."""

    def advance(self, count: int) -> None:
        """Say that so much more is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured: which pods, and when on `time.perf_counter` it began and ended.

    Attributes:
        processor_seconds: That this process had of all cores meanwhile.
    """

    pods: list[PodName]
    began: float
    ended: float
    processor_seconds: float


class Run:
    """One run of one workload."""

    def __init__(
        self,
        workload: Workload,
        driver: Driver,
        progress: Progress,
        watch: Watch = contextlib.nullcontext,
    ) -> None:
        """Prepare.

        Args:
            workload: What to do.
            driver: On what.
            progress: Where to show how far it is.
            watch: Is entered while measured pods are made and placed.
        """
        self._watch = watch
        self._workload = workload
        self._driver = driver
        self._progress = progress
        self._maker = Maker()
        self._namespaces = {"", "default"}
        self._classes: set[str] = set()
        self._pods: list[PodName] = []
        self._measured: list[PodName] = []
        self._seconds: list[tuple[float, float]] = []
        self._processor_seconds = 0.0

    async def run(self) -> Measured:
        """Carry out all operations.

        Raises:
            WorkloadError: It cannot be carried out; the message says why.
        """
        for number, step in enumerate(self._workload.steps):
            await self._do(step, number)
        return Measured(
            pods=self._measured,
            began=self._seconds[0][0],
            ended=self._seconds[-1][1],
            processor_seconds=self._processor_seconds,
        )

    async def _do(self, step: Step, number: int) -> None:
        value, driver = self._workload.value, self._driver
        match step:
            case CreateNodes():
                await self._create_nodes(step)
            case CreateNamespaces():
                for index in range(value(step.count)):
                    await self._need_namespace(f"{step.prefix}-{index}", step.template)
            case CreateAny():
                await self._need_namespace(step.namespace)
                await self._create([step.template] * value(step.count), step.namespace)
            case CreatePods():
                await self._create_pods(step, step.namespace or f"namespace-{number}")
            case CreatePodSets():
                for index in range(value(step.count)):
                    await self._create_pods(step.pods, f"{step.prefix}-{index}")
            case Churn():
                await self._churn(step, step.namespace or f"namespace-{number}")
            case DeletePods():
                await self._delete_pods(step)
            case Barrier():
                attempted = step.stage == "Attempted"
                with self._progress.meter("waiting for all pods", len(self._pods)) as meter:
                    await driver.settle(self._pods, attempted=attempted, progress=meter)
            case Sleep():
                await driver.sleep(step.seconds)

    async def _need_namespace(self, name: str, template: Template | None = None) -> None:
        if name not in self._namespaces:
            self._namespaces.add(name)
            await self._driver.create("namespaces", [self._maker.namespace(name, template)])

    async def _need_priority(self, template: Template) -> None:
        if template["kind"] != "Pod":
            return
        made = priority_class(template["spec"])
        if made is not None and made["metadata"]["name"] not in self._classes:
            self._classes.add(made["metadata"]["name"])
            await self._driver.create(PRIORITY_CLASSES, [made])

    async def _create_nodes(self, step: CreateNodes) -> None:
        count = self._workload.value(step.count)
        nodes = self._maker.nodes(step, count)
        with self._progress.meter("nodes", count) as meter:
            for some in _portions(nodes, 1000):
                await self._driver.create("nodes", some)
                if step.volumes:
                    drivers = [self._maker.csi_node(node, step.volumes) for node in some]
                    await self._driver.create(CSI_NODES, drivers)
                meter.advance(len(some))

    async def _create(
        self, templates: Sequence[Template], namespace: str
    ) -> list[tuple[str, Object]]:
        """Make one object of each template; return them with their resources."""
        made = []
        for template in templates:
            await self._need_priority(template)
            if template["kind"] == "Pod":
                (pod,) = self._maker.pods(template, namespace, 1)
                await self._driver.submit([pod], None)
                made.append(("pods", pod))
                continue
            kind = registry().by_kind(template.get("apiVersion") or "", template["kind"])
            if kind is None:
                raise WorkloadError(
                    f"{self._workload.name}: a template is of kind {template['kind']} in "
                    f"{template.get('apiVersion')}, which the API does not have; correct the two"
                )
            found = self._maker.object(template, namespace if kind.namespaced else "")
            await self._driver.create(kind.resource, [found])
            made.append((kind.resource, found))
        return made

    async def _create_pods(self, step: CreatePods, namespace: str) -> None:
        await self._need_namespace(namespace)
        await self._need_priority(step.template)
        count = self._workload.value(step.count)
        names: list[PodName] = []
        companions = None
        if step.volume is not None and step.claim is not None:
            companions = self._companions(step.volume, step.claim)
        pods = list(self._maker.pods(step.template, namespace, count))
        names = [name_of_pod(pod) for pod in pods]
        self._pods += names
        title = "measured pods" if step.measured else "pods"
        with self._progress.meter(title, count) as meter:
            with self._watch() if step.measured else contextlib.nullcontext():
                began, used = time.perf_counter(), time.process_time()
                await self._driver.submit(pods, companions)
                if step.waits:
                    await self._driver.settle(names, attempted=False, progress=meter)
                ended, used = time.perf_counter(), time.process_time() - used
            if step.measured:
                self._processor_seconds += used
                self._seconds.append((began, ended))
                self._measured += names

    def _companions(self, volume: Template, claim: Template) -> Companions:
        def make(pod: Object) -> tuple[Object, Object, Object]:
            pv, pvc = self._maker.bound_volume(volume, claim, pod)
            return pv, pvc, with_volume(pod, pvc)

        return make

    async def _churn(self, step: Churn, namespace: str) -> None:
        await self._need_namespace(namespace)
        number = self._workload.value(step.number)
        present: list[list[tuple[str, Object]]] = []
        made = 0

        async def again() -> bool:
            nonlocal made
            if step.mode == "recreate" and len(present) >= max(1, number):
                for resource, old in present.pop(0):
                    metadata = old["metadata"]
                    await self._driver.delete(
                        resource, metadata.get("namespace") or "", [metadata["name"]]
                    )
            created = await self._create(step.templates, namespace)
            made += 1
            if step.mode == "recreate":
                present.append(created)
                return True
            return not number or made < number

        self._driver.every(step.interval, again)

    async def _delete_pods(self, step: DeletePods) -> None:
        labels = step.labels.items()
        names = [
            change.object["metadata"]["name"]
            for change in self._driver.changes()
            if change.type == "created"
            and change.object["metadata"].get("namespace") == step.namespace
            and labels <= (change.object["metadata"].get("labels") or {}).items()
        ]
        if not step.per_second:
            await self._driver.delete("pods", step.namespace, names)
            return
        waiting = iter(names)

        async def one() -> bool:
            name = next(waiting, None)
            if name is None:
                return False
            await self._driver.delete("pods", step.namespace, [name])
            return True

        if not step.waits:
            self._driver.every(1 / step.per_second, one)
            return
        while await one():
            await self._driver.sleep(1 / step.per_second)


def _portions(items: list[Object], size: int) -> Iterable[list[Object]]:
    return (items[start : start + size] for start in range(0, len(items), size))
