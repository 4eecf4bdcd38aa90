"""Claims in a whole cluster: its default class, its scheduler, its provisioner."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from actors.testing import virtual
from orchestrator.cluster import BareCluster, ClusterConfig

CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}


@virtual
async def test_a_pod_with_a_claim_runs_at_once() -> None:
    """If not set, the cluster's default StorageClass is used; nothing is written to the disk.

    https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/#defaulting-behavior
    """
    async with BareCluster(ClusterConfig(runtime="simulated", nodes=2)) as cluster:
        store = cluster.store
        await store.create(CLAIM, resource="persistentvolumeclaims", namespace="default")
        await store.create(POD, resource="pods", namespace="default")
        await asyncio.sleep(2)
        found = store.get("pods", "default", "p")
        assert found is not None
        assert found["status"]["phase"] == "Running"
        (volume,) = store.list("persistentvolumes")
        assert volume["status"]["phase"] == "Bound"
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"][0]["values"] == [found["spec"]["nodeName"]]
        assert not Path(volume["spec"]["hostPath"]["path"]).parent.exists()
        await store.delete("persistentvolumeclaims", "default", "data")
        await asyncio.sleep(2)
        assert store.get("persistentvolumeclaims", "default", "data") is not None
        await store.delete("pods", "default", "p")
        await asyncio.sleep(60)
        assert store.list("persistentvolumeclaims") == []
        assert store.list("persistentvolumes") == []


@virtual
async def test_the_default_class_is_the_users_to_change(tmp_path: Path) -> None:
    """You can change the default StorageClass by removing the default attribute from it.

    https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
    """
    config = ClusterConfig(runtime="simulated", nodes=1, data_dir=tmp_path)
    resource = "storageclasses.storage.k8s.io"

    def change(now: dict[str, Any]) -> dict[str, Any]:
        return {**now, "metadata": {**now["metadata"], "annotations": {}}}

    async with BareCluster(config) as cluster:
        await cluster.store.modify(resource, "", "local-path", change)
    async with BareCluster(config) as cluster:
        (found,) = cluster.store.list(resource)
        assert found["metadata"]["annotations"] == {}


@virtual
async def test_a_stateful_set_keeps_its_claims() -> None:
    """The Pods get Ready in order, each with its own volume, and find it again when they return.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage
    """
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    template = {"metadata": {"name": "data"}, "spec": CLAIM["spec"]}
    stateful = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "replicas": 3,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
            "volumeClaimTemplates": [template],
        },
    }
    async with BareCluster(ClusterConfig(runtime="simulated", nodes=2)) as cluster:
        store = cluster.store
        await store.create(stateful, resource="statefulsets.apps", namespace="default")
        await asyncio.sleep(10)
        found = store.get("statefulsets.apps", "default", "db")
        assert found is not None
        assert found["status"]["readyReplicas"] == 3
        claims = {c["metadata"]["name"]: c for c in store.list("persistentvolumeclaims")}
        assert sorted(claims) == ["data-db-0", "data-db-1", "data-db-2"]
        volumes = {name: c["spec"]["volumeName"] for name, c in claims.items()}
        assert len(set(volumes.values())) == 3
        before = store.get("pods", "default", "db-1")
        assert before is not None
        await store.delete("pods", "default", "db-1")
        await asyncio.sleep(10)
        after = store.get("pods", "default", "db-1")
        assert after is not None
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after["status"]["phase"] == "Running"
        assert after["spec"]["nodeName"] == before["spec"]["nodeName"]
        kept = store.get("persistentvolumeclaims", "default", "data-db-1")
        assert kept is not None
        assert kept["spec"]["volumeName"] == volumes["data-db-1"]
