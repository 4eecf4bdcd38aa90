"""Controllers and the scheduler sleep until there is something for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
import structlog

from actors import Actor, ActorSystem, Supervision
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator import Cluster
from orchestrator.cluster.dormant import Dormant, Waking
from orchestrator.controllers import ControllerConfig, controller_specs
from orchestrator.controllers.awaiting import AWAITED, SCHEDULER
from orchestrator.resources.kinds import registry
from orchestrator.scheduler.picture import FOLLOWED
from orchestrator.store import Store
from tests.embedded.kit import config_map, deployment, on_a_real_loop

FINALIZER = "batch.kubernetes.io/job-tracking"
EPHEMERAL = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}
SKIPPED = {"endpointslice.kubernetes.io/skip-mirror": "true"}
OURS = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
SLICED = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
MIRRORED = {"endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}
SLICES = "endpointslices.discovery.k8s.io"


def sleepers(cluster: Cluster) -> set[str]:
    """Return the names of those that sleep."""
    cells = cast("Any", cluster.core.system.walk())
    return {cell.name for cell in cells if isinstance(cell.actor, Dormant)}


@virtual
async def test_each_awaits_some_of_what_it_follows() -> None:
    """An object that wakes a controller which then does not look at it would be for nothing."""
    anything = cast("Any", object())
    settings = ControllerConfig(
        tokens=anything, sign=anything, authorizer=anything, egress=anything
    )
    async with ActorSystem() as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        specs = {spec.name: spec for spec in controller_specs(store, settings)}
        assert AWAITED.keys() <= specs.keys()
        for name, awaited in AWAITED.items():
            assert specs[name].awaited is awaited
            followed = cast("Any", specs[name].factory()).resources
            assert awaited.keys() <= set(followed), name
        assert set(specs) - set(AWAITED) == {
            "api-services",
            "clusterrole-aggregation",
            "garbage-collector",
            "namespace",
            "namespace-defaults",
            "node-lifecycle",
        }
    assert SCHEDULER.keys() <= set(FOLLOWED)


@pytest.mark.parametrize(
    ("name", "resource", "obj", "wakes"),
    [
        ("job", "pods", {"metadata": {"finalizers": [FINALIZER]}}, True),
        ("job", "pods", {"metadata": {"finalizers": ["mine.example/wait"]}}, False),
        ("job", "pods", {"metadata": {}}, False),
        ("job", "jobs.batch", {"metadata": {}}, True),
        ("disruption", "pods", {"metadata": {}, "status": DISRUPTED}, True),
        ("disruption", "pods", {"metadata": {}}, False),
        ("ephemeral-volume", "pods", {"spec": {"volumes": [EPHEMERAL]}}, True),
        ("ephemeral-volume", "pods", {"spec": {"volumes": [{"name": "v"}]}}, False),
        ("ephemeral-volume", "pods", {"spec": {}}, False),
        ("taint-eviction", "nodes", {"spec": {"taints": [{"effect": "NoExecute"}]}}, True),
        ("taint-eviction", "nodes", {"spec": {"taints": [{"effect": "NoSchedule"}]}}, False),
        ("taint-eviction", "nodes", {"spec": {}}, False),
        ("endpoints", "services", {"spec": {"selector": {"app": "web"}}}, True),
        ("endpoints", "services", {"spec": {}}, False),
        ("endpoints", "endpoints", {"metadata": {"labels": OURS}}, True),
        ("endpoints", "endpoints", {"metadata": {"labels": SKIPPED}}, False),
        ("endpoints", SLICES, {"metadata": {"labels": SLICED}}, True),
        ("endpoints", SLICES, {"metadata": {"labels": MIRRORED}}, False),
        ("endpoints-mirroring", "endpoints", {"metadata": {}}, True),
        ("endpoints-mirroring", "endpoints", {"metadata": {"labels": SKIPPED}}, False),
        ("endpoints-mirroring", SLICES, {"metadata": {"labels": MIRRORED}}, True),
        ("endpoints-mirroring", SLICES, {"metadata": {"labels": SLICED}}, False),
    ],
)
def test_some_objects_of_a_kind_concern_nobody(
    name: str, resource: str, obj: dict[str, Any], wakes: bool
) -> None:
    """Those that every cluster has, above all, and pods that are nothing special."""
    assert bool(AWAITED[name][resource](obj)) is wakes


@on_a_real_loop
async def test_an_empty_cluster_has_woken_nobody_and_a_rollout_wakes_whom_it_concerns() -> None:
    """They are all there by name."""
    async with Cluster(nodes=2, listen=None) as cluster:
        await cluster.clock.advance(60)
        asleep = sleepers(cluster)
        assert asleep == {*AWAITED, "scheduler"} & set(cluster.faults.controllers)
        await cluster.apply(config_map())
        await cluster.clock.advance(60)
        assert sleepers(cluster) == asleep
        await cluster.apply(deployment())
        await cluster.wait("deployment/web", "Available", timeout=60)
        woken = asleep - sleepers(cluster)
        assert woken == {"deployment", "replicaset", "scheduler", "pod-collector"}


@on_a_real_loop
async def test_what_there_is_at_a_start_wakes_at_once() -> None:
    """As after a failure of the machine: the log is read, and the controllers go on."""
    async with Cluster(nodes=2, listen=None) as cluster:
        await cluster.apply(deployment())
        await cluster.faults.restart()
        await cluster.wait("deployment/web", "Available", timeout=60)
        assert "deployment" not in sleepers(cluster)
        assert "cronjob" in sleepers(cluster)


@on_a_real_loop
async def test_a_sleeper_that_is_crashed_sleeps_on_and_still_wakes() -> None:
    """Its supervisor makes another one."""
    async with Cluster(nodes=2, listen=None) as cluster:
        cluster.faults.crash_controller("deployment")
        await cluster.clock.advance(5)
        assert "deployment" in sleepers(cluster)
        await cluster.apply(deployment())
        await cluster.wait("deployment/web", "Available", timeout=60)
        cluster.faults.crash_controller("deployment")
        await cluster.apply(deployment(replicas=3))
        await cluster.wait("deployment/web", "rollout", timeout=60)
        assert len(await cluster.api.list("pods")) == 3


@virtual
async def test_what_an_earlier_life_was_told_is_no_matter() -> None:
    """One that crashes with a message in its mailbox does not fail a second time over it."""

    class World:
        there: ClassVar[list[Any]] = []

        def each(self, _: str) -> list[Any]:
            return self.there

        def follow(self, _: Any, notify: Callable[[], None]) -> Any:
            self.notify = notify
            return SimpleNamespace(close=lambda: None)

    class Awake(Actor[Any]):
        def receive(self, message: Any) -> None:
            raise AssertionError(f"{message} is none of its own")

    world = World()
    async with ActorSystem() as system:
        awaited = {"pods": lambda _: True}
        ref = system.spawn(
            lambda: Dormant(cast("Any", world), awaited, Awake),
            "sleeper",
            supervision=Supervision(max_restarts=9),
        )
        await asyncio.sleep(0)
        world.there.append({})
        world.notify()
        ref.tell(cast("Any", "what the other one was to do"))
        system.crash(ref, RuntimeError("killed"))
        await asyncio.sleep(5)
        assert isinstance(cast("Any", ref).actor, Awake)
        assert ref.statistics().restarts == 1


@on_a_real_loop
async def test_who_slept_does_what_it_would_have_done_awake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names are drawn by address, so that the same pods come of it, on the same nodes."""

    async def live() -> Any:
        async with Cluster(nodes=3, listen=None, seed=5, epoch=1_800_000_000) as cluster:
            await cluster.apply(deployment(replicas=4))
            await cluster.wait("deployment/web", "rollout", timeout=60)
            pods = await cluster.api.list("pods")
            found = [(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in pods]
            return sleepers(cluster), sorted(found)

    asleep, slept = await live()
    monkeypatch.setattr("orchestrator.controllers.specs.AWAITED", {})
    still_asleep, awake = await live()
    assert "job" in asleep
    assert still_asleep == set()
    assert slept == awake


@on_a_real_loop
async def test_one_that_crashes_as_it_is_woken_looks_at_what_there_is() -> None:
    """What it was told before is not for the one that comes after it."""
    async with Cluster(listen=None, nodes=0) as cluster:
        cells = cast("Any", cluster.core.system.walk())
        (sleeper,) = (cell for cell in cells if cell.name == "deployment")
        sleeper.tell(Waking.CHANGED)
        with structlog.testing.capture_logs() as logs:
            cluster.faults.crash_controller("deployment")
            await cluster.apply(deployment(replicas=0))
            await cluster.wait("deployment/web", "rollout")
        failed = [entry for entry in logs if entry["log_level"] == "error"]
        assert len(failed) == 1, failed  # the crash itself
