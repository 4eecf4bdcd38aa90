"""``kill -9`` of a daemon: its processes go on, and the next one takes them over."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.log import SqliteLog
from orchestrator.node import LogOptions, NodeLogs, ProcessConfig, ProcessRuntime, process_node
from orchestrator.node.process.supervisor import processes as known_processes
from orchestrator.node.process.supervisor.mounting import probe
from orchestrator.node.volumes import VolumeDirectories

DAEMON = Path(__file__).with_name("daemon_to_kill.py")
ROOT = Path(__file__).parents[2]


async def start_daemon(directory: Path) -> asyncio.subprocess.Process:
    """Start the daemon-like process and wait until it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(DAEMON), str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
    return process


async def create(daemon: asyncio.subprocess.Process, name: str, script: str, **spec: Any) -> None:
    """Have the daemon make a pod."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "containers": [{"name": "c", "image": "i", "command": ["sh", "-c", script]}],
            "nodeName": "node-1",
            **spec,
        },
    }
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    daemon.stdin.write(json.dumps(pod).encode() + b"\n")
    assert await asyncio.wait_for(daemon.stdout.readline(), 30) == b"created\n"


async def until(check: Callable[[], Any]) -> None:
    """Wait until ``check`` returns something true."""
    async with asyncio.timeout(15):
        while not check():
            await asyncio.sleep(0.01)


async def test_a_killed_daemons_containers_are_taken_over(tmp_path: Path, clusters: Any) -> None:
    """With their addresses, logs, exit codes and restart counts."""
    flag = tmp_path / "flag"
    daemon = await start_daemon(tmp_path)
    once = f"echo $$POD_IP >> {tmp_path}/initialized"
    init = {"name": "i", "image": "i", "command": ["sh", "-c", once]}
    await create(daemon, "runs", "echo $$$$; while :; do sleep 0.05; done", initContainers=[init])
    wait = f"while [ ! -e {flag} ]; do sleep 0.02; done"
    await create(daemon, "ends", f"{wait}; exit 6", restartPolicy="Never")
    await create(
        daemon,
        "again",
        f"[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; exit 1; }}; echo back; sleep 300",
    )
    logs = tmp_path / "process" / "pods"
    await until(lambda: any(path.read_bytes() for path in logs.glob("*_runs_*/c/0.log")))
    await until(lambda: any(path.read_bytes() for path in logs.glob("*_again_*/c/1.log")))
    await until(lambda: list(logs.glob("*_ends_*/c/0.log")))
    daemon.send_signal(signal.SIGKILL)
    await daemon.wait()
    log = next(logs.glob("*_runs_*/c/0.log")).read_text()
    pid = int(log.split()[3])
    assert known_processes.start_time(pid) is not None
    flag.touch()
    records = tmp_path / "process" / "containers"
    await until(
        lambda: any('"exit_code": 6' in path.read_text() for path in records.glob("*.json"))
    )

    def runtimes(system: Any) -> list[Any]:
        return [ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), system.clock)]

    disk = await SqliteLog.open(tmp_path / "log.db")
    nodes = [process_node(1, pods="127.252")]
    async with clusters(runtimes, nodes, log=disk) as cluster:
        await cluster.until(lambda: cluster.state("ends")[0] == "terminated")
        assert cluster.state("ends")[1]["exitCode"] == 6
        assert cluster.pod("ends")["status"]["phase"] == "Failed"
        await cluster.until_running("runs")
        await cluster.until(lambda: cluster.status("again").get("restartCount") == 1)
        assert cluster.status("runs")["restartCount"] == 0
        (initialized,) = cluster.pod("runs")["status"]["initContainerStatuses"]
        assert (initialized["ready"], initialized["restartCount"]) == (True, 0)
        address = cluster.pod("runs")["status"]["podIP"]
        assert (tmp_path / "initialized").read_text() == f"{address}\n"
        assert cluster.status("again")["lastState"]["terminated"]["exitCode"] == 1
        assert known_processes.start_time(pid) is not None
        reader = NodeLogs(cluster.manager._runtimes["process"], cluster.system.clock)
        stream = await reader.open(cluster.pod("runs"), "c", LogOptions())
        assert b"".join([chunk async for chunk in stream]) == f"{pid}\n".encode()
        addresses = {cluster.pod(name)["status"]["podIP"] for name in ("runs", "ends", "again")}
        assert len(addresses) == 3
        await cluster.run("new", "sh", "-c", "sleep 300")
        assert (await cluster.until_running("new"))["status"]["podIP"] not in addresses
        await cluster.store.delete("pods", "default", "runs")
        await cluster.until_gone("runs")
        assert known_processes.start_time(pid) is None
    await disk.close()


@pytest.mark.skipif(bool(probe("/tmp")), reason="no mount namespaces here")
async def test_volumes_outlive_the_daemon_and_end_with_their_pod(
    tmp_path: Path, clusters: Any
) -> None:
    """After ``kill -9`` the next container finds what the last one wrote."""
    flag = tmp_path / "flag"
    daemon = await start_daemon(tmp_path)
    script = (
        "[ -e /no-such/x ] && { echo found; sleep 300; }; "
        f"touch /no-such/x; echo made; while [ ! -e {flag} ]; do sleep 0.02; done; exit 1"
    )
    container = {
        "name": "c",
        "image": "i",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "v", "mountPath": "/no-such"}],
    }
    volumes = [{"name": "v", "emptyDir": {}}]
    await create(daemon, "web", "", containers=[container], volumes=volumes)
    logs = tmp_path / "process" / "pods"
    await until(lambda: any(path.read_bytes() for path in logs.glob("*_web_*/c/0.log")))
    daemon.send_signal(signal.SIGKILL)
    await daemon.wait()
    (place,) = (tmp_path / "mounts").glob("*/volumes/v/x")
    flag.touch()

    def runtimes(system: Any) -> list[Any]:
        return [ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), system.clock)]

    disk = await SqliteLog.open(tmp_path / "log.db")
    nodes = [process_node(1, pods="127.252")]
    kept = VolumeDirectories(tmp_path / "mounts")
    async with clusters(runtimes, nodes, log=disk, volumes=kept) as cluster:
        await until(lambda: any(b"found" in path.read_bytes() for path in logs.glob("*/c/1.log")))
        await cluster.store.delete("pods", "default", "web")
        await cluster.until_gone("web")
        assert not place.parents[2].exists()
    await disk.close()


async def test_pods_deleted_while_no_daemon_ran_are_ended(tmp_path: Path, clusters: Any) -> None:
    """A container whose pod is not in the store belongs to nobody."""
    daemon = await start_daemon(tmp_path)
    await create(daemon, "orphan", "echo $$$$; sleep 300")
    logs = tmp_path / "process" / "pods"
    await until(lambda: any(path.read_bytes() for path in logs.glob("*_orphan_*/c/0.log")))
    pid = int(next(logs.glob("*_orphan_*/c/0.log")).read_text().split()[3])
    daemon.send_signal(signal.SIGKILL)
    await daemon.wait()

    def runtimes(system: Any) -> list[Any]:
        return [ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), system.clock)]

    async with clusters(runtimes, [process_node(1, pods="127.252")]):  # an empty store
        await until(lambda: known_processes.start_time(pid) is None)
        await until(lambda: not list(logs.iterdir()))


async def test_a_clean_stop_leaves_no_process(tmp_path: Path, clusters: Any) -> None:
    """Neither a container nor the supervisor, however rude the container."""
    made: list[ProcessRuntime] = []

    def runtimes(system: Any) -> list[Any]:
        made.append(ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), system.clock))
        return list(made)

    nodes = [process_node(1, pods="127.252")]
    async with clusters(runtimes, nodes, grace=0.2) as cluster:
        await cluster.run("rude", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
        await cluster.until_running("rude")
        supervisor = made[0].supervisor_pid
        identity = cluster.status("rude")["containerID"].rpartition("/")[2]
        assert known_processes.marked(identity)
    assert known_processes.marked(identity) == []
    await until(lambda: known_processes.start_time(supervisor) is None)
