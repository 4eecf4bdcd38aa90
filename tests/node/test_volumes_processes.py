"""Volumes of pods that are processes: mounted, or at a documented path; kept, renewed, taken away.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem
from orchestrator.node import ProcessConfig, ProcessRuntime, process_node
from orchestrator.node.commands import run_command
from orchestrator.node.process.supervisor.mounting import probe
from orchestrator.node.volumes import VolumeDirectories
from orchestrator.resources.objects import Object

needs_mounts = pytest.mark.skipif(bool(probe("/tmp")), reason="no mount namespaces here")


@pytest.fixture(params=["mounted", "linked"])
async def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, clusters: Any
) -> AsyncIterator[tuple[Any, bool]]:
    """A node of real processes, with private mounts and without them."""
    mounted = request.param == "mounted"
    if mounted and probe(str(tmp_path)):
        pytest.skip("no mount namespaces here")
    async with _node(clusters, tmp_path, mounted=mounted) as cluster:
        yield cluster, mounted


@pytest.fixture
async def mounting(tmp_path: Path, clusters: Any) -> AsyncIterator[Any]:
    """A node of real processes with private mounts."""
    async with _node(clusters, tmp_path) as cluster:
        yield cluster


def _node(clusters: Any, directory: Path, *, mounted: bool = True, **options: Any) -> Any:
    def runtimes(system: ActorSystem) -> list[Any]:
        config = ProcessConfig(directory=directory / "process", private_mounts=mounted)
        return [ProcessRuntime(config, system.clock)]

    volumes = VolumeDirectories(directory / "mounts")
    return clusters(runtimes, [process_node(1, pods="127.251")], volumes=volumes, **options)


async def put(cluster: Any, resource: str, kind: str, name: str, **body: Any) -> None:
    """Make an object."""
    version = "v1"
    whole = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        **body,
    }
    if resource == "persistentvolumes":
        del whole["metadata"]["namespace"]
    namespace = "" if resource == "persistentvolumes" else "default"
    await cluster.store.create(whole, resource=resource, namespace=namespace)


async def replace(cluster: Any, resource: str, name: str, **body: Any) -> None:
    """Change an object."""
    found = cluster.store.get(resource, "default", name)
    await cluster.store.update({**found, **body}, resource=resource, namespace="default", name=name)


async def said(cluster: Any, name: str, script: str, container: str = "c") -> str:
    """Run a command in a pod's container and return what it says."""
    statuses = cluster.pod(name)["status"]["containerStatuses"]
    identity = next(item["containerID"] for item in statuses if item["name"] == container)
    result = await run_command(
        cluster.manager._runtimes["process"],
        identity.rpartition("/")[2],
        ("sh", "-c", script),
        clock=cluster.system.clock,
        seconds=10,
        limit=1 << 16,
    )
    return result.output.decode().strip()


def mount(name: str, path: str, **more: Any) -> Object:
    """Return an entry of volumeMounts."""
    return {"name": name, "mountPath": path, **more}


async def test_containers_share_what_their_pod_has_in_an_empty_directory(
    nodes: tuple[Any, bool], tmp_path: Path
) -> None:
    """And keep it when they are restarted; nothing is left of it or of its mount points after."""
    cluster, mounted = nodes
    at = "/no-such-directory/data" if mounted else "$ORCHESTRATOR_MOUNT_NO_SUCH_DIRECTORY_DATA"
    once = f"[ -e {at}/again ] || {{ touch {at}/again; exit 1; }}; touch {at}/up; sleep 300"
    containers = [
        {
            "name": name,
            "image": "i",
            "command": ["sh", "-c", script],
            "volumeMounts": [mount("data", "/no-such-directory/data")],
        }
        for name, script in (("c", once), ("d", "sleep 300"))
    ]
    await cluster.run(
        "web",
        containers=containers,
        terminationGracePeriodSeconds=1,
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    await cluster.until(
        lambda: (
            cluster.status("web").get("restartCount") == 1 and cluster.state("web")[0] == "running"
        )
    )
    while "up" not in (seen := await said(cluster, "web", f"ls {at}", "d")):
        await asyncio.sleep(0.02)
    assert set(seen.split()) == {"again", "up"}
    assert not Path("/no-such-directory").exists()
    reasons = cluster.events.reasons("web")
    told = "VolumesMounted" if mounted else "VolumesNotMounted"
    assert reasons.count(told) == 1
    uid = cluster.pod("web")["metadata"]["uid"]
    assert (tmp_path / "mounts" / uid / "volumes" / "data").stat().st_mode & 0o777 == 0o777
    await cluster.store.delete("pods", "default", "web")
    await cluster.until_gone("web")
    assert not (tmp_path / "mounts" / uid).exists()


async def test_files_of_config_maps_and_secrets_change_with_them_but_not_in_sub_paths(
    nodes: tuple[Any, bool],
) -> None:
    """All files of a volume at once, and read-only; a sub path keeps what it was mounted with."""
    cluster, mounted = nodes
    await put(cluster, "configmaps", "ConfigMap", "settings", data={"color": "red", "old": "x"})
    await put(cluster, "secrets", "Secret", "key", data={"token": "c2VjcmV0"})
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
        {
            "name": "pod",
            "downwardAPI": {
                "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
            },
        },
    ]
    mounts = [
        mount("settings", "/etc/settings"),
        mount("settings", "/etc/settings-color", subPath="color"),
        mount("key", "/etc/key"),
        mount("pod", "/etc/pod-information"),
    ]
    container = {"volumeMounts": mounts}
    await cluster.run("web", "sleep", "300", container=container, volumes=volumes)
    await cluster.until_running("web")
    root = "" if mounted else "$ORCHESTRATOR_ROOT"
    read = f"cd {root}/etc; cat settings/color settings-color key/token; stat -Lc %a key/token"
    assert await said(cluster, "web", read) == "redredsecret400"
    await replace(cluster, "configmaps", "settings", data={"color": "blue", "new": "y"})
    while "blue" not in (seen := await said(cluster, "web", read)):
        await asyncio.sleep(0.02)
    if mounted:
        assert seen == "blueredsecret400"
        touched = await said(cluster, "web", "touch /etc/settings/x 2>&1")
        assert "Read-only file system" in touched
    assert (await said(cluster, "web", f"ls {root}/etc/settings")).split() == ["color", "new"]
    pod = cluster.pod("web")
    pod = {**pod, "metadata": {**pod["metadata"], "labels": {"tier": "a"}}}
    await cluster.store.update(pod, resource="pods", namespace="default", name="web")
    while not (seen := await said(cluster, "web", f"cat {root}/etc/pod-information/labels")):
        await asyncio.sleep(0.02)
    assert seen == 'tier="a"'
