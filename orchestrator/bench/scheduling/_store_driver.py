"""The whole path: pods are created in a store on a durable log, scheduled and bound there.

The store's log is SQLite on disk (WAL, ``synchronous=FULL``); the scheduler is the actor that a
cluster runs. There are no controllers and no nodes behind the Node objects, as in scheduler_perf.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio

from actors import ActorSystem
from actors.log import SqliteLog
from orchestrator.bench.scheduling.checking import Surroundings, surroundings
from orchestrator.bench.scheduling.history import Change, PodName
from orchestrator.bench.scheduling.running import Companions, Meter
from orchestrator.bench.scheduling.workloads import WorkloadError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, is_deleting, status_of
from orchestrator.scheduler import Recorder, Scheduler
from orchestrator.store import Create, Delete, EventRecorder, ObjectEvent, Operation, Store

BATCH = 500
"""Objects in one request; scheduler_perf's clients send one each, over HTTP."""
WRITERS = 4
"""Requests under way at any time."""
PATIENCE = 20.0
"""Seconds without any binding after which a run that waits for some is given up."""


class Silent:
    """Records no Events."""

    def event(
        self,
        involved: Object,
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        time: float | None = None,
    ) -> None:
        """Do nothing."""

    def event_for_all(
        self,
        involved: Sequence[Object],
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: Callable[[Object], str],
        *,
        time: float | None = None,
    ) -> None:
        """Do nothing."""


class StoreDriver:
    """A store, the scheduler's actor, and what was seen of their commits."""

    def __init__(self, store: Store, tasks: asyncio.TaskGroup, patience: float) -> None:
        self._store = store
        self._tasks = tasks
        self._patience = patience
        self._background: list[asyncio.Task[None]] = []
        self._seen: list[tuple[float, list[ObjectEvent]]] = []
        self._awaited: set[PodName] = set()
        self._bound: set[PodName] = set()
        self._attempts = False
        self._bindings = 0
        self._settled = asyncio.Event()
        self._pods = store.follow(["pods"], self._notice, after=store.sequence)
        self._nodes = store.follow(["nodes"], self._notice_nodes, after=store.sequence)

    # ---- looking

    def _notice_nodes(self) -> None:
        self._seen.append((time.perf_counter(), self._nodes.take()))

    def _notice(self) -> None:
        """Note what was committed. Runs in the measured time: it does as little as it can."""
        events = self._pods.take()
        self._seen.append((time.perf_counter(), events))
        awaited = self._awaited
        for event in events:
            previous = event.previous
            spec = event.object["spec"]
            if "nodeName" in spec:
                if previous is not None and previous["spec"] is spec:
                    continue
                name = event.key[1:]
                self._bound.add(name)
                self._bindings += 1
                awaited.discard(name)
            elif self._attempts and (_condition(event.object) or event.type == "DELETED"):
                awaited.discard(event.key[1:])
        if not awaited:
            self._settled.set()

    def changes(self) -> list[Change]:
        """Return all that happened so far, in the order of the log."""
        found = [(event.sequence, event, at) for at, events in self._seen for event in events]
        found.sort(key=lambda item: item[0])
        return [change for _, event, at in found for change in _changes(event, at)]

    def around(self) -> Surroundings:
        """Return the objects that rules refer to."""
        return surroundings(self._store.list)

    # ---- doing

    async def create(self, resource: str, objects: Sequence[Object]) -> None:
        """Make objects that are no pods."""
        for start in range(0, len(objects), BATCH):
            some = objects[start : start + BATCH]
            await self._write([Create(resource, made) for made in some])

    async def submit(self, pods: Iterable[Object], companions: Companions | None) -> None:
        """Make pods in batches, some at a time."""
        waiting = iter(list(pods))

        async def write() -> None:
            while some := list(itertools.islice(waiting, BATCH)):
                if companions is not None:
                    made = [companions(pod) for pod in some]
                    volumes: list[Operation] = [Create("persistentvolumes", m[0]) for m in made]
                    volumes += [Create("persistentvolumeclaims", m[1]) for m in made]
                    await self._write(volumes)
                    some = [m[2] for m in made]
                await self._write([Create("pods", pod) for pod in some])

        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(write())

    async def settle(self, pods: Sequence[PodName], *, attempted: bool, progress: Meter) -> None:
        """Return when all these pods are scheduled, or at least have been tried."""
        self._attempts = attempted
        self._awaited = set(pods) - self._bound
        if attempted:
            self._awaited -= {
                name for name in self._awaited if _condition(self._pod(name) or {}) is not None
            }
        left, bindings = len(pods), self._bindings
        since = time.perf_counter()
        while True:
            progress.advance(left - len(self._awaited))
            left = len(self._awaited)
            if not left:
                return
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), 0.25)
            now = time.perf_counter()
            if bindings != self._bindings:
                bindings, since = self._bindings, now
            elif now - since > self._patience:
                raise WorkloadError(self._stuck())

    def _stuck(self) -> str:
        """Say why it does not go on, in the words of the pod that would be next."""
        name = min(self._awaited)
        condition = _condition(self._pod(name) or {}) or {}
        why = condition.get("message") or "the scheduler has not tried it"
        return (
            f"{len(self._awaited):,} pods are not scheduled, and none has been for "
            f"{self._patience:.0f} s. Of {'/'.join(name)} the scheduler says: {why}"
        )

    def _pod(self, name: PodName) -> Object | None:
        return self._store.get("pods", *name)

    async def delete(self, resource: str, namespace: str, names: Sequence[str]) -> None:
        """Ask for objects' deletion; those that are gone already are left out."""
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            results = await self._store.write([Delete(resource, namespace, name) for name in some])
            _check(results, besides=404)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await anyio.sleep(seconds)

    def every(self, seconds: float, action: Callable[[], Awaitable[bool]]) -> None:
        """Do something at this interval, beginning now."""

        async def repeat() -> None:
            due = time.perf_counter()
            while await action():
                due += seconds
                await anyio.sleep(max(0.0, due - time.perf_counter()))

        self._background.append(self._tasks.create_task(repeat()))

    async def _write(self, operations: Sequence[Operation]) -> None:
        _check(await self._store.write(operations))

    def stop(self) -> None:
        """End what goes on in the background."""
        for task in self._background:
            task.cancel()
        self._pods.close()
        self._nodes.close()


@contextlib.asynccontextmanager
async def whole_path(
    directory: Path, seed: int, *, events: bool, patience: float = PATIENCE
) -> AsyncIterator[StoreDriver]:
    """Run a store and a scheduler while the block runs.

    Args:
        directory: For the log; it should be on the disk that is meant.
        seed: Of all choices, uids among them.
        events: Whether the scheduler records Events.
        patience: See `PATIENCE`.
    """
    log = await SqliteLog.open(directory / "bench.db")
    try:
        async with ActorSystem("bench", seed=seed) as system:
            store = await Store.open(system, log, registry(), seeded=True)
            recorder: Recorder = Silent()
            if events:
                recorder = EventRecorder(store, "default-scheduler")
            system.spawn(lambda: Scheduler(store, recorder), "scheduler")
            async with asyncio.TaskGroup() as tasks:
                driver = StoreDriver(store, tasks, patience)
                try:
                    yield driver
                finally:
                    driver.stop()
    finally:
        await log.close()


def _check(results: Sequence[Object | StatusError], besides: int = 0) -> None:
    for result in results:
        if isinstance(result, StatusError) and result.code != besides:
            raise WorkloadError(f"the API refuses an object of the workload: {result}")


def _condition(pod: Object) -> dict[str, Any] | None:
    """Return the pod's PodScheduled condition."""
    for condition in status_of(pod).get("conditions") or () if pod else ():
        if condition.get("type") == "PodScheduled":
            return dict(condition)
    return None


def _changes(event: ObjectEvent, at: float) -> list[Change]:
    """Return what an event of the store means for the history."""
    if event.key[0] == "nodes":
        return [Change("node gone" if event.type == "DELETED" else "node", event.object, at)]
    if event.type == "DELETED":
        return [Change("gone", event.object, at)]
    found = []
    if event.type == "ADDED":
        found.append(Change("created", event.object, at))
    node = event.object["spec"].get("nodeName")
    previous = event.previous or {"spec": {}, "metadata": {}}
    if node and node != previous["spec"].get("nodeName"):
        found.append(Change("bound", event.object, at))
    if is_deleting(event.object) and not is_deleting(previous):
        found.append(Change("terminating", event.object, at))
    return found
