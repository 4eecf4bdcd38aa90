"""Controllers at work and at rest: a rollover, a namespace's end, and ten thousand idle objects.

    python benchmarks/controllers.py [--json] [--tiny]

Each figure is of a whole cluster in this process: store with a log on disk (SQLite, WAL,
synchronous=FULL), scheduler, controllers and simulated nodes. A rollover counts from the change of
the template until every pod is of the new one and available and no old one is left. Idle is
processor time of the whole process, beside that of a cluster with nothing in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog
import uvloop

from benchmarks._report import Report, options, show
from orchestrator.bench.deploying import deployment
from orchestrator.cli.bench.tuning import as_the_daemon
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.controllers.autoscaler import AutoscalerSettings
from orchestrator.resources.objects import Object, status_of
from orchestrator.store import Create, Store

DEPLOYMENTS = "deployments.apps"
AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
PATIENCE = 120.0
"""Seconds without any change after which a run is given up."""
REST = 0.05
"""Seconds between two looks at whether something is over, which cost processor time too."""
TOGETHER = 500
"""Objects created in one proposal."""


@contextlib.asynccontextmanager
async def cluster(
    nodes: int, seed: int, *, sync_period: float = 15.0
) -> AsyncIterator[BareCluster]:
    """Run a cluster with room for 250 pods a node; autoscalers look once in ``sync_period``."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        config = ClusterConfig(
            nodes=nodes,
            runtime="simulated",
            data_dir=Path(directory) / "state",
            seed=seed,
            node_capacity={"cpu": "64", "memory": "512Gi", "pods": "250"},
            node_events=False,
            autoscaling=AutoscalerSettings(sync_period=sync_period),
        )
        async with BareCluster(config) as running:
            yield running


async def until(store: Store, resources: list[str], done: Callable[[], bool]) -> None:
    """Return when ``done`` holds; it is asked again after changes of ``resources``.

    Raises:
        RuntimeError: Nothing changes any more.
    """
    changed = asyncio.Event()
    follower = store.follow(resources, changed.set, after=store.sequence)
    try:
        while not done():
            async with asyncio.timeout(PATIENCE):
                await changed.wait()
            await asyncio.sleep(REST)
            changed.clear()
            follower.take()
    except TimeoutError:
        raise RuntimeError(f"nothing has changed for {PATIENCE:.0f} s") from None
    finally:
        follower.close()


async def create(store: Store, resource: str, objects: list[Object]) -> None:
    """Create objects, many in each proposal."""
    for first in range(0, len(objects), TOGETHER):
        part = objects[first : first + TOGETHER]
        for result in await store.write([Create(resource, obj) for obj in part]):
            if isinstance(result, Exception):
                raise result


def complete(store: Store, name: str, replicas: int) -> bool:
    """Tell whether a rollout is over by what ``kubectl rollout status`` looks at."""
    found = store.get(DEPLOYMENTS, "default", name)
    if found is None:
        return False
    status = status_of(found)
    return status.get("observedGeneration") == found["metadata"]["generation"] and all(
        status.get(field, 0) == replicas
        for field in ("replicas", "updatedReplicas", "availableReplicas")
    )


async def rollover(replicas: int, seed: int) -> tuple[float, float]:
    """Roll one Deployment over, 25 % and 25 %.

    Returns:
        Pods a second, and the microseconds of the loop's processor time for each pod.
    """
    async with cluster(max(3, replicas // 150), seed) as running:
        store = running.store
        await store.create(deployment(replicas), resource=DEPLOYMENTS, namespace="default")
        await until(store, [DEPLOYMENTS], lambda: complete(store, "web", replicas))
        began, used = time.perf_counter(), time.thread_time()

        def change(obj: Object) -> Object:
            template = obj["spec"]["template"]
            container = {**template["spec"]["containers"][0], "image": "web:2"}
            spec = {**template["spec"], "containers": [container]}
            return {**obj, "spec": {**obj["spec"], "template": {**template, "spec": spec}}}

        await store.modify(DEPLOYMENTS, "default", "web", change)
        await until(store, [DEPLOYMENTS], lambda: complete(store, "web", replicas))
        await until(store, ["pods"], lambda: len(store.list("pods", "default")) == replicas)
        seconds, used = time.perf_counter() - began, time.thread_time() - used
        images = {
            pod["spec"]["containers"][0]["image"]
            for pod in store.list("pods", "default")
            if status_of(pod).get("phase") == "Running"
        }
        if images != {"web:2"}:
            raise RuntimeError(f"wrong: pods of {images} run after the rollover")
        return replicas / seconds, used / replicas * 1e6


def _contents(objects: int) -> dict[str, list[Object]]:
    """Return what the namespace holds: a half ConfigMaps, Secrets, and pods of a Deployment."""

    def plain(kind: str, index: int) -> Object:
        metadata = {"name": f"{kind.lower()}-{index}", "namespace": "full"}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata}

    web = deployment(objects // 4)
    web = {**web, "metadata": {**web["metadata"], "namespace": "full"}}
    return {
        "configmaps": [plain("ConfigMap", at) for at in range(objects // 2)],
        "secrets": [plain("Secret", at) for at in range(objects // 4)],
        DEPLOYMENTS: [web],
    }


async def namespace_end(objects: int, seed: int) -> float:
    """Return the seconds from a namespace's deletion to its being gone with all it holds."""
    async with cluster(max(3, objects // 500), seed) as running:
        store = running.store
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "full"}}
        await store.create(space, resource="namespaces")
        for resource, found in _contents(objects).items():
            await create(store, resource, found)

        def settled() -> bool:
            pods = store.list("pods", "full")
            return len(pods) == objects // 4 and all(
                status_of(pod).get("phase") == "Running" for pod in pods
            )

        await until(store, ["pods"], settled)
        began = time.perf_counter()
        await store.delete("namespaces", "", "full")
        await until(store, ["namespaces"], lambda: store.get("namespaces", "", "full") is None)
        seconds = time.perf_counter() - began
        for resource in (*_contents(objects), "replicasets.apps", "pods"):
            if left := store.list(resource, "full"):
                raise RuntimeError(f"wrong: {len(left)} {resource} outlived their namespace")
        return seconds


async def writes(store: Store, pause: float) -> bool:
    """Tell whether anything is written within some seconds: Events of a burst take a while."""
    before = store.sequence
    await asyncio.sleep(pause)
    return store.sequence != before


async def idle(deployments: int, seconds: float, seed: int) -> tuple[float, float]:
    """Return the share of a core used at rest: of an empty cluster, and of one with Deployments."""
    shares = []
    for count in (0, deployments):
        async with cluster(max(3, deployments // 200), seed) as running:
            store = running.store
            many = [_idle(index) for index in range(count)]
            await create(store, DEPLOYMENTS, many)

            def settled(store: Store = store, count: int = count) -> bool:
                return all(
                    status_of(obj).get("availableReplicas") == 1
                    for obj in store.list(DEPLOYMENTS, "default")
                ) and (len(store.list(DEPLOYMENTS, "default")) == count)

            await until(store, [DEPLOYMENTS], settled)
            while await writes(store, min(3.0, seconds)):
                pass
            used = time.process_time()
            await asyncio.sleep(seconds)
            shares.append(100 * (time.process_time() - used) / seconds)
    return shares[0], shares[1]


async def autoscaled(autoscalers: int, period: float, seed: int) -> float:
    """Return the share of a core that autoscalers of ten pods each use which have nothing to do."""
    async with cluster(max(3, autoscalers // 20), seed, sync_period=period) as running:
        store = running.store
        await create(store, DEPLOYMENTS, [_idle(index, 10) for index in range(autoscalers)])
        await create(store, AUTOSCALERS, [_autoscaler(index) for index in range(autoscalers)])

        def settled() -> bool:
            found = store.list(AUTOSCALERS, "default")
            return len(found) == autoscalers and all(
                status_of(obj).get("currentMetrics") for obj in found
            )

        await until(store, [AUTOSCALERS], settled)
        await asyncio.sleep(2 * period)
        used = time.process_time()
        await asyncio.sleep(period)
        return 100 * (time.process_time() - used) / period


def _autoscaler(index: int) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"idle-{index}"}
    cpu = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1m"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"idle-{index}", "namespace": "default"},
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 10,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def _idle(index: int, replicas: int = 1) -> Object:
    made = deployment(replicas)
    name = f"idle-{index}"
    labels = {"app": name}
    template = {**made["spec"]["template"], "metadata": {"labels": labels}}
    spec = {**made["spec"], "selector": {"matchLabels": labels}, "template": template}
    return {**made, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def run(work: Any) -> Any:
    """Run a measurement on the daemon's kind of loop."""
    with as_the_daemon(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def main() -> None:
    """Measure and print."""
    arguments = options("Controllers at work and at rest.").parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    tiny, seed = arguments.tiny, arguments.seed
    report = Report(benchmark="controllers", seed=seed, tiny=tiny)
    replicas = 100 if tiny else 10_000
    speed, used = run(rollover(replicas, seed))
    note = f"the loop's processor time: {used:.0f} us a pod"
    name = f"rollover of {replicas} pods, 25 %/25 %"
    report.add(name, speed, "pods/s", target=3000, note=note)
    objects = 200 if tiny else 10_000
    seconds = run(namespace_end(objects, seed))
    name = f"end of a namespace with {objects} objects"
    report.add(name, seconds, "s", target=5.0, at_least=False)
    count = 50 if tiny else 10_000
    empty, full = run(idle(count, 0.3 if tiny else 10.0, seed))
    report.add("empty cluster at rest", empty, "% of a core")
    name = f"{count} Deployments at rest"
    report.add(name, full, "% of a core", target=empty + 1.0, at_least=False)
    count = 10 if tiny else 1000
    share = run(autoscaled(count, 0.5 if tiny else 15.0, seed))
    name = f"{count} autoscalers of 10 pods each, a look every 15 s"
    report.add(name, share, "% of a core", target=10.0, at_least=False)
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
