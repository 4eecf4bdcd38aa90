"""The scheduler's core beside a plain loop over all nodes, and how fast it says why a pod waits.

    python benchmarks/scheduler.py [--json] [--tiny] [--seed N]

How fast pods are scheduled, in which workloads, is ``orchestrator bench scheduling``'s to say
(docs/benchmarks.md); this has what is left: the plain loop, which runs the same filters and scores
on every node for every pod, and diagnoses.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show
from orchestrator.bench.progress import Progress
from orchestrator.bench.scheduling.cases import DEFAULT_NODE
from orchestrator.bench.scheduling.curves import measure_curve
from orchestrator.bench.scheduling.making import Maker
from orchestrator.bench.scheduling.measuring import Settings
from orchestrator.bench.scheduling.workloads import CreateNodes
from orchestrator.cli.bench.tuning import as_the_daemon
from orchestrator.resources.objects import Key
from orchestrator.scheduler.configuration.arguments import CPU_AND_MEMORY, ScoringStrategy
from orchestrator.scheduler.core import Cluster, PodClass, PodState, diagnose
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.strategies import balance_score, fit_score


def spec(**parts: Any) -> dict[str, Any]:
    """Make a pod spec of scheduler_perf's size."""
    requests = {"cpu": "100m", "memory": "500Mi"}
    return {"containers": [{"name": "c", "resources": {"requests": requests}}], **parts}


def make_cluster(nodes: int) -> Cluster:
    """Make a cluster of scheduler_perf's nodes."""
    cluster = Cluster()
    for node in Maker().nodes(CreateNodes(count=nodes, template=DEFAULT_NODE), nodes):
        cluster.put_node(node, None)
    return cluster


def place_slowly(cluster: Cluster, pods: int) -> float:
    """Place the pods by asking every node for every pod; return pods per second."""
    pod = PodClass(spec())
    least, balance = fit_score(ScoringStrategy(), pod), balance_score(CPU_AND_MEMORY, pod)
    assert balance is not None

    def score(state: NodeState) -> int:
        return least(state) + balance(state)

    start = time.perf_counter()
    for number in range(pods):
        feasible = [
            state
            for state in cluster.by_name.values()
            if DEFAULT_FRAMEWORK.reject(pod, state, cluster) is None
        ]
        placed = PodState(str(number), Key("pods", "default", f"p{number}"), pod)
        cluster.place(placed, max(feasible, key=score).name)
    return pods / (time.perf_counter() - start)


def diagnose_all(nodes: int) -> float:
    """Explain why a pod fits on none of the nodes; return explanations per second."""
    cluster = make_cluster(nodes)
    pod = PodClass(spec(nodeSelector={"no": "such"}))
    start = time.perf_counter()
    rounds = 5
    for _ in range(rounds):
        assert diagnose(pod, cluster).message.startswith(f"0/{nodes} nodes are available: ")
    return rounds / (time.perf_counter() - start)


def run(report: Report, pods: int, sizes: tuple[int, ...], seed: int) -> None:
    """Measure everything into ``report``."""
    settings = Settings(seed=seed, tune=as_the_daemon)
    curve = measure_curve("nodes", settings, Progress(), sizes=sizes, pods=pods)
    for nodes, point in zip(sizes, curve.points, strict=True):
        few = max(10, min(30 * nodes, 200_000 // nodes))
        slow = place_slowly(make_cluster(nodes), few)
        report.add(f"core on {nodes:,} nodes", point.pods_per_second, "pods/s")
        report.add(f"plain loop on {nodes:,} nodes", slow, "pods/s")
        report.add("ratio", point.pods_per_second / slow, "x")
        report.add(f"diagnoses on {nodes:,} nodes", diagnose_all(nodes), "1/s")


def main() -> None:
    """Run from the command line."""
    arguments = options(__doc__ or "").parse_args()
    report = Report(benchmark="scheduler", seed=arguments.seed, tiny=arguments.tiny)
    if arguments.tiny:
        run(report, 200, (10,), arguments.seed)
    else:
        run(report, 10_000, (100, 5_000), arguments.seed)
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
