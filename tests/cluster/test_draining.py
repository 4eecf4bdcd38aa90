"""Draining nodes of a whole simulated cluster as ``kubectl drain`` does.

https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/
"""

from __future__ import annotations

import asyncio
from typing import Any

from actors.testing import virtual
from orchestrator.api._evicting import Evictions
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.conditions import find_condition, is_condition_true
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import is_deleting
from orchestrator.store import DeleteOptions
from orchestrator.store.admission import Caller

Object = dict[str, Any]

DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 6,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [{"name": "main", "image": "web"}],
            },
        },
    },
}
BUDGET: Object = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web"},
    "spec": {"minAvailable": 5, "selector": {"matchLabels": {"app": "web"}}},
}


def healthy(cluster: BareCluster) -> int:
    """Count the pods that a budget counts."""
    return sum(
        is_condition_true(pod, "Ready") and not is_deleting(pod)
        for pod in cluster.store.list("pods")
    )


async def drain(cluster: BareCluster, node: str) -> int:
    """Cordon a node and evict its pods at once, again every five seconds; return the refusals."""
    store, evictions, refused = cluster.store, Evictions(cluster.store), 0
    await store.modify(
        "nodes", "", node, lambda old: {**old, "spec": {**old["spec"], "unschedulable": True}}
    )

    async def evict(pod: Object) -> bool:
        try:
            await evictions.evict(
                "default", pod["metadata"]["name"], DeleteOptions(), Caller(), dry_run=False
            )
        except StatusError as error:
            if error.code not in {404, 429}:
                raise
            return error.code == 404
        return True

    while pods := [pod for pod in store.by_node(node) if not is_deleting(pod)]:
        done = await asyncio.gather(*map(evict, pods))
        refused += done.count(False)
        await asyncio.sleep(5)
    while store.by_node(node):
        await asyncio.sleep(1)
    return refused


@virtual
async def test_two_drains_at_once_respect_a_budget_and_end() -> None:
    """Multiple drains can run at once; all of them respect the budget together."""
    config = ClusterConfig(nodes=3, runtime="simulated", seed=3)
    async with BareCluster(config) as cluster:
        store = cluster.store
        await store.create(DEPLOYMENT, resource="deployments.apps", namespace="default")
        await store.create(BUDGET, resource="poddisruptionbudgets.policy", namespace="default")
        while healthy(cluster) < 6:
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        fewest = 6
        marks: set[str | None] = set()

        def look() -> None:
            nonlocal fewest
            follower.take(10_000)
            fewest = min(fewest, healthy(cluster))
            for pod in store.list("pods"):
                condition = find_condition(pod, "DisruptionTarget")
                if is_deleting(pod):
                    marks.add((condition or {}).get("reason"))

        follower = store.follow(["pods"], look)
        nodes = [node["metadata"]["name"] for node in store.list("nodes")]
        refused = await asyncio.gather(*(drain(cluster, node) for node in nodes[:2]))
        follower.close()
        assert sum(refused) > 0, "all of six pods were never on the third node"
        assert fewest == 5
        assert marks == {"EvictionByEvictionAPI"}
        while healthy(cluster) < 6:
            await asyncio.sleep(1)
        assert {pod["spec"]["nodeName"] for pod in store.list("pods")} == {nodes[2]}
        await asyncio.sleep(1)
        budget = store.get("poddisruptionbudgets.policy", "default", "web") or {}
        assert budget["status"]["disruptionsAllowed"] == 1
        assert "disruptedPods" not in budget["status"]
