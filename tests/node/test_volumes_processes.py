"""Volumes of pods that are processes: mounted, or at a documented path; kept, renewed, taken away.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
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


async def heard(
    cluster: Any, name: str, script: str, check: Callable[[str], bool], container: str = "c"
) -> str:
    """Run a command until what it says passes a check; return that."""
    async with asyncio.timeout(20):
        while not check(text := await said(cluster, name, script, container)):
            await asyncio.sleep(0.02)
    return text


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
    seen = await heard(cluster, "web", f"ls {at}", lambda text: "up" in text, "d")
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
    seen = await heard(cluster, "web", read, lambda text: "blue" in text)
    if mounted:
        assert seen == "blueredsecret400"
        touched = await said(cluster, "web", "touch /etc/settings/x 2>&1")
        assert "Read-only file system" in touched
    assert (await said(cluster, "web", f"ls {root}/etc/settings")).split() == ["color", "new"]
    pod = cluster.pod("web")
    pod = {**pod, "metadata": {**pod["metadata"], "labels": {"tier": "a"}}}
    await cluster.store.update(pod, resource="pods", namespace="default", name="web")
    seen = await heard(cluster, "web", f"cat {root}/etc/pod-information/labels", bool)
    assert seen == 'tier="a"'


async def test_a_pod_waits_for_a_missing_config_map_and_starts_when_it_is_there(
    mounting: Any,
) -> None:
    """It stays ContainerCreating with FailedMount, and nobody looks until something changes."""
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    container = {"volumeMounts": [mount("settings", "/settings")]}
    script = "cat /settings/color; sleep 300"
    await mounting.run("web", "sh", "-c", script, container=container, volumes=volumes)
    await mounting.until(lambda: mounting.state("web")[0] == "waiting")
    assert mounting.state("web")[1] == {"reason": "ContainerCreating"}
    assert mounting.pod("web")["status"]["phase"] == "Pending"
    text = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    assert mounting.events.messages("web", "FailedMount") == [text]
    await put(mounting, "configmaps", "ConfigMap", "other", data={})
    await put(mounting, "configmaps", "ConfigMap", "settings", data={"color": "green"})
    await mounting.until_running("web")
    assert await said(mounting, "web", "cat /settings/color") == "green"
    assert mounting.events.messages("web", "FailedMount") == [text]
    # What is taken away later is told, but what runs keeps what it has.
    await mounting.store.delete("configmaps", "default", "settings")
    async with asyncio.timeout(20):
        while len(mounting.events.messages("web", "FailedMount")) < 2:
            await asyncio.sleep(0.01)
    assert await said(mounting, "web", "cat /settings/color") == "green"
    assert mounting.status("web")["restartCount"] == 0


async def test_a_claims_data_outlives_its_pods(mounting: Any, tmp_path: Path) -> None:
    """Of a hostPath volume, whose directory is made; the pod waits until the claim is bound."""
    disk = tmp_path / "disk"
    volumes: list[Object]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    container = {"volumeMounts": [mount("data", "/data", subPath="deep/er")]}
    claim = {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeName": "pv",
            "storageClassName": "",
        }
    }
    await put(mounting, "persistentvolumeclaims", "PersistentVolumeClaim", "data", **claim)
    await mounting.run(
        "one",
        "sh",
        "-c",
        "echo kept > /data/x",
        container=container,
        volumes=volumes,
        restartPolicy="Never",
    )
    await mounting.until(lambda: mounting.events.messages("one", "FailedMount"))
    assert mounting.events.messages("one", "FailedMount")[0].endswith("PVC is not bound")
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(disk), "type": "DirectoryOrCreate"},
    }
    await put(mounting, "persistentvolumes", "PersistentVolume", "pv", spec=spec)
    found = mounting.store.get("persistentvolumeclaims", "default", "data")
    await mounting.store.update(
        {**found, "status": {"phase": "Bound"}},
        resource="persistentvolumeclaims",
        namespace="default",
        name="data",
        subresource="status",
    )
    await mounting.until(lambda: mounting.pod("one")["status"]["phase"] == "Succeeded")
    await mounting.store.delete("pods", "default", "one")
    await mounting.until_gone("one")
    assert (disk / "deep" / "er" / "x").read_text() == "kept\n"
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}]
    await mounting.run("two", "sleep", "300", container=container, volumes=volumes)
    await mounting.until_running("two")
    assert await said(mounting, "two", "cat /data/x") == "kept"
    found = mounting.store.get("persistentvolumeclaims", "default", "data")
    kept = {**found, "metadata": {**found["metadata"], "finalizers": ["example.com/kept"]}}
    name = {"resource": "persistentvolumeclaims", "namespace": "default", "name": "data"}
    await mounting.store.update(kept, **name)
    await mounting.store.delete("persistentvolumeclaims", "default", "data")
    await mounting.run("three", "sleep", "300", container=container, volumes=volumes)
    await mounting.until(lambda: mounting.events.messages("three", "FailedMount"))
    assert mounting.events.messages("three", "FailedMount")[0].endswith("PVC is being deleted")
    assert mounting.events.messages("two", "FailedMount") == []


async def test_a_pod_that_is_over_keeps_no_volumes(mounting: Any, tmp_path: Path) -> None:
    """Though it stays until it is deleted: finished Jobs would fill the disk."""
    volumes = [{"name": "data", "emptyDir": {}}]
    container = {"volumeMounts": [mount("data", "/no-such/data")]}
    script = "echo x > /no-such/data/x"
    await mounting.run(
        "web", "sh", "-c", script, container=container, volumes=volumes, restartPolicy="Never"
    )
    await mounting.until(lambda: mounting.pod("web")["status"]["phase"] == "Succeeded")
    assert [path.name for path in (tmp_path / "mounts").iterdir()] == [".trash"]


@pytest.mark.parametrize("path", ["/no-such/message", "/dev/termination-log"])
async def test_a_termination_message_is_read_from_the_path_that_a_container_names(
    nodes: tuple[Any, bool], path: str
) -> None:
    """A file mounted there, for whoever the container's user is; else a variable names another.

    The usual path needs a ``/dev`` of the container's own, in which devices and terminals work.
    """
    cluster, mounted = nodes
    mounted = mounted and (os.getuid() == 0 or not path.startswith("/dev"))
    at = path if mounted else "$ORCHESTRATOR_TERMINATION_LOG"
    container = {"terminationMessagePath": path}
    security = {"runAsUser": 65534} if mounted and os.getuid() == 0 else {}
    script = f"echo > /dev/null && true < /dev/ptmx && echo last words > {at} && exit 3"
    await cluster.run(
        "web",
        "sh",
        "-c",
        script,
        container=container,
        restartPolicy="Never",
        securityContext=security,
    )
    await cluster.until(lambda: cluster.state("web")[0] == "terminated")
    ended = cluster.state("web")[1]
    assert (ended["exitCode"], ended["message"]) == (3, "last words\n")
    assert not Path("/no-such").exists()
    assert not Path("/dev/termination-log").exists()


async def test_a_host_path_that_is_not_there_is_tried_again(mounting: Any, tmp_path: Path) -> None:
    """The machine tells nobody of its changes, so this alone takes a timer."""
    volumes = [{"name": "host", "hostPath": {"path": f"{tmp_path}/file", "type": "File"}}]
    container = {"volumeMounts": [mount("host", "/no-such-directory/file", readOnly=True)]}
    await mounting.run("web", "sleep", "300", container=container, volumes=volumes)
    await mounting.until(lambda: mounting.events.messages("web", "FailedMount"))
    (text,) = mounting.events.messages("web", "FailedMount")
    assert text.endswith(f"hostPath type check failed: {tmp_path}/file is not a file")
    (tmp_path / "file").write_text("here")
    await mounting.until_running("web")
    assert await said(mounting, "web", "cat /no-such-directory/file") == "here"
    assert "Read-only" in await said(mounting, "web", "echo > /no-such-directory/file 2>&1")


async def test_a_sub_path_must_not_lead_out_of_its_volume(
    nodes: tuple[Any, bool], tmp_path: Path
) -> None:
    """By a symbolic link that somebody put there; the container waits."""
    cluster, _ = nodes
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "out").symlink_to("/etc")
    volumes = [{"name": "host", "hostPath": {"path": f"{tmp_path}/disk"}}]
    container = {"volumeMounts": [mount("host", "/mnt/x", subPath="out")]}
    await cluster.run("web", "sleep", "300", container=container, volumes=volumes)
    await cluster.until(
        lambda: cluster.state("web")[1].get("reason") not in (None, "ContainerCreating")
    )
    assert cluster.state("web")[1] == {
        "reason": "CreateContainerConfigError",
        "message": 'failed to prepare subPath for volumeMount "host" of container "c"',
    }


async def test_mounts_within_mounts_hide_nothing_and_reach_nobody_else(
    mounting: Any, tmp_path: Path
) -> None:
    """One over the directory of all volumes, one within another, and a working directory."""
    (tmp_path / "host").mkdir()
    volumes: list[Object] = [
        {"name": "one", "emptyDir": {}},
        {"name": "two", "emptyDir": {"medium": "Memory"}},
        {"name": "host", "hostPath": {"path": f"{tmp_path}/host"}},
    ]
    mounts = [
        mount("two", f"{tmp_path}/mounts"),
        mount("one", f"{tmp_path}/mounts/inner/most"),
        mount("host", "/srv/no-such-host"),
        mount("one", "/srv/no-such-host/inner"),
    ]
    container = {"volumeMounts": mounts, "workingDir": f"{tmp_path}/mounts/inner/most"}
    script = "touch here; sleep 300"
    await mounting.run("web", "sh", "-c", script, container=container, volumes=volumes)
    await mounting.until_running("web")
    seen = await heard(mounting, "web", "ls /srv/no-such-host/inner", bool)
    assert seen == "here"
    assert await said(mounting, "web", f"ls {tmp_path}/mounts") == "inner"
    assert await said(mounting, "web", f"stat -f -c %T {tmp_path}/mounts") == "tmpfs"
    assert not Path("/srv/no-such-host").exists()
    assert list((tmp_path / "host").iterdir()) == []
    memory = mounting.manager._volumes._memory
    assert len(list(memory.iterdir())) == 1
    await mounting.store.delete("pods", "default", "web")
    await mounting.until_gone("web")
    await mounting.manager._volumes.close()
    assert not memory.exists()


async def test_what_is_left_of_pods_that_are_gone_is_taken_away_at_the_next_start(
    tmp_path: Path, clusters: Any
) -> None:
    """Also directories that a container closed to its own user, and removals that were cut off."""
    left = tmp_path / "mounts" / "gone" / "volumes" / "data"
    left.mkdir(parents=True)
    (left / "file").touch()
    left.chmod(0)
    cut_off = tmp_path / "mounts" / ".trash" / "gone.0"
    cut_off.mkdir(parents=True)
    async with _node(clusters, tmp_path):
        pass
    assert not left.exists()
    assert [path.name for path in (tmp_path / "mounts").rglob("*")] == [".trash"]


@pytest.mark.skipif(os.getuid() != 0, reason="takes root")
async def test_another_user_reads_and_writes_by_the_group_of_the_volumes(mounting: Any) -> None:
    """What fsGroup is for: the user owns nothing, and the daemon's directories are closed to it."""
    await put(mounting, "secrets", "Secret", "key", data={"token": "c2VjcmV0"})
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
    ]
    container = {"volumeMounts": [mount("data", "/no-such/data"), mount("key", "/no-such/key")]}
    security = {"runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 4321, "supplementalGroups": [9]}
    await mounting.run(
        "web", "sleep", "300", container=container, volumes=volumes, securityContext=security
    )
    await mounting.until_running("web")
    assert await said(mounting, "web", "id -u; id -G") == "65534\n65534 9 4321"
    script = "cat /no-such/key/token; touch /no-such/data/x; stat -c %g /no-such/data/x"
    assert await said(mounting, "web", script) == "secret4321"
