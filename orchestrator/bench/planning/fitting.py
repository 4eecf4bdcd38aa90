"""How many more of a pod fit into a cluster, where they go, and what stops the next one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from orchestrator.bench.planning.manifests import copies
from orchestrator.bench.planning.placing import Situation
from orchestrator.bench.progress import Meter
from orchestrator.resources.objects import Object, name_of

LIMIT: Final = 100_000
"""How many are tried, unless said otherwise: pods that request nothing are stopped by the number of
pods that a node takes only."""

_STEP: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The answer.

    Attributes:
        pod: What the pods are copies of.
        count: How many fit.
        limit: How many were tried at most; if as many fit, there may be room for more.
        nodes: How many go to each node, all nodes included.
        stopped: Why the next one fits nowhere, in the scheduler's words; empty at the limit.
        reasons: Why the next one does not fit on a node, by node.
    """

    pod: str
    count: int
    limit: int
    nodes: dict[str, int]
    stopped: str
    reasons: dict[str, str]


def fit(situation: Situation, pod: Object, meter: Meter, limit: int = LIMIT) -> Fit:
    """Place copies of a pod one after another until one fits nowhere. Nobody is preempted."""
    simulation = situation.simulation
    name = name_of(pod)
    nodes: Counter[str] = Counter(dict.fromkeys(simulation.nodes, 0))
    count = 0
    stopped = ""
    for copy in copies(pod, f"{name}-fit", limit):
        uid = copy["metadata"]["uid"]
        node = simulation.place_best(uid, copy)
        if node is None:
            stopped = simulation.diagnose(copy)
            break
        nodes[node] += 1
        count += 1
        if count % _STEP == 0:
            meter.advance(_STEP)
    reasons = {}
    if stopped:
        reasons = {node: ", ".join(simulation.reasons(pod, node)) for node in simulation.nodes}
    return Fit(
        pod=name, count=count, limit=limit, nodes=dict(nodes), stopped=stopped, reasons=reasons
    )
