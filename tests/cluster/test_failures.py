"""Parts of a running cluster fail; the rest goes on, or it ends with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actors import SystemFailed
from actors.testing import virtual
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.controllers.replicaset.actor import ReplicaSetController
from orchestrator.node.annotations import PREFIX
from orchestrator.node.pods import PodActor
from orchestrator.scheduler import Scheduler
from orchestrator.store.sequencer import Sequencer

SIMULATED = ClusterConfig(nodes=2, runtime="simulated", seed=1)


def deployment(name: str) -> dict[str, Any]:
    """Make a Deployment of three pods, each with an actor since it takes time to start."""
    labels = {"app": name}
    container = {"name": "c", "image": "image"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {f"{PREFIX}start-seconds": "1"}},
                "spec": {"containers": [container]},
            },
        },
    }


async def deploy(cluster: BareCluster, name: str) -> None:
    """Create a Deployment and wait until all its pods run, for an hour at most."""
    await cluster.store.create(deployment(name), resource="deployments.apps", namespace="default")
    for _ in range(3600):
        pods = [pod for pod in cluster.store.list("pods") if pod["metadata"]["name"] > name]
        if [pod["status"]["phase"] for pod in pods].count("Running") == 3:
            return
        await asyncio.sleep(1)
    pytest.fail(f"the pods of {name} do not run")


def failing(times: int) -> tuple[Callable[[Any], Callable[..., Any]], list[int]]:
    """Return what makes a method fail that many times, and the list it counts in."""
    count: list[int] = []

    def wrap(method: Any) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            if len(count) < times:
                count.append(1)
                raise RuntimeError("injected")
            return method(*args)

        return wrapped

    return wrap, count


@pytest.mark.parametrize(
    ("part", "method"),
    [
        (Scheduler, "_list"),
        (ReplicaSetController, "_relist"),
        (PodActor, "_reconcile"),
    ],
)
def test_what_fails_again_and_again_is_tried_until_it_works(
    monkeypatch: pytest.MonkeyPatch, part: type[Any], method: str
) -> None:
    """More often than any limit would allow; the cluster goes on and arrives."""

    @virtual
    async def scenario() -> None:
        wrap, count = failing(25)
        monkeypatch.setattr(part, method, wrap(getattr(part, method)))
        async with BareCluster(SIMULATED) as cluster:
            await deploy(cluster, "web")
            assert len(count) == 25
            assert cluster.system.failure is None

    scenario()


def test_a_store_that_cannot_go_on_ends_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, instead of limping on."""

    @virtual
    async def scenario() -> None:
        cluster = BareCluster(SIMULATED)
        await cluster.start()
        monkeypatch.setattr(
            Sequencer, "receive_batch", failing(1 << 30)[0](Sequencer.receive_batch)
        )
        with pytest.raises(asyncio.CancelledError):
            await deploy_for_ever(cluster)
        with pytest.raises(SystemFailed) as caught:
            await cluster.stop()
        assert str(caught.value.__cause__) == "injected"

    scenario()


async def deploy_for_ever(cluster: BareCluster) -> None:
    """Write until the cluster gives up."""
    while True:
        try:
            await deploy(cluster, "web")
        except Exception:  # noqa: BLE001 - each write fails
            await asyncio.sleep(1)
