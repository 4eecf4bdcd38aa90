"""A whole cluster inside a test: simulated, in virtual time, and the same again for a seed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.cluster.cluster import seed_of_life
from orchestrator.node.sessions import ExecRequest, SessionError
from orchestrator.node.simulated_commands import Invocation
from orchestrator.node.simulated_ports import Visit

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "web"}]},
        },
    },
}


def config(**options: Any) -> ClusterConfig:
    """A small simulated cluster."""
    return ClusterConfig(runtime="simulated", nodes=2, **options)


async def history_of(seed: int | None) -> list[dict[str, Any]]:
    """Live for an hour; return all that is there in the end."""
    async with BareCluster(config(seed=seed)) as cluster:
        await cluster.store.create(DEPLOYMENT, resource="deployments.apps", namespace="default")
        await asyncio.sleep(10)
        await cluster.kill_node("node-1")
        await asyncio.sleep(3600)
        kinds = cluster.store.registry.kinds()
        return [obj for kind in kinds for obj in cluster.store.list(kind.resource)]


@virtual
async def test_a_deployment_comes_up_inside_a_test() -> None:
    """With the product's own scheduler, controllers and nodes, and no sockets."""
    async with BareCluster(config()) as cluster:
        store = cluster.store
        await store.create(DEPLOYMENT, resource="deployments.apps", namespace="default")
        await asyncio.sleep(1)
        found = store.get("deployments.apps", "default", "web")
        assert found is not None
        assert found["status"]["availableReplicas"] == 3


@virtual
async def test_the_schedulers_profiles_are_configured() -> None:
    """Pods that name none of them wait for another scheduler."""
    profiles = [{"schedulerName": "default-scheduler"}, {"schedulerName": "second"}]
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": profiles,
    }
    async with BareCluster(config(scheduler=document)) as cluster:
        for name in ("default-scheduler", "second", "third"):
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {
                    "schedulerName": name,
                    "containers": [{"name": "main", "image": "web"}],
                },
            }
            await cluster.store.create(pod, resource="pods", namespace="default")
        await asyncio.sleep(5)
        pods = cluster.store.list("pods")
        placed = {pod["metadata"]["name"] for pod in pods if pod["spec"].get("nodeName")}
        assert placed == {"default-scheduler", "second"}


@virtual
async def test_a_dead_node_is_replaced_without_waiting() -> None:
    """Minutes of grace and tolerations pass in no time."""
    async with BareCluster(config(seed=1)) as cluster:
        store = cluster.store
        await store.create(DEPLOYMENT, resource="deployments.apps", namespace="default")
        await asyncio.sleep(1)
        await cluster.kill_node("node-1")
        await asyncio.sleep(600)
        pods = [pod for pod in store.list("pods") if "deletionTimestamp" not in pod["metadata"]]
        assert [pod["spec"]["nodeName"] for pod in pods] == ["node-2"] * 3


def test_a_seed_gives_the_same_cluster_again() -> None:
    """Names, uids, placements, times: the whole content is equal."""
    first, second = (run_virtual(history_of(7), seed=7) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_cluster() -> None:
    """At least the uids differ."""
    assert run_virtual(history_of(7), seed=7) != run_virtual(history_of(8), seed=8)


def test_a_seeded_cluster_gives_out_no_uid_twice(tmp_path: Path) -> None:
    """Not even after a restart, when its generator begins anew."""

    async def live(name: str) -> list[str]:
        async with BareCluster(config(seed=1, data_dir=tmp_path)) as cluster:
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await cluster.store.create(space, resource="namespaces")
            await asyncio.sleep(1)
            objects = cluster.store._projection.objects.values()
            return [obj["metadata"]["uid"] for obj in objects]

    first = run_virtual(live("one"))
    second = run_virtual(live("two"))
    assert set(first) < set(second)
    assert len(second) == len(set(second))


def test_the_first_life_has_the_seed_that_was_asked_for() -> None:
    """Later ones have seeds of their own; no seed stays no seed."""
    assert seed_of_life(7, 0) == 7
    assert seed_of_life(None, 12) is None
    assert len({seed_of_life(7, sequence) for sequence in range(100)}) == 100


@virtual
async def test_functions_answer_for_simulated_containers() -> None:
    """Commands and connections reach functions of the program that embeds the cluster."""

    async def version(asked: Invocation) -> int:
        await asked.stdout.write(f"{asked.of.container} 1.2\n".encode())
        return 0

    async def hello(visit: Visit) -> None:
        await visit.outgoing.write(f"hello from {visit.port}".encode())

    answering = config(
        simulated_program=lambda asked: version(asked) if asked.command == ("version",) else None,
        simulated_server=lambda visit: hello(visit) if visit.port == 80 else None,
    )
    async with BareCluster(answering) as cluster:
        pod = await cluster.store.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            },
            resource="pods",
            namespace="default",
        )
        await asyncio.sleep(1)
        identity = cluster.sessions.find(pod, "c")
        session = await cluster.sessions.execute(identity, ExecRequest(command=("version",)))
        assert session.stdout is not None
        assert await session.stdout.read() == b"c 1.2\n"
        assert await session.wait() == 0
        await session.close()
        connection = await cluster.sessions.connect(pod, 80)
        assert await connection.read() == b"hello from 80"
        await connection.close()
        with pytest.raises(SessionError, match="connection refused"):
            await cluster.sessions.connect(pod, 81)
