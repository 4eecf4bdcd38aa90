"""The kopf operator of `docs/examples/operators/database`, on a loop of virtual time.

Everything that kopf waits for passes as the cluster's time does: intervals of timers, delays of
retries, the pauses of a daemon. Nothing of the operator is changed or mocked: `kopf_operator` leads
it to the cluster's socket and shows it the cluster's clock. What is expected is exact.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf

from actors.testing import virtual
from orchestrator import Cluster
from orchestrator.testing import kopf_operator, lightkube_client
from tests.operators.kit import EPOCH, EXAMPLES, since_epoch

OPERATOR = EXAMPLES / "database" / "ephemeral_databases.py"
ORDERS = EXAMPLES / "database" / "orders.yaml"
HOUR = 3600.0


class Operator:
    """Runs of the operator beside a cluster on the same loop."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it from one end of the block to the other; what fails for good fails the test."""
        async with lightkube_client(self.cluster, field_manager="databases") as client:
            memo = kopf.Memo(client=client)
            async with kopf_operator(self.cluster, OPERATOR, memo=memo):
                yield


@contextlib.asynccontextmanager
async def databases(directory: Path, **database: float) -> AsyncIterator[tuple[Cluster, Operator]]:
    """Start a cluster that knows the kind; its databases take so long to be ready."""
    socket = directory / "api.sock"
    async with Cluster(time="auto", listen=socket, epoch=EPOCH, seed=1) as cluster:
        cluster.image("busybox:1.36", run_seconds=25)  # backups
        cluster.image("postgres:17", **database)  # type: ignore[arg-type] # seconds
        await cluster.apply(EXAMPLES / "database" / "crd.yaml")
        yield cluster, Operator(cluster)


async def order(cluster: Cluster, replicas: int = 1) -> None:
    """Ask for a database."""
    spec = {"replicas": replicas, "image": "postgres:17"}
    head = {"apiVersion": "data.example.com/v1", "kind": "EphemeralDatabase"}
    await cluster.apply({**head, "metadata": {"name": "orders"}, "spec": spec})


def rotations(cluster: Cluster) -> list[float]:
    """Return when the password was changed, in seconds since the beginning."""
    return [
        since_epoch(revision.time)
        for revision in cluster.history("secret/orders")
        if any(field.path == "data.password" for field in revision.fields)
    ]


def states(cluster: Cluster, *field: str) -> list[tuple[float, str]]:
    """Return when a field of the database's status changed, and to what."""
    found: list[tuple[float, str]] = []
    for revision in cluster.history("edb/orders"):
        value: Any = revision.object.get("status", {})
        for name in field:
            value = value.get(name)
        if value is not None and (not found or found[-1][1] != value):
            found.append((since_epoch(revision.time), value))
    return found


@virtual
async def test_a_database_is_ready_when_its_pods_are_and_its_password_changes_each_hour(
    tmp_path: Path,
) -> None:
    """The handler is tried again every ten seconds; the timer strikes on the second."""
    async with databases(tmp_path, ready_seconds=25) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(2 * HOUR + 60)
        assert states(cluster, "phase") == [(0, "Creating"), (30, "Ready")]
        assert states(cluster, "health") == [(30, "Healthy")]
        assert rotations(cluster) == [HOUR, 2 * HOUR]
        found = await cluster.api.get("edb", "orders")
        assert found["status"]["rotations"] == 2
        assert found["status"]["host"] == "orders.default.svc"
        for kind in ("secret", "service", "statefulset"):
            child = await cluster.api.get(kind, "orders")
            assert child["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]


@virtual
async def test_what_the_api_refuses_is_done_after_the_backoff(tmp_path: Path) -> None:
    """A 409 and a 500 make the hour's password twenty seconds late, and no later hour's."""
    async with databases(tmp_path) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(60)
        with (
            cluster.faults.api(verb="patch", kind="secrets", error=409, times=1) as conflict,
            cluster.faults.api(verb="patch", kind="secrets", error=500, times=1) as failure,
        ):
            await asyncio.sleep(2 * HOUR)
        assert (conflict.hits, failure.hits) == (1, 1)
        assert rotations(cluster) == [HOUR + 20, 2 * HOUR + 20]


@virtual
async def test_an_order_is_heard_though_its_watch_was_cut(tmp_path: Path) -> None:
    """The operator watches again, and finds what has changed meanwhile."""
    async with databases(tmp_path) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(60)
        with cluster.faults.api(kind="edb", drop_watch=True, times=1) as cut:
            await cluster.api.patch("edb", "orders", {"spec": {"replicas": 3}})
            await asyncio.sleep(60)
        assert cut.hits == 1
        found = await cluster.api.get("statefulset", "orders")
        assert found["status"]["readyReplicas"] == 3


@virtual
async def test_a_database_is_called_degraded_after_three_bad_looks(tmp_path: Path) -> None:
    """Not after two; and healthy again with the first good one."""
    async with databases(tmp_path) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(45)
        for node in await cluster.api.list("nodes"):
            await cluster.api.patch(
                "node", node["metadata"]["name"], {"spec": {"unschedulable": True}}
            )
        await cluster.api.delete("pod", "orders-0")
        await asyncio.sleep(300)
        for node in await cluster.api.list("nodes"):
            await cluster.api.patch(
                "node", node["metadata"]["name"], {"spec": {"unschedulable": None}}
            )
        await asyncio.sleep(300)
        assert states(cluster, "health") == [(30, "Healthy"), (120, "Degraded"), (360, "Healthy")]


@virtual
async def test_a_database_goes_only_when_its_backup_is_made(tmp_path: Path) -> None:
    """The finalizer holds it for the Job's 25 seconds; the Job's own life ends a day later."""
    async with databases(tmp_path) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(60)
        await cluster.api.delete("edb", "orders")
        await asyncio.sleep(29)
        assert (await cluster.api.get("edb", "orders"))["status"]["phase"] == "BackingUp"
        assert await cluster.api.find("statefulset", "orders")
        await asyncio.sleep(2)
        assert await cluster.api.find("edb", "orders") is None
        assert await cluster.api.find("statefulset", "orders") is None
        (job,) = await cluster.api.list("jobs", labels="backup-of=orders")
        assert job["status"]["succeeded"] == 1
        await asyncio.sleep(24 * HOUR)
        assert await cluster.api.list("jobs") == []


@virtual
async def test_an_operator_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing is made twice; what was ordered or deleted in its absence is seen to."""
    async with databases(tmp_path) as (cluster, operator):
        async with operator.running():
            await order(cluster)
            await asyncio.sleep(60)
        before = await cluster.api.get("secret", "orders")
        await cluster.api.patch("edb", "orders", {"spec": {"replicas": 2}})
        await asyncio.sleep(HOUR)
        async with operator.running():
            await asyncio.sleep(60)
            assert await cluster.api.get("secret", "orders") == before
            assert (await cluster.api.get("statefulset", "orders"))["status"]["readyReplicas"] == 2
        await cluster.api.delete("edb", "orders")
        async with operator.running():
            await asyncio.sleep(60)
            assert await cluster.api.find("edb", "orders") is None


@virtual
async def test_a_database_on_a_dead_node_is_degraded_until_the_node_is_back(tmp_path: Path) -> None:
    """A StatefulSet makes no second pod of a name while nobody knows what became of the first.

    https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/
    """
    async with databases(tmp_path) as (cluster, operator), operator.running():
        await order(cluster)
        await asyncio.sleep(45)
        pod = await cluster.api.get("pod", "orders-0")
        node = cluster.nodes[pod["spec"]["nodeName"]]
        await node.crash()
        await asyncio.sleep(600)
        lost = await cluster.api.get("pod", "orders-0")
        assert lost["metadata"]["uid"] == pod["metadata"]["uid"]
        assert "deletionTimestamp" in lost["metadata"]
        await node.recover()
        await asyncio.sleep(120)
        again = await cluster.api.get("pod", "orders-0")
        assert again["metadata"]["uid"] != pod["metadata"]["uid"]
        # A node may be silent for 50 s: the first bad look is at 120 s, the third at 180 s.
        assert states(cluster, "health") == [(30, "Healthy"), (180, "Degraded"), (660, "Healthy")]
