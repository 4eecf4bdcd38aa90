"""Simulated pods wait for what their volumes name, as on any cluster.

https://kubernetes.io/docs/concepts/configuration/configmap/#using-configmaps-as-files-from-a-pod
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.node import simulated_node
from orchestrator.resources.objects import Object

CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
    "volumeName": "pv",
    "storageClassName": "",
}
VOLUME = {
    "capacity": {"storage": "1Gi"},
    "accessModes": ["ReadWriteOnce"],
    "csi": {"driver": "d", "volumeHandle": "h"},
}


async def put(cluster: Any, resource: str, kind: str, name: str, **body: Any) -> None:
    """Make an object."""
    metadata = {"name": name}
    namespace = "" if resource == "persistentvolumes" else "default"
    if namespace:
        metadata["namespace"] = namespace
    whole = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}
    await cluster.store.create(whole, resource=resource, namespace=namespace)


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (
            {"configMap": {"name": "settings"}},
            'MountVolume.SetUp failed for volume "v" : configmap "settings" not found',
        ),
        (
            {"secret": {"secretName": "key"}},
            'MountVolume.SetUp failed for volume "v" : secret "key" not found',
        ),
        (
            {"projected": {"sources": [{"configMap": {"name": "settings"}}]}},
            'MountVolume.SetUp failed for volume "v" : configmap "settings" not found',
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            (
                "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], "
                "failed to process volumes=[v]: error processing PVC default/data: failed to fetch "
                'PVC from API server: persistentvolumeclaims "data" not found'
            ),
        ),
    ],
    ids=["configMap", "secret", "projected", "claim"],
)
async def test_a_pod_without_what_its_volume_names_stays_in_container_creating(
    clusters: Any, simulated: Any, volume: Object, message: str
) -> None:
    """With FailedMount, and runs as soon as the object is there."""
    async with clusters(simulated(), [simulated_node(1)]) as cluster:
        await cluster.run("web", volumes=[{"name": "v", **volume}])
        await cluster.until(lambda: cluster.state("web")[0] == "waiting")
        assert cluster.state("web")[1] == {"reason": "ContainerCreating"}
        assert cluster.pod("web")["status"]["phase"] == "Pending"
        assert cluster.events.messages("web", "FailedMount") == [message]
        await put(cluster, "configmaps", "ConfigMap", "settings", data={})
        await put(cluster, "secrets", "Secret", "key", data={})
        await put(cluster, "persistentvolumes", "PersistentVolume", "pv", spec=VOLUME)
        await put(cluster, "persistentvolumeclaims", "PersistentVolumeClaim", "data", spec=CLAIM)
        claim = cluster.store.get("persistentvolumeclaims", "default", "data")
        await cluster.store.update(
            {**claim, "status": {"phase": "Bound"}},
            resource="persistentvolumeclaims",
            namespace="default",
            name="data",
            subresource="status",
        )
        await cluster.until_running("web")
        # One that comes when everything is there rests from the start.
        await cluster.run("next", volumes=[{"name": "v", **volume}])
        await cluster.until_running("next")
        assert cluster.events.messages("next", "FailedMount") == []


async def test_optional_and_local_volumes_keep_nobody_waiting(
    clusters: Any, simulated: Any
) -> None:
    """A missing ConfigMap that is optional is an empty volume; an emptyDir names nothing."""
    volumes = [
        {"name": "a", "configMap": {"name": "none", "optional": True}},
        {"name": "b", "emptyDir": {}},
        {"name": "c", "hostPath": {"path": "/no/such/path", "type": "Directory"}},
    ]
    async with clusters(simulated(), [simulated_node(1)]) as cluster:
        await cluster.run("web", volumes=volumes)
        await cluster.until_running("web")


async def test_a_pod_that_waits_for_a_volume_can_be_deleted(clusters: Any, simulated: Any) -> None:
    """At once: nothing of it runs."""
    async with clusters(simulated(), [simulated_node(1)]) as cluster:
        await cluster.run("web", volumes=[{"name": "v", "configMap": {"name": "none"}}])
        await cluster.until(lambda: cluster.state("web")[0] == "waiting")
        await cluster.store.delete("pods", "default", "web")
        await cluster.until_gone("web")
