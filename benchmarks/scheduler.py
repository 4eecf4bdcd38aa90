"""How many pods a second the scheduler's core places, beside a plain loop over all nodes.

    python benchmarks/scheduler.py [--json] [--tiny] [--seed N]

Pods of 100m CPU and 500Mi memory, nodes of 4 CPUs, 32Gi and 110 pods (larger where all pods would
not fit), as in kube-scheduler's scheduler_perf; here only the decision is measured, without a store
or an API. The plain loop runs the same filters and scores on every node for every pod. Before a
rate is reported, the placements are checked: all pods are placed, no node is overcommitted.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show
from orchestrator.resources.objects import Key
from orchestrator.scheduler.configuration.arguments import CPU_AND_MEMORY, ScoringStrategy
from orchestrator.scheduler.core import Cluster, Placer, PodClass, PodClasses, PodState, diagnose
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.strategies import balance_score, fit_score


def node(name: str, pods: int) -> dict[str, Any]:
    """Make a node with room for ``pods`` pods."""
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": {},
        "status": {
            "allocatable": {
                "cpu": str(max(4, pods // 10 + 1)),
                "memory": f"{max(32, pods // 2 + 1)}Gi",
                "pods": str(max(110, pods)),
            }
        },
    }


def spec(**parts: Any) -> dict[str, Any]:
    """Make a pod spec of scheduler_perf's size."""
    requests = {"cpu": "100m", "memory": "500Mi"}
    return {"containers": [{"name": "c", "resources": {"requests": requests}}], **parts}


def make_cluster(nodes: int, pods: int) -> Cluster:
    """Make a cluster in which the pods fit."""
    cluster = Cluster()
    for index in range(nodes):
        cluster.put_node(node(f"node-{index}", pods // nodes + 10), None)
    return cluster


def _state(number: int, pod: PodClass) -> PodState:
    return PodState(str(number), Key("pods", "default", f"p{number}"), pod)


def check(cluster: Cluster, placed: int) -> None:
    """Assert that the pods are placed and fit."""
    states = cluster.by_name.values()
    assert sum(len(state.pods) for state in states) == placed
    for state in states:
        assert len(state.pods) <= state.allowed_pods
        assert state.used_cpu <= state.cpu
        assert state.used_memory <= state.memory


def place_fast(cluster: Cluster, specs: list[dict[str, Any]], pods: int, seed: int) -> float:
    """Place the pods through class indexes, taking turns between specs; return pods per second."""
    placer, classes = Placer(cluster, random.Random(seed).random), PodClasses()
    start = time.perf_counter()
    for number in range(pods):
        pod = classes.of({"metadata": {}, "spec": specs[number % len(specs)]})
        chosen = placer.find_best(pod)
        assert chosen is not None
        cluster.place(_state(number, pod), chosen.name)
    seconds = time.perf_counter() - start
    check(cluster, pods)
    return pods / seconds


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
        cluster.place(_state(number, pod), max(feasible, key=score).name)
    seconds = time.perf_counter() - start
    check(cluster, pods)
    return pods / seconds


def diagnose_all(nodes: int) -> float:
    """Explain why a pod fits on none of the nodes; return explanations per second."""
    cluster = make_cluster(nodes, nodes)
    pod = PodClass(spec(nodeSelector={"no": "such"}))
    start = time.perf_counter()
    rounds = 5
    for _ in range(rounds):
        assert diagnose(pod, cluster).message.startswith(f"0/{nodes} nodes are available: ")
    return rounds / (time.perf_counter() - start)


def run(report: Report, pods: int, sizes: tuple[int, ...], seed: int) -> None:
    """Measure everything into ``report``."""
    for nodes in sizes:
        fast = place_fast(make_cluster(nodes, pods), [spec()], pods, seed)
        few = max(10, min(pods, 200_000 // nodes))
        slow = place_slowly(make_cluster(nodes, few), few)
        target = None if report.tiny else 20_000
        report.add(f"{pods:,} alike on {nodes:,} nodes", fast, "pods/s", target=target)
        report.add(f"plain loop on {nodes:,} nodes", slow, "pods/s")
        report.add("ratio", fast / slow, "x")
        mixed = [spec(tolerations=[{"key": str(n), "operator": "Exists"}]) for n in range(20)]
        rate = place_fast(make_cluster(nodes, pods), mixed, pods, seed)
        report.add(f"{len(mixed)} classes in turn on {nodes:,} nodes", rate, "pods/s")
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
