"""How many nodes of a kind a load needs.

The number is found by trying: the fewest nodes with which everything is placed, halving between
what cannot be enough (the sum of requests over a node's size) and what is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.bench.compare.amounts import RESOURCES, Amounts
from orchestrator.bench.compare.replay import Replay
from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.observed import Observed
from orchestrator.bench.planning.placing import begin, node_from_template
from orchestrator.bench.policies import Policy
from orchestrator.bench.progress import Meter
from orchestrator.bench.simulation import Simulation, capacity_of, demand_of
from orchestrator.bench.traces.records import NodeComes, PodComes, Record
from orchestrator.resources.objects import Object, uid_of

MOST: Final = 100_000
"""The highest number of nodes that is tried."""

NODE_NAME: Final = "planned"
Attempt = Callable[[int], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The answer.

    Attributes:
        nodes: The fewest new nodes with which everything is placed; None if no number is enough.
        present: Nodes that were there already.
        pods: How many pods the load has.
        size: What a new node has for pods.
        requested: What the load's pods request together (at the busiest moment, for a trace).
        bounds: For each resource, how many new, empty nodes its sum alone would fill.
        unplaced: Why pods fit nowhere, if no number of nodes is enough: each reason once.
        attempts: The numbers that were tried, and how many pods each left unplaced.
    """

    nodes: int | None
    present: int
    pods: int
    size: Amounts
    requested: Amounts
    bounds: dict[str, int]
    unplaced: list[str] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        template: The kind of node.
        daemons: Pods that each new node has to bear, if it takes them.
        policy: Which configuration places.
        seed: Breaks ties.
        observed: The cluster that the new nodes join; None for no cluster.
    """

    template: Object
    policy: Policy
    seed: int
    daemons: Sequence[Object] = ()
    observed: Observed | None = None


def need_for_pods(question: Question, pods: Sequence[Object], meter: Meter) -> Need:
    """Find how many nodes take pods that are all there at once."""

    def attempt(count: int) -> list[str]:
        meter.advance(1)
        simulation = _with_nodes(question, count)
        for pod in pods:
            simulation.submit(uid_of(pod), pod)
        simulation.run_to_rest()
        return [
            message
            for pod in pods
            if simulation.holds(uid_of(pod)) is None
            for message in [simulation.refusal(uid_of(pod)) or "preempted"]
        ]

    sizes = question.policy.simulate(question.seed)
    demands = [demand_of(sizes.class_of(pod)) for pod in pods]
    return _search(question, attempt, len(pods), _sum(demands))


def need_for_trace(
    question: Question, records: Sequence[Record], patience: float, meter: Meter
) -> Need:
    """Find how many nodes take a trace's pods, none of which waits longer than ``patience``.

    Nodes of the trace are left out: the question is how many there should be.
    """
    pods = [record for record in records if isinstance(record, PodComes)]

    def attempt(count: int) -> list[str]:
        meter.advance(1)
        simulation = _with_nodes(question, count)
        result = Replay(pods, simulation).run("")
        late = sum(waited > patience for waited in result.pending)
        left = [reason for reason, count in result.reasons.items() for _ in range(count)]
        more = max(late, result.unplaced) - len(left)
        return left + [f"had to wait for more than {patience:g} s"] * more

    sizes = question.policy.simulate(question.seed)
    return _search(question, attempt, len(pods), _busiest(pods, sizes), at_once=patience == 0)


def _with_nodes(question: Question, count: int) -> Simulation:
    """Return a simulation of the cluster with so many nodes more, and their daemons on them."""
    if question.observed is None:
        simulation = question.policy.simulate(question.seed)
    else:
        simulation = begin(question.observed, question.policy, question.seed).simulation
    for number in range(count):
        name = f"{NODE_NAME}-{number}"
        simulation.put_node(node_from_template(question.template, name))
        for index, daemon in enumerate(question.daemons):
            uid = f"daemon {index} on {name}"
            if not simulation.reasons(daemon, name):
                simulation.place(uid, daemon, name)
    return simulation


def _search(
    question: Question, attempt: Attempt, pods: int, requested: Amounts, *, at_once: bool = True
) -> Need:
    size = _size(question)
    bounds = {
        resource: -(-wanted // there)
        for resource, wanted, there in zip(RESOURCES, requested, size, strict=True)
        if wanted and there
    }
    attempts: dict[int, int] = {}

    def enough(count: int) -> bool:
        missing = attempt(count)
        attempts[count] = len(missing)
        return not missing

    present = 0 if question.observed is None else len(question.observed.nodes)
    high = max([1, *bounds.values()])
    # What sums say holds for new nodes alone, and only if nothing may wait.
    low = high - 1 if question.observed is None and at_once else 0
    found: int | None = None
    unplaced: list[str] = []
    if question.observed is not None and enough(0):
        found = 0
    while found is None:
        messages = attempt(high)
        attempts[high] = len(messages)
        if not messages:
            found = high
        elif high >= MOST or _hopeless(attempts, high):
            unplaced = list(dict.fromkeys(messages))
            break
        else:
            low, high = high, min(MOST, 2 * high)
    while found is not None and found - low > 1:
        middle = (low + found) // 2
        if enough(middle):
            found = middle
        else:
            low = middle
    return Need(
        nodes=found,
        present=present,
        pods=pods,
        size=size,
        requested=requested,
        bounds=bounds,
        unplaced=unplaced,
        attempts=dict(sorted(attempts.items())),
    )


def _hopeless(attempts: dict[int, int], high: int) -> bool:
    """Tell whether doubling twice more left exactly as many pods unplaced: nodes do not help."""
    half, quarter = attempts.get(high // 2), attempts.get(high // 4)
    return attempts[high] == half == quarter


def _size(question: Question) -> Amounts:
    """Return what of a new node is left for the load when its daemons are on it."""
    alone = question.policy.simulate(question.seed)
    alone.put_node(node_from_template(question.template, NODE_NAME))
    size = capacity_of(alone.nodes[NODE_NAME])
    for daemon in question.daemons:
        if not alone.reasons(daemon, NODE_NAME):
            size = size.minus(demand_of(alone.class_of(daemon)))
    if not size.cpu or not size.memory:
        raise UserError("the node template has no cpu or no memory in status.allocatable")
    return size


def _sum(amounts: Sequence[Amounts]) -> Amounts:
    total = Amounts()
    for each in amounts:
        total = total.plus(each)
    return total


def _busiest(pods: Sequence[PodComes], sizes: Simulation) -> Amounts:
    """Return the most that is requested of each resource at one time, if nobody waits."""
    events: list[tuple[float, int, Amounts]] = []
    for record in pods:
        demand = demand_of(sizes.class_of(record.pod))
        events.append((record.time, 1, demand))
        end = record.until if record.duration is None else record.time + record.duration
        if end is not None:
            events.append((end, 0, demand))
    total = highest = Amounts()
    for _, comes, demand in sorted(events, key=lambda event: event[:2]):
        total = total.plus(demand) if comes else total.minus(demand)
        highest = Amounts(*map(max, highest, total))
    return highest


def template_of(observed: Observed) -> Object:
    """Return the node that stands for a cluster's most frequent kind: those of one size.

    Nodes of the control plane, which keep pods away, count only if there are no others.
    """
    sizes: dict[str, list[Object]] = {}
    for node in observed.nodes:
        taints = (node.get("spec") or {}).get("taints") or ()
        open_ = not any(each.get("effect") in {"NoSchedule", "NoExecute"} for each in taints)
        sizes.setdefault(f"{open_:d} {_amounts_text(node)}", []).append(node)
    return max(sizes.items(), key=lambda kind: (kind[0][0], len(kind[1])))[1][0]


def _amounts_text(node: Object) -> str:
    amounts = (node.get("status") or {}).get("allocatable") or {}
    return repr(sorted(amounts.items()))


def nodes_of(records: Sequence[Record]) -> list[Object]:
    """Return the nodes that a trace has."""
    return [record.node for record in records if isinstance(record, NodeComes)]
