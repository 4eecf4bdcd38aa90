"""StatefulSets and DaemonSets in a whole cluster: coming up, rolling over, and one node's event.

    python benchmarks/sets.py [--json] [--tiny]

A set counts from its creation until its status says that all pods are available, a rollover until
all are of the new template too. A node's event is a label that concerns no DaemonSet: what is
measured is the write and all that follows from it.
"""

from __future__ import annotations

import logging
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog

from benchmarks._report import Report, options, show
from benchmarks.controllers import cluster, run, until
from orchestrator.bench.deploying import deployment
from orchestrator.resources.objects import Object, status_of, with_meta
from orchestrator.store import Store

STATEFUL_SETS = "statefulsets.apps"
DAEMON_SETS = "daemonsets.apps"
PODS_A_NODE = 100
EVENTS = 200


def workload(kind: str, **spec: Any) -> Object:
    """Return a set called web with the benchmarks' template."""
    made = deployment(1)
    shared = {field: made["spec"][field] for field in ("selector", "template")}
    return {**made, "kind": kind, "spec": {**shared, **spec}}


async def stateful(pods: int, seed: int) -> float:
    """Return how many pods a second a Parallel StatefulSet gets available."""
    async with cluster(max(3, pods // PODS_A_NODE), seed) as running:
        store = running.store
        web = workload("StatefulSet", replicas=pods, podManagementPolicy="Parallel")
        began = time.perf_counter()
        await store.create(web, resource=STATEFUL_SETS, namespace="default")

        def complete() -> bool:
            return _status(store, STATEFUL_SETS).get("availableReplicas") == pods

        await until(store, [STATEFUL_SETS], complete)
        return pods / (time.perf_counter() - began)


async def daemons(nodes: int, seed: int) -> tuple[float, float, float]:
    """Return pods a second of a DaemonSet at first and in a rollover; milliseconds of an event."""
    async with cluster(nodes, seed) as running:
        store = running.store
        await until(store, ["nodes"], lambda: len(store.each("nodes")) == nodes)
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
        began = time.perf_counter()
        web = workload("DaemonSet", updateStrategy=rolling)
        await store.create(web, resource=DAEMON_SETS, namespace="default")

        def complete(generation: int) -> bool:
            status = _status(store, DAEMON_SETS)
            return status.get("observedGeneration") == generation and (
                status.get("updatedNumberScheduled") == status.get("numberAvailable") == nodes
            )

        await until(store, [DAEMON_SETS], lambda: complete(1))
        first = nodes / (time.perf_counter() - began)
        began = time.perf_counter()
        await store.modify(DAEMON_SETS, "default", "web", _renewed)
        await until(store, [DAEMON_SETS], lambda: complete(2))
        second = nodes / (time.perf_counter() - began)
        name = next(iter(store.each("nodes")))["metadata"]["name"]
        used = time.thread_time()
        for turn in range(EVENTS):
            await store.modify("nodes", "", name, partial(_labelled, turn=turn))
        return first, second, (time.thread_time() - used) / EVENTS * 1e3


def _status(store: Store, resource: str) -> Object:
    found = store.get(resource, "default", "web")
    return status_of(found) if found is not None else {}


def _renewed(obj: Object) -> Object:
    template = obj["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "web:2"}
    spec = {**template["spec"], "containers": [container]}
    return {**obj, "spec": {**obj["spec"], "template": {**template, "spec": spec}}}


def _labelled(node: Object, turn: int) -> Object:
    return with_meta(node, labels={**node["metadata"]["labels"], "turn": str(turn)})


def main() -> None:
    """Measure and print."""
    arguments = options("StatefulSets and DaemonSets.").parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    tiny, seed = arguments.tiny, arguments.seed
    report = Report(benchmark="sets", seed=seed, tiny=tiny)
    size = 50 if tiny else 5000
    report.add(f"StatefulSet of {size} pods, Parallel", run(stateful(size, seed)), "pods/s")
    first, second, event = run(daemons(size, seed))
    report.add(f"DaemonSet on {size} nodes", first, "pods/s")
    report.add(f"its rollover, 10 % at a time, on {size} nodes", second, "pods/s")
    report.add(f"event of one node of {size}", event, "ms")
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
