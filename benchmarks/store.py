"""How fast the store takes a Deployment's pods from created over bound to running, durably.

    python benchmarks/store.py [--json] [--tiny] [--pods N] [--profile]

Beside it, in the same run: a bare loop of dictionaries, msgpack and one SQLite connection with the
same settings (WAL, synchronous=FULL, 500 records a commit) that packs every event whole. The pods
share the spec of their template; what is written is what the controllers, the scheduler and the
nodes write. Before a rate is reported, the pods are counted in the store and in the log.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import pstats
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import ActorSystem
from actors.log import SqliteLog
from benchmarks._report import Report, options, show
from orchestrator.cli.collector import THRESHOLDS
from orchestrator.resources.kinds import registry
from orchestrator.store import Create, Modify, Store

BATCH = 500
NODES = 100
WRITERS = 4
OWNER = "5f0c1f3e-6f0e-4b57-9b35-6c8e3f7f6f10"
NOW = "2026-01-01T00:00:00Z"


def template() -> dict[str, Any]:
    """The spec that all pods share; of ordinary size."""
    return {
        "containers": [
            {
                "name": "web",
                "image": "registry.example/web:1.2.3",
                "command": ["web", "--port", "8080"],
                "env": [{"name": f"SETTING_{n}", "value": f"value {n}"} for n in range(6)],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"cpu": "200m", "memory": "256Mi"},
                },
            }
        ],
        "restartPolicy": "Always",
    }


LABELS = {"app": "web", "pod-template-hash": "6d4cf56db6"}
OWNERS = [
    {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-6d4cf56db6",
        "uid": OWNER,
        "controller": True,
        "blockOwnerDeletion": True,
    }
]


def new_pod(number: int, spec: dict[str, Any]) -> dict[str, Any]:
    """A pod as the ReplicaSet controller proposes it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-6d4cf56db6-{number:05d}",
            "namespace": "default",
            "generateName": "web-6d4cf56db6-",
            "labels": LABELS,
            "ownerReferences": OWNERS,
        },
        "spec": spec,
    }


def bound(pod: dict[str, Any], node: str) -> dict[str, Any]:
    """The pod on a node, as the scheduler proposes it."""
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": NOW}
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**pod["status"], "conditions": [condition]},
    }


def running(pod: dict[str, Any], address: str) -> dict[str, Any]:
    """The pod as its node reports it."""
    conditions = [
        {"type": name, "status": "True", "lastTransitionTime": NOW}
        for name in ("Initialized", "Ready", "ContainersReady")
    ]
    state = {
        "name": "web",
        "ready": True,
        "restartCount": 0,
        "started": True,
        "image": "registry.example/web:1.2.3",
        "imageID": "",
        "containerID": "simulated://" + address,
        "state": {"running": {"startedAt": NOW}},
    }
    status = {
        **pod["status"],
        "phase": "Running",
        "conditions": [*pod["status"]["conditions"], *conditions],
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": NOW,
        "containerStatuses": [state],
    }
    return {**pod, "status": status}


def address_of(number: int) -> str:
    """An address of its own for every pod."""
    return f"10.244.{number >> 8}.{number & 255}"


def batches(count: int) -> Iterator[range]:
    """Numbers in batches."""
    return (range(begin, min(begin + BATCH, count)) for begin in range(0, count, BATCH))


def rounds(count: int) -> Iterator[list[range]]:
    """Batches, some at a time: in a cluster several actors write at once."""
    pending = list(batches(count))
    return (pending[begin : begin + WRITERS] for begin in range(0, len(pending), WRITERS))


def bare(pods: int, directory: Path) -> dict[str, float]:
    """The bare loop; seconds of each step."""
    database = sqlite3.connect(directory / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, key TEXT, data BLOB)")
    pack = msgpack.Packer().pack
    objects: dict[str, dict[str, Any]] = {}
    sequence = 0
    spec = template()

    def commit(changed: list[dict[str, Any]]) -> None:
        nonlocal sequence
        rows = []
        for pod in changed:
            sequence += 1
            pod["metadata"] = {**pod["metadata"], "resourceVersion": str(sequence)}
            name = pod["metadata"]["name"]
            objects[name] = pod
            rows.append((sequence, name, pack(pod)))
        database.execute("BEGIN")
        database.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
        database.execute("COMMIT")

    def name(number: int) -> str:
        return f"web-6d4cf56db6-{number:05d}"

    seconds = {}
    started = time.perf_counter()
    for numbers in batches(pods):
        commit([{**new_pod(n, spec), "status": {"phase": "Pending"}} for n in numbers])
    seconds["create"] = time.perf_counter() - started
    started = time.perf_counter()
    for numbers in batches(pods):
        commit([bound(objects[name(n)], f"node-{n % NODES}") for n in numbers])
    seconds["bind"] = time.perf_counter() - started
    started = time.perf_counter()
    for numbers in batches(pods):
        commit([running(objects[name(n)], address_of(n)) for n in numbers])
    seconds["status"] = time.perf_counter() - started
    database.close()
    assert len(objects) == pods
    return seconds


async def measured(pods: int, directory: Path) -> tuple[dict[str, float], int]:
    """The store; seconds of each step, and bytes of log."""
    path = directory / "store.db"
    log = await SqliteLog.open(path)
    async with ActorSystem("benchmark") as system:
        store = await Store.open(system, log, registry())
        seen = 0

        def notify() -> None:
            nonlocal seen
            seen += len(follower.take())

        follower = store.follow(["pods"], notify)
        spec = template()
        seconds = {}
        started = time.perf_counter()
        made: list[Any] = []
        for round_ in rounds(pods):
            for results in await asyncio.gather(
                *(store.write([Create("pods", new_pod(n, spec)) for n in each]) for each in round_)
            ):
                made += results
        seconds["create"] = time.perf_counter() - started
        names = [pod["metadata"]["name"] for pod in made]

        def bind(number: int) -> Modify:
            return Modify(
                "pods",
                "default",
                names[number],
                lambda pod: bound(pod, f"node-{number % NODES}"),
                "binding",
            )

        def report(number: int) -> Modify:
            return Modify(
                "pods",
                "default",
                names[number],
                lambda pod: running(pod, address_of(number)),
                "status",
            )

        started = time.perf_counter()
        for round_ in rounds(pods):
            await asyncio.gather(*(store.write([bind(n) for n in each]) for each in round_))
        seconds["bind"] = time.perf_counter() - started
        started = time.perf_counter()
        for round_ in rounds(pods):
            await asyncio.gather(*(store.write([report(n) for n in each]) for each in round_))
        seconds["status"] = time.perf_counter() - started
        counted = sum(pod["status"]["phase"] == "Running" for pod in store.list("pods"))
        assert counted == pods, f"{counted} of {pods} pods are running"
        assert seen == 3 * pods, f"the follower saw {seen} of {3 * pods} events"
        assert len(store.by_owner(OWNER)) == pods
    size = path.stat().st_size
    await log.close()
    return seconds, size


async def replayed(pods: int, directory: Path) -> float:
    """Seconds of opening the store on what `measured` wrote."""
    started = time.perf_counter()
    log = await SqliteLog.open(directory / "store.db")
    async with ActorSystem("benchmark") as system:
        store = await Store.open(system, log, registry())
        seconds = time.perf_counter() - started
        assert len(store.list("pods")) == pods
    await log.close()
    return seconds


def main() -> None:
    """Run and print."""
    parser = options("How fast the store is.")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument(
        "--python-gc", action="store_true", help="CPython's collector settings, not the daemon's"
    )
    arguments = parser.parse_args()
    pods = 500 if arguments.tiny else arguments.pods
    report = Report(benchmark="store", seed=arguments.seed, tiny=arguments.tiny)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if not arguments.python_gc:
            gc.freeze()
            gc.set_threshold(*THRESHOLDS)
        beside = bare(pods, directory)
        gc.collect()
        if arguments.profile:
            profile = cProfile.Profile()
            profile.enable()
        seconds, size = asyncio.run(measured(pods, directory))
        if arguments.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        gc.collect()
        replay = asyncio.run(replayed(pods, directory))
    for step in ("create", "bind", "status"):
        rate, other = pods / seconds[step], pods / beside[step]
        report.add(step, rate, "pods/s", note=f"bare {other:,.0f}, ratio {rate / other:.2f}")
    total, other = pods / sum(seconds.values()), pods / sum(beside.values())
    target = None if arguments.tiny else 8000.0
    report.add(
        "all three",
        total,
        "pods/s",
        target=target,
        note=f"bare {other:,.0f}, ratio {total / other:.2f}",
    )
    report.add("log", size / pods, "bytes/pod")
    report.add("open and replay", 3 * pods / replay, "events/s")
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
