"""The whole cluster: start-up, size at rest, and a large Deployment on simulated nodes.

    python benchmarks/cluster.py [--json] [--tiny] [--pods N] [--nodes N]

Start-up is timed from the start of the command to its word that it is ready, on an empty data
directory, with three process nodes. Size and processor time are the operating system's, of the
daemon and of the supervisor process beside it. The Deployment goes the whole way: its controllers,
the scheduler, the nodes and every write to a log on disk (WAL, synchronous=FULL); it counts as done
when all pods are Running in the store. Beside it, in the same run: a bare loop that packs three
events a pod into SQLite with the same settings and does nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import json
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgpack
import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show
from orchestrator.cli.collector import tune_collector
from orchestrator.cli.logs import configure_logs
from orchestrator.cli.switching import hasten_switches
from orchestrator.cluster import Cluster, ClusterConfig
from orchestrator.resources.objects import Object, status_of
from orchestrator.store import ObjectEvent, Store

DEADLINE = 120.0
SLOWEST = 200.0
"""Pods a second below which a run is given up."""
LARGE = 100_000, 5_000
"""Pods and nodes of the large Deployment."""


@dataclass(frozen=True, slots=True)
class AtRest:
    """One daemon, started on an empty directory and left alone."""

    ready_seconds: float
    daemon_megabytes: float
    supervisor_megabytes: float
    core_percent: float


def daemon_at_rest(idle_seconds: float) -> AtRest:
    """Start ``orchestrator up --nodes 3``, wait, look, and stop it."""
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        daemon = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "orchestrator.cli",
                "up",
                "--nodes=3",
                "--port=0",
                f"--data-dir={directory}/state",
                f"--kubeconfig={directory}/kubeconfig",
            ],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )
        try:
            assert daemon.stdout is not None
            ready, _, _ = select.select([daemon.stdout], [], [], DEADLINE)
            line = daemon.stdout.readline() if ready else b""
            ready_seconds = time.perf_counter() - began
            if b"ready" not in line:
                raise RuntimeError(f"the daemon did not get ready: {line!r}")
            processes = _family(daemon.pid, directory)
            before = sum(_processor(process) for process in processes)
            time.sleep(idle_seconds)
            used = sum(_processor(process) for process in processes) - before
            sizes = [process.memory_info().rss / 1e6 for process in processes]
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=DEADLINE)
        return AtRest(ready_seconds, sizes[0], sum(sizes[1:]), 100 * used / idle_seconds)


def _family(pid: int, directory: str) -> list[psutil.Process]:
    """Return the daemon and then the other processes that work on its directory."""
    others = []
    for process in psutil.process_iter():
        try:
            if process.pid != pid and any(directory in word for word in process.cmdline()):
                others.append(process)
        except psutil.Error:
            continue
    return [psutil.Process(pid), *others]


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def deployment(replicas: int) -> Object:
    """Return the Deployment; its pods ask for what upstream's scheduler benchmarks ask for."""
    container = {
        "name": "web",
        "image": "web",
        "command": ["web"],
        "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container]},
            },
        },
    }


@dataclass(frozen=True, slots=True)
class Ran:
    """One Deployment, from its creation to its last pod Running.

    Attributes:
        seconds: By the clock.
        processor_seconds: Of the event loop's thread alone, which says more on a busy machine.
        bytes_per_pod: By which the process grew, without what it could give back.
        events: Events that were written beside.
    """

    seconds: float
    processor_seconds: float
    bytes_per_pod: float
    events: int


async def run_pods(pods: int, nodes: int, seed: int) -> Ran:
    """Create the Deployment, wait for its pods, and look at them."""
    with tempfile.TemporaryDirectory() as directory:
        config = ClusterConfig(
            nodes=nodes,
            runtime="simulated",
            data_dir=Path(directory) / "state",
            seed=seed,
            node_capacity={"cpu": "64", "memory": "512Gi", "pods": "250"},
            node_events=False,
        )
        async with Cluster(config) as cluster:
            collector = tune_collector()
            hasten_switches()
            size = psutil.Process().memory_info().rss
            events = len(cluster.store.list("events"))
            began, used = time.perf_counter(), time.thread_time()
            await cluster.store.create(
                deployment(pods), resource="deployments.apps", namespace="default"
            )
            await all_running(cluster.store, pods)
            seconds, used = time.perf_counter() - began, time.thread_time() - used
            collector.stop()
            gc.collect()
            size = psutil.Process().memory_info().rss - size
            events = len(cluster.store.list("events")) - events
            found = cluster.store.list("pods", "default")
            running = sum(status_of(pod).get("phase") == "Running" for pod in found)
            bound = sum("nodeName" in pod["spec"] for pod in found)
            if (running, bound) != (pods, pods):
                raise RuntimeError(f"{running} running, {bound} bound of {pods}")
        return Ran(seconds, used, size / pods, events)


async def all_running(store: Store, pods: int) -> None:
    """Return when so many pods have become Running."""
    changed = asyncio.Event()
    follower = store.follow(["pods"], changed.set, after=store.sequence)
    running = 0
    async with asyncio.timeout(max(DEADLINE, pods / SLOWEST)):
        while running < pods:
            await changed.wait()
            changed.clear()
            running += sum(map(became_running, follower.take()))
    follower.close()


def became_running(event: ObjectEvent) -> bool:
    """Tell whether a pod runs now and did not before."""
    before = event.previous
    return (
        status_of(event.object).get("phase") == "Running"
        and before is not None
        and status_of(before).get("phase") != "Running"
    )


def large(pods: int, nodes: int, seed: int) -> Ran:
    """Run one large Deployment in a process of its own."""
    command = [sys.executable, __file__, "--large", f"--pods={pods}", f"--nodes={nodes}"]
    done = subprocess.run([*command, f"--seed={seed}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the large Deployment failed:\n{done.stderr}")
    return Ran(**json.loads(done.stdout))


def bare_loop(pods: int) -> float:
    """Return the seconds that packing and writing three whole events a pod takes, 500 a commit."""
    spec = deployment(1)["spec"]["template"]["spec"]
    with tempfile.TemporaryDirectory() as directory:
        database = sqlite3.connect(f"{directory}/bare.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE log (sequence INTEGER PRIMARY KEY, key TEXT, data BLOB)")
        began = time.perf_counter()
        sequence = 0
        for first in range(0, pods, 500):
            rows: list[tuple[int, str, bytes]] = []
            for index in range(first, min(first + 500, pods)):
                for phase in ("Pending", "Pending", "Running"):
                    sequence += 1
                    rows.append((sequence, f"pods/web-{index}", _packed(index, phase, spec)))
            database.execute("BEGIN")
            database.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
            database.execute("COMMIT")
        seconds = time.perf_counter() - began
        database.close()
    return seconds


def _packed(index: int, phase: str, spec: Object) -> bytes:
    pod: dict[str, Any] = {
        "metadata": {"name": f"web-{index}", "namespace": "default", "labels": {"app": "web"}},
        "spec": spec,
        "status": {"phase": phase},
    }
    return bytes(msgpack.packb(pod))


def main() -> None:
    """Measure and print."""
    parser = options("The whole cluster: start-up, size at rest, many pods.")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--large", action="store_true", help="one Deployment only, as JSON")
    arguments = parser.parse_args()
    if arguments.large:
        configure_logs("error", as_json=False)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ran = runner.run(run_pods(arguments.pods, arguments.nodes, arguments.seed))
        print(json.dumps(asdict(ran)))
        return
    pods = 200 if arguments.tiny else arguments.pods
    nodes = 10 if arguments.tiny else arguments.nodes
    runs = 1 if arguments.tiny else 3
    configure_logs("error", as_json=False)  # to standard error: standard output is the report's
    report = Report(benchmark="cluster", seed=arguments.seed, tiny=arguments.tiny)

    rests = [daemon_at_rest(1.0 if arguments.tiny else 10.0) for _ in range(runs)]
    ready = statistics.median(rest.ready_seconds for rest in rests)
    report.add("command to ready, 3 nodes", ready, "s", target=1.0, at_least=False)
    size = statistics.median(rest.daemon_megabytes for rest in rests)
    report.add("daemon idle, 3 nodes", size, "MB RSS", target=80, at_least=False)
    beside = statistics.median(rest.supervisor_megabytes for rest in rests)
    report.add("supervisor beside it", beside, "MB RSS")
    share = statistics.median(rest.core_percent for rest in rests)
    report.add("both idle", share, "% of a core", target=1.0, at_least=False)

    speeds = []
    bare = []
    for run in range(runs):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            speeds.append(pods / runner.run(run_pods(pods, nodes, arguments.seed + run)).seconds)
        bare.append(pods / bare_loop(pods))
    speed = statistics.median(speeds)
    report.add(
        f"{pods} pods of one Deployment, {nodes} nodes, to Running",
        speed,
        "pods/s",
        target=5000,
        note=f"best {max(speeds):,.0f}, worst {min(speeds):,.0f}",
    )
    report.add("bare loop: 3 events a pod, packed and written", statistics.median(bare), "pods/s")
    report.add("whole cluster ÷ bare loop", speed / statistics.median(bare), "ratio")
    for pods, nodes in [] if arguments.tiny else [LARGE]:
        ran = large(pods, nodes, arguments.seed)
        name = f"{pods} pods of one Deployment, {nodes} nodes"
        used = ran.processor_seconds / pods * 1e6
        note = f"the loop's processor time: {used:.0f} us a pod; {ran.events} Events written"
        report.add(f"{name}, to Running", pods / ran.seconds, "pods/s", target=10_000, note=note)
        report.add(
            f"{name}, memory", ran.bytes_per_pod / 1024, "KiB a pod", target=6, at_least=False
        )
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
