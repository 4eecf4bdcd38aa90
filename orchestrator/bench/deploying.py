"""A Deployment's way to Running through a whole cluster: how fast, and what a pod takes.

Controllers, scheduler and simulated nodes are those of a real cluster, and every write goes to a
log on disk (SQLite, WAL, ``synchronous=FULL``). Only the containers are pretended.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from orchestrator.bench.failures import UserError
from orchestrator.bench.progress import Meter, Progress
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.objects import Object, status_of
from orchestrator.store import Store

PODS_A_NODE = 250
"""What a simulated node of this benchmark has room for."""
PATIENCE = 60.0
"""Seconds without any change of a pod after which the run is given up."""
COMMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to measure.

    Attributes:
        nodes: Simulated nodes.
        pods: Replicas of the one Deployment.
        seed: Of all choices.
        events: Whether the nodes record Events for containers, beside the scheduler's and the
            controllers'.
        tune: Sets the process up as the daemon's while the cluster works.
        directory: Where the log goes; None for the system's temporary directory.
    """

    nodes: int
    pods: int
    seed: int = 1
    events: bool = False
    tune: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run showed.

    Attributes:
        workload: Always ``DeploymentToRunning``.
        path: Always ``store``: all of it goes through the store and its log.
        start_seconds: Until the cluster with its nodes was up.
        seconds: From the Deployment's creation until its last pod was Running in the store.
        p50_ms: From a pod's creation to its being Running, each in the store; also the next ones.
        baseline_pods_per_second: Of the bare loop in the same run, see `bare_rate`.
        processor_seconds: Of this process, of all cores.
        loop_seconds: Of them, the event loop's thread.
        memory_bytes_per_pod: By which the process grew.
        log_bytes_per_pod: By which the log on disk grew.
        events: Whether the nodes recorded Events.
        events_written: How many Events there were at the end, whoever recorded them.
    """

    workload: str
    nodes: int
    pods: int
    path: str
    pods_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    baseline_pods_per_second: float
    start_seconds: float
    seconds: float
    processor_seconds: float
    loop_seconds: float
    memory_bytes_per_pod: float
    log_bytes_per_pod: float
    events: bool
    events_written: int


def measure(settings: Settings, progress: Progress) -> Result:
    """Run a cluster with one Deployment and return the figures.

    Raises:
        UserError: The pods do not fit on the nodes, or something keeps them from running.
    """
    if settings.pods > PODS_A_NODE * settings.nodes:
        least = -(-settings.pods // PODS_A_NODE)
        raise UserError(
            f"{settings.pods:,} pods do not fit on {settings.nodes:,} nodes of {PODS_A_NODE}: "
            f"take --nodes {least} or more"
        )
    import uvloop

    with progress.meter("bare loop", 0):
        bare = bare_rate(settings.pods)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(settings, progress, bare))


async def _measure(settings: Settings, progress: Progress, bare: float) -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.directory) as directory:
        config = ClusterConfig(
            nodes=settings.nodes,
            runtime="simulated",
            data_dir=Path(directory) / "state",
            seed=settings.seed,
            node_capacity={"cpu": "64", "memory": "512Gi", "pods": str(PODS_A_NODE)},
            node_events=settings.events,
        )
        began = time.perf_counter()
        async with contextlib.AsyncExitStack() as stack:
            with progress.meter(f"starting {settings.nodes:,} nodes", 0):
                cluster = await stack.enter_async_context(BareCluster(config))
            started = time.perf_counter() - began
            watcher = _Watcher(cluster.store)
            with settings.tune(), progress.meter("pods running", settings.pods) as meter:
                log, memory = _size(Path(directory)), resident()
                begun, used, loop = time.perf_counter(), time.process_time(), time.thread_time()
                await cluster.store.create(
                    deployment(settings.pods), resource="deployments.apps", namespace="default"
                )
                await watcher.all_running(settings.pods, meter)
                seconds, used = time.perf_counter() - begun, time.process_time() - used
                loop = time.thread_time() - loop
                gc.collect()
                memory, log = resident() - memory, _size(Path(directory)) - log
            _check(cluster.store, settings.pods)
            events = len(cluster.store.list("events"))
    waits = sorted(watcher.waits)
    p50, p90, p99 = (
        1000 * waits[min(len(waits) - 1, int(share * len(waits)))] for share in (0.5, 0.9, 0.99)
    )
    return Result(
        workload="DeploymentToRunning",
        nodes=settings.nodes,
        pods=settings.pods,
        path="store",
        pods_per_second=settings.pods / seconds,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        baseline_pods_per_second=bare,
        start_seconds=started,
        seconds=seconds,
        processor_seconds=used,
        loop_seconds=loop,
        memory_bytes_per_pod=memory / settings.pods,
        log_bytes_per_pod=log / settings.pods,
        events=settings.events,
        events_written=events,
    )


class _Watcher:
    """Notes when each pod was created and when it was Running."""

    def __init__(self, store: Store) -> None:
        self.waits: list[float] = []
        self._created: dict[str, float] = {}
        self._store = store
        self._changed = asyncio.Event()
        self._follower = store.follow(["pods"], self._notice, after=store.sequence)
        self._noticed = 0

    def _notice(self) -> None:
        """Runs in the measured time: it does as little as it can."""
        now = time.perf_counter()
        created = self._created
        for event in self._follower.take():
            if event.type == "ADDED":
                created[event.key.name] = now
            elif event.object["status"].get("phase") == "Running":
                since = created.pop(event.key.name, None)
                if since is not None:
                    self.waits.append(now - since)
        self._noticed += 1
        self._changed.set()

    async def all_running(self, pods: int, meter: Meter) -> None:
        """Return when so many pods have been Running.

        Raises:
            UserError: Nothing changes any more.
        """
        shown = 0
        while len(self.waits) < pods:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), PATIENCE)
            except TimeoutError:
                raise UserError(
                    f"{len(self.waits):,} of {pods:,} pods are running, and nothing has changed "
                    f"for {PATIENCE:.0f} s: {self._why()}"
                ) from None
            meter.advance(len(self.waits) - shown)
            shown = len(self.waits)
        self._follower.close()

    def _why(self) -> str:
        for pod in self._store.list("pods", "default"):
            status = status_of(pod)
            if status.get("phase") != "Running":
                said = [c["message"] for c in status.get("conditions") or () if c.get("message")]
                return f"{pod['metadata']['name']}: {said[-1] if said else status.get('phase')}"
        return "the Deployment's pods were not created"


def _check(store: Store, pods: int) -> None:
    """Look at the store whether it is as the figures say.

    Raises:
        UserError: It is not.
    """
    found = store.list("pods", "default")
    running = sum(status_of(pod).get("phase") == "Running" for pod in found)
    addresses = {status_of(pod).get("podIP") for pod in found}
    on_node: dict[str, int] = {}
    for pod in found:
        node = pod["spec"].get("nodeName") or ""
        on_node[node] = on_node.get(node, 0) + 1
    if (len(found), running, len(addresses)) != (pods, pods, pods) or "" in on_node:
        raise UserError(
            f"wrong: of {pods:,} pods {len(found):,} are there, {running:,} running, with "
            f"{len(addresses):,} addresses; {on_node.get('', 0):,} have no node"
        )
    fullest = max(on_node, key=lambda node: on_node[node])
    if on_node[fullest] > PODS_A_NODE:
        raise UserError(f"wrong: {on_node[fullest]} pods on {fullest}, which takes {PODS_A_NODE}")


def deployment(replicas: int) -> Object:
    """Return the Deployment; its pods ask for what upstream's scheduler benchmarks ask for."""
    container = {
        "name": "web",
        "image": "web",
        "command": ["web"],
        "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container]},
            },
        },
    }


def bare_rate(pods: int, most: int = 20_000) -> float:
    """Return the pods a second of a bare loop: three whole events a pod, packed and written.

    Args:
        pods: How many.
        most: From how many on the rate no longer changes: more are not made.
    """
    pods = min(pods, most)
    spec = deployment(1)["spec"]["template"]["spec"]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        database = sqlite3.connect(f"{directory}/bare.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, key TEXT, data BLOB)")
        began = time.perf_counter()
        sequence = 0
        for first in range(0, pods, COMMIT):
            rows: list[tuple[int, str, bytes]] = []
            for index in range(first, min(first + COMMIT, pods)):
                for phase in ("Pending", "Pending", "Running"):
                    sequence += 1
                    rows.append((sequence, f"pods/web-{index}", _packed(index, phase, spec)))
            database.execute("BEGIN")
            database.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
            database.execute("COMMIT")
        seconds = time.perf_counter() - began
        database.close()
    return pods / seconds


def _packed(index: int, phase: str, spec: Object) -> bytes:
    pod: dict[str, Any] = {
        "metadata": {"name": f"web-{index}", "namespace": "default", "labels": {"app": "web"}},
        "spec": spec,
        "status": {"phase": phase},
    }
    return bytes(msgpack.packb(pod))


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("cluster.db*"))


def resident() -> int:
    """Return the bytes of memory this process has; the most so far where only that is known."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
