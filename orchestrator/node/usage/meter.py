"""The meter of a cluster: what pods and nodes use, found out when somebody asks and never before.

CPU is a rate, so processes are read twice. Who asks every 15 seconds, as an autoscaler does, gets
the rate since the last time; who asks after a long silence waits a second for a first one. Of a
container that was started since the last reading it is the rate since its start, as metrics-server
does it. Answers are kept for some seconds, since metrics-server's change every 15 seconds too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from orchestrator.node.usage.amounts import ContainerUsage, NodeUsage, PodUsage, total
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.timestamps import parse_time
from orchestrator.store.reading import Reads

if TYPE_CHECKING:
    from orchestrator.node.images import Declared
    from orchestrator.node.usage.loads import LoadBook, LoadedServices
    from orchestrator.node.usage.measuring import Measure, Reading

WINDOW: Final = 15.0
"""Seconds: metrics-server's resolution."""
FRESH: Final = 10.0
"""Seconds for which a measurement is answered again: less than `WINDOW`, so that who asks at that
pace gets a new one each time."""
STALE: Final = 60.0
"""Seconds after which a reading is too old to count a rate from: it would be a mere average."""
FIRST_WINDOW: Final = 1.0
"""Seconds between two readings where there was none before."""

_TOGETHER: Final = 500
"""Pods that are looked at before others get their turn."""
_NANO: Final = 10**9
_SCHEME: Final = "process://"


class Voice(Protocol):
    """Where the meter's Events go."""

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 # the field's name in the API
        """Record an Event about an object."""


class _Sample(NamedTuple):
    """All containers at one moment: wall and monotonic seconds."""

    wall: float
    moment: float
    readings: Mapping[str, Reading]


class _Rates(NamedTuple):
    """What came of two samples, by container id: CPU in nanocores, and bytes."""

    at: _Sample
    window: float
    used: Mapping[str, tuple[int, int]]


class UsageMeter:
    """Answers what pods and nodes use."""

    def __init__(
        self,
        store: Reads,
        voice: Voice,
        *,
        lives: Callable[[str], bool],
        measure: Measure | None = None,
        declared: Declared | None = None,
        lag: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        """Prepare; nothing is read before somebody asks.

        Args:
            store: The cluster's objects.
            voice: Hears of annotations that cannot be read.
            lives: Whether a node of this name measures; the pods of others have no metrics.
            measure: Reads containers that are processes; None where there are none.
            declared: What was said of simulated containers' images.
            lag: Seconds by which containers are younger than their start says, by id.
        """
        self._lag = lag
        self._store = store
        self._voice = voice
        self._lives = lives
        self._measure = measure
        self._declared = declared
        self._rates: _Rates | None = None
        self._turn = asyncio.Lock()
        self._loaded: LoadedServices | None = None

    async def pods(self, pods: Iterable[Object]) -> list[PodUsage]:
        """Return what some pods use, in their order; those that nothing is known of are left out.

        A pod is left out that does not run, whose node does not live, or that was started after
        the last measurement.
        """
        wanted = [pod for pod in pods if self._is_metered(pod)]
        rates = None
        if self._measure is not None:
            processes = {id_ for pod in wanted if _is_process(pod) for id_ in _containers(pod)}
            rates = await self._measured(processes) if processes else None
        from orchestrator.node.usage.loads import LoadBook, LoadedServices

        now = self._store.clock.now()
        if self._loaded is None:
            self._loaded = LoadedServices(self._store)
        book = LoadBook(self._store, self._loaded, now, self._complain)
        found = []
        for number, pod in enumerate(wanted):
            if number % _TOGETHER == _TOGETHER - 1:
                await asyncio.sleep(0)  # others have their turn among a hundred thousand pods
            usage = _measured(pod, rates) if _is_process(pod) else self._scripted(pod, book, now)
            if usage is not None:
                found.append(usage)
        return found

    async def nodes(self, nodes: Iterable[Object]) -> list[NodeUsage]:
        """Return what the pods of some nodes use; nodes that are not ready are left out."""
        wanted = [
            node
            for node in nodes
            if is_condition_true(node, "Ready") and self._lives(name_of(node))
        ]
        pods = [pod for node in wanted for pod in self._store.by_node(name_of(node))]
        by_node: dict[str, list[PodUsage]] = {}
        for usage in await self.pods(pods):
            by_node.setdefault(spec_of(usage.pod)["nodeName"], []).append(usage)
        now = self._store.clock.now()
        found = []
        for node in wanted:
            used = by_node.get(name_of(node), [])
            cpu, memory = total(used)
            timestamp = max((pod.timestamp for pod in used), default=now)
            window = max((pod.window for pod in used), default=WINDOW)
            found.append(NodeUsage(node, timestamp, window, cpu, memory))
        return found

    def _is_metered(self, pod: Object) -> bool:
        node = spec_of(pod).get("nodeName")
        return node is not None and status_of(pod).get("phase") == "Running" and self._lives(node)

    # -- simulated pods

    def _scripted(self, pod: Object, book: LoadBook, now: float) -> PodUsage | None:
        from orchestrator.node.usage.scripted import used_by

        shares = book.shares_of(pod)
        used, youngest = [], WINDOW
        specs = _specs(pod)
        try:
            for name, status in _running(pod):
                began = parse_time(status["state"]["running"]["startedAt"])
                lag = self._lag(str(status.get("containerID") or "").rpartition("/")[2])
                age = max(0.0, now - began - lag)
                youngest = min(youngest, age)
                image = self._declared(specs[name]) if self._declared is not None else None
                cpu, memory = used_by(pod, specs[name], age, shares, image)
                used.append(ContainerUsage(name, cpu, memory))
        except ValueError as error:
            self._complain(pod, str(error))
            return None
        return PodUsage(pod, now, max(youngest, 1.0), tuple(used)) if used else None

    def _complain(self, obj: Object, why: str) -> None:
        self._voice.event(obj, "Warning", "InvalidUsage", f"No metrics from it: {why}")

    # -- processes

    async def _measured(self, containers: Collection[str]) -> _Rates:
        """Return rates that are fresh; some containers were asked about."""
        async with self._turn:
            known, moment = self._rates, self._store.clock.monotonic()
            if known is not None:
                new = any(container not in known.at.readings for container in containers)
                if moment - known.at.moment < (FIRST_WINDOW if new else FRESH):
                    return known
            if known is None or moment - known.at.moment > STALE:
                first = await self._sample()
                await self._store.clock.sleep(FIRST_WINDOW)
            else:
                first = known.at
            self._rates = _rates(first, await self._sample())
            return self._rates

    async def _sample(self) -> _Sample:
        assert self._measure is not None
        readings = await self._measure()
        return _Sample(self._store.clock.now(), self._store.clock.monotonic(), readings)


def _rates(first: _Sample, last: _Sample) -> _Rates:
    window = max(last.moment - first.moment, 0.001)
    used = {}
    for container, reading in last.readings.items():
        before = first.readings.get(container)
        if before is not None:
            spent = max(0.0, reading.cpu - before.cpu)
            used[container] = (round(spent / window * _NANO), reading.memory)
    return _Rates(last, window, used)


def _measured(pod: Object, rates: _Rates | None) -> PodUsage | None:
    """Return what a pod of processes uses; None if something of it was not measured yet."""
    if rates is None:
        return None
    containers, window = [], rates.window
    for name, status in _running(pod):
        container = _id_of(status)
        used = rates.used.get(container)
        if used is None:
            age = rates.at.wall - parse_time(status["state"]["running"]["startedAt"])
            reading = rates.at.readings.get(container)
            if reading is None or age < FIRST_WINDOW:
                return None
            window = min(window, age)
            used = round(reading.cpu / age * _NANO), reading.memory
        containers.append(ContainerUsage(name, *used))
    return PodUsage(pod, rates.at.wall, window, tuple(containers)) if containers else None


def _containers(pod: Object) -> list[str]:
    return [_id_of(status) for _, status in _running(pod)]


def _id_of(status: Object) -> str:
    return str(status.get("containerID") or "").removeprefix(_SCHEME)


def _running(pod: Object) -> list[tuple[str, Object]]:
    """Return the running containers' names and statuses, main ones first."""
    status = status_of(pod)
    return [
        (item["name"], item)
        for field in ("containerStatuses", "initContainerStatuses")
        for item in status.get(field) or ()
        if "running" in (item.get("state") or {})
    ]


def _specs(pod: Object) -> dict[str, Object]:
    spec = spec_of(pod)
    return {
        item["name"]: item
        for field in ("containers", "initContainers")
        for item in spec.get(field) or ()
    }


def _is_process(pod: Object) -> bool:
    statuses = status_of(pod).get("containerStatuses") or ()
    return any((item.get("containerID") or "").startswith(_SCHEME) for item in statuses)
