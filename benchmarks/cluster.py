"""The whole cluster: start-up, size at rest, and a large Deployment on simulated nodes.

    python benchmarks/cluster.py [--json] [--tiny] [--pods N] [--nodes N]

Start-up is timed from the start of the command to its word that it is ready, on an empty data
directory, with three process nodes. Size and processor time are the operating system's, of the
daemon and of the supervisor process beside it. The Deployment goes the whole way: its controllers,
the scheduler, the nodes and every write to a log on disk (WAL, synchronous=FULL); it counts as done
when all pods are Running in the store. It is ``orchestrator bench cluster`` that runs it, with a
bare loop beside it that packs three events a pod into SQLite and does nothing else.
"""

from __future__ import annotations

import json
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show

DEADLINE = 120.0
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


def run_cluster(pods: int, nodes: int, seed: int) -> dict[str, Any]:
    """Run ``orchestrator bench cluster`` in a process of its own; return its result."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "orchestrator.cli", "bench", "cluster", "--json=-"),
            *(f"--pods={pods}", f"--nodes={nodes}", f"--seed={seed}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
    )
    if done.returncode:
        raise RuntimeError(f"the Deployment failed:\n{done.stderr}")
    (result,) = json.loads(done.stdout)["results"]
    return dict(result)


def main() -> None:
    """Measure and print."""
    parser = options("The whole cluster: start-up, size at rest, many pods.")
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=100)
    arguments = parser.parse_args()
    pods = 200 if arguments.tiny else arguments.pods
    nodes = 10 if arguments.tiny else arguments.nodes
    runs = 1 if arguments.tiny else 3
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

    ran = [run_cluster(pods, nodes, arguments.seed + run) for run in range(runs)]
    speeds = [result["pods_per_second"] for result in ran]
    bare = statistics.median(result["baseline_pods_per_second"] for result in ran)
    speed = statistics.median(speeds)
    report.add(
        f"{pods} pods of one Deployment, {nodes} nodes, to Running",
        speed,
        "pods/s",
        target=5000,
        note=f"best {max(speeds):,.0f}, worst {min(speeds):,.0f}",
    )
    report.add("bare loop: 3 events a pod, packed and written", bare, "pods/s")
    report.add("whole cluster ÷ bare loop", speed / bare, "ratio")
    for pods, nodes in [] if arguments.tiny else [LARGE]:
        result = run_cluster(pods, nodes, arguments.seed)
        name = f"{pods} pods of one Deployment, {nodes} nodes"
        used = result["loop_seconds"] / pods * 1e6
        note = f"the loop's processor time: {used:.0f} us a pod; "
        note += f"{result['events_written']} Events written"
        rate = result["pods_per_second"]
        report.add(f"{name}, to Running", rate, "pods/s", target=10_000, note=note)
        size = result["memory_bytes_per_pod"] / 1024
        report.add(f"{name}, memory", size, "KiB a pod", target=6, at_least=False)
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
