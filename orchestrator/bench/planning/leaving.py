"""What happens to a cluster's pods when some of its nodes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.observed import is_of_daemonset, is_static, label_of
from orchestrator.bench.planning.placing import Situation
from orchestrator.bench.simulation import Evicted
from orchestrator.resources.objects import Object, controller_of, uid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What becomes of one pod.

    Attributes:
        pod: ``namespace/name``.
        source: The node it was on.
        target: The node it goes to; None when it fits nowhere.
        why: Why it fits nowhere, in the scheduler's words.
        preempted: It is not of a node that goes: it has to make room.
    """

    pod: str
    source: str
    target: str | None
    why: str = ""
    preempted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """The answer.

    Attributes:
        nodes: Those that go.
        moves: Pods that are made again, by whoever made them.
        with_node: Pods of DaemonSets and kubelets, which end with their node.
        lost: Pods that nobody makes again: they have no controller.
    """

    nodes: tuple[str, ...]
    moves: list[Move] = field(default_factory=list)
    with_node: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def leave(situation: Situation, nodes: Sequence[str]) -> Departure:
    """Take nodes away, and let what ran there be made anew and scheduled.

    Raises:
        UserError: A node is not there.
    """
    simulation = situation.simulation
    for name in nodes:
        if name not in simulation.nodes:
            known = ", ".join(sorted(simulation.nodes)[:5])
            more = ", ..." if len(simulation.nodes) > 5 else ""
            raise UserError(f"there is no node {name}; there are {known}{more}")
    departure = Departure(nodes=tuple(dict.fromkeys(nodes)))
    sources: dict[str, str] = {}
    again: list[Object] = []
    for name in departure.nodes:
        for uid in simulation.remove_node(name):
            pod = situation.pods[uid]
            if is_of_daemonset(pod) or is_static(pod):
                departure.with_node.append(label_of(pod))
            elif controller_of(pod) is None:
                departure.lost.append(label_of(pod))
            elif not pod["metadata"].get("deletionTimestamp"):
                sources[uid] = name
                again.append(pod)
    preempted: dict[str, str] = {}
    for pod in again:
        simulation.submit(uid_of(pod), pod)
    targets: dict[str, str] = {}
    for change in simulation.run_to_rest():
        if isinstance(change, Evicted):
            preempted.setdefault(change.uid, change.node)
            targets.pop(change.uid, None)
        else:
            targets[change.uid] = change.node
    for uid, source in [*sources.items(), *preempted.items()]:
        if uid in preempted and uid in sources and source != sources[uid]:
            continue  # it was moved, and then had to make room: told once
        target = targets.get(uid)
        departure.moves.append(
            Move(
                pod=label_of(situation.pods[uid]),
                source=source,
                target=target,
                why="" if target else simulation.refusal(uid),
                preempted=uid not in sources,
            )
        )
    return departure
